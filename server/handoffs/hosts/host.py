"""What a row of the host table says. Every field has the value for hosts that nothing is known of."""

from dataclasses import dataclass
from enum import Enum
from typing import Literal, TypeAlias

FieldType: TypeAlias = Literal["string", "enum", "boolean", "integer", "number", "multi"]
"""A kind of field in a dialog: `enum` is one choice of several, `multi` any number of them."""

EVERY_FIELD: frozenset[FieldType] = frozenset(("string", "enum", "boolean", "integer", "number", "multi"))

MINUTE = 60.0
HOUR = 3600.0


class Kind(Enum):
    """What stands behind a client's name."""

    HOST = "host"
    """A program that one person uses."""
    GATEWAY = "gateway"
    """A program that passes on the calls of others; how many people stand behind it is not known."""
    LIBRARY = "library"
    """A library whose name any program carries that uses it: it says nothing of who calls."""
    UNKNOWN = "unknown"
    """Not in the table."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Patience:
    """How long a call may wait, in seconds: a little less than the host lets it live."""

    quiet: float
    """While the host shows nothing."""
    dialog: float
    """While the host's own dialog is open: some hosts stop their clock then."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Host:
    """What one host does with calls, dialogs and results."""

    title: str
    """What people call it."""
    source: str
    """Where the row is known from. `T` was tried in November 2026, `C` read in its code, `D` in its documents."""
    stdio: Patience
    http: Patience | None = None
    """Over HTTP, where that differs."""
    kind: Kind = Kind.HOST
    install: tuple[str, ...] = ()
    """What `handoffs install` calls it, where it can set it up."""
    task: bool = False
    """Whether a call gets an MCP task where the client declares tasks: only where the agent then waits for it."""
    gives_up: bool = False
    """Whether it cancels a task when its own time is up: that withdraws nothing, the person may still be thinking."""
    draws: frozenset[FieldType] = EVERY_FIELD
    """The fields that its dialog draws. Another one is asked for as text, or the form goes elsewhere."""
    shows_links: bool = True
    """Whether it shows a link to the inbox where it declares that (URL mode)."""
    shows_defaults: bool = False
    """Whether its dialog shows what a field is filled with before the person touches it."""
    fills_untouched: bool = False
    """Whether it sends a value for what nobody touched: the first choice, or false for a box."""
    adds_other: bool = False
    """Whether its dialog lets a person type words of their own in place of every choice."""
    withdraws: bool = True
    """Whether it closes its dialog when the question was answered elsewhere, where the protocol lets us say so."""
    draws_cards: bool = True
    """Whether it really shows a card (MCP Apps) where it declares that."""
    gives_both: bool = False
    """Whether its model reads the text of a result and the structured content."""

    @property
    def is_shared(self) -> bool:
        """Whether several people's agents may stand behind the name, so that it tells nobody apart."""
        return self.kind in (Kind.GATEWAY, Kind.LIBRARY)

    @property
    def opens_inbox(self) -> bool:
        """Whether the inbox opens beside a dialog from which nothing comes: nobody knows who would show it."""
        return self.kind is not Kind.HOST

    def patience(self, transport: str) -> Patience:
        """Return how long a call may wait on `stdio` or `http`."""
        return self.http if transport == "http" and self.http is not None else self.stdio
