"""What a terminal is given to ask, and what it gives back."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol, TypeAlias

from handoffs.core.errors import HandoffError
from handoffs.core.form import Form, Value
from handoffs.core.model import Caller, Handoff


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

    @classmethod
    def of(cls, handoff: Handoff, *, waiting: int = 0, problem: str = "") -> "Sheet":
        """Return the sheet of a handoff."""
        return cls(
            message=handoff.question.message,
            form=handoff.question.form,
            asker=asker_of(handoff.caller),
            handoff_id=handoff.id,
            deadline=handoff.question.deadline,
            waiting=waiting,
            problem=problem,
        )


@dataclass(frozen=True, slots=True)
class Filled:
    """The person filled the form; the values fit it."""

    values: dict[str, Value]
    note: str = ""


@dataclass(frozen=True, slots=True)
class Refused:
    """The person refuses to answer."""

    note: str = ""


@dataclass(frozen=True, slots=True)
class Later:
    """Not now, or nobody there any more. Nothing is decided."""


Outcome: TypeAlias = Filled | Refused | Later


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


def asker_of(caller: Caller) -> str:
    """Return who asks, for a person: the program and the folder it works in, `claude-code · ~/shop`.

    Before them the principal, where a token proved it, `token:ci · claude-code`: the rest is the program's own word.
    """
    proven = caller.subject if caller.authenticated else ""
    return " · ".join(part for part in (proven, caller.client, _shortened(caller.project)) if part)


def _shortened(folder: str) -> str:
    try:
        return str("~" / Path(folder).relative_to(Path.home())) if folder else ""
    except (ValueError, RuntimeError):  # not below it; or nobody's home
        return folder
