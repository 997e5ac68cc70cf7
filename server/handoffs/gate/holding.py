"""What a call goes through: the policy, a person where it says *ask*, and the server, once at the most.

- What the policy allows passes untouched. Until the server has listed its tools, a call waits for that: rules may look
  at what a tool says of itself.
- What a person allowed is used up in the store before it is sent, and sent once. Where its answer is lost, the agent is
  told that the call may have run.
- When a person can't be asked (the store is away), the call is not run.
"""

import logging
import secrets
import traceback
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine, Mapping, Sequence
from contextlib import asynccontextmanager
from functools import partial
from typing import Any, Protocol, cast

import anyio
from anyio.abc import TaskGroup

from handoffs.core.desk import Desk
from handoffs.core.errors import HandoffError
from handoffs.core.ports import Permissions
from handoffs.gate import words
from handoffs.gate.asking import Allowed, Asking
from handoffs.gate.calls import HeldCall, asks_for_input, is_error, name_of, with_note
from handoffs.gate.client import Client
from handoffs.gate.definitions import Definitions
from handoffs.gate.policy import Policy
from handoffs.gate.policy_model import Call, Decision, Verdict
from handoffs.gate.relay.message import OURS, Message, Value
from handoffs.gate.remembered import Remembered
from handoffs.gate.rounds import Round, Rounds
from handoffs.gate.waiting import Inbox
from handoffs.gate.written import line, mapping, written

logger = logging.getLogger(__name__)

NOTING_SECONDS = 2.0
"""How long the end of a session waits for the notes of what the server answered."""


class Ends(Protocol):
    """Both ends of a relay."""

    async def to_client(self, line: bytes) -> None:
        """Send a line of the gate's own to the client."""
        ...

    async def to_server(self, line: bytes) -> None:
        """Send a line to the server."""
        ...


