"""What a policy is asked, and what it returns: a call, a decision, and the terms under which a person is asked."""

from collections.abc import Mapping, Set
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Literal, TypeAlias

if TYPE_CHECKING:  # only a rule that names people needs it
    from handoffs.people.rules import DeciderRule

Reach: TypeAlias = Literal["exact", "tool", "session"]
"""What a remembered permission covers: these exact arguments, this tool, or this session."""

Place: TypeAlias = Literal["any", "inbox"]
"""Where a person may answer: in every channel, or in the inbox alone."""

REACHES: tuple[Reach, ...] = ("exact", "tool", "session")
PLACES: tuple[Place, ...] = ("any", "inbox")

DECISIONS = '"allow", "ask" or "deny"'


class Decision(StrEnum):
    """What happens to a call."""

    ALLOW = "allow"
    ASK = "ask"
    DENY = "deny"


@dataclass(frozen=True, kw_only=True)
class Call:
    """One call of a tool, as it reached the gate."""

    server: str
    tool: str
    arguments: Mapping[str, object]
    title: str = ""
    annotations: Mapping[str, object] = field(default_factory=dict[str, object])
    """The hints that the server publishes about the tool."""
    listed: bool = True
    """False: the server does not list this tool."""
    caller: Mapping[str, str] = field(default_factory=dict[str, str])
    """Who calls: `client`, `project`, `subject`."""


@dataclass(frozen=True, kw_only=True)
class Remember:
    """What a person may have remembered beyond this one call; nothing where `reaches` is empty."""

    reaches: frozenset[Reach] = frozenset(REACHES)
    longest_seconds: float | None = None
    """None: until it is revoked."""


@dataclass(frozen=True, kw_only=True)
class Terms:
    """How a person is asked about a call."""

    deadline_seconds: float | None = None
    """None: the deadline of every other question."""
    edit: bool = True
    """The person may change the arguments."""
    remember: Remember = Remember()
    answer: Place = "any"
    channels: tuple[str, ...] = ()
    """The channels of people's own in which it may be decided, too."""
    mask: tuple[str, ...] = ()
    """Which arguments are secret, by path: `token`, `auth.*`."""
    deciders: "DeciderRule | None" = None
    """Whose decision it is; None: of every person who is reached."""

    def limited_to(self, reaches: Set[Reach]) -> "Terms":
        """Return these terms, where no more than this may be remembered."""
        return replace(self, remember=replace(self.remember, reaches=self.remember.reaches & reaches))


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What a policy says about a call, and by which rule.

    An allowed call has terms, too: it is asked about when the tool's definition has changed.
    """

    decision: Decision
    rule: str
    """`gate.toml:12`, `--ask delete_*`, or `no rule`."""
    reason: str = ""
    terms: Terms = Terms()
    pin: bool = True
    """A changed definition of the tool asks anew, whatever the rule says."""


def read_decision(value: object) -> Decision | None:
    """Return a decision by its name, None for anything else."""
    return Decision(value) if value in [each.value for each in Decision] else None
