"""The page of the open questions: what a person wants to see of them, in pages, by agent where they say so."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass

from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import Response

from handoffs.core.desk import Desk
from handoffs.core.model import Handoff
from handoffs.core.standing import may_vote
from handoffs.web.asker import asker
from handoffs.web.board_filter import AGES, BoardFilter
from handoffs.web.earlier import Earlier
from handoffs.web.grants import GrantsPage
from handoffs.web.seen_by import SeenBy
from handoffs.web.together import groups, together

PAGE = 50
"""How many open questions one page shows."""

Cards = Callable[[Request, Sequence[Handoff]], Awaitable[Markup]]
"""Renders open questions, each with its form."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Section:
    """Questions of a page that stand together; without the name of an agent where all do."""

    agent: str = ""
    count: int = 0
    """How many questions of the agent match, also on other pages."""
    address: str = ""
    """Where its questions stand alone."""
    cards: Markup


class OpenPage:
    """Shows what is open."""

    def __init__(
        self,
        desk: Desk,
        seen: SeenBy,
        earlier: Earlier,
        grants: GrantsPage,
        *,
        cards: Cards,
        show: Callable[..., Awaitable[Response]],
        who: Callable[[Request], str],
    ) -> None:
        """Take the parts: what each person sees, the earlier answers, and how cards and a page are rendered."""
        self._desk, self._seen, self._earlier, self._grants = desk, seen, earlier, grants
        self._cards, self._show, self._who = cards, show, who

    async def show(self, request: Request) -> Response:
        """Return the page that the address asks for."""
        wanted, person = BoardFilter.of(request.query_params), self._who(request)
        page = await self._seen.page(person, wanted, _number(request.query_params.get("page", "")), PAGE)
        await self._earlier.look_up(page.handoffs)
        now = self._desk.clock.now()
        return await self._show(
            request,
            "open.html",
            wanted=wanted,
            ages=[(name, words) for name, (words, _, _) in AGES.items()],
            page=page,
            sections=await self._sections(request, wanted, page.handoffs, page.of_agent),
            groups=groups([each for each in page.handoffs if may_vote(each.question.deciders, person, now)]),
            people=await self._seen.has_people(),
            page_number=page.first // PAGE + 1,
            older=page.first + PAGE < page.listed,
            new_servers=await self._grants.new_servers(),
        )

    async def _sections(
        self, request: Request, wanted: BoardFilter, handoffs: Sequence[Handoff], counts: Mapping[str, int]
    ) -> list[Section]:
        if not counts:
            return [Section(cards=await self._cards(request, together(handoffs)))]
        of: dict[str, list[Handoff]] = {}
        for each in handoffs:
            of.setdefault(asker(each.caller), []).append(each)
        return [
            Section(
                agent=agent,
                count=counts[agent],
                address=wanted.address(client=agent, by_agent=False),
                cards=await self._cards(request, together(found)),
            )
            for agent, found in of.items()
        ]


def _number(written: str) -> int:
    return max(int(written), 1) if written.isascii() and written.isdigit() and len(written) < 9 else 1
