"""Asks a person at the desk, for as long as the host waits, and withdraws what the host has decided itself.

A question belongs to one session of the host: its message says so, and so an equal use of the tool in the same session
joins it, or gets the decision that came after the hook was killed. It is kept with a name that begins with the session,
by which it is found again when the host says that the tool has run, or that the session is over.
"""

import secrets
import signal
import sys
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from functools import partial
from time import monotonic

import anyio

from handoffs.assembly import store_at
from handoffs.clock import SystemClock
from handoffs.core.action import Action
from handoffs.core.action_form import ARGUMENTS, MAX_EDITED, MAX_EDITS, action_form
from handoffs.core.action_shown import MAX_SHOWN, message_of
from handoffs.core.denial import is_denial
from handoffs.core.desk import Desk
from handoffs.core.display import stamp
from handoffs.core.errors import AlreadyEnded, AlreadyUsed, HandoffError, NotProved, Stopped
from handoffs.core.model import Caller, Declared, Handoff, State
from handoffs.core.ports import Permissions
from handoffs.core.remembering import conditions_of, offered, takes_conditions
from handoffs.gate import earlier_calls
from handoffs.gate import words as gate_words
from handoffs.gate.edits import checked
from handoffs.gate.policy_model import Reach, Terms
from handoffs.gate.remembered import Remembered, comparing
from handoffs.hooks import plain_words, replies, words
from handoffs.hooks.events import Heard
from handoffs.os_user import current_user
from handoffs.serving.desk import serving_desk
from handoffs.serving.invited import InboxWhenNeeded
from handoffs.serving.whose import WhoseDecision
from handoffs.settings import POLICY, SettingsError, config_file, read_settings

MOST_OPEN = 1_000
"""Open questions of this user that are looked through for those of one session."""

QUESTIONS = "AskUserQuestion"
"""The tool of Claude Code with which it asks the person."""

_OURS = "-"
"""Begins the id of a use for which the host has sent none."""

IN_HOST = "It was decided in the host."
"""The note with which a question is withdrawn whose tool has run, or whose session is over."""

_SIGNALS = [each for name in ("SIGTERM", "SIGINT", "SIGHUP") if (each := getattr(signal, name, None)) is not None]


@dataclass(frozen=True)
class _Parts:
    desk: Desk
    permissions: Permissions
    inbox: InboxWhenNeeded
    whose: WhoseDecision


def ask(heard: Heard, until: float) -> str:
    """Return the reply to an event that asks whether a tool may run.

    Raises:
        HandoffError: Nobody could be asked.
        ValueError: It can't be shown, such as half of a character, which hosts write of a text that they cut.
    """
    _ = heard.action.digest

    async def asked(parts: _Parts) -> str:
        return await _Asking(parts, heard, until).decide()

    return _ended(asked, lambda: replies.deny(heard.host, heard.name, plain_words.WAITING), until)


def answer_form(heard: Heard, until: float) -> str:
    """Return the reply to a form of an MCP server's. Raises HandoffError: Nobody could be asked."""
    from handoffs.hooks.forms import Form

    form = Form.of(heard)
    if form is None:
        return replies.NOTHING

    async def asked(parts: _Parts) -> str:
        return await form.answer(parts.desk, parts.inbox, parts.whose, left=partial(_left, until))

    return _ended(asked, lambda: replies.elicited("cancel", said=plain_words.FORM_WAITING), until)


def withdraw(heard: Heard) -> None:
    """Withdraw the questions that the host has decided: all of the session that is over, or those about one use."""

    async def withdrawn(parts: _Parts) -> str:
        for handoff in await parts.desk.newest_of(current_user(), open_only=True, limit=MOST_OPEN):
            if is_decided(handoff, heard):
                with suppress(AlreadyEnded):
                    await parts.desk.cancel(handoff, by=current_user(), channel="", note=IN_HOST)
        return replies.NOTHING

    _ended(withdrawn, lambda: replies.NOTHING, monotonic() + 30)


