"""Requests to a terminal, and their outcomes."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Protocol, TypeAlias

from handoffs.core.action_form import is_action_form
from handoffs.core.display import asker_of
from handoffs.core.errors import HandoffError
from handoffs.core.form import Form, Value
from handoffs.core.model import Handoff

SETTLE = 0.5
"""Seconds without a key after a field is drawn before it takes any.

A person who was typing for another program, or pastes several lines without bracketed paste, must not answer a question
that they have not read.
"""


@dataclass(frozen=True, slots=True)
class Filled:
    """The person filled in the form; the values fit it. Or they answered in `other` words than its options."""

    values: dict[str, Value]
    note: str = ""
    other: str = ""


@dataclass(frozen=True, slots=True)
class Refused:
    """The person refuses to answer."""

    note: str = ""


@dataclass(frozen=True, slots=True)
class Later:
    """The person puts it off, or the terminal is gone. Nothing is decided."""


Outcome: TypeAlias = Filled | Refused | Later


@dataclass(frozen=True, kw_only=True, slots=True)
class Earlier:
    """The decision of the same question a short while ago, which the agent may not have received."""

    outcome: Filled | Refused
    text: str
    """The answer as text for a person."""
    by: str
    """The person who decided; empty when it is the person who is asked now."""
    at: datetime

    @classmethod
    def of(cls, handoff: Handoff, *, asked: str) -> "Earlier | None":
        """Return the decision of a handoff, for the person (`asked`) who is asked now; None if no person decided it."""
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
class Request:
    """One question for a terminal. The texts are the agent's; they are made inert when they are drawn."""

    message: str
    form: Form
    asker: str = ""
    """The asker: `claude-code · ~/shop`."""
    handoff_id: str = ""
    deadline: datetime | None = None
    waiting: int = 0
    """How many more questions are queued behind this one."""
    problem: str = ""
    """Why it is asked again: the error in the last answer."""
    takes_other: bool = False
    """Whether it may be answered in the person's own words instead of by one of its options."""
    earlier: Earlier | None = None
    """The decision of the same question a short while ago."""
    calls: int = 1
    """How many calls of the agent wait for the answer."""
    shared: bool = False
    """Whether it came through a gateway, so that the person whose agent asks is not known."""
    decides: bool = False
    """Whether it decides on an action: then the form is one of `action_form`, and only what belongs to the decision is
    asked for."""
    votes: tuple[str, ...] = ()
    """Who decides, who has voted, and what is still needed; empty where it takes no votes."""
    arguments: str = ""
    """The JSON that the action runs with; empty where the person can't edit it here."""

    @classmethod
    def of(
        cls,
        handoff: Handoff,
        *,
        waiting: int = 0,
        problem: str = "",
        earlier: Earlier | None = None,
        reader: str = "",
        now: datetime | None = None,
    ) -> "Request":
        """Return the request for a handoff; with `now`, also how its votes stand, for the person who reads it."""
        action = handoff.question.action
        decides = action is not None and is_action_form(handoff.question.form)
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
            decides=decides,
            votes=() if now is None else _votes(handoff, reader, now),
            arguments=action.arguments if decides and action is not None else "",
        )


def _votes(handoff: Handoff, reader: str, now: datetime) -> tuple[str, ...]:
    if handoff.question.deciders is None:
        return ()
    from handoffs.core.standing import notes_of_votes  # only for a question with a rule

    return notes_of_votes(handoff.question.deciders, handoff.votes, now, reader=reader)


class Interrupted(Exception):
    """Ctrl-C at the prompt. Nothing is decided; the terminal is restored."""


class NoTerminal(HandoffError):
    """There is no terminal to ask on."""


class Terminal(Protocol):
    """A terminal that a person reads and types on. The process asks one question at a time; the others queue."""

    async def ask(self, request: Request, *, shown: Callable[[], None] | None = None) -> Outcome:
        """Ask, and return the outcome. Cancelling withdraws the question. `shown` is called once it is readable.

        Raises:
            Interrupted: Ctrl-C.
        """
        ...

    async def tell(self, text: str) -> None:
        """Show a notice, which needs no answer; above the prompt, if one is shown."""
        ...


def utc_now() -> datetime:
    """Return the current time in UTC, for the time left of a request."""
    return datetime.now(UTC)
