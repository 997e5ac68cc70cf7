"""How a person is asked about one call, and what they decided; `waiting` is where they are shown it."""

import secrets
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property, partial
from typing import TYPE_CHECKING, TypeAlias

import anyio

from handoffs.channels import is_chat, may_permit
from handoffs.core.action import Action, Asker
from handoffs.core.action_changes import changes_since
from handoffs.core.action_form import ALLOW, ARGUMENTS, MAX_EDITED, MAX_EDITS, REMEMBER, action_form
from handoffs.core.action_shown import MAX_SHOWN, message_of
from handoffs.core.denial import is_denial
from handoffs.core.desk import Desk
from handoffs.core.display import stamp
from handoffs.core.errors import AlreadyUsed, Stopped, StoreUnavailable
from handoffs.core.form import DECISION
from handoffs.core.model import GATEWAY, Caller, Declared, Handoff, State
from handoffs.core.remembering import conditions_of, offered, takes_conditions
from handoffs.core.retry import retry_while_unavailable
from handoffs.gate import earlier_calls, words
from handoffs.gate.calls import HeldCall
from handoffs.gate.edits import checked
from handoffs.gate.looking import Look
from handoffs.gate.policy_model import Terms
from handoffs.gate.relay.message import Value
from handoffs.gate.remembered import Remembered
from handoffs.gate.rounds import Rounds
from handoffs.gate.waiting import CHANNEL, Inbox, Line, Reply, Waiting

if TYPE_CHECKING:
    from handoffs.gate.seats import People, Seats


@dataclass(frozen=True, slots=True)
class Allowed:
    """The call is to be sent; its approval is used up for it."""

    handoff: Handoff
    call: str
    arguments: str | None
    """What a person made of the arguments, as JSON; None where they were not changed."""


