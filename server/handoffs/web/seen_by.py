"""What one person sees of the open questions: where rules name who decides, all but those that only others may see.

A store without people has no such rules in force: then nothing is read for this, unless a person searches.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from handoffs.core.desk import Desk
from handoffs.core.model import Handoff
from handoffs.core.standing import may_vote, sees
from handoffs.web.asker import asker
from handoffs.web.board import Board
from handoffs.web.board_filter import BoardFilter, by_agent, project_of
from handoffs.web.open_questions import OpenQuestion, OpenQuestions

MOST_SEARCHED = 20_000
"""How many open questions are searched. Where more are open, the history looks for them, piece by piece."""


@dataclass(frozen=True, kw_only=True, slots=True)
class BoardPage:
    """A page of open questions."""

    handoffs: Sequence[Handoff]
    first: int
    """How many questions stand before it."""
    listed: int
    """How many match in all."""
    agents: Sequence[str]
    """The agents that ask: of this page, or of all that was looked through."""
    projects: Sequence[str]
    of_agent: Mapping[str, int] = field(default_factory=dict[str, int])
    """How many questions of each agent match, where they stand by agent."""
    too_many: bool = False
    """Whether it was not searched, since too many are open."""


class SeenBy:
    """The open questions, as each person sees them."""

    def __init__(self, desk: Desk, board: Board, *, most: int = MOST_SEARCHED) -> None:
        """Take the desk, the board that says when the log has grown, and how many questions are searched."""
        self._desk, self._board, self._most = desk, board, most
        self._open = OpenQuestions(desk, board)

    async def has_people(self) -> bool:
        """Return whether anybody is or was known, so that a rule may name them."""
        directory = self._desk.directory
        return directory is not None and bool((await directory()).people)

    async def page(self, person: str, wanted: BoardFilter, number: int, size: int) -> BoardPage:
        """Return a page of the questions that the person wants and may see; past the end, the last page."""
        await self._board.refresh()
        people, looked = await self.has_people(), wanted.narrow or wanted.by_agent
        if people or (looked and self._board.count <= self._most):
            return await self._searched(person, wanted, number, size, people=people)
        first, handoffs = await self._board.page(number, size)
        agents, projects = _names(handoffs)
        return BoardPage(
            handoffs=handoffs,
            first=first,
            listed=self._board.count,
            agents=agents,
            projects=projects,
            too_many=looked,
        )

    async def _searched(self, person: str, wanted: BoardFilter, number: int, size: int, *, people: bool) -> BoardPage:
        seen = [each for each in await self._open.all() if not people or sees(each.handoff.question.deciders, person)]
        found = [each.handoff for each in seen if self._wants(wanted, each, person, people=people)]
        if wanted.by_agent:
            found = by_agent(found)
        first = min((number - 1) * size, max(len(found) - 1, 0) // size * size)
        agents, projects = _names([each.handoff for each in seen])
        return BoardPage(
            handoffs=found[first : first + size],
            first=first,
            listed=len(found),
            agents=agents,
            projects=projects,
            of_agent=Counter(asker(each.caller) for each in found) if wanted.by_agent else {},
        )

    async def count(self, person: str) -> int:
        """Return how many open questions the person sees."""
        return sum(sees(each.handoff.question.deciders, person) for each in await self._open.all())

    async def wants(self, wanted: BoardFilter, person: str, handoff_id: str) -> bool:
        """Say whether an open question is one that the person wants to see. Others are not."""
        question = await self._open.get(handoff_id)
        return question is not None and self._wants(wanted, question, person, people=await self.has_people())

    def _wants(self, wanted: BoardFilter, question: OpenQuestion, person: str, *, people: bool) -> bool:
        now = self._desk.clock.now()
        theirs = not (people and wanted.mine) or may_vote(question.handoff.question.deciders, person, now)
        return theirs and wanted.finds(question, now)


def _names(handoffs: Iterable[Handoff]) -> tuple[list[str], list[str]]:
    """Return the agents that ask, and the folders that they work in, each in order."""
    agents, projects = set[str](), set[str]()
    for each in handoffs:
        agents.add(asker(each.caller))
        projects.add(project_of(each))
    return sorted(agents), sorted(projects - {""})
