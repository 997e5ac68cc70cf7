"""The handoff: plain frozen values, with no behaviour that needs a clock, a store or a screen."""

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING

from handoffs.core.action import Action
from handoffs.core.attachment import Attachment
from handoffs.core.client_name import bare_name
from handoffs.core.form import REFERENCE, Form, Value
from handoffs.core.ids import ID_PREFIX

if TYPE_CHECKING:  # only a question with a rule needs it
    from handoffs.core.deciders import Deciders, Vote

GATEWAY, APART = "gateway ", "apart "
"""Prefixes of a `session` that other sessions may not join, by reason: see `Handoff.session`."""

SCRIPT = "script"
"""The channel of an answer by a program that says that it is no person."""


class State(StrEnum):
    """The state of a handoff. Every state but OPEN is an outcome, and stands."""

    OPEN = "open"
    ANSWERED = "answered"
    DECLINED = "declined"
    CANCELLED = "cancelled"
    EXPIRED = "expired"


@dataclass(frozen=True, kw_only=True, slots=True)
class Caller:
    """Who asks. Two calls come from the same caller if all three fields agree."""

    subject: str
    """The authenticated subject; without authentication, the user of the operating system."""
    client: str = ""
    """The MCP client's own name, `claude-code`."""
    project: str = ""
    """The folder in which the agent works; empty if it is not known."""

    @property
    def authenticated(self) -> bool:
        """Whether a token proved the subject. A user name of the operating system has no colon."""
        return ":" in self.subject


@dataclass(frozen=True, kw_only=True, slots=True)
class Declared:
    """What the host declared of itself when it passed a question on. It is not verified."""

    version: str = ""
    protocol: str = ""
    transport: str = ""
    abilities: tuple[str, ...] = ()
    """The declared ones of `form`, `url`, `tasks` and `ui`."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Question:
    """What a person is asked."""

    message: str
    """Markdown that the agent wrote: it must be made inert before it is shown."""
    form: Form
    deadline: datetime
    breakout_of_loop: bool = False
    action: Action | None = None
    """What runs if it is allowed; None where nothing but an answer is wanted."""
    deciders: "Deciders | None" = None
    """Whose decision it is; None: of every person who is reached."""
    files: bool = False
    """Whether who asks receives files that come with an answer."""

    @property
    def takes_other(self) -> bool:
        """Whether a person may answer in their own words instead of picking an option."""
        return self.form.is_options and not self.breakout_of_loop

    @property
    def takes_files(self) -> bool:
        """Whether a person may give files with the answer: not with a held call, a secret or a vote."""
        plain = self.action is None and not self.form.secret
        return self.files and plain and (self.deciders is None or not self.deciders.takes_several)

    @property
    def takes_proof(self) -> bool:
        """Whether an answer counts only with the signature of the person who gives it."""
        return self.deciders is not None and bool(self.deciders.proof)


@dataclass(frozen=True, kw_only=True, slots=True)
class End:
    """How a handoff ended: when, and, if a person did it, by whom and through which channel."""

    at: datetime
    by: str = ""
    channel: str = ""
    note: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """An answer: the values, who gave them, when, and through which channel."""

    values: Mapping[str, Value]
    by: str
    at: datetime
    channel: str
    note: str = ""
    other: str = ""
    """What the person said instead of picking an option; then `values` is empty."""
    attachments: tuple[Attachment, ...] = ()
    """The files that came with it, without their bytes."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Handoff:
    """One question to a person, from asked to ended."""

    id: str
    caller: Caller
    question: Question
    created_at: datetime
    fingerprint: str
    """Equal for the same question from the same caller; see `fingerprint_of`."""
    state: State = State.OPEN
    version: int = 1
    """Rises by one with every event; of two writers that hold the same version, only one succeeds."""
    values: Mapping[str, Value] | None = None
    """The answer. For a secret, only its name: see `secret_name`."""
    sealed: Mapping[str, str] = field(default_factory=dict[str, str], repr=False)
    """The secrets of the answer by field name, sealed by a `ports.Sealer`; kept apart so that no view shows them."""
    end: End | None = None
    collected_at: datetime | None = None
    other: str = ""
    """What the person said instead of picking an option; then `values` is empty."""
    calls: int = 1
    """How many calls of the agent wait for it at once, as far as was reported."""
    handed_to: str = ""
    """The id, given by the host, of the tool use that received the outcome; empty if it is not known."""
    session: str = ""
    """The pipe or session that identical calls must share to join it; empty if all calls of the caller may."""
    tool_use: str = ""
    """The id, given by the host, of the tool use that asked."""
    earlier: str = ""
    """The id of the same question from the same caller, decided a short while before. Its agent may not know it."""
    reached: tuple[str, ...] = ()
    """The channels that have shown it to a person, in order."""
    reminded: tuple[str, ...] = ()
    """The stages whose reminder was claimed, in order, each once."""
    votes: "tuple[Vote, ...]" = ()
    """What its deciders have said so far, each person once."""
    attachments: tuple[Attachment, ...] = ()
    """The files of the answer. A store keeps their bytes apart: see `ports.Store.content`."""

    @property
    def answer(self) -> Answer | None:
        """The answer, once there is one."""
        if self.values is None or self.end is None:
            return None
        end = self.end
        return Answer(
            values=self.values,
            by=end.by,
            at=end.at,
            channel=end.channel,
            note=end.note,
            other=self.other,
            attachments=self.attachments,
        )

    def joined_by(self, asked: "Handoff", *, since: datetime) -> bool:
        """Return whether an identical question, `asked` now, joins this one: it is open, or ended at `since` or later.

        An outcome that the agent received is given again only to the same tool use. If sessions are kept apart, only
        the same tool use joins across them or gets a late outcome.
        """
        if self.fingerprint != asked.fingerprint:
            return False
        if self.state is not State.OPEN and (self.end is None or self.end.at < since):
            return False
        if asked.tool_use and asked.tool_use in (self.tool_use, self.handed_to):
            return True
        late = self.session == "" and self.collected_at is None
        return self.session == asked.session and (self.state is State.OPEN or late)

    @property
    def through_gateway(self) -> bool:
        """Whether the caller is a gateway, which may carry agents of several people."""
        return self.session.startswith(GATEWAY)

    @property
    def decided(self) -> bool:
        """Whether a person ended it, by answering or declining."""
        return self.state in (State.ANSWERED, State.DECLINED)

    def overdue(self, now: datetime) -> bool:
        """Return whether its deadline has passed but its expiry is not yet recorded."""
        return self.state is State.OPEN and now >= self.question.deadline


