"""How a person is asked about one call, and what they decided.

The host's dialog shows the question where it can show all of it; the inbox, the terminal and the command line show it
in any case. Up to 2025-11-25 the dialog is a request of ours while the call is held, and is withdrawn when somebody
decides elsewhere. From 2026-07-28 the call returns for it, and its client sends the call again with the reply. Where
there is no dialog, the call is held for as long as its host waits, and then ends with words to send it again.
"""

import itertools
import secrets
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Protocol, cast

import anyio

from handoffs.asking import judge as judging
from handoffs.channels import may_permit
from handoffs.core.action import Action, Asker
from handoffs.core.action_form import ALLOW, ARGUMENTS, action_form
from handoffs.core.action_shown import MAX_REASON, MAX_SHOWN, message_of
from handoffs.core.desk import Desk
from handoffs.core.display import stamp
from handoffs.core.errors import AlreadyEnded, AlreadyUsed, AnswerRefused, HandoffError
from handoffs.core.form import DECISION
from handoffs.core.model import GATEWAY, SCRIPT, Caller, Declared, Handoff, State
from handoffs.core.remembering import conditions_of, offered, takes_conditions
from handoffs.core.retry import retry_while_unavailable
from handoffs.core.untrusted import inert
from handoffs.gate import earlier_calls, words
from handoffs.gate.calls import ROUND, HeldCall, notification, request
from handoffs.gate.edits import checked
from handoffs.gate.policy_model import Terms
from handoffs.gate.relay.message import OURS, Message, Number, Value
from handoffs.gate.remembered import Remembered
from handoffs.gate.rounds import Round, Rounds
from handoffs.gate.written import mapping, plain

CHANNEL = "elicitation"

NOTE_META, SCRIPT_META = "handoffs/note", "handoffs/script"
"""Where a client's reply says why it declines, and that no person gave it."""

MAX_EDITS = 5
"""How often a change that does not fit the tool is asked for again."""

MAX_EDITED = 4_000
"""Characters of arguments that a person can edit; longer ones are allowed or denied as they are."""

MAX_ROUNDS = 8
"""How often one call's dialog is shown because the answer does not fit."""

PROGRESS_SECONDS = 10.0
"""How often a call that is held says that it is alive."""

LEAVING_SECONDS = 1.0
"""How long a call that its client has ended takes to note that."""


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
class Allowed:
    """The call is to be sent; its approval is used up for it."""

    handoff: Handoff
    call: str
    arguments: str | None
    """What a person made of the arguments, as JSON; None where they were not changed."""


@dataclass(frozen=True, slots=True)
class Reply:
    """The call is not sent: this is the result, or the round, that its client gets."""

    line: bytes


