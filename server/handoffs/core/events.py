"""The events of a handoff. In order, they are its audit log.

`details_of` returns what the log keeps of an event. What a person entered is kept once, with the handoff, and never in
the log.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from datetime import datetime
from typing import ClassVar, TypeAlias, cast

from handoffs.core.attachment import Attachment
from handoffs.core.form import Value
from handoffs.core.model import Declared


@dataclass(frozen=True, kw_only=True, slots=True, eq=False, repr=False)
class _Event:
    # One comparison, hash and text for all events: made for each of them, they would take a quarter of their memory.
    at: datetime
    name: ClassVar[str]
    """The name in stores; it stays when the class is renamed."""

    def _values(self) -> tuple[object, ...]:
        return tuple(cast("object", getattr(self, each.name)) for each in fields(self))

    def __eq__(self, other: object) -> bool:
        return (
            self._values() == other._values()
            if isinstance(other, _Event) and type(other) is type(self)
            else NotImplemented
        )

    def __hash__(self) -> int:
        return hash((type(self), self._values()))

    def __repr__(self) -> str:
        shown = ", ".join(f"{each.name}={getattr(self, each.name)!r}" for each in fields(self) if each.repr)
        return f"{type(self).__name__}({shown})"


@dataclass(frozen=True, kw_only=True, slots=True, eq=False, repr=False)
class Opened(_Event):
    """The question was stored; it has not been shown yet. `handoffs doctor` reads what the host declared."""

    name: ClassVar[str] = "opened"

    version: str = ""
    """The client's version."""
    protocol: str = ""
    """The version of MCP, such as `2026-07-28`."""
    transport: str = ""
    """`stdio` or `http`."""
    declares: str = ""
    """The ways of asking that the host declared, such as `form url tasks`."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False, repr=False)
class Joined(_Event):
    """Another call of the agent joined the same question, or stopped waiting for it."""

    name: ClassVar[str] = "joined"

    calls: int
    """How many calls wait for it now."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False, repr=False)
class Reached(_Event):
    """A channel has shown the question to a person."""

    name: ClassVar[str] = "reached"

    channel: str


@dataclass(frozen=True, kw_only=True, slots=True, eq=False, repr=False)
class NotShown(_Event):
    """A channel failed to show the question to a person. The question stays open elsewhere."""

    name: ClassVar[str] = "notshown"

    channel: str
    reason: str


@dataclass(frozen=True, kw_only=True, slots=True, eq=False, repr=False)
class Dismissed(_Event):
    """A person closed the question without an answer (*not now*). The question stays open elsewhere."""

    name: ClassVar[str] = "dismissed"

    channel: str


@dataclass(frozen=True, kw_only=True, slots=True, eq=False, repr=False)
class Left(_Event):
    """The host ended the call while the person was still thinking. The question stays open."""

    name: ClassVar[str] = "left"

    seconds: str
    """How long the host had waited."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False, repr=False)
class Reminded(_Event):
    """One process claimed the reminder of this stage. No other process sends it."""

    name: ClassVar[str] = "reminded"

    channel: str
    stage: str
    """See `core.reminders`."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False, repr=False)
class Voted(_Event):
    """One of those who decide has voted. The question stays open until the votes are enough."""

    name: ClassVar[str] = "voted"

    by: str
    channel: str
    for_: str = ""
    """Whose deputy they are; empty for a person in their own right."""
    digest: str = ""
    """What they voted for, see `core.deciders`; empty for a refusal."""
    gone: tuple[str, ...] = ()
    """People who had been removed by then: their votes end."""
    proof: str = field(default="", repr=False)
    """The assertion of the person's passkey, see `core.decision`; empty where none is demanded."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False, repr=False)
class Answered(_Event):
    """A person filled the form."""

    name: ClassVar[str] = "answered"

    by: str
    channel: str
    values: Mapping[str, Value]
    """The answer. For a secret, only its name."""
    sealed: Mapping[str, str] = field(default_factory=dict[str, str], repr=False)
    """The secrets by field name, sealed."""
    note: str = ""
    other: str = ""
    """What the person said instead of picking an option; then `values` is empty."""
    attachments: tuple[Attachment, ...] = field(default=(), repr=False)
    """The files of the answer, in order."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False, repr=False)
class Declined(_Event):
    """A person refused to answer."""

    name: ClassVar[str] = "declined"

    by: str
    channel: str
    note: str = ""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False, repr=False)
class Cancelled(_Event):
    """The question was withdrawn for good, by a person or by its asker."""

    name: ClassVar[str] = "cancelled"

    by: str
    channel: str
    note: str = ""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False, repr=False)
