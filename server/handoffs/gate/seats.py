"""Whose decision a held call is: routed when it is asked about, and looked at again before it is sent.

The second look believes the store's votes and nothing else of it: not the state, and not the seats. They are routed
anew, by the rule and the people of now, as of the moment at which the question was asked. Where a proof is demanded,
it believes a vote only with a signature over this very call, what was shown of it and what was decided.
"""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import datetime
from typing import TypeAlias

from handoffs.channels import is_chat
from handoffs.core.action import Action
from handoffs.core.action_shown import notes_in
from handoffs.core.deciders import Deciders
from handoffs.core.errors import QuestionRefused
from handoffs.core.model import Handoff
from handoffs.core.person import Directory
from handoffs.core.proving import Proving
from handoffs.core.voting import was_decided
from handoffs.gate.policy_model import Terms
from handoffs.people.routing import route

People: TypeAlias = Callable[[], Awaitable[Directory]]
"""Returns all people as they are now."""


class Seats:
    """Routes the questions about one session's calls."""

    def __init__(self, directory: People | None, *, subject: str, proving: Proving) -> None:
        """Take what knows the people; without it nobody is known. `subject` asks, and decides nothing."""
        self._directory, self._subject, self._proving = directory, subject, proving

    async def routed(self, terms: Terms, at: datetime) -> Deciders | None:
        """Return who may decide; None where the rule does not say.

        Raises:
            NobodyCanDecide: Too few of the people that the rule names are there.
            QuestionRefused: A setting demands a proof, and nobody is there who could give one.
        """
        return await self._proving.deciders(await self._by_rule(terms, at), at)

    async def _by_rule(self, terms: Terms, at: datetime) -> Deciders | None:
        if terms.deciders is None:
            return None
        people = Directory() if self._directory is None else await self._directory()
        return route(terms.deciders, people, at=at, requester=self._subject)

    async def decided(self, handoff: Handoff, action: Action, terms: Terms, *, used_at: datetime | None = None) -> bool:
        """Say whether an allowed call has the votes that it takes, by its question and by the rule as it is now.

        `action` is the call itself: what a question in the store says that it is about may be another. With `used_at`,
        only the keys count that also do at that moment.
        """
        asked = handoff.question.deciders
        if any(is_chat(vote.channel) for vote in handoff.votes):
            counted = [vote for vote in handoff.votes if not is_chat(vote.channel) or vote.channel in terms.channels]
            handoff = replace(handoff, votes=tuple(counted))
        if asked is not None and not was_decided(handoff, asked):
            return False
        try:
            now = await self.routed(terms, handoff.created_at)
        except QuestionRefused:
            return False
        strictest = [each for each in (asked, now) if each is not None]
        if any(each.proof for each in strictest):
            if not _is_about(handoff, action):
                return False
            handoff = await self._proving.proved(handoff, used_at=used_at)
            if not self._proving.said_by_one(handoff):
                return False
        return all(was_decided(handoff, each) for each in strictest)


def _is_about(handoff: Handoff, action: Action) -> bool:
    """Say whether a question is about this call, and shows what is shown of it."""
    shown, message = handoff.question.action, handoff.question.message
    try:
        return shown is not None and shown.digest == action.digest and notes_in(action, message) is not None
    except ValueError:
        return False
