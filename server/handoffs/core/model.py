"""What a handoff is: plain frozen values, without behaviour that needs a clock, a store or a screen."""

import hashlib
import json
import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from handoffs.core.action import Action
from handoffs.core.client_name import bare_name
from handoffs.core.form import REFERENCE, Form, Value

GATEWAY, APART = "gateway ", "apart "
"""How the `session` of a handoff begins that other sessions may not join, and why: see `Handoff.session`."""

ID_PREFIX = "h_"
_ID_ALPHABET = "23456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnpqrstuvwxyz"
_ID_LENGTH = 20


SCRIPT = "script"
"""The channel of an answer by something that says of itself that it is no person."""


class State(StrEnum):
    """Where a handoff is in its life. Every one but OPEN is an outcome, and stands."""

    OPEN = "open"
    ANSWERED = "answered"
    DECLINED = "declined"
    CANCELLED = "cancelled"
    EXPIRED = "expired"


@dataclass(frozen=True, kw_only=True, slots=True)
class Caller:
    """Who asks. Two calls are from the same caller when all three agree."""

    subject: str
    """The authenticated subject; where nobody authenticates, the user of the operating system."""
    client: str = ""
    """The MCP client's own name, `claude-code`."""
    project: str = ""
    """The folder in which the agent works; empty where it is not known."""

    @property
    def authenticated(self) -> bool:
        """Whether a token proved who it is; a user of the operating system has no colon in their name."""
        return ":" in self.subject