class Expired(_Event):
    """The deadline passed without an answer."""

    name: ClassVar[str] = "expired"


@dataclass(frozen=True, kw_only=True, slots=True, eq=False, repr=False)
class Collected(_Event):
    """The agent was handed the outcome."""

    name: ClassVar[str] = "collected"

    tool_use: str = ""
    """The id that the host gave the tool use that received it."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False, repr=False)
class Used(_Event):
    """An approval was used up: it let one use of a tool run, and lets no other."""

    name: ClassVar[str] = "used"

    tool_use: str
    """The id that the host gave that use; generated here if the host gave none."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False, repr=False)
class Edited(_Event):
    """The approved call runs as the person edited it. The edited arguments are in the answer."""

    name: ClassVar[str] = "edited"

    by: str


@dataclass(frozen=True, kw_only=True, slots=True, eq=False, repr=False)
class Sent(_Event):
    """The action that was allowed is on its way to its server."""

    name: ClassVar[str] = "sent"

    call: str
    """Which call of the agent it is, by an id of our own making."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False, repr=False)
class Result(_Event):
    """The server has carried the action out, or has said that it did not."""

    name: ClassVar[str] = "result"

    call: str
    outcome: str
    """`done`, or `error` where the server says so."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False, repr=False)
class Unknown(_Event):
    """Whether the action ran is not known: its server, or we, were cut off in between. It may have."""

    name: ClassVar[str] = "unknown"

    call: str
    reason: str


@dataclass(frozen=True, kw_only=True, slots=True, eq=False, repr=False)
class DeniedAgain(_Event):
    """The same call came again, and was denied without a question: a person had denied it several times."""

    name: ClassVar[str] = "deniedagain"


@dataclass(frozen=True, kw_only=True, slots=True, eq=False, repr=False)
class Revealed(_Event):
    """A program of the person who was asked read a secret of the answer."""

    name: ClassVar[str] = "revealed"

    by: str
    field: str


@dataclass(frozen=True, kw_only=True, slots=True, eq=False, repr=False)
class Forgotten(_Event):
    """A secret of the answer was erased; its name stays."""

    name: ClassVar[str] = "forgotten"

    by: str
    field: str


@dataclass(frozen=True, kw_only=True, slots=True, eq=False, repr=False)
class Erased(_Event):
    """The name and the words of a person were erased from the handoff and its lines."""

    name: ClassVar[str] = "erased"

    person: str
    """The number that stands for the person."""
    lines: str
    """Which lines lost words, and what is left of each, committed to anew: see `proof.erasing`."""


Event: TypeAlias = (
    Opened | Joined | Reached | NotShown | Dismissed | Left | Reminded | Voted | Answered | Declined | Cancelled
    | Expired | Collected | Used | Edited | Sent | Result | Unknown | DeniedAgain | Revealed | Forgotten | Erased
)  # fmt: skip

EVENTS: tuple[type[Event], ...] = (
    Opened, Joined, Reached, NotShown, Dismissed, Left, Reminded, Voted, Answered, Declined, Cancelled, Expired,
    Collected, Used, Edited, Sent, Result, Unknown, DeniedAgain, Revealed, Forgotten, Erased,
)  # fmt: skip

# Kept once, with the handoff: the log holds nothing that people wrote.
_NOT_LOGGED = frozenset({"at", "values", "sealed", "note", "other", "attachments", "gone", "proof"})


@dataclass(frozen=True, kw_only=True, slots=True)
class Entry:
    """One line of the audit log."""

    number: int
    """Rises by one or more from line to line, over all handoffs of a store."""
    handoff_id: str
    name: str
    """The event's name in lower case: `answered`."""
    at: datetime
    details: Mapping[str, str]
    """The event's other fields, as text: by, channel, reason."""


def opened_by(declared: Declared | None, at: datetime) -> Opened:
    """Return the event of a new handoff, with what the host declared."""
    if declared is None:
        return Opened(at=at)
    return Opened(
        at=at,
        version=declared.version,
        protocol=declared.protocol,
        transport=declared.transport,
        declares=" ".join(declared.abilities),
    )


def name_of(event: Event) -> str:
    """Return the event's name in the log: `answered`."""
    return event.name


def details_of(event: Event) -> dict[str, str]:
    """Return what the log keeps of an event besides its name and time; never what a person wrote."""
    return {
        each.name: str(cast("object", getattr(event, each.name)))
        for each in fields(event)
        if each.name not in _NOT_LOGGED and getattr(event, each.name)
    }
