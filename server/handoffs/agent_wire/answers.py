"""Answers at the desk what an agent asks through its editor: a tool's use as an action, a form as a form.

The editor's dialog is the person's own, so by default it is asked as well, and what is said there stands. Not where a
rule or the settings say who decides, or demand a proof: then only the desk can tell that it was so.
"""

import hashlib
import secrets
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import cast

import anyio
from anyio.abc import TaskGroup, TaskStatus

from handoffs.agent_wire.asked import Asked, FormAsked, PermissionAsked
from handoffs.agent_wire.relay import PATIENCE_SECONDS, Question, say
from handoffs.channels import may_fill_in
from handoffs.client.asking import Asking, caller_of
from handoffs.client.opening import open_asking
from handoffs.client.outcome import Status
from handoffs.client.permission import Permitting, Terms
from handoffs.core.action import Asker
from handoffs.core.action_form import SESSION
from handoffs.core.action_shown import PLAIN_NAME
from handoffs.core.asked import digest_of_key
from handoffs.core.beside import beside
from handoffs.core.errors import AlreadyEnded, HandoffError, QuestionRefused
from handoffs.core.model import Handoff, State
from handoffs.core.question import Asking as AskedWords
from handoffs.core.question import form_of
from handoffs.core.untrusted import inert_line
from handoffs.gate import words
from handoffs.gate.policy_model import Reach
from handoffs.os_user import current_user
from handoffs.serving.whose import WhoseDecision
from handoffs.settings import POLICY, Settings, SettingsError, config_file, read_settings

WITHDRAWING_SECONDS = 5.0
"""How long it may take to withdraw a question: whoever asked waits for it, or has ended."""

MAX_NAME = 100
MOST_OPEN = 50
"""Open questions of this user among which one is looked for that was stored while it was called off."""


@dataclass
class _Opened:
    """What was stored of one request."""

    key: str
    handoffs: list[Handoff] = field(default_factory=list[Handoff])
    done: bool = False