def is_decided(handoff: Handoff, heard: Heard) -> bool:
    """Say whether an event shows that the host has decided what this open question asks."""
    session, _, use = handoff.tool_use.partition(":")
    if not heard.session or session != heard.session:
        return False
    action = handoff.question.action
    if heard.over:
        return True
    if use.startswith("?"):
        return heard.tool == QUESTIONS
    if heard.tool_use and not use.startswith(_OURS) and use.partition("~")[0] != heard.tool_use:
        return False  # an equal use beside the one that has run
    try:
        return action is not None and action.digest == heard.action.digest
    except ValueError:
        return False


def name_of(heard: Heard) -> str:
    """Return the name with which a question of this use is kept: the session, and the host's id or one of ours."""
    return f"{heard.session}:{heard.tool_use or _OURS + secrets.token_hex(8)}"


def caller_of(heard: Heard) -> Caller:
    """Return who asks."""
    return Caller(subject=current_user(), client=heard.host.name, project=heard.project)


def _left(until: float) -> float:
    return until - monotonic()


DECLARED = Declared(transport="hook")


def _ended(work: Callable[[_Parts], Awaitable[str]], late: Callable[[], str], until: float) -> str:
    """Run work at the desk until it ends, its time is over, or the host ends this process."""
    try:
        settings = read_settings()
    except SettingsError as wrong:
        raise HandoffError(f"The settings of Handoffs can't be used: {wrong}") from None

    async def main() -> str:
        reply = late()
        async with anyio.create_task_group() as tasks:

            async def end_by_signal() -> None:
                with anyio.open_signal_receiver(*_SIGNALS) as signals:
                    async for _ in signals:
                        tasks.cancel_scope.cancel()

            if sys.platform != "win32":
                tasks.start_soon(end_by_signal)
            with anyio.move_on_after(max(until - monotonic(), 0)):
                async with _opened() as parts:
                    reply = await work(parts)
            tasks.cancel_scope.cancel()
        return reply

    @asynccontextmanager
    async def _opened() -> AsyncGenerator[_Parts]:
        clock = SystemClock()
        async with (
            store_at(settings.store, clock) as store,
            # Never on the terminal: that belongs to the host, whose screen and keys are not ours.
            serving_desk(settings, terminal=False, device=False, store=store, clock=clock) as desk,
        ):
            inbox = InboxWhenNeeded(settings.store, start=settings.inbox != "off", url=settings.inbox_url)
            yield _Parts(desk, store.permissions, inbox, WhoseDecision(config_file().with_name(POLICY), desk))

    try:
        return anyio.run(main)
    except* HandoffError as several:
        raise _first(several) from None
    except* SettingsError as wrong:
        raise HandoffError(str(wrong.exceptions[0])) from None


def _first(several: BaseExceptionGroup[HandoffError]) -> HandoffError:
    one: BaseException = several
    while isinstance(one, BaseExceptionGroup):
        one = one.exceptions[0]
    assert isinstance(one, HandoffError)
    return one