@dataclass(frozen=True, kw_only=True, slots=True)
class Declared:
    """What the host said of itself when it passed a question on; it need not be true."""

    version: str = ""
    protocol: str = ""
    transport: str = ""
    abilities: tuple[str, ...] = ()
    """Of `form`, `url`, `tasks` and `ui`, those that it said it has."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Question:
    """What a person is asked."""

    message: str
    """Markdown, written by the agent: data, to be made inert before it is shown."""
    form: Form
    deadline: datetime
    breakout_of_loop: bool = False
    action: Action | None = None
    """What runs if it is allowed; None where nothing but an answer is wanted."""

    @property
    def takes_other(self) -> bool:
        """Whether a person may answer in their own words instead of picking one of the options."""
        return self.form.is_options and not self.breakout_of_loop


@dataclass(frozen=True, kw_only=True, slots=True)
class End:
    """How a handoff ended: when, and by whom through which channel where a person did it."""

    at: datetime
    by: str = ""
    channel: str = ""
    note: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """What a person answered, who it was, when and through which channel."""

    values: Mapping[str, Value]
    by: str
    at: datetime
    channel: str
    note: str = ""
    other: str = ""
    """What they said instead of picking an option; then there are no values."""


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
    """One more with every event; two writers with the same version in hand can't both win."""
    values: Mapping[str, Value] | None = None
    """The answer; of a secret only its name, see `secret_name`."""
    sealed: Mapping[str, str] = field(default_factory=dict[str, str], repr=False)
    """The secrets of the answer by field name, as a `ports.Sealer` sealed them; apart, so that nothing shows them."""
    end: End | None = None
    collected_at: datetime | None = None
    other: str = ""
    """What the person said instead of picking an option; then `values` is empty."""
    calls: int = 1
    """How many calls of the agent wait for it at once, as far as was told."""
    handed_to: str = ""
    """The tool use, by the id that the host gave it, to which the outcome was handed; empty where that is unknown."""
    session: str = ""
    """The pipe or session outside of which no identical call may join it; empty where every one of the caller may."""
    tool_use: str = ""
    """The tool use, by the id that the host gave it, that asked."""
    earlier: str = ""
    """The id of the same question from the same caller, decided a short while before: its agent may not know that."""
    reached: tuple[str, ...] = ()
    """The channels that have shown it to somebody, in that order."""
    reminded: tuple[str, ...] = ()
    """The stages at which somebody took it on to tell a person that it waits, in that order; each is there once."""

    @property
    def answer(self) -> Answer | None:
        """The answer, once there is one."""
        if self.values is None or self.end is None:
            return None
        end = self.end
        return Answer(values=self.values, by=end.by, at=end.at, channel=end.channel, note=end.note, other=self.other)

    def joined_by(self, asked: "Handoff", *, since: datetime) -> bool:
        """Say whether an identical question, `asked` now, is this one: open, or ended at `since` or later.

        An outcome that was handed to the agent is given again only to the same tool use. Where sessions are kept apart,
        nothing but the same tool use joins across them, or is given an outcome that came late.
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
        """Whether agents of several people may stand behind who asks."""
        return self.session.startswith(GATEWAY)

    @property
    def decided(self) -> bool:
        """Whether a person ended it by an answer, or by refusing one."""
        return self.state in (State.ANSWERED, State.DECLINED)

    def overdue(self, now: datetime) -> bool:
        """Say whether it is open only because nobody has looked since its deadline."""
        return self.state is State.OPEN and now >= self.question.deadline


@dataclass(frozen=True, kw_only=True, slots=True)
class Cursor:
    """A place in the order newest first: the time of asking, then the order in which the store kept them.

    What comes after it is older than the handoff with this id; without an id, older than this time. Once the handoff is
    no longer there, it is the same as without an id.
    """

    created_at: datetime
    id: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Outline:
    """The columns of a handoff by which it is found and counted, without its form and its answer."""

    id: str
    subject: str
    client: str
    message: str
    created_at: datetime
    state: State
    ended_at: datetime | None = None
    ended_through: str = ""
    """The channel through which it ended; empty also where no person ended it."""
    reached: tuple[str, ...] = ()

    @property
    def cursor(self) -> Cursor:
        """The place right after it."""
        return Cursor(created_at=self.created_at, id=self.id)


@dataclass(frozen=True, kw_only=True, slots=True)
class OpenCount:
    """What is open, as of one line of the log."""

    handoffs: int
    """How many."""
    next_deadline: datetime | None
    """When the next of them expires; None where none is open."""
    line: int
    """The number of the newest line of the log in the moment of counting; 0 where there is none."""


def new_id(prefix: str = ID_PREFIX) -> str:
    """Return an id that nobody can guess: `h_` and 20 characters without look-alikes, 115 bits."""
    number = secrets.randbelow(len(_ID_ALPHABET) ** _ID_LENGTH)
    letters: list[str] = []
    for _ in range(_ID_LENGTH):
        number, letter = divmod(number, len(_ID_ALPHABET))
        letters.append(_ID_ALPHABET[letter])
    return prefix + "".join(letters)


def earlier_of(decided: Iterable[Handoff]) -> str:
    """Return the id of the one that was decided last; empty where there is none."""
    ended = [(each.end.at, each.id) for each in decided if each.end is not None]
    return max(ended)[1] if ended else ""


def secret_name(handoff_id: str, field_name: str) -> str:
    """Return what a secret is called wherever its value must not be: `secret:h_…/password`."""
    return f"{REFERENCE}{handoff_id}/{field_name}"


def read_secret_name(name: str) -> tuple[str, str] | None:
    """Return the handoff's id and the field's name that a secret's name is made of; None where it is no such name."""
    handoff_id, slash, field_name = name.removeprefix(REFERENCE).partition("/")
    whole = name.startswith(REFERENCE + ID_PREFIX) and slash and field_name
    return (handoff_id, field_name) if whole else None


def fingerprint_of(
    caller: Caller, *, message: str, form: Form, breakout_of_loop: bool, action: Action | None = None
) -> str:
    """Return what is equal for the same question from the same caller, as 64 hexadecimal digits.

    How long the question stays open is left out: a model that retries with another time-out asks the same question.
    """
    parts = [caller.subject, bare_name(caller.client), caller.project, message, form.schema, breakout_of_loop]
    if action is not None:
        parts.append(action.digest)
    return hashlib.sha256(json.dumps(parts, separators=(",", ":")).encode()).hexdigest()
