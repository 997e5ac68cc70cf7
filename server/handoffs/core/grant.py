"""What a gate remembers: pinned tool definitions, the permissions that a person gave for later, and a stop of all.

A *pin* is the definition of a tool as a person knows it. A *grant* allows later uses of a tool by one definition of it:
of another definition it allows nothing. While a *stop* stands, no grant is used.
"""

import json
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Literal, TypeAlias

from handoffs.core.exact_json import OddNumber
from handoffs.core.folders import lies_in
from handoffs.core.ids import id_of, new_id

ID_PREFIX = "g_"

MOST_GRANTS = 200
"""Grants of one tool that are looked through for a call; the newest first."""

Kind: TypeAlias = Literal["equals", "prefix"]


class Reach(StrEnum):
    """Which arguments a grant allows."""

    EXACT = "exact"
    """These exact arguments, by their digest."""
    TOOL = "tool"
    """Any arguments that meet the conditions."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Pin:
    """A tool's definition as it was seen, and shown to a person. There is one for each tool of a server."""

    server: str
    tool: str
    digest: str
    definition: str
    """The JSON of the definition, as its server listed it."""
    pinned_at: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class PinnedServer:
    """A server whose tools are pinned."""

    server: str
    first: datetime
    """When the oldest of its pins was made: at first sight, as long as one of those stands."""
    tools: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Condition:
    """What one argument must be: this value, or a path or URL in this folder (`prefix`; see `core.folders`).

    Raises:
        ValueError: The value is no JSON scalar that every reader reads alike, or the prefix is no string.
    """

    name: str
    """The name of the argument."""
    kind: Kind
    value: object
    """A JSON scalar; a string for a prefix."""

    def __post_init__(self) -> None:
        """Refuse a value that would be another one after it was stored."""
        value = self.value
        odd = isinstance(value, OddNumber) or (isinstance(value, float) and not math.isfinite(value))
        if odd or not isinstance(value, str | int | float | None):
            raise ValueError(f"a condition on {self.name} needs a value that every reader reads alike")
        if self.kind == "prefix" and not isinstance(value, str):
            raise ValueError(f"the prefix of {self.name} must be a string")

    def met_by(self, argument: object) -> bool:
        """Say whether an argument is as the condition wants it."""
        if self.kind == "prefix":
            return isinstance(argument, str) and isinstance(self.value, str) and lies_in(argument, self.value)
        return _equal(self.value, argument)

    @property
    def words(self) -> str:
        """The condition as people read it: `path begins with /srv/shop/`."""
        value = self.value if isinstance(self.value, str) else json.dumps(self.value)
        return f"{self.name} {'begins with' if self.kind == 'prefix' else 'is'} {value}"


@dataclass(frozen=True, kw_only=True, slots=True)
class Grant:
    """A permission that a person gave for later uses of one tool. Times are in UTC.

    A caller looks for the grants of its own subject, project, server and tool, and then asks what each one `allows`.
    """

    id: str
    subject: str
    """The subject whose calls it allows."""
    project: str
    """The folder in which the agent works; empty where it is not known."""
    server: str
    tool: str
    definition: str
    """The digest of the pinned definition that it was given for."""
    reach: Reach
    arguments_digest: str = ""
    """Which arguments it allows; empty unless its reach is EXACT."""
    conditions: tuple[Condition, ...] = ()
    session: str = ""
    """The only session in which it counts; empty: any."""
    created_at: datetime
    by: str
    """The person who gave it."""
    channel: str
    """The channel through which it was given."""
    handoff_id: str
    """The question with whose answer it was given."""
    expires_at: datetime | None = None
    uses_left: int | None = None
    """How often it can still be used; None: any number of times."""
    uses: int = 0
    last_used_at: datetime | None = None
    revoked_at: datetime | None = None
    """When it ended for good."""
    suspended_at: datetime | None = None
    """Since when it allows nothing until it is resumed."""

    def active(self, now: datetime) -> bool:
        """Say whether it can be used at all: not revoked, suspended, expired or used up."""
        ended = self.revoked_at is not None or self.suspended_at is not None
        expired = self.expires_at is not None and now >= self.expires_at
        used_up = self.uses_left is not None and self.uses_left <= 0
        return not (ended or expired or used_up)

    def state(self, now: datetime) -> str:
        """Return in a word whether it counts: active, suspended, expired, used up or revoked."""
        if self.revoked_at is not None:
            return "revoked"
        if self.suspended_at is not None:
            return "suspended"
        if self.expires_at is not None and now >= self.expires_at:
            return "expired"
        return "active" if self.active(now) else "used up"

    def allows(
        self, now: datetime, *, session: str, definition: str, digest: str, arguments: Mapping[str, object]
    ) -> bool:
        """Say whether it allows a call of its tool now.

        `definition` is the digest of the tool's definition as it is now, `digest` the digest of the arguments.
        """
        right_place = self.session in ("", session) and self.definition == definition
        right_arguments = self.reach is Reach.TOOL or (self.arguments_digest != "" and self.arguments_digest == digest)
        return self.active(now) and right_place and right_arguments and meets(self.conditions, arguments)


@dataclass(frozen=True, kw_only=True, slots=True)
class Stop:
    """That a person stopped everything, until somebody lifts it."""

    by: str
    at: datetime


def meets(conditions: Sequence[Condition], arguments: Mapping[str, object]) -> bool:
    """Say whether arguments meet all conditions.

    One that is missing, of another type, or there in another spelling, too, does not: readers such as Go's take `Path`
    for `path`, and the last of the two counts.
    """
    if not conditions:
        return True
    folded = Counter(name.casefold() for name in arguments)
    return all(
        each.name in arguments and folded[each.name.casefold()] == 1 and each.met_by(arguments[each.name])
        for each in conditions
    )


def new_grant_id() -> str:
    """Return an id that nobody can guess: `g_` and 20 characters."""
    return new_id(ID_PREFIX)


def grant_id_of(handoff_id: str) -> str:
    """Return the id of the grant that the answer to a question gives. It gives one, however many calls wait for it."""
    return id_of(handoff_id, ID_PREFIX)


def _equal(wanted: object, found: object) -> bool:
    match wanted, found:
        case (None, None):
            return True
        case (bool(), bool()) | (str(), str()):
            return wanted == found
        case (bool(), _) | (_, bool() | OddNumber()):
            return False  # 1 is not True; what an odd number is, readers do not agree on
        case (int() | float(), int() | float()):
            return wanted == found
        case _:
            return False