class _Asking:
    """Asks about one use of a tool, again after each change that can't be used."""

    def __init__(self, parts: _Parts, heard: Heard, until: float) -> None:
        self._desk, self._inbox, self._heard, self._until = parts.desk, parts.inbox, heard, until
        self._whose = parts.whose
        self._action: Action = heard.action
        assert heard.asks is not None
        # Without a session, what counts in this session alone would count in each.
        reaches: set[Reach] = {"exact", "tool", "session"} if heard.session else {"exact", "tool"}
        self._terms = Terms(edit=heard.asks.edits).limited_to(reaches)
        self._name = name_of(heard)
        self._remembered = Remembered(
            parts.permissions,
            parts.desk.clock,
            server=heard.host.name,
            subject=current_user(),
            project=heard.project,
            session=heard.session,
            proofs=comparing(
                parts.desk, parts.desk.directory, subject=current_user(), project=heard.project, session=heard.session
            ),
        )

    async def decide(self) -> str:
        """Return the reply."""
        if self._heard.tool == QUESTIONS and self._heard.host.name == "claude-code":
            from handoffs.hooks import questions  # the form of one tool

            left = partial(_left, self._until)
            return await questions.answer(self._heard, self._origin, self._desk, self._inbox, self._whose, left=left)
        action, desk, again, edits, round_ = self._action, self._desk, "", 0, 0
        while True:
            # Also where the quick way has looked: it knows one engine, and leaves what is unusual to this.
            if await self._remembered.allows(action, self._terms) is not None:
                return replies.allow(self._heard.host, self._heard.name)
            if await self._remembered.stopped() is not None:
                return self._denied(gate_words.STOPPED)
            ended = await earlier_calls.earlier(desk, current_user(), action.digest)
            if (denial := earlier_calls.last_of_many_denials(ended, desk.clock.now())) is not None:
                await desk.denied_again(denial)
                until = stamp(earlier_calls.ends_at(denial))
                return self._denied(gate_words.denied_again(until))
            message = message_of(action, again=again, origin=self._origin)
            if len(message) > MAX_SHOWN:
                return self._denied(gate_words.TOO_LONG)
            handoff = await self._asked(message, round_)
            if handoff.state is State.OPEN:
                return self._denied(plain_words.WAITING)
            if why := words.no_permission(handoff):
                await desk.collect(handoff, tool_use=self._name)
                if is_denial(handoff):
                    await self._remembered.suspend(action)
                return self._denied(why)
            try:
                await desk.check_proof(handoff)
            except NotProved as unproved:
                return self._denied(str(unproved))
            try:
                arguments = self._edited(handoff)
            except ValueError as wrong:
                edits += 1
                if edits > MAX_EDITS:
                    return self._denied(gate_words.MANY_EDITS)
                again = f"change {edits} was not used, and nothing has run: {wrong}"
                continue
            try:
                if handoff.collected_at is None:  # else another use has used it, and has kept what there is to remember
                    await self._remembered.keep(action, handoff, self._terms, edited=arguments is not None)
                with anyio.CancelScope(shield=True):
                    await desk.use(handoff, tool_use=self._name, edited=arguments is not None, unless_stopped=True)
            except Stopped:
                return self._denied(gate_words.STOPPED)
            except AlreadyUsed:
                again, round_ = "", round_ + 1
                continue  # two equal uses asked at once, and the other has this approval
            return replies.allow(self._heard.host, self._heard.name, arguments)

    async def _asked(self, message: str, round_: int) -> Handoff:
        """Ask, or join the same question of this session, and wait; return the handoff as it is then."""
        choices = offered(self._terms.remember.reaches, self._terms.remember.longest_seconds)
        handoff = await self._desk.ask(
            message=message,
            caller=caller_of(self._heard),
            form=action_form(
                editable=self._terms.edit and len(self._action.arguments) <= MAX_EDITED,
                remember=choices,
                conditions=[*conditions_of(self._action)] if takes_conditions(choices) else (),
            ),
            declared=DECLARED,
            # A use that lost an approval to an equal one must not find the same question again by its name.
            tool_use=f"{self._name}{'~' * round_}",
            max_message=MAX_SHOWN,
            action=self._action,
        )
        if handoff.state is State.OPEN:
            await self._inbox.invite(handoff)
            handoff = await self._desk.wait(handoff.id, seconds=max(self._until - monotonic() - 0.5, 0))
        return handoff

    @property
    def _origin(self) -> str:
        """Lines of the message that keep the questions of two sessions apart."""
        host, asks = self._heard.host, self._heard.asks
        session = f"Session `{self._heard.session}` of {host.title}." if self._heard.session else f"By {host.title}."
        if asks is not None and asks.beside_dialog and self._heard.attended:
            return f"{session} It may be decided in the host: {host.title} shows its own dialog, too."
        return session

    def _edited(self, handoff: Handoff) -> str | None:
        """Return the arguments to run with; None where they are as they were. Raises ValueError."""
        text = str((handoff.values or {}).get(ARGUMENTS) or "")
        if not text.strip():
            return None
        if not self._terms.edit:
            raise ValueError(f"{self._heard.host.title} takes no changes here: allow it as it is, or deny it")
        edited = checked(text, self._action)
        if edited is not None and edited.replace(" ", "").replace("\n", "") == "{}":
            raise ValueError("an empty object may run the tool as it was: deny it instead")
        return edited

    def _denied(self, why: str) -> str:
        return replies.deny(self._heard.host, self._heard.name, why)