Run: TypeAlias = Callable[[Allowed], Awaitable[None]]


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
        directory: "People | None" = None,
    ) -> None:
        """Take the parts; `hold_seconds` of None goes by the host and the transport."""
        self._directory = directory
        self._desk, self._rounds, self._remembered = desk, rounds, remembered
        self._server, self._subject, self._project, self._transport = server, subject, project, transport
        self._waiting = Waiting(
            desk,
            line,
            subject=subject,
            rounds=rounds,
            inbox=inbox,
            hold_seconds=hold_seconds,
            transport=transport,
        )
        self._pipe = f"{GATEWAY}{secrets.token_hex(16)}"
        self._last = earlier_calls.LastAllowed(desk, server=server, subject=subject)
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
            channels=terms.channels,
        )

    def caller_of(self, call: HeldCall) -> Caller:
        """Return who calls."""
        return Caller(subject=self._subject, client=call.client.name, project=self._project)

    async def decide(
        self,
        call: HeldCall,
        action: Action,
        terms: Terms,
        run: Run,
        look: Look,
        *,
        pinned: bool,
    ) -> Reply | None:
        """Have a person decide on a call, and `run` it where it is allowed; else return what its client is told.

        What runs was used up before, and is not cancelled between the two. Before, it is looked at again.

        Raises:
            HandoffError: Nobody could be asked.
            Outdated: A person must be asked about the tool as it is now.
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
                ended = await earlier_calls.earlier(self._desk, self._subject, action.digest)
                denial = earlier_calls.last_of_many_denials(ended, self._desk.clock.now())
                if denial is not None:
                    await self._desk.denied_again(denial)
                    return Reply(call.refused(words.denied_again(stamp(earlier_calls.ends_at(denial)))))
                asked = await self._open(call, action, terms, again, ended, pinned=pinned)
                if isinstance(asked, Reply):
                    return asked
                handoff = asked
            if handoff.state is State.OPEN:
                once = _Once(self, call, action, run, look)
                waited = await self._waiting.wait(handoff, call, action, terms, reply, round_, once.allow)
                if once.sent:
                    return None
                if isinstance(waited, Reply):
                    return waited
                handoff = waited
            reply = round_ = None
            if handoff.state is State.OPEN:
                return Reply(call.refused(words.WAITING))
            if why := _refusal(handoff, terms):
                await self._desk.collect(handoff)
                if is_denial(handoff):
                    await self._remembered.suspend(action)
                return Reply(call.refused(why))
            terms = await look.check()
            if why := _refusal(handoff, terms):
                return Reply(call.refused(why))
            if not await self._decided(handoff, action, terms):
                await self._desk.collect(handoff)  # so that the same call, sent again, asks those who decide
                return Reply(call.refused(words.NOT_THEIRS))
            try:
                arguments = checked(str((handoff.values or {}).get(ARGUMENTS) or ""), action)
                if (denied := look.denied(arguments)) is not None:
                    if arguments is None:  # a rule that came after the question
                        return Reply(call.refused(words.denied_by_rule(denied.rule, denied.reason)))
                    raise ValueError(f"the rule {denied.rule} denies it")
                if arguments is not None and not await self._decided(handoff, action, look.terms_of(arguments)):
                    raise ValueError("with these arguments it is the decision of others")
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
            with anyio.CancelScope(shield=True):
                try:
                    handoff = await self._desk.send(handoff, call=call.name, edited=arguments is not None)
                except Stopped:  # while the permission was kept, which takes commits
                    return Reply(call.refused(words.STOPPED))
                except AlreadyUsed:
                    again = ""
                    continue  # the same call came twice, and the other one has this approval: this one asks for its own
                await self._run(handoff, call, action, arguments, run)
                return None

    async def allow_now(
        self, handoff: Handoff, values: Mapping[str, object], call: HeldCall, action: Action, run: Run, look: Look
    ) -> Handoff | None:
        """Send a call that its client's dialog allows as it is; its approval and its use are one commit.

        None where it is not as simple as that: then nothing was recorded, and `decide` does it step by step.

        Raises:
            AlreadyEnded: It was decided elsewhere before.
        """
        plain = values.get(DECISION) == ALLOW and not any(values.get(each) for each in (ARGUMENTS, REMEMBER))
        if not plain or handoff.question.deciders is not None or self._desk.proof_demanded:
            return None
        terms = look.at_once() if self._remembered.before(action.tool) is None else None
        if terms is None or terms.answer != "any" or terms.deciders is not None or look.denied(None) is not None:
            return None
        with anyio.CancelScope(shield=True):
            try:
                sent = await self._desk.allow(handoff, values, by=self._subject, channel=CHANNEL, call=call.name)
            except (Stopped, StoreUnavailable):
                return None
            await self._run(sent, call, action, None, run)
            return sent

    async def _run(self, handoff: Handoff, call: HeldCall, action: Action, arguments: str | None, run: Run) -> None:
        self._last.allow(action, arguments)
        self._sent.add(call.name)
        await run(Allowed(handoff, call.name, arguments))

    async def judge(self, call: HeldCall, handoff: Handoff, reply: Mapping[str, Value], *, since: datetime) -> None:
        """Record what the client's dialog came to in which a task had it ask."""
        await self._waiting.judge_in_task(call, handoff, reply, since=since)

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

    @cached_property
    def _seats(self) -> "Seats":
        from handoffs.gate.seats import Seats  # only a rule that names people needs it

        return Seats(self._directory, subject=self._subject, proving=self._desk.proving)

    async def _decided(self, handoff: Handoff, action: Action, terms: Terms) -> bool:
        """Say whether those have decided whose decision it was, and is now."""
        if handoff.question.deciders is None and terms.deciders is None and not self._desk.proof_demanded:
            return True
        return await self._seats.decided(handoff, action, terms)

    async def _open(
        self, call: HeldCall, action: Action, terms: Terms, again: str, ended: Sequence[Handoff], *, pinned: bool
    ) -> "Handoff | Reply":
        origin = words.MAY_HAVE_RUN if await self._may_have_run(ended) else ""
        before = self._remembered.before(action.tool) if pinned else None
        message = message_of(action, again=again, origin=origin, before=before, changes=await self._changes(action))
        if len(message) > MAX_SHOWN:
            return Reply(call.refused(words.TOO_LONG))
        deciders = None
        if terms.deciders is not None or self._desk.proof_demanded:
            from handoffs.people.routing import NobodyCanDecide

            try:
                deciders = await self._seats.routed(terms, self._desk.clock.now())
            except NobodyCanDecide as nobody:
                return Reply(call.refused(words.nobody_can_decide(nobody.rule)))
        client, choices = call.client, offered(terms.remember.reaches, terms.remember.longest_seconds)
        return await self._desk.ask(
            message=message,
            caller=self.caller_of(call),
            form=action_form(
                editable=terms.edit and len(action.arguments) <= MAX_EDITED,
                remember=choices,
                conditions=[*conditions_of(action)] if takes_conditions(choices) else (),
            ),
            deadline_seconds=terms.deadline_seconds,
            declared=Declared(
                version=client.version,
                protocol=client.protocol,
                transport=self._transport,
                abilities=(
                    *(("form",) if client.shows_forms else ()),
                    *(("tasks",) if client.declares_tasks else ()),
                ),
            ),
            # Behind such a name may be anybody: what one of them is allowed is not given to another's agent.
            session=self._pipe if client.is_shared else "",
            action=action,
            max_message=MAX_SHOWN,
            deciders=deciders,
        )

    async def _changes(self, action: Action) -> str:
        allowed = await self._last.of(action.tool)
        try:
            return "" if allowed is None else changes_since(allowed, action)
        except ValueError:  # of arguments that were allowed, nobody reads any now
            return ""

    async def may_have_run(self, action: Action) -> bool:
        """Say whether the same call was sent and never answered; see `earlier_calls`."""
        return await self._may_have_run(await earlier_calls.earlier(self._desk, self._subject, action.digest))

    async def _may_have_run(self, ended: Sequence[Handoff]) -> bool:
        return await earlier_calls.may_have_run(self._desk, ended, waiting=self._sent)


class _Once:
    """Has one call sent as soon as its client's dialog allows it. Whoever cancels the wait learns by `sent` of that."""

    def __init__(self, asking: Asking, call: HeldCall, action: Action, run: Run, look: Look) -> None:
        self._asking, self._call, self._action, self._run, self._look = asking, call, action, run, look
        self.sent = False

    async def allow(self, handoff: Handoff, values: Mapping[str, object]) -> Handoff | None:
        found = await self._asking.allow_now(handoff, values, self._call, self._action, self._run, self._look)
        self.sent = found is not None
        return found


def _refusal(handoff: Handoff, terms: Terms) -> str:
    """Return why a question that has ended permits nothing; empty where a person allowed it."""
    end = handoff.end
    if handoff.state is not State.ANSWERED or end is None or (handoff.values or {}).get(DECISION) != ALLOW:
        return words.refusal(handoff)
    if may_permit(end.channel) or end.channel in terms.channels:
        return ""
    if is_chat(end.channel):
        return words.BY_CHAT
    if end.channel != CHANNEL:
        return words.BY_SCRIPT
    return "" if terms.answer == "any" else words.BY_HOST
