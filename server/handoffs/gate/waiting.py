"""How a call waits for a person: in the dialog of its host, and for what is decided anywhere else.

The host's dialog shows the question where it can show all of it; the inbox, the terminal and the command line show it
in any case. Up to 2025-11-25 the dialog is a request of ours while the call is held, and is withdrawn when somebody
decides elsewhere. From 2026-07-28 the call returns for it, and its client sends the call again with the reply. Where
there is no dialog, the call is held for as long as its host waits, and then ends with words to send it again. Where its
client and the server have tasks, it becomes one, which waits for as long as the question is open.
"""

import itertools
import secrets
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from typing import Protocol, TypeAlias, cast

import anyio

from handoffs.asking import judge as judging
from handoffs.asking.plan import How, Situation, plan
from handoffs.core.action import Action
from handoffs.core.action_form import ARGUMENTS
from handoffs.core.action_shown import MAX_REASON
from handoffs.core.desk import Desk
from handoffs.core.errors import AlreadyEnded, AnswerRefused, HandoffError
from handoffs.core.model import SCRIPT, Handoff, State
from handoffs.core.retry import retry_while_unavailable
from handoffs.core.untrusted import inert
from handoffs.gate.calls import ROUND, HeldCall, notification, request, response
from handoffs.gate.policy_model import Terms
from handoffs.gate.relay.message import OURS, Message, Number, Value
from handoffs.gate.rounds import Round, Rounds
from handoffs.gate.task import MAX_DIALOGS, Stage, Task
from handoffs.gate.written import mapping, plain

CHANNEL = "elicitation"

NOTE_META, SCRIPT_META = "handoffs/note", "handoffs/script"
"""Where a client's reply says why it declines, and that no person gave it."""

ARGUMENTS_META = "handoffs/arguments"
"""Where a dialog says what the call runs with, as JSON, for a client that takes that up for editing."""

PROGRESS_SECONDS = 10.0
"""How often a call that is held says that it is alive."""

LEAVING_SECONDS = 1.0
"""How long a call that its client has ended takes to note that."""


AllowNow: TypeAlias = Callable[[Handoff, Mapping[str, object]], Awaitable[Handoff | None]]
"""Takes what a person entered in the dialog: where that allows the call as it is, it is sent, and the handoff returned;
else None, and nothing was recorded."""


class Line(Protocol):
    """The way to the client of one session."""

    async def to_client(self, line: bytes) -> None:
        """Send a line."""
        ...

    async def ask_client(self, name: str, line: bytes) -> Message | None:
        """Send a request of ours under this id; return the response, None where the client is gone."""
        ...


class Inbox(Protocol):
    """Where a person finds what no dialog shows them."""

    async def invite(self, handoff: Handoff) -> str | None:
        """Have it show the handoff, and return the address there; None where there is none. Never raises."""
        ...


@dataclass(frozen=True, slots=True)
class Reply:
    """The call is not sent: this is the result, or the round, that its client gets."""

    line: bytes