class Asking:
    """Asks about the calls of one session."""

    def __init__(
        self,
        desk: Desk,
        line: Line,
        *,
        server: str,
        subject: str,
        project: str,
        rounds: Rounds,
        inbox: Inbox | None,
        remembered: Remembered,
        hold_seconds: float | None = None,
        transport: str = "stdio",
    ) -> None:
        """Take the parts; `hold_seconds` of None goes by the host and the transport."""
        self._desk, self._line, self._rounds, self._inbox = desk, line, rounds, inbox
        self._server, self._subject, self._project = server, subject, project
        self._hold_seconds, self._transport = hold_seconds, transport
        self._remembered = remembered
        self._pipe = f"{GATEWAY}{secrets.token_hex(16)}"
        # In the ids of its dialogs: a server that guessed one could have its own dialog's answer taken for ours.
        self._token = secrets.token_hex(16)
        self._numbers = itertools.count(1)
        self._sent: set[str] = set()  # calls of this process whose answer is still waited for

    def action_of(self, call: HeldCall, definition: str, terms: Terms) -> Action:
        """Return what a person decides on."""
        return Action(
            asker=Asker.GATE,
            server=self._server,
            tool=call.tool,
            arguments=call.arguments,
            definition=definition,
            masked=terms.mask,
        )

    def caller_of(self, call: HeldCall) -> Caller:
        """Return who calls."""
        return Caller(subject=self._subject, client=call.client.name, project=self._project)

    async def decide(
        self, call: HeldCall, action: Action, terms: Terms, run: Callable[[Allowed], Awaitable[None]], *, pinned: bool
    ) -> Reply | None:
        """Have a person decide on a call, and `run` it where it is allowed; else return what its client is told.

        What runs was used up before, and is not cancelled between the two.

        Raises:
            HandoffError: Nobody could be asked.
        """
        again, edits = "", 0
        reply, round_ = None, None
        if call.state:
            round_ = self._rounds.open(call.state, self._subject)
            reply = None if round_ is None or round_.digest != action.digest else call.response
        while True:
            if reply is not None and round_ is not None:
                handoff = await self._desk.get(round_.handoff_id)
            else:
                denial = await earlier_calls.last_of_many_denials(self._desk, self._subject, action.digest)
                if denial is not None:
                    await self._desk.denied_again(denial)
                    return Reply(call.refused(words.denied_again(stamp(earlier_calls.ends_at(denial)))))
                asked = await self._open(call, action, terms, again, pinned=pinned)
                if isinstance(asked, Reply):
                    return asked
                handoff = asked
            if handoff.state is State.OPEN:
                async with self._leaving(handoff):
                    ended = await self._wait(handoff, call, action, terms, reply, round_)
                if isinstance(ended, Reply):
                    return ended
                handoff = ended
            reply = round_ = None
            if handoff.state is State.OPEN:
                return Reply(call.refused(words.WAITING))
            if why := _refusal(handoff, terms):
                await self._desk.collect(handoff)
                if handoff.decided:
                    await self._remembered.suspend(action)
                return Reply(call.refused(why))
            try:
                arguments = checked(str((handoff.values or {}).get(ARGUMENTS) or ""), action)
            except ValueError as wrong:
                edits += 1
                if edits > MAX_EDITS:
                    return Reply(call.refused(words.MANY_EDITS))
                # Not used: the same call, sent again, comes here again. The number keeps two alike apart.
                again = f"change {edits} was not used, and nothing has run: {wrong}"
                continue
            if await self._remembered.stopped() is not None:
                return Reply(call.refused(words.STOPPED))
            if handoff.collected_at is None:  # else another call has used it, and has kept what there is to remember
                await self._remembered.keep(action, handoff, terms, edited=arguments is not None)
            await self._remembered.accept(action.tool, action.definition)
            name = f"c_{secrets.token_hex(8)}"
            with anyio.CancelScope(shield=True):
                try:
                    handoff = await self._desk.send(handoff, call=name, edited=arguments is not None)
                except AlreadyUsed:
                    again = ""
                    continue  # the same call came twice, and the other one has this approval: this one asks for its own
                self._sent.add(name)
                await run(Allowed(handoff, name, arguments))
                return None

    def given_up(self, allowed: Allowed) -> None:
        """Hear that the client waits for a call no more: unless its result still comes, it may have run."""
        self._sent.discard(allowed.call)

    async def note_result(self, allowed: Allowed, *, outcome: str) -> None:
        """Note what the server answered."""
        self._sent.discard(allowed.call)
        note = partial(self._desk.note_result, allowed.handoff, call=allowed.call, outcome=outcome)
        await retry_while_unavailable(self._desk.clock, note)

    async def note_unknown(self, allowed: Allowed, *, reason: str) -> None:
        """Note that the call may have run or not."""
        self._sent.discard(allowed.call)
        note = partial(self._desk.note_unknown, allowed.handoff, call=allowed.call, reason=reason)
        await retry_while_unavailable(self._desk.clock, note)

    async def _open(
        self, call: HeldCall, action: Action, terms: Terms, again: str, *, pinned: bool
    ) -> "Handoff | Reply":
        origin = words.MAY_HAVE_RUN if await self.may_have_run(action) else ""
        before = self._remembered.before(action.tool) if pinned else None
        message = message_of(action, again=again, origin=origin, before=before)
        if len(message) > MAX_SHOWN:
            return Reply(call.refused(words.TOO_LONG))
        client, choices = call.client, offered(terms.remember.reaches, terms.remember.longest_seconds)
        return await self._desk.ask(
            message=message,
            caller=self.caller_of(call),
            form=action_form(
                editable=terms.edit and len(action.arguments) <= MAX_EDITED,
                remember=choices,
                conditions=[*conditions_of(action)] if takes_conditions(choices) else (),
            ),
            timeout_seconds=terms.deadline_seconds,
            declared=Declared(
                version=client.version,
                protocol=client.protocol,
                transport=self._transport,
                abilities=("form",) if client.shows_forms else (),
            ),
            # Behind such a name may be anybody: what one of them is allowed is not given to another's agent.
            session=self._pipe if client.is_shared else "",
            action=action,
            max_message=MAX_SHOWN,
        )

    async def may_have_run(self, action: Action) -> bool:
        """Say whether a like call was sent and never answered; see `earlier_calls`."""
        return await earlier_calls.may_have_run(self._desk, self._subject, action.digest, waiting=self._sent)

    # Waiting

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

    async def _wait(
        self,
        handoff: Handoff,
        call: HeldCall,
        action: Action,
        terms: Terms,
        reply: Mapping[str, Value] | None,
        round_: Round | None,
    ) -> "Handoff | Reply":
        """Return the handoff as it is once it has ended or the host waits no longer, or a round."""
        client = call.client
        in_dialog = client.shows_forms and terms.answer == "any" and self._fits(handoff, call)
        if client.modern:
            asked, number, reason = self._desk.clock.now(), 1, ""
            if reply is not None and round_ is not None:
                verdict = await self._judge(handoff, reply, call, since=round_.asked)
                if isinstance(verdict, Handoff):
                    return verdict
                in_dialog = in_dialog and verdict is not None and round_.number < MAX_ROUNDS
                asked, number, reason = round_.asked, round_.number + 1, verdict or ""
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
            shown = await self._beside_dialog(handoff, call)
            if shown is not None:
                return shown
        return await self._hold(handoff, call, dialog=False)

    def _fits(self, handoff: Handoff, call: HeldCall) -> bool:
        whole = call.client.host.shows_whole.holds(handoff.question.message)
        return whole and call.client.dialog.draws(handoff.question.form)

    def _dialog(self, handoff: Handoff, call: HeldCall, reason: str) -> dict[str, Value]:
        message = inert(handoff.question.message)
        text = f"That answer does not fit: {inert(reason)}\n\n{message}" if reason else message
        schema = cast("Value", call.client.dialog.schema(handoff.question.form))
        mode: dict[str, Value] = {"mode": "form"} if call.client.protocol >= "2025-11-25" else {}
        return {**mode, "message": text, "requestedSchema": schema}

    async def _beside_dialog(self, handoff: Handoff, call: HeldCall) -> Handoff | None:
        """Show the dialog of the older era beside everything else; None where nobody can have seen it."""
        outcome: list[Handoff | None] = []
        async with anyio.create_task_group() as tasks:

            async def held() -> None:
                outcome.append(await self._hold(handoff, call, dialog=True))
                tasks.cancel_scope.cancel()

            tasks.start_soon(held)
            shown = await self._show(handoff, call)
            outcome.append(shown)
            tasks.cancel_scope.cancel()
        return outcome[0] if outcome else handoff

    async def _show(self, handoff: Handoff, call: HeldCall) -> Handoff | None:
        """Return what the dialog came to; the open handoff for *not now*, None where nobody can have seen it."""
        reason, asked = "", self._desk.clock.now()
        for _ in range(MAX_ROUNDS):
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
            verdict = await self._judge(handoff, mapping(response.body["result"]), call, since=asked)
            if isinstance(verdict, Handoff | None):
                return verdict
            reason = verdict
        await self._desk.not_shown(handoff, channel=CHANNEL, reason=f"{MAX_ROUNDS} answers that do not fit")
        return None

    async def _judge(
        self, handoff: Handoff, reply: Mapping[str, Value], call: HeldCall, *, since: datetime
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


def _refusal(handoff: Handoff, terms: Terms) -> str:
    """Return why a question that has ended permits nothing; empty where a person allowed it."""
    end = handoff.end
    if handoff.state is not State.ANSWERED or end is None or (handoff.values or {}).get(DECISION) != ALLOW:
        return words.refusal(handoff)
    if may_permit(end.channel):
        return ""
    if end.channel != CHANNEL:
        return words.BY_SCRIPT
    return "" if terms.answer == "any" else words.BY_HOST


def _read(reply: Mapping[str, Value]) -> judging.Reply:
    told = mapping(reply.get("_meta"))
    note = told.get(NOTE_META)
    return judging.Reply(
        action=str(reply.get("action")),
        content=cast("Mapping[str, object]", plain(mapping(reply.get("content")))),
        note=note[:MAX_REASON] if isinstance(note, str) else "",
        script=told.get(SCRIPT_META) is True,
    )