class Holding:
    """The calls of one session. It is the holder of its relay (`relay.stdio.Holder`)."""

    def __init__(
        self,
        desk: Desk,
        *,
        server: str,
        policy: Callable[[], Policy],
        permissions: Permissions,
        subject: str,
        project: str,
        keys: Sequence[bytes | str],
        inbox: Inbox | None = None,
        hold_seconds: float | None = None,
        transport: str = "stdio",
    ) -> None:
        """Take the parts; `policy` returns the one in force, `transport` (`stdio`, `http`) leads to the client."""
        self.watching: set[str] = set()
        """The ids whose responses from the server it must see."""
        self._server, self._policy, self._project, self._transport = server, policy, project, transport
        self._rounds, self._subject = Rounds(keys), subject
        self._remembered = Remembered(
            permissions,
            desk.clock,
            server=server,
            subject=subject,
            project=project,
            session=secrets.token_hex(16),
        )
        self._asking = Asking(
            desk,
            self,
            server=server,
            subject=subject,
            project=project,
            rounds=self._rounds,
            inbox=inbox,
            remembered=self._remembered,
            hold_seconds=hold_seconds,
            transport=transport,
        )
        self._definitions = Definitions(self._ask_server, self._remembered.compare)
        self._client = Client()
        self._ends: Ends | None = None
        self._tasks: TaskGroup | None = None
        self._held: dict[str, tuple[anyio.CancelScope, HeldCall]] = {}
        self._running: dict[str, tuple[Allowed, HeldCall]] = {}
        self._handling = 0  # how many held calls are not answered or sent
        self._ended: str | None = None  # what became of the server behind
        self._noting = 0  # how many results are on their way to the store
        self._between: dict[str, Allowed] = {}  # calls whose server has asked for input, by their names
        # Requests of ours. What is asked of the one side is answered by it, and by no other.
        self._asked_client: dict[str, _Waiting] = {}
        self._asked_server: dict[str, _Waiting] = {}

    @asynccontextmanager
    async def serving(self, ends: Ends) -> AsyncGenerator[None]:
        """Hold calls while the block lasts; what is held at its end is not run."""
        self._ends = ends
        async with anyio.create_task_group() as self._tasks:
            try:
                yield
            finally:
                # Without its note, a call that was answered would count as one that may have run.
                with anyio.move_on_after(NOTING_SECONDS, shield=True):
                    while self._noting:  # noqa: ASYNC110 - most often there is none
                        await anyio.sleep(0.005)
                self._tasks.cancel_scope.cancel()

    # The relay's side

    def from_client(self, message: Message) -> bool:
        """Take a message of the client; False passes it on."""
        match message.method:
            case "initialize":
                self._client = Client.of_session(message.params)
                return False
            case "tools/call":
                return self._took(message)
            case "notifications/cancelled":
                return self._cancelled(message)
            case None if message.id is not None:
                waiting = self._asked_client.pop(message.id.text, None)
                if waiting is not None:
                    waiting.response = message
                    waiting.came.set()
                return True  # also what comes too late: it answers nothing of the server's
            case _:
                return False

    def from_server(self, message: Message) -> bytes | None:
        """Return what the client gets of a response that is watched; None for nothing."""
        assert message.id is not None
        self.watching.discard(message.id.text)
        found = self._running.pop(message.id.text, None)
        if found is None:
            # All others that are watched are ours. One may come after its call is over.
            if (waiting := self._asked_server.pop(message.id.text, None)) is not None:
                waiting.response = message
                waiting.came.set()
            return None
        allowed, call = found
        body = message.body
        if asks_for_input(body):
            return self._bound(allowed, call, body)
        outcome = "error" if is_error(body) else "done"
        self._noting += 1
        self._start(partial(self._note_result, allowed, outcome))
        action = allowed.handoff.question.action
        if allowed.arguments is None or action is None:
            return message.raw
        return with_note(message.raw, body, words.edited(action, allowed.arguments))

    def tools_changed(self) -> None:
        """Have the tools listed again: the server says that they have changed."""
        self._definitions.forget()

    async def lost(self, id: str, reason: str) -> None:  # noqa: A002 - JSON-RPC's word
        """Answer a request that the server will never answer, though it goes on."""
        self.watching.discard(id)
        if (waiting := self._asked_server.pop(id, None)) is not None:
            waiting.came.set()
        if (found := self._running.pop(id, None)) is not None:
            await self.to_client(found[1].refused(words.INTERRUPTED))
            await self._note_unknown(found[0], reason)

    async def behind_ended(self, reason: str) -> None:
        """Answer what the server has not answered, and what is held for it."""
        running, self._running = self._running, {}
        for _, call in running.values():
            self.watching.discard(call.id)
            await self.to_client(call.refused(words.INTERRUPTED))
        self._ended = reason
        for scope, _ in self._held.values():
            scope.cancel()
        # Each answers for itself: only it knows whether its approval is being used up just now.
        with anyio.move_on_after(NOTING_SECONDS, shield=True):
            while self._handling:  # noqa: ASYNC110 - most often there is none
                await anyio.sleep(0.005)
        for _, call in self._held.values():
            await self.to_client(call.refused(words.INTERRUPTED))
        for waiting in (*self._asked_client.values(), *self._asked_server.values()):
            waiting.came.set()
        for allowed, _ in running.values():
            await self._note_unknown(allowed, reason)

    async def _note_unknown(self, allowed: Allowed, reason: str) -> None:
        try:
            await self._asking.note_unknown(allowed, reason=reason)
        except HandoffError as error:
            logger.warning("%s may have run, which is not recorded: %s", allowed.handoff.id, error)

    async def _note_result(self, allowed: Allowed, outcome: str) -> None:
        try:
            await self._asking.note_result(allowed, outcome=outcome)
        finally:
            self._noting -= 1

    # The way to the client, for `Asking`

    async def to_client(self, line: bytes) -> None:
        """Send a line to the client."""
        assert self._ends is not None
        await self._ends.to_client(line)

    async def ask_client(self, name: str, line: bytes) -> Message | None:
        """Send a request of ours to the client; return its response."""
        return await self._answer(self._asked_client, name, partial(self.to_client, line))

    async def _ask_server(self, name: str, line: bytes) -> Message | None:
        assert self._ends is not None
        self.watching.add(name_of(name))
        return await self._answer(self._asked_server, name, partial(self._ends.to_server, line))

    async def _answer(
        self, asked: "dict[str, _Waiting]", name: str, send: Callable[[], Awaitable[None]]
    ) -> Message | None:
        waiting = asked[name_of(name)] = _Waiting()
        try:
            await send()
            await waiting.came.wait()
        finally:
            asked.pop(name_of(name), None)
        return waiting.response

    # One call

    def _took(self, message: Message) -> bool:
        client = self._client.of_call(mapping(message.params.get("_meta")))
        call = HeldCall(message=message, client=client)
        ready = self._definitions.known and not call.state.startswith(OURS)
        if ready and self._passes(call, self._verdict(call)):
            return False
        scope = anyio.CancelScope()
        self._held[call.id] = scope, call
        self._handling += 1
        self._start(partial(self._handle, call, scope))
        return True

    def _cancelled(self, message: Message) -> bool:
        given = message.params.get("requestId")
        held = self._held.pop(written(given), None)
        if held is None:
            if (running := self._running.get(written(given))) is not None:
                self._asking.given_up(running[0])
            return False  # of what the server has: it passes
        held[0].cancel()
        return True

    def _start(self, work: Callable[[], Coroutine[Any, Any, object]]) -> None:
        assert self._tasks is not None
        self._tasks.start_soon(work)

    async def _handle(self, call: HeldCall, scope: anyio.CancelScope) -> None:
        try:
            await self._answered(call, scope)
        finally:
            self._handling -= 1

    async def _answered(self, call: HeldCall, scope: anyio.CancelScope) -> None:
        with scope:
            try:
                reply = await self._decided(call)
            except HandoffError as error:
                logger.warning("a call of %s was not run: %s", call.tool, error)
                reply = call.refused(words.AWAY)
            except Exception as broken:  # noqa: BLE001 - whatever broke, the call must not run, and its client must hear
                frames = "".join(traceback.format_tb(broken.__traceback__))
                logger.error("the gate failed: %s\n%s", type(broken).__name__, frames)
                reply = call.refused(words.FAILED)
            if reply is not None:
                await self.to_client(reply)
        if self._held.get(call.id, (None, call))[0] is scope:
            del self._held[call.id]
            if scope.cancelled_caught:  # not by the client: what it cancels is held no more
                await self.to_client(call.refused(await self._unsent(call)))

    async def _unsent(self, call: HeldCall) -> str:
        """Return the words for a call whose server ended before it was sent; its like may have been."""
        action = self._asking.action_of(call, self._definitions.of(call.tool), self._verdict(call).terms)
        try:
            return words.LIKE_SENT if await self._asking.may_have_run(action) else words.SERVER_ENDED
        except HandoffError:
            return words.LIKE_SENT  # who can't look can't say that nothing ran

    async def _decided(self, call: HeldCall) -> bytes | None:
        """Have the call run, or return what its client is told."""
        await self._definitions.load(call.client, call.meta)
        verdict = self._verdict(call)
        ours = call.state.startswith(OURS)
        terms = verdict.terms.limited_to(call.client.reaches(self._transport))
        action = self._asking.action_of(call, self._definitions.of(call.tool), terms)
        if verdict.decision is Decision.DENY:
            return call.refused(words.denied_by_rule(verdict.rule, verdict.reason))
        if ours:
            round_ = self._rounds.open(call.state, self._subject)
            allowed = None if round_ is None else self._between.get(round_.call)
            if round_ is not None and allowed is not None and round_.digest == action.digest:
                self._rounds.use(round_)
                del self._between[round_.call]
                await self._sent(call.without_round(state=round_.theirs), allowed)
                return None
        clean = call.without_round() if ours else call
        if self._passes(call, verdict):
            return await self._pass(clean)
        if await self._remembered.stopped() is not None:
            return call.refused(words.STOPPED)
        if verdict.decision is Decision.ASK and await self._remembered.allows(action, terms) is not None:
            return await self._pass(clean)
        run = partial(self._sent, clean)
        reply = await self._asking.decide(call, action, terms, run, pinned=verdict.pin)
        return None if reply is None else reply.line

    def _passes(self, call: HeldCall, verdict: Verdict) -> bool:
        """Say whether a rule allows a call of a tool as people know it."""
        changed = verdict.pin and self._remembered.before(call.tool) is not None
        return verdict.decision is Decision.ALLOW and not changed

    async def _pass(self, call: HeldCall) -> None:
        self._held.pop(call.id, None)  # from here on, a cancellation is the server's to hear
        assert self._ends is not None
        await self._ends.to_server(call.for_server())

    async def _sent(self, call: HeldCall, allowed: Allowed) -> None:
        held = self._held.pop(call.id, None)  # from here on, a cancellation is the server's to hear
        if self._ended is not None:  # while the approval was used up
            await self.to_client(call.refused(words.INTERRUPTED))
            await self._note_unknown(allowed, self._ended)
            return
        self._running[call.id] = (allowed, call)
        self.watching.add(call.id)
        run = call if allowed.arguments is None else call.with_arguments(allowed.arguments)
        assert self._ends is not None
        await self._ends.to_server(run.for_server())
        if held is not None and held[0].cancel_called:
            self._asking.given_up(allowed)
            params = f'{{"requestId":{call.id}}}'
            cancelled = f'{{"jsonrpc":"2.0","method":"notifications/cancelled","params":{params}}}\n'
            await self._ends.to_server(cancelled.encode())

    def _bound(self, allowed: Allowed, call: HeldCall, body: Mapping[str, Value]) -> bytes:
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

    def _verdict(self, call: HeldCall) -> Verdict:
        definition = self._definitions.described(call.tool)
        hints = definition.get("annotations")
        title = definition.get("title")
        return self._policy().decide(
            Call(
                server=self._server,
                tool=call.tool,
                arguments=call.values,
                title=title if isinstance(title, str) else "",
                annotations=cast("Mapping[str, object]", hints) if isinstance(hints, dict) else {},
                listed=bool(definition),
                caller={"client": call.client.name, "project": self._project, "subject": self._subject},
            )
        )


class _Waiting:
    """A request of ours that is under way."""

    __slots__ = ("came", "response")

    def __init__(self) -> None:
        self.came = anyio.Event()
        self.response: Message | None = None