class Waiting:
    """The waits of the calls of one session."""

    def __init__(
        self,
        desk: Desk,
        line: Line,
        *,
        subject: str,
        rounds: Rounds,
        inbox: Inbox | None,
        hold_seconds: float | None,
        transport: str,
    ) -> None:
        """Take the parts; `hold_seconds` of None goes by the host and the transport."""
        self._desk, self._line, self._rounds, self._inbox = desk, line, rounds, inbox
        self._subject, self._hold_seconds, self._transport = subject, hold_seconds, transport
        # In the ids of its dialogs: a server that guessed one could have its own dialog's answer taken for ours.
        self._token = secrets.token_hex(16)
        self._numbers = itertools.count(1)

    async def wait(
        self,
        handoff: Handoff,
        call: HeldCall,
        action: Action,
        terms: Terms,
        reply: Mapping[str, Value] | None,
        round_: Round | None,
        allow: AllowNow,
    ) -> "Handoff | Reply":
        """Return the handoff as it is once it has ended or the host waits no longer, or a round.

        A `reply` of the client's dialog, and its `round_`, are looked at first. What a dialog answers goes to `allow`.
        """
        async with self._leaving(handoff):
            client = call.client
            in_dialog = client.shows_forms and terms.answer == "any" and self._fits(handoff, call)
            if client.modern:
                asked, number, reason = self._desk.clock.now(), 1, ""
                if reply is not None and round_ is not None:
                    verdict = await self._judge(handoff, reply, call, since=round_.asked, allow=allow)
                    if isinstance(verdict, Handoff):
                        return verdict
                    in_dialog = in_dialog and verdict is not None and round_.number < MAX_DIALOGS
                    asked, number, reason = round_.asked, round_.number + 1, verdict or ""
                if call.task is not None and await self._becomes_task(handoff, call.task, in_dialog=in_dialog):
                    return await self._in_task(handoff, call, in_dialog=in_dialog)
                if in_dialog:
                    state = Round(handoff_id=handoff.id, digest=action.digest, asked=asked, number=number)
                    params = self._dialog(handoff, call, reason)
                    form: dict[str, Value] = {"method": "elicitation/create", "params": params}
                    result: dict[str, Value] = {
                        "resultType": "input_required",
                        "inputRequests": {ROUND: form},
                        "requestState": self._rounds.make(state, self._subject),
                    }
                    return Reply(call.reply(result))
            elif in_dialog:
                shown = await self._beside_dialog(handoff, call, allow)
                if shown is not None:
                    return shown
            return await self._hold(handoff, call, dialog=False)

    async def judge_in_task(
        self, call: HeldCall, handoff: Handoff, reply: Mapping[str, Value], *, since: datetime
    ) -> None:
        """Record what the client's dialog came to in which a task had it ask."""
        task = call.task
        assert task is not None
        verdict = await self._judge(handoff, reply, call, since=since)
        if task.handoff is not handoff or task.stage is not Stage.DECIDING:
            return  # decided elsewhere meanwhile
        if isinstance(verdict, Handoff) and verdict.state is not State.OPEN:
            task.form = None  # the wait goes on by the store
            return
        form = self._dialog(handoff, call, verdict) if isinstance(verdict, str) else None
        if form is None or not task.ask_again(form, self._desk.clock.now()):
            task.form = None
            await self._invite(handoff, task)

    async def _becomes_task(self, handoff: Handoff, task: Task, *, in_dialog: bool) -> bool:
        """Say whether a call becomes a task, or is one already."""
        if task.id or not task.possible:
            return bool(task.id)
        it = Situation(
            forms=in_dialog,
            tasks=True,
            rounds=True,
            inbox=self._inbox is not None,
            channels=self._desk.has_channels,
        )
        chosen = plan(it)
        if chosen.how is How.INVITE:
            await self._invite(handoff, task)
            chosen = plan(replace(it, page=task.link is not None))
        return chosen.how is How.TASK

    async def _in_task(self, handoff: Handoff, call: HeldCall, *, in_dialog: bool) -> Handoff:
        """Wait for a person in a task, for as long as the question is open; the call ends when its task begins."""
        task, now, of_client = call.task, self._desk.clock.now(), call.id
        assert task is not None
        link, begins = task.link, not task.id
        if begins:
            task.begin(handoff, now)
        task.ask(handoff, self._dialog(handoff, call, "") if in_dialog else None, now)
        task.link = link if begins else None
        if begins:
            await self._line.to_client(response(of_client, task.created(now)))
        if not in_dialog and task.link is None:
            await self._invite(handoff, task)
        return await self._desk.wait(handoff.id, seconds=None)

    async def _invite(self, handoff: Handoff, task: Task) -> None:
        if self._inbox is not None:
            task.invited = self._desk.clock.now()
            task.link = await self._inbox.invite(handoff)

    @asynccontextmanager
    async def _leaving(self, handoff: Handoff) -> AsyncGenerator[None]:
        """Note that the client ended its call before the person decided."""
        since = self._desk.clock.now()
        try:
            yield
        except anyio.get_cancelled_exc_class():
            seconds = (self._desk.clock.now() - since).total_seconds()
            with anyio.CancelScope(shield=True), anyio.move_on_after(LEAVING_SECONDS), suppress(HandoffError):
                await self._desk.left(handoff, seconds=seconds)
            raise

    def _fits(self, handoff: Handoff, call: HeldCall) -> bool:
        whole = call.client.host.shows_whole.holds(handoff.question.message)
        return whole and call.client.dialog.draws(handoff.question.form)

    def _dialog(self, handoff: Handoff, call: HeldCall, reason: str) -> dict[str, Value]:
        message = inert(handoff.question.message)
        text = f"That answer does not fit: {inert(reason)}\n\n{message}" if reason else message
        schema = cast("Value", call.client.dialog.schema(handoff.question.form))
        mode: dict[str, Value] = {"mode": "form"} if call.client.protocol >= "2025-11-25" else {}
        action, editable = handoff.question.action, any(f.name == ARGUMENTS for f in handoff.question.form.fields)
        if action is None or not editable or not call.client.host.edits_arguments:
            return {**mode, "message": text, "requestedSchema": schema}
        meta: dict[str, Value] = {ARGUMENTS_META: action.arguments}
        return {**mode, "message": text, "requestedSchema": schema, "_meta": meta}

    async def _beside_dialog(self, handoff: Handoff, call: HeldCall, allow: AllowNow) -> Handoff | None:
        """Show the dialog of the older era beside everything else; None where nobody can have seen it."""
        outcome: list[Handoff | None] = []
        async with anyio.create_task_group() as tasks:

            async def held() -> None:
                outcome.append(await self._hold(handoff, call, dialog=True))
                tasks.cancel_scope.cancel()

            tasks.start_soon(held)
            shown = await self._show(handoff, call, allow)
            outcome.append(shown)
            tasks.cancel_scope.cancel()
        return outcome[0] if outcome else handoff

    async def _show(self, handoff: Handoff, call: HeldCall, allow: AllowNow) -> Handoff | None:
        """Return what the dialog came to; the open handoff for *not now*, None where nobody can have seen it."""
        reason, asked = "", self._desk.clock.now()
        for _ in range(MAX_DIALOGS):
            name = f"{OURS}{self._token} dialog {next(self._numbers)}"
            line = request(name, "elicitation/create", self._dialog(handoff, call, reason))
            try:
                response = await self._line.ask_client(name, line)
            except anyio.get_cancelled_exc_class():
                # Decided elsewhere, or its call is over: the dialog goes away.
                with anyio.CancelScope(shield=True), anyio.move_on_after(1):
                    withdrawn: dict[str, Value] = {"requestId": name, "reason": "decided elsewhere"}
                    await self._line.to_client(notification("notifications/cancelled", withdrawn))
                raise
            if response is None or "result" not in response.body:
                await self._desk.not_shown(handoff, channel=CHANNEL, reason="the client could not show it")
                return None
            told = mapping(response.body["result"])
            verdict = await self._judge(handoff, told, call, since=asked, allow=allow)
            if isinstance(verdict, Handoff | None):
                return verdict
            reason = verdict
        await self._desk.not_shown(handoff, channel=CHANNEL, reason=f"{MAX_DIALOGS} answers that do not fit")
        return None

    async def _judge(
        self,
        handoff: Handoff,
        reply: Mapping[str, Value],
        call: HeldCall,
        *,
        since: datetime,
        allow: AllowNow | None = None,
    ) -> Handoff | str | None:
        """Record what a reply of a dialog means.

        Return the handoff, ended or as it is for *not now*; a text where the answer does not fit; None where nobody can
        have seen it.
        """
        seconds = (self._desk.clock.now() - since).total_seconds()
        read = _read(reply)
        meaning = judging.judge(handoff.question.form, read, call.client.dialog, seconds=seconds)
        channel = SCRIPT if read.script else CHANNEL
        try:
            match meaning:
                case judging.NotShown(reason):
                    await self._desk.not_shown(handoff, channel=CHANNEL, reason=reason)
                    return None
                case judging.Dismissed():
                    await self._desk.dismissed(handoff, channel=CHANNEL)
                    return handoff
                case judging.Refused(note):
                    refuse = partial(self._desk.decline, handoff, by=self._subject, channel=channel, note=note)
                    return await retry_while_unavailable(self._desk.clock, refuse)
                case judging.Filled(values):
                    if allow is not None and not read.script and (sent := await allow(handoff, values)) is not None:
                        return sent
                    answer = partial(self._desk.answer, handoff, values, by=self._subject, channel=channel)
                    return await retry_while_unavailable(self._desk.clock, answer)
        except AnswerRefused as misfit:
            return str(misfit)
        except AlreadyEnded:
            return await self._desk.get(handoff.id)

    async def _hold(self, handoff: Handoff, call: HeldCall, *, dialog: bool) -> Handoff:
        """Wait as long as the host does, saying that the call is alive; without a dialog the inbox is opened."""
        patience = call.client.host.patience(self._transport)
        seconds = self._hold_seconds
        if seconds is None:
            seconds = patience.dialog if dialog else patience.quiet
        ended = handoff
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._stay_alive, call)
            if not dialog and self._inbox is not None:
                tasks.start_soon(self._inbox.invite, handoff)
            ended = await self._desk.wait(handoff.id, seconds=seconds)
            tasks.cancel_scope.cancel()
        return ended

    async def _stay_alive(self, call: HeldCall) -> None:
        token = call.meta.get("progressToken")
        if token is None:
            return
        for number in itertools.count(1):
            told: dict[str, Value] = {"progressToken": token, "message": "A person is asked whether this call may run."}
            with suppress(HandoffError):
                await self._line.to_client(
                    notification("notifications/progress", {**told, "progress": Number(str(number))})
                )
            await self._desk.clock.sleep(PROGRESS_SECONDS)


def _read(reply: Mapping[str, Value]) -> judging.Reply:
    told = mapping(reply.get("_meta"))
    note = told.get(NOTE_META)
    return judging.Reply(
        action=str(reply.get("action")),
        content=cast("Mapping[str, object]", plain(mapping(reply.get("content")))),
        note=note[:MAX_REASON] if isinstance(note, str) else "",
        script=told.get(SCRIPT_META) is True,
    )
