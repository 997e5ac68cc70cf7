"""What happens to a handoff. The events, in order, are its audit log.

`details_of` is what the log keeps of an event; what a person wrote into the form is kept with the handoff, once, and
never in the log.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from datetime import datetime
from typing import ClassVar, TypeAlias, cast

from handoffs.core.form import Value


@dataclass(frozen=True, kw_only=True, slots=True)
class _Event:
    at: datetime
    name: ClassVar[str]
    """As stores keep it, whatever the class is called."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Opened(_Event):
    """The question was stored; nobody has been asked yet. What the host said of itself is for `handoffs doctor`."""

    name: ClassVar[str] = "opened"

    version: str = ""
    """The client's own."""
    protocol: str = ""
    """Of MCP, such as `2026-07-28`."""
    transport: str = ""
    """`stdio` or `http`."""
    declares: str = ""
    """What of asking it said it can do, such as `form url tasks`."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Joined(_Event):
    """Another call of the agent waits for the same question, or one of them waits no more."""

    name: ClassVar[str] = "joined"

    calls: int
    """How many wait for it now."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Reached(_Event):
    """A channel has shown the question to somebody."""

    name: ClassVar[str] = "reached"

    channel: str


@dataclass(frozen=True, kw_only=True, slots=True)
class NotShown(_Event):
    """A channel answered, but so that no person can have seen the question; it stays open elsewhere."""

    name: ClassVar[str] = "notshown"

    channel: str
    reason: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Dismissed(_Event):
    """A person closed the question without an answer: not now. It stays open elsewhere."""

    name: ClassVar[str] = "dismissed"

    channel: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Left(_Event):
    """The host ended the call while the person was still thinking. The question stays open."""

    name: ClassVar[str] = "left"

    seconds: str
    """How long the host had waited."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Reminded(_Event):
    """One process took it on to tell a person, at this stage, that the question waits; no other will."""

    name: ClassVar[str] = "reminded"

    channel: str
    stage: str
    """See `core.reminders`."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Answered(_Event):
    """A person filled the form."""

    name: ClassVar[str] = "answered"

    by: str
    channel: str
    values: Mapping[str, Value]
    """Of a secret only its name."""
    sealed: Mapping[str, str] = field(default_factory=dict[str, str], repr=False)
    """The secrets by field name, sealed."""
    note: str = ""
    other: str = ""
    """What the person said instead of picking an option; then there are no values."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Declined(_Event):
    """A person refused to answer."""

    name: ClassVar[str] = "declined"

    by: str
    channel: str
    note: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Cancelled(_Event):
    """The question was withdrawn for good, by a person or by who asked."""

    name: ClassVar[str] = "cancelled"

    by: str
    channel: str
    note: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Expired(_Event):
    """The deadline passed and nobody had answered."""

    name: ClassVar[str] = "expired"


@dataclass(frozen=True, kw_only=True, slots=True)
class Collected(_Event):
    """The agent was handed the outcome."""

    name: ClassVar[str] = "collected"

    tool_use: str = ""
    """The id that the host gave the tool use to which it was handed."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Used(_Event):
    """An approval lets one use of a tool run, and no other."""

    name: ClassVar[str] = "used"

    tool_use: str
    """The id that the host gave that use; of our own making where it gave none."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Edited(_Event):
    """What was approved runs as the person edited it. What they made of it is with the answer."""

    name: ClassVar[str] = "edited"

    by: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Sent(_Event):
    """The action that was allowed is on its way to its server."""

    name: ClassVar[str] = "sent"

    call: str
    """Which call of the agent it is, by an id of our own making."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Result(_Event):
    """The server has carried the action out, or has said that it did not."""

    name: ClassVar[str] = "result"

    call: str
    outcome: str
    """`done`, or `error` where the server says so."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Unknown(_Event):
    """Whether the action ran is not known: its server, or we, were cut off in between. It may have."""

    name: ClassVar[str] = "unknown"

    call: str
    reason: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Revealed(_Event):
    """A program of the person who was asked got a secret of the answer."""

    name: ClassVar[str] = "revealed"

    by: str
    field: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Forgotten(_Event):
    """A secret of the answer was erased; its name stays."""

    name: ClassVar[str] = "forgotten"

    by: str
    field: str


Event: TypeAlias = (
    Opened | Joined | Reached | NotShown | Dismissed | Left | Reminded | Answered | Declined | Cancelled | Expired
    | Collected | Used | Edited | Sent | Result | Unknown | Revealed | Forgotten
)  # fmt: skip

EVENTS: tuple[type[Event], ...] = (
    Opened, Joined, Reached, NotShown, Dismissed, Left, Reminded, Answered, Declined, Cancelled, Expired, Collected,
    Used, Edited, Sent, Result, Unknown, Revealed, Forgotten,
)  # fmt: skip

# With the handoff, once: what people write is not in the log.
_NOT_LOGGED = frozenset({"at", "values", "sealed", "note", "other"})


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
    """What the event says besides: by, channel, reason."""


def name_of(event: Event) -> str:
    """Return the event's name as the log has it: `answered`."""
    return event.name


def details_of(event: Event) -> dict[str, str]:
    """Return what the log keeps of an event besides its name and time; never what a person wrote."""
    return {
        each.name: str(cast("object", getattr(event, each.name)))
        for each in fields(event)
        if each.name not in _NOT_LOGGED and getattr(event, each.name)
    }
