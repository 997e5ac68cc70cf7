"""What a terminal is given to ask, and what it gives back."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Protocol, TypeAlias

from handoffs.core.display import asker_of
from handoffs.core.errors import HandoffError
from handoffs.core.form import Form, Value
from handoffs.core.model import Handoff

SETTLE = 0.5
"""Seconds without a key after a field is drawn before it takes any.

Who was typing something else, or pastes several lines where the terminal does not bracket them, must not answer what
they have not read.
"""


@dataclass(frozen=True, slots=True)
class Filled:
    """The person filled the form; the values fit it. Or they said something `other` than its options."""

    values: dict[str, Value]
    note: str = ""
    other: str = ""


@dataclass(frozen=True, slots=True)
class Refused:
    """The person refuses to answer."""

    note: str = ""


@dataclass(frozen=True, slots=True)
class Later:
    """Not now, or nobody there any more. Nothing is decided."""


Outcome: TypeAlias = Filled | Refused | Later


@dataclass(frozen=True, kw_only=True, slots=True)
class Earlier:
    """How the same question was decided a short while ago; the agent may not have received that."""

    outcome: Filled | Refused
    text: str
    """The answer as a person reads it."""
    by: str
    """Who decided; empty where it is the person who is asked now."""
    at: datetime

    @classmethod
    def of(cls, handoff: Handoff, *, asked: str) -> "Earlier | None":
        """Return how a handoff was decided, for `asked`, who is asked the same now; None where nobody decided it."""
        if handoff.end is None or not handoff.decided:
            return None
        by = "" if handoff.end.by == asked else handoff.end.by
        if handoff.values is None:
            refused = Refused(handoff.end.note)
            return cls(outcome=refused, text=refused.note, by=by, at=handoff.end.at)
        text = handoff.other or ", ".join(handoff.question.form.texts(handoff.values))
        filled = Filled(dict(handoff.values), note=handoff.end.note, other=handoff.other)
        return cls(outcome=filled, text=text, by=by, at=handoff.end.at)


@dataclass(frozen=True, kw_only=True, slots=True)
class Sheet:
    """One question, as a terminal shows it. Texts are the agent's own; they are made inert when they are drawn."""

    message: str
    form: Form
    asker: str = ""
    """Who asks: `claude-code · ~/shop`."""
    handoff_id: str = ""
    deadline: datetime | None = None
    waiting: int = 0
    """How many more questions are queued behind this one."""
    problem: str = ""
    """Why it is asked again: what was wrong with the last answer."""
    takes_other: bool = False
    """Whether it may be answered in the person's own words instead of by one of its options."""
    earlier: Earlier | None = None
    """How the same question was decided a short while ago."""
    calls: int = 1
    """How many calls of the agent wait for the answer."""
    shared: bool = False
    """Whether it came through something that passes on the calls of others, so that nobody knows whose agent asks."""

    @classmethod
    def of(
        cls,
        handoff: Handoff,
        *,
        waiting: int = 0,
        problem: str = "",
        earlier: Earlier | None = None,
    ) -> "Sheet":
        """Return the sheet of a handoff."""
        return cls(
            message=handoff.question.message,
            form=handoff.question.form,
            asker=asker_of(handoff.caller),
            handoff_id=handoff.id,
            deadline=handoff.question.deadline,
            waiting=waiting,
            problem=problem,
            takes_other=handoff.question.takes_other,
            earlier=earlier,
            calls=handoff.calls,
            shared=handoff.through_gateway,
        )


class Interrupted(Exception):
    """Ctrl-C at the prompt. Nothing is decided; the terminal is as it was before."""


class NoTerminal(HandoffError):
    """There is no terminal to ask on."""


class Terminal(Protocol):
    """Where a person reads and types. One question at a time in the whole process; the others queue."""

    async def ask(self, sheet: Sheet, *, shown: Callable[[], None] | None = None) -> Outcome:
        """Ask, and return what the person did. Cancelled, it gives way. `shown` is called once it can be read.

        Raises:
            Interrupted: Ctrl-C.
        """
        ...

    async def tell(self, text: str) -> None:
        """Show a notice that wants no answer; beside a prompt, above it."""
        ...


def utc_now() -> datetime:
    """Return the time, by which a sheet says how long is left."""
    return datetime.now(UTC)
