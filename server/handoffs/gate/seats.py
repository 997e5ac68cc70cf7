"""Whose decision a held call is: routed when it is asked about, and looked at again before it is sent.

The second look believes the store's votes and nothing else of it: not the state, and not the seats. They are routed
anew, by the rule and the people of now, as of the moment at which the question was asked.
"""

from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import TypeAlias

from handoffs.core.deciders import Deciders
from handoffs.core.model import Handoff
from handoffs.core.person import Directory
from handoffs.core.voting import was_decided
from handoffs.gate.policy_model import Terms
from handoffs.people.routing import NobodyCanDecide, route

People: TypeAlias = Callable[[], Awaitable[Directory]]
"""Returns all people as they are now."""


class Seats:
    """Routes the questions about one session's calls."""

    def __init__(self, directory: People | None, *, subject: str) -> None:
        """Take what knows the people; without it nobody is known. `subject` asks, and decides nothing."""
        self._directory, self._subject = directory, subject

    async def routed(self, terms: Terms, at: datetime) -> Deciders | None:
        """Return who may decide; None where the rule does not say.

        Raises:
            NobodyCanDecide: Too few of the people that the rule names are there.
        """
        if terms.deciders is None:
            return None
        people = Directory() if self._directory is None else await self._directory()
        return route(terms.deciders, people, at=at, requester=self._subject)

    async def decided(self, handoff: Handoff, terms: Terms) -> bool:
        """Say whether an allowed call has the votes that it takes, by its question and by the rule as it is now."""
        asked = handoff.question.deciders
        if asked is not None and not was_decided(handoff, asked):
            return False
        try:
            now = await self.routed(terms, handoff.created_at)
        except NobodyCanDecide:
            return False
        # A proof is not kept yet, so nothing that demands one was decided.
        return now is None or (not now.proof and was_decided(handoff, now))
