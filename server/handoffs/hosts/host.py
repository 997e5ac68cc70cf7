"""The rows of the host table. The defaults describe an unknown host."""

from dataclasses import dataclass
from enum import Enum
from typing import Literal, TypeAlias

FieldType: TypeAlias = Literal["string", "enum", "boolean", "integer", "number", "multi"]
"""A kind of field in a dialog: `enum` is one choice of several, `multi` any number of them."""

EVERY_FIELD: frozenset[FieldType] = frozenset(("string", "enum", "boolean", "integer", "number", "multi"))

MINUTE = 60.0
HOUR = 3600.0


class Kind(Enum):
    """The kind of program behind a client's name."""

    HOST = "host"
    """A program that one person uses."""
    GATEWAY = "gateway"
    """A program that passes on calls of other programs, for an unknown number of people."""
    LIBRARY = "library"
    """A library whose name all its programs carry: it does not identify the caller."""
    UNKNOWN = "unknown"
    """Not in the table."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Patience:
    """How long a call may wait, in seconds: a little less than the host's own limit."""

    quiet: float
    """While the host shows nothing."""
    dialog: float
    """While the host's own dialog is open: some hosts pause their clock then."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Bound:
    """How long a message may be that a dialog shows whole."""

    lines: int
    characters: int

    def holds(self, message: str) -> bool:
        """Say whether a message is no longer than that."""
        return message.count("\n") < self.lines and len(message) <= self.characters


@dataclass(frozen=True, kw_only=True, slots=True)
class Host:
    """How one host handles calls, dialogs and results."""

    title: str
    """The name for people."""
    source: str
    """The sources of the row. `T` was tried in November 2026, `C` read in its code, `D` in its documents."""
    stdio: Patience
    http: Patience | None = None
    """Over HTTP, if that differs."""
    kind: Kind = Kind.HOST
    install: tuple[str, ...] = ()
    """Its names in `handoffs install`, if that can set it up."""
    task: bool = False
    """Whether a call gets an MCP task if the client declares tasks: only if the agent then waits for it."""
    gives_up: bool = False
    """Whether it cancels a task when its own time is up. That withdraws nothing: the person may still be thinking."""
    draws: frozenset[FieldType] = EVERY_FIELD
    """The fields that its dialog draws. Other fields are asked as text, or the form goes elsewhere."""
    shows_whole: Bound = Bound(lines=40, characters=2_000)
    """The longest message that its dialog surely shows whole: a held call that is longer leads to the inbox."""
    # No host documents a figure, and none was tried: this one is a guess. A row with another names it in its source.
    shows_links: bool = True
    """Whether it really shows a link to the inbox if it declares that (URL mode)."""
    shows_defaults: bool = False
    """Whether its dialog shows the initial value of a field before the person touches it."""
    fills_untouched: bool = False
    """Whether it sends a value for untouched fields: the first choice, or false for a box."""
    adds_other: bool = False
    """Whether its dialog offers the person's own words with every choice."""
    withdraws: bool = True
    """Whether it closes its dialog when the question was answered elsewhere, if the protocol has a message for that."""
    draws_cards: bool = True
    """Whether it really shows a card (MCP Apps) if it declares that."""
    edits_arguments: bool = False
    """Whether its dialog takes up the arguments of a held call for editing, where they are sent with the form."""
    gives_both: bool = False
    """Whether its model reads both the text of a result and the structured content."""

    @property
    def is_shared(self) -> bool:
        """Whether agents of several people may share this name, so that it identifies no caller."""
        return self.kind in (Kind.GATEWAY, Kind.LIBRARY)

    @property
    def opens_inbox(self) -> bool:
        """Whether the inbox opens beside a dialog that gets no reply: an unknown host may show no dialogs."""
        return self.kind is not Kind.HOST

    def patience(self, transport: str) -> Patience:
        """Return how long a call may wait, over `stdio` or `http`."""
        return self.http if transport == "http" and self.http is not None else self.stdio
