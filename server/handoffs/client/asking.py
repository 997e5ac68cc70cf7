"""Asking from a program: a question in the store, people who are told where to answer, and the outcome.

The same question, asked again by the same user, in the same folder and by a program of the same name, joins the open
one, or is given the outcome that the last program did not live to receive. With a `key`, only the same key joins: what
is asked under another key is another question, in the same words, too.
"""

from collections.abc import Mapping, Sequence
from copy import copy
from dataclasses import replace
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import anyio

from handoffs.client.outcome import Outcome, outcome_of
from handoffs.client.questions import Questions, Tell
from handoffs.core.action import Action
from handoffs.core.asked import digest_of_key
from handoffs.core.desk import Desk
from handoffs.core.display import where
from handoffs.core.errors import HandoffError
from handoffs.core.form import Value
from handoffs.core.model import APART, Caller, Declared, Handoff, State
from handoffs.core.question import MAX_MESSAGE, Limits
from handoffs.core.question import Asking as Asked
from handoffs.core.retry import retry_while_unavailable

if TYPE_CHECKING:
    from handoffs.core.deciders import Deciders

CHANNEL = "program"
"""Stands in the log for a program that withdraws its own question."""


class Inbox(Protocol):
    """The inbox in which people answer."""

    async def invite(self, handoff: Handoff) -> str | None:
        """Have it show the handoff, and return its address there; None where there is none."""
        ...


class Whose(Protocol):
    """Says whose decision a question is."""

    async def __call__(self, caller: Caller, asking: Asked) -> "Deciders | None":
        """Return who may decide this question of the caller now; None for everybody who is reached."""
        ...


class Asking(Questions):
    """Asks over a desk, in the name of one program. Any number of questions at once."""

    def __init__(
        self,
        desk: Desk,
        *,
        caller: Caller,
        inbox: Inbox | None,
        whose: Whose | None,
        limits: Limits,
        machine: str = "",
    ) -> None:
        """Take the parts; `limits` say how long a question may stay open.

        Where several machines use the store, `machine` keeps questions apart of the same user, program and folder. A
        key is meant to be the same on each of them.
        """
        self.desk, self.caller = desk, caller
        self._inbox, self._whose, self.limits, self._machine = inbox, whose, limits, machine

    def in_folder(self, project: str) -> "Asking":
        """Return what asks for another folder, over the same desk."""
        other = copy(self)
        other.caller = replace(self.caller, project=project)
        return other

    async def open(
        self,
        message: str,
        *,
        options: Sequence[str] | None = None,
        form: Mapping[str, object] | None = None,
        timeout: float | timedelta | None = None,
        key: str = "",
        action: Action | None = None,
        deciders: "Deciders | None" = None,
        max_message: int = MAX_MESSAGE,
        files: bool = False,
    ) -> Handoff:
        """Store the question, or join the same one that was asked before; return it without waiting.

        Raises:
            QuestionRefused: It can't be asked as it is. Nothing was stored.
            QuotaUsedUp: The user has reached the quota.
        """
        if action is None and deciders is None and self._whose is not None:
            deciders = await self._whose(self.caller, Asked(message=message, options=options, form=form))
        apart = self._machine and not key
        return await self.desk.ask(
            message=message,
            caller=replace(self.caller, client=f"{self.caller.client} on {self._machine}") if apart else self.caller,
            options=options,
            form=form,
            deadline_seconds=self._seconds(timeout),
            declared=Declared(transport="program"),
            session=f"{APART}{digest_of_key(key)}" if key else "",
            tool_use=digest_of_key(key),
            max_message=max_message,
            action=action,
            deciders=deciders,
            files=files,
        )

    async def decided(self, handoff: Handoff, *, wait: float | None = None, tell: Tell | None = None) -> Handoff:
        """Have people reached, and return the handoff once it has ended, or as it is after `wait` seconds.

        A store that is away for a while is waited for. Cancelling this leaves the question open.
        """
        if handoff.state is not State.OPEN:
            return handoff
        ended, wrong = handoff, list[HandoffError]()
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._reach, handoff, tell)
            try:
                ended = await retry_while_unavailable(
                    self.desk.clock, partial(self.desk.wait, handoff.id, seconds=wait), seconds=None
                )
            except HandoffError as error:  # raised below: a group of one error says nothing to a program
                wrong.append(error)
            if wrong or ended.state is not State.OPEN:
                tasks.cancel_scope.cancel()
        for error in wrong:
            raise error
        return ended

    async def get(self, handoff_id: str) -> Handoff:
        """Return a handoff as it is now. Raises NotFound."""
        return await self.desk.get(handoff_id)

    async def content(self, handoff: Handoff, number: int) -> bytes:
        """Return the bytes of a file of an answer. Raises FileChanged, and NotFound."""
        return await self.desk.content(handoff, number)

    async def cancel(self, handoff_id: str, *, note: str = "") -> Outcome[object]:
        """Withdraw a question for good. Raises NotFound, and AlreadyEnded: the outcome stands."""
        handoff = await self.desk.get(handoff_id)
        return outcome_of(await self.desk.cancel(handoff, by=self.caller.subject, channel=CHANNEL, note=note))

    async def hand_over(self, *handoffs: Handoff, key: str = "") -> None:
        """Record that the program has the outcomes: the same question, asked anew, is a new one.

        With a `key`, the same key is given it again, for the time in which outcomes are joined.
        """
        for handoff in handoffs:
            await self.desk.collect(handoff, tool_use=digest_of_key(key))

    async def _reach(self, handoff: Handoff, tell: Tell | None) -> None:
        link = None if self._inbox is None else await self._inbox.invite(handoff)
        if tell is not None:
            tell(where(handoff, link))

    async def check(self, handoff: Handoff) -> None:
        """Return if an answer may be believed. Raises NotProved: it demands a proof, and has none."""
        await self.desk.check_proof(handoff)

    async def revealed(self, handoff: Handoff) -> Mapping[str, Value]:
        """Return the answer, with what is secret in it: for the instance of a model, which checks it."""
        values = dict(handoff.values or {})
        for field in handoff.question.form.fields:
            if field.secret and field.name in values:
                values[field.name] = await self.desk.reveal(str(values[field.name]), by=self.caller.subject)
        return values

    def _seconds(self, timeout: float | timedelta | None) -> float | None:
        if timeout is None:
            return None
        seconds = float(timeout) if isinstance(timeout, int | float) else timeout.total_seconds()
        return self.limits.exact(seconds)


def caller_of(subject: str, *, client: str, project: str | Path | None) -> Caller:
    """Return who asks: a program of this user, in a folder (by default the working folder)."""
    if project is None:
        try:
            project = Path.cwd()
        except OSError:  # the working folder was removed
            project = ""
    return Caller(subject=subject, client=client, project=str(project))
