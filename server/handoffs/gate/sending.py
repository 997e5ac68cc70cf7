"""The calls that were allowed, from when they are sent to the server until it has answered. Each is sent once.

A call that became a task is answered in the task. Where its server wants input, or answers with a task of its own, the
task goes on, and so does its one approval.
"""

import logging
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import anyio

from handoffs.core.errors import HandoffError, NotFound
from handoffs.core.ports import Clock
from handoffs.gate import words
from handoffs.gate.asking import Allowed, Asking
from handoffs.gate.calls import HeldCall, asks_for_input, begins_task, is_error, notification, with_note
from handoffs.gate.ends import OwnRequests
from handoffs.gate.relay.message import Message, Value, id_of
from handoffs.gate.rounds import Round, Rounds
from handoffs.gate.written import line, mapping

logger = logging.getLogger(__name__)

NOTING_SECONDS = 2.0
"""How long the end of a session waits for the notes of what the server answered."""


@dataclass(frozen=True, slots=True)
class _Sent:
    call: HeldCall
    allowed: Allowed


class Sending:
    """The sent calls of one session."""

    def __init__(
        self,
        asking: Asking,
        own: OwnRequests,
        rounds: Rounds,
        *,
        subject: str,
        clock: Clock,
        start: Callable[[Callable[[], Coroutine[Any, Any, object]]], None],
    ) -> None:
        """Take the parts; `start` runs what need not be waited for."""
        self._asking, self._own, self._rounds = asking, own, rounds
        self._subject, self._clock, self._start = subject, clock, start
        self._running: dict[str, _Sent] = {}  # by the id that the server knows
        self._between: dict[str, Allowed] = {}  # calls whose server has asked for input, by their names
        self._of_tasks: dict[str, _Sent] = {}  # by name, until their tasks are over
        self._noting = 0  # how many results are on their way to the store
        self.ended: str | None = None
        """What became of the server behind."""

    async def reply(self, call: HeldCall, answer: bytes) -> None:
        """Give a response of ours to the client of a call: in its task, where it has become one."""
        if (task := call.as_task) is None:
            await self._own.to_client(answer)
        else:
            task.end(Message(answer), self._clock.now())

    async def send(self, call: HeldCall, allowed: Allowed) -> None:
        """Send a call whose approval was used up for it."""
        if self.ended is not None:  # while it was used up
            await self.reply(call, call.refused(words.INTERRUPTED))
            await self._note_unknown(allowed, self.ended)
            return
        sent = _Sent(call, allowed)
        if (task := call.as_task) is not None:
            task.send(self._clock.now())
            self._of_tasks[call.name] = sent
        self._running[call.id] = sent
        self._own.watching.add(call.id)
        run = call if allowed.arguments is None else call.with_arguments(allowed.arguments)
        await self._own.to_server(run.for_server())
        if task is not None and task.over:  # its client has cancelled it while its approval was used up
            await self.cancel_task(call.name)

    async def cancel(self, call: HeldCall) -> None:
        """Tell the server that a call which it has is wanted no more, though it may have run."""
        if (sent := self._running.get(call.id)) is not None:
            self._asking.given_up(sent.allowed)
            params: dict[str, Value] = {"requestId": id_of(call.id).value}
            await self._own.to_server(notification("notifications/cancelled", params))

    def given_up(self, request_id: str) -> None:
        """Hear that a client waits for a call no more."""
        if (sent := self._running.get(request_id)) is not None:
            self._asking.given_up(sent.allowed)

    def between(self, round_: Round) -> Allowed | None:
        """Return the approval of a call whose server has asked for input in this round; None where none waits."""
        return self._between.get(round_.call)

    async def go_on(self, call: HeldCall, round_: Round, allowed: Allowed) -> None:
        """Send a call again with what its server wanted, by the same approval."""
        self._rounds.use(round_)
        del self._between[round_.call]
        await self.send(call.without_round(state=round_.theirs), allowed)

    def answered(self, message: Message) -> tuple[bool, bytes | None]:
        """Take a response of the server; say whether it is one to a call, and what the client gets of it."""
        assert message.id is not None
        sent = self._running.pop(message.id.text, None)
        if sent is None:
            return False, None
        call, allowed, body = sent.call, sent.allowed, message.body
        if call.as_task is not None:
            self._answered_task(sent, message)
            return True, None
        if asks_for_input(body):
            return True, self._bound(allowed, body)
        self.note(allowed, "error" if is_error(body) else "done")
        return True, message.raw if allowed.arguments is None else with_note(message.raw, body, _edited(sent))

    async def lost(self, request_id: str, reason: str) -> None:
        """Answer a call that the server will never answer, though it goes on."""
        if (sent := self._running.pop(request_id, None)) is not None:
            await self.reply(sent.call, sent.call.refused(words.INTERRUPTED))
            self._of_tasks.pop(sent.call.name, None)
            await self._note_unknown(sent.allowed, reason)

    async def interrupted(self) -> list[Allowed]:
        """Answer all calls that the server has not answered; return their approvals."""
        left = {each.call.name: each for each in (*self._running.values(), *self._of_tasks.values())}
        for request_id in self._running:
            self._own.watching.discard(request_id)
        self._running, self._of_tasks = {}, {}
        for each in left.values():
            await self.reply(each.call, each.call.refused(words.INTERRUPTED))
        return [each.allowed for each in left.values()]

    async def note_unknown(self, interrupted: list[Allowed], reason: str) -> None:
        """Note that these calls may have run or not."""
        for allowed in interrupted:
            await self._note_unknown(allowed, reason)

    async def settled(self) -> None:
        """Return once what the server answered is noted, or after a while."""
        # Without its note, a call that was answered would count as one that may have run.
        with anyio.move_on_after(NOTING_SECONDS, shield=True):
            while self._noting:  # noqa: ASYNC110 - most often there is none
                await anyio.sleep(0.005)

    # Calls that became tasks

    async def answer_server(self, name: str, responses: Mapping[str, Value]) -> None:
        """Send the call of a task again with what its server wanted, by the same approval."""
        sent = self._of_tasks[name]
        assert sent.call.task is not None
        await self.send(sent.call.with_input(sent.call.task.state, responses), sent.allowed)

    async def cancel_task(self, name: str) -> None:
        """Give up the call of a task."""
        if (sent := self._of_tasks.pop(name, None)) is not None:
            self._asking.given_up(sent.allowed)
            await self.cancel(sent.call)

    def followed(self, name: str, told: Mapping[str, Value]) -> Mapping[str, Value]:
        """Take what the server says of its own task; return what the client gets of that."""
        status, sent = told.get("status"), self._of_tasks.get(name)
        if sent is None or status not in {"completed", "failed", "cancelled"}:
            return told
        if status == "completed" and sent.allowed.arguments is not None:
            noted = with_note(b"{}", {"result": told.get("result")}, _edited(sent))
            told = {**told, "result": Message(noted).body.get("result", told.get("result"))}
        if sent.call.task is not None and not sent.call.task.over:
            self.note(sent.allowed, "done" if status == "completed" and not is_error(told) else "error")
            del self._of_tasks[name]
        return told

    def _answered_task(self, sent: _Sent, message: Message) -> None:
        call, allowed, body, now = sent.call, sent.allowed, message.body, self._clock.now()
        assert call.task is not None
        if call.task.over:  # its client has cancelled it, and the server has answered all the same
            self.note(allowed, "error" if is_error(body) else "done")
        elif asks_for_input(body):
            call.task.want(mapping(body["result"]), now)
        elif behind := begins_task(body):
            call.task.follow(behind, now)
        else:
            self.note(allowed, "error" if is_error(body) else "done")
            edited = allowed.arguments is not None
            call.task.end(Message(with_note(message.raw, body, _edited(sent))) if edited else message, now)
            self._of_tasks.pop(call.name, None)

    # Notes

    def note(self, allowed: Allowed, outcome: str) -> None:
        """Note what the server answered, without waiting for it."""
        self._noting += 1
        self._start(partial(self._note_result, allowed, outcome))

    async def _note_result(self, allowed: Allowed, outcome: str) -> None:
        try:
            await self._asking.note_result(allowed, outcome=outcome)
        except NotFound as error:  # its question was deleted meanwhile: the session goes on
            logger.warning("what became of a call is not recorded: %s", error)
        finally:
            self._noting -= 1

    async def _note_unknown(self, allowed: Allowed, reason: str) -> None:
        try:
            await self._asking.note_unknown(allowed, reason=reason)
        except HandoffError as error:
            logger.warning("%s may have run, which is not recorded: %s", allowed.handoff.id, error)

    def _bound(self, allowed: Allowed, body: Mapping[str, Value]) -> bytes:
        """Return a round of the server's, bound to the approval of its call."""
        result = mapping(body["result"])
        state = result.get("requestState")
        action = allowed.handoff.question.action
        assert action is not None
        round_ = Round(
            handoff_id=allowed.handoff.id,
            digest=action.digest,
            asked=allowed.handoff.created_at,
            call=allowed.call,
            theirs=state if isinstance(state, str) else "",
        )
        self._between[allowed.call] = allowed
        return line({**body, "result": {**result, "requestState": self._rounds.make(round_, self._subject)}})


def _edited(sent: _Sent) -> str:
    action = sent.allowed.handoff.question.action
    assert action is not None
    return words.edited(action, sent.allowed.arguments or "")
