"""A question and its answer, wherever the question is kept: what a program gets of it, and what it is asked again."""

import contextlib
import sys
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, TypeVar, overload

from handoffs.client.forms import FormGiven, Misfit, instance_of, model_of, schema_of
from handoffs.client.outcome import Outcome, Status, Unusable, check_answered, outcome_of
from handoffs.core.form import Value
from handoffs.core.model import Handoff

if TYPE_CHECKING:
    from pydantic import BaseModel

    M = TypeVar("M", bound=BaseModel)

MAX_MISFITS = 5
"""How often a person is asked again whose answer does not fit the model."""

Tell = Callable[[str], object]
"""Is told, in a line, where a person finds the question."""


def tell_on_stderr(line: str) -> None:
    """Print where a person finds the question: a program that waits says so."""
    if sys.stderr is not None:
        with contextlib.suppress(OSError):
            print(line, file=sys.stderr, flush=True)  # noqa: T201


class Questions(ABC):
    """Asks in the name of one program. Any number of questions at once."""

    @overload
    async def ask(
        self,
        message: str,
        *,
        form: "type[M]",
        timeout: float | timedelta | None = None,
        wait: float | None = None,
        key: str = "",
        tell: Tell | None = tell_on_stderr,
        files: bool = False,
    ) -> "Outcome[M]": ...
    @overload
    async def ask(
        self,
        message: str,
        *,
        options: Sequence[str] | None = None,
        form: Mapping[str, object] | None = None,
        timeout: float | timedelta | None = None,
        wait: float | None = None,
        key: str = "",
        tell: Tell | None = tell_on_stderr,
        files: bool = False,
    ) -> Outcome[object]: ...
    async def ask(
        self,
        message: str,
        *,
        options: Sequence[str] | None = None,
        form: FormGiven = None,
        timeout: float | timedelta | None = None,
        wait: float | None = None,
        key: str = "",
        tell: Tell | None = tell_on_stderr,
        files: bool = False,
    ) -> Outcome[object]:
        """Ask a person, and return their answer; see `handoffs.ask`. With `files`, they can give files with it."""
        model, schema = model_of(form), schema_of(form)
        asked: list[Handoff] = []
        again = ""
        while len(asked) <= MAX_MISFITS:
            handoff = await self.open(
                f"{message}{again}", options=options, form=schema, timeout=timeout, key=key, files=files
            )
            handoff = await self.decided(handoff, wait=wait, tell=tell)
            asked.append(handoff)
            outcome = outcome_of(handoff, partial(self.content, handoff))
            if outcome.status is not Status.ANSWERED:
                break
            await self.check(handoff)
            try:
                if model is not None:
                    values = await self.revealed(handoff)
                    outcome = replace(outcome, instance=instance_of(model, values))
            except Misfit as wrong:
                # Not handed over yet: the same program, started again, comes here again. The number keeps two alike
                # apart.
                again = f"\n\nAnswer {len(asked)} was not used: {wrong}"
                continue
            await self.hand_over(*asked, key=key)
            return outcome
        await self.hand_over(*asked, key=key)
        outcome = outcome_of(asked[-1])
        check_answered(outcome)
        raise Unusable(f"{outcome.handoff_id} was answered {len(asked)} times, and no answer fitted.", outcome)

    async def wait(self, handoff_id: str, *, wait: float | None = None, tell: Tell | None = None) -> Outcome[object]:
        """Return how a question stands once it has ended, or after `wait` seconds; with PENDING it is still open.

        Raises:
            NotFound: There is no such handoff.
        """
        handoff = await self.decided(await self.get(handoff_id), wait=wait, tell=tell)
        outcome = outcome_of(handoff, partial(self.content, handoff))
        if outcome.status is Status.ANSWERED:
            await self.check(handoff)
        await self.hand_over(handoff)
        return outcome

    @abstractmethod
    async def cancel(self, handoff_id: str, *, note: str = "") -> Outcome[object]:
        """Withdraw a question for good. Raises NotFound, and AlreadyEnded: the outcome stands."""

    @abstractmethod
    async def open(
        self,
        message: str,
        *,
        options: Sequence[str] | None = None,
        form: Mapping[str, object] | None = None,
        timeout: float | timedelta | None = None,
        key: str = "",
        files: bool = False,
    ) -> Handoff:
        """Have the question kept, or join the same one that was asked before; return it without waiting."""

    @abstractmethod
    async def get(self, handoff_id: str) -> Handoff:
        """Return a handoff as it is now. Raises NotFound."""

    @abstractmethod
    async def content(self, handoff: Handoff, number: int) -> bytes:
        """Return the bytes of a file of an answer. Raises FileChanged, and NotFound."""

    @abstractmethod
    async def decided(self, handoff: Handoff, *, wait: float | None = None, tell: Tell | None = None) -> Handoff:
        """Have people reached, and return the handoff once it has ended, or as it is after `wait` seconds."""

    @abstractmethod
    async def check(self, handoff: Handoff) -> None:
        """Return if an answer may be believed. Raises NotProved."""

    @abstractmethod
    async def revealed(self, handoff: Handoff) -> Mapping[str, Value]:
        """Return the answer, with what is secret in it where this program may have it."""

    @abstractmethod
    async def hand_over(self, *handoffs: Handoff, key: str = "") -> None:
        """Record that the program has the outcomes."""
