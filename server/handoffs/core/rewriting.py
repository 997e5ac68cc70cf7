"""What the erasure of a person changes in one handoff, and what it did in all of a store."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from handoffs.core.events import Erased
from handoffs.core.leaves import Lined
from handoffs.core.model import Handoff
from handoffs.core.person import Person


@dataclass(frozen=True, kw_only=True, slots=True)
class RewrittenLine:
    """A line of the log without the words that were erased."""

    number: int
    details: str
    """As JSON."""
    salt: str
    """As `core.leaves.Leaf.salt`."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Rewritten:
    """A handoff without what a person said in it, and without their name."""

    after: Handoff
    """As it is to be stored, after `event`."""
    event: Erased
    lines: Sequence[RewrittenLine]
    """The lines that change."""


Rewrite = Callable[[Person, Handoff, Sequence[Lined]], Rewritten | None]
"""Returns what changes in a handoff, from its lines; None where nothing of the person is in it.

Raises PersonRefused: it has to end first.
"""


@dataclass(frozen=True, kw_only=True, slots=True)
class Erasure:
    """What was erased."""

    person: str
    """The number that stands for the person from now on."""
    handoffs: int
    lines: int
    """How many lines of the log lost words."""
    grants: int
    """How many permissions and stops lost the name."""