@dataclass(frozen=True, kw_only=True, slots=True)
class Cursor:
    """A position in the order newest first: by time of asking, then by the order of storing.

    The handoffs after it are older than the handoff with this id; without an id, older than this time. If that handoff
    has been deleted, the id has no effect.
    """

    created_at: datetime
    id: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Outline:
    """The columns for finding and counting handoffs, without form and answer."""

    id: str
    subject: str
    client: str
    message: str
    created_at: datetime
    state: State
    ended_at: datetime | None = None
    ended_through: str = ""
    """The channel through which it ended; empty if no person ended it."""
    reached: tuple[str, ...] = ()
    only: frozenset[str] | None = None
    """Who alone may see it; None: everybody."""

    @property
    def cursor(self) -> Cursor:
        """The position right after it."""
        return Cursor(created_at=self.created_at, id=self.id)


@dataclass(frozen=True, kw_only=True, slots=True)
class OpenCount:
    """The number of open handoffs, as of one line of the log."""

    handoffs: int
    """How many are open."""
    next_deadline: datetime | None
    """When the next of them expires; None if none is open."""
    line: int
    """The number of the newest line of the log at the time of counting; 0 for an empty log."""


def earlier_of(decided: Iterable[Handoff]) -> str:
    """Return the id of the handoff that was decided last; empty if there is none."""
    ended = [(each.end.at, each.id) for each in decided if each.end is not None]
    return max(ended)[1] if ended else ""


def secret_name(handoff_id: str, field_name: str) -> str:
    """Return the name that stands for a secret in all places without its value: `secret:h_…/password`."""
    return f"{REFERENCE}{handoff_id}/{field_name}"


def read_secret_name(name: str) -> tuple[str, str] | None:
    """Return the handoff's id and the field's name of a secret's name; None if it is no such name."""
    handoff_id, slash, field_name = name.removeprefix(REFERENCE).partition("/")
    whole = name.startswith(REFERENCE + ID_PREFIX) and slash and field_name
    return (handoff_id, field_name) if whole else None


def fingerprint_of(
    caller: Caller, *, message: str, form: Form, breakout_of_loop: bool, action: Action | None = None
) -> str:
    """Return a digest that is equal for the same question from the same caller, as 64 hexadecimal digits.

    The time-out is left out: a model that retries with another time-out asks the same question.
    """
    parts = [caller.subject, bare_name(caller.client), caller.project, message, form.schema, breakout_of_loop]
    if action is not None:
        parts.append(action.digest)
    return hashlib.sha256(json.dumps(parts, separators=(",", ":")).encode()).hexdigest()