class DeskAnswers:
    """The desk, as the relay of one agent uses it."""

    def __init__(self, tasks: TaskGroup, *, agent: str, client: str) -> None:
        """Take the name by which permissions know the agent, and the one by which people and rules do.

        The store is opened when the first question comes, and stays open in a task of the group.
        """
        self._tasks, self._agent, self._client = tasks, agent, client
        self._asking: Asking | None = None
        self._opening = anyio.Lock()
        self._nonce, self._number = secrets.token_hex(16), 0

    async def answer(self, question: Question) -> str | None:
        """See `Answers`."""
        asked = question.asked
        try:
            settings = read_settings()
            question.alone = question.alone or await self._is_bound(settings, asked)
        except (SettingsError, QuestionRefused) as wrong:
            question.alone = True  # whether a rule demands more than a dialog is not known
            say(f"Nobody was asked, and the request is refused: {wrong}")
            return None
        try:
            async with beside(partial(_let_after, question)), self._withdrawing(question) as stored:
                asking = (await self._open(settings)).in_folder(asked.project or _folder())
                result = await self._decided(asking, question, stored)
                stored.done = True
                return result
        except (HandoffError, SettingsError, ValueError, RecursionError) as wrong:
            left = "it is refused" if question.alone else "it is left to the editor"
            say(f"The desk can't decide a request of the agent, so {left}: {wrong}")
            return None

    async def _is_bound(self, settings: Settings, asked: Asked) -> bool:
        """Say whether more is demanded than a word in the editor. Raises QuestionRefused: the rules can't be read."""
        if settings.proof != "off":
            return True
        if not isinstance(asked, FormAsked):
            return False  # no rule is about a host's own tools
        caller = caller_of(current_user(), client=self._client, project=asked.project or _folder())
        words_asked = AskedWords(message=self._message(asked), options=None, form=asked.schema)
        return WhoseDecision.is_ruled(config_file().with_name(POLICY), caller, words_asked)

    async def _open(self, settings: Settings) -> Asking:
        async with self._opening:
            asking = self._asking
            if asking is None:
                asking = self._asking = await self._tasks.start(self._keep_open, settings)
            return asking

    async def _keep_open(self, settings: Settings, *, task_status: TaskStatus[Asking]) -> None:
        started = False
        try:
            async with open_asking(settings, client=self._client) as asking:
                started = True
                task_status.started(asking)
                await anyio.sleep_forever()
        except Exception as broken:  # noqa: BLE001 - whatever it was, the relay goes on, and says so
            found = _first(broken)
            if not started:
                raise found from None
            say(f"The desk has ended ({type(found).__name__}); the next question opens it again.")
        finally:
            self._asking = None

    async def _decided(self, asking: Asking, question: Question, stored: _Opened) -> str | None:
        match question.asked:
            case PermissionAsked() as asked:
                return await self._permitted(asking, asked, question, stored)
            case FormAsked() as asked:
                return await self._filled_in(asking, asked, question, stored)
            case _:
                return None

    # Permissions

    async def _permitted(
        self, asking: Asking, asked: PermissionAsked, question: Question, stored: _Opened
    ) -> str | None:
        reaches: set[Reach] = {"exact"}
        if asked.named:
            reaches.add("tool")
        if asked.named and asked.session:
            reaches.add("session")
        permission = await Permitting(
            asking,
            server=self._agent,
            session=self._session(asked),
            terms=Terms(edit=False).limited_to(reaches),
            asker=Asker.HOST,
        ).permit(
            asked.tool,
            asked.arguments,
            key=stored.key,
            origin="\n\n".join(filter(None, (self._origin(question), asked.note))),
            opened=_noting(question, stored),
            scoped=bool(asked.allowed_in_session),
        )
        if permission.allowed:
            return (permission.scope == SESSION and asked.allowed_in_session) or asked.allowed
        if permission.told == words.TOO_LONG:
            raise QuestionRefused("It is too long to be shown.")
        if permission.status not in {Status.ANSWERED, Status.DECLINED}:
            return None
        return asked.explained(permission.reason) if permission.reason and asked.explained else asked.refused

    # Forms

    async def _filled_in(self, asking: Asking, asked: FormAsked, question: Question, stored: _Opened) -> str | None:
        message = f"{self._message(asked)}\n\n{self._origin(question)}"
        if form_of(message, None, asked.schema).secret:
            raise QuestionRefused("A secret is not passed on to an agent.")
        # As long as the agent waits, if it says so: a question that is over asks nobody.
        seconds = None if asked.seconds is None else min(asked.seconds, asking.limits.max_seconds)
        handoff = await asking.open(message, form=asked.schema, timeout=seconds, key=stored.key)
        _noting(question, stored)(handoff)
        handoff = await asking.decided(handoff)
        if handoff.state is State.ANSWERED:
            await asking.check(handoff)
        await asking.hand_over(handoff, key=stored.key)
        channel = "" if handoff.end is None else handoff.end.channel
        match handoff.state:
            case State.ANSWERED if may_fill_in(channel) and not handoff.other:
                return asked.accepted(handoff.values or {})
            case State.ANSWERED | State.DECLINED:
                return asked.declined
            case _:
                return None

    def _message(self, asked: FormAsked) -> str:
        source = inert_line(asked.source, MAX_NAME)
        who = f"{source} asks you, through {self._shown}" if source else f"{self._shown} asks you"
        return f"{who}:\n\n{asked.message}"

    # Both

    @property
    def _shown(self) -> str:
        return f"`{self._agent}`" if PLAIN_NAME.fullmatch(self._agent) else "The agent"

    def _session(self, asked: Asked) -> str:
        whole = f"{self._agent} {asked.session}".encode(errors="backslashreplace")
        return hashlib.sha256(whole).hexdigest()[:16] if asked.session else ""

    def _origin(self, question: Question) -> str:
        session = self._session(question.asked)
        named = f"Session `{session}` of {self._shown}." if session else f"By {self._shown}."
        return named if question.alone else f"{named} It may be decided in the editor: the dialog is there, too."

    @asynccontextmanager
    async def _withdrawing(self, question: Question) -> AsyncGenerator[_Opened]:
        """Yield what notes the questions of a request; withdraw them if the block does not get to its end."""
        self._number += 1
        stored = _Opened(f"agent {self._nonce} {self._number}")
        try:
            yield stored
        finally:
            if not stored.done and self._asking is not None:
                with anyio.CancelScope(shield=True), anyio.move_on_after(WITHDRAWING_SECONDS), suppress(HandoffError):
                    await self._withdraw(self._asking, stored, question.note)

    async def _withdraw(self, asking: Asking, stored: _Opened, note: str) -> None:
        desk, name = asking.desk, digest_of_key(stored.key)
        found = stored.handoffs or [
            each
            for each in await desk.newest_of(current_user(), open_only=True, limit=MOST_OPEN)
            if each.tool_use == name
        ]
        for handoff in found:
            try:
                await desk.cancel(handoff, by=current_user(), channel="", note=note)
            except AlreadyEnded:
                await desk.collect(await desk.get(handoff.id))  # nothing else gets what was decided


def _noting(question: Question, stored: _Opened) -> Callable[[Handoff], None]:
    def note(handoff: Handoff) -> None:
        stored.handoffs.append(handoff)
        if handoff.question.deciders is not None:
            question.alone = True
        question.let_editor()

    return note


async def _let_after(question: Question) -> None:
    await anyio.sleep(PATIENCE_SECONDS)
    question.let_editor()


def _folder() -> str:
    try:
        return str(Path.cwd())
    except OSError:  # it was removed
        return ""


def _first(broken: Exception) -> Exception:
    if not isinstance(broken, ExceptionGroup):
        return broken
    return _first(cast("ExceptionGroup[Exception]", broken).exceptions[0])
