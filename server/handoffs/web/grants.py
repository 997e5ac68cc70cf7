"""The page of permissions for later: who gave each, for what, and how it ends; and the stop of everything."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from handoffs.core import exact_json
from handoffs.core.action import Action
from handoffs.core.action_shown import as_json, visible
from handoffs.core.desk import Desk
from handoffs.core.errors import NotFound, NotProved
from handoffs.core.grant import Grant, Pin, PinnedServer, Reach
from handoffs.core.masking import without_secrets
from handoffs.core.sentences import say
from handoffs.core.stopping import resume, stop_everything
from handoffs.web.action_card import Argument, arguments_of
from handoffs.web.receiving import CHANNEL, posted_form

MOST = 1000
"""The most permissions on the page: the newest."""

MOST_SERVERS = 50
"""The most servers on the page: the newest."""

NEW_FOR = timedelta(days=1)
"""How long the pages say that a server is new."""

LOOK_SECONDS = 10.0
"""How often new servers are looked for, at most: each page of open questions names them."""

_COUNTING = ("active", "suspended")

Show = Callable[..., Awaitable[Response]]
"""Renders a template as a page of the inbox."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ServerRow:
    """A server behind a gate, with its tools as they are pinned."""

    server: PinnedServer
    pins: tuple[Pin, ...]
    new: bool
    """Whether it was first seen within `NEW_FOR`."""

    def shown(self, pin: Pin) -> str:
        """Return a definition as JSON in which every character can be seen."""
        try:
            return as_json(exact_json.loads(pin.definition))
        except ValueError:
            return visible(pin.definition)


@dataclass(frozen=True, kw_only=True, slots=True)
class GrantRow:
    """A permission as the page shows it."""

    grant: Grant
    state: str
    arguments: tuple[Argument, ...] = ()
    """The arguments that it is for, where it is for exact ones and their question is still in the store."""

    @property
    def counts(self) -> bool:
        """Whether it allows calls, or would after it was resumed."""
        return self.state in _COUNTING

    @property
    def exact(self) -> bool:
        """Whether it is for these exact arguments alone."""
        return self.grant.reach is Reach.EXACT


class GrantsPage:
    """Lists permissions, revokes and resumes them, and stops everything."""

    def __init__(self, desk: Desk, show: Show, who: Callable[[Request], str]) -> None:
        """Take the desk, how a page is rendered, and who is signed in."""
        self._desk, self._show, self._who = desk, show, who
        self._new: Sequence[PinnedServer] = ()
        self._look_again = 0.0

    def routes(self) -> list[Route]:
        """Return the addresses."""
        return [
            Route("/grants", self.listing),
            Route("/grants/stop", self.ask_to_stop, methods=["GET"]),
            Route("/grants/stop", self.stop, methods=["POST"]),
            Route("/grants/lift", self.lift, methods=["POST"]),
            Route("/grants/{id}/revoke", self.revoke, methods=["POST"]),
            Route("/grants/{id}/resume", self.resume, methods=["POST"]),
        ]

    async def listing(self, request: Request) -> Response:
        """Show the permissions: those that count first, then those that have ended."""
        now = self._desk.clock.now()
        grants = await self._desk.permissions.grants(limit=MOST)
        actions = await self._actions(grants)
        rows = [
            GrantRow(grant=each, state=each.state(now), arguments=_arguments(each, actions.get(each.handoff_id)))
            for each in grants
        ]
        counting, ended = [row for row in rows if row.counts], [row for row in rows if not row.counts]
        return await self._show(
            request,
            "grants.html",
            counting=counting,
            over=ended,
            most=len(rows) >= MOST,
            servers=await self._servers(),
        )

    async def new_servers(self) -> Sequence[PinnedServer]:
        """Return the servers that were first seen within `NEW_FOR`, as they were a few seconds ago."""
        now = self._desk.clock.monotonic()
        if now >= self._look_again:
            self._look_again = now + LOOK_SECONDS
            found = await self._desk.permissions.servers(limit=MOST_SERVERS)
            self._new = [each for each in found if self._is_new(each)]
        return self._new

    async def _servers(self) -> list[ServerRow]:
        kept = self._desk.permissions
        return [
            ServerRow(
                server=each,
                pins=tuple(sorted((await kept.pins(each.server)).values(), key=_name)),
                new=self._is_new(each),
            )
            for each in await kept.servers(limit=MOST_SERVERS)
        ]

    def _is_new(self, server: PinnedServer) -> bool:
        return self._desk.clock.now() - server.first < NEW_FOR

    async def revoke(self, request: Request) -> Response:
        """End one for good. The next call asks again, on every machine with this store."""
        await posted_form(request)
        grant = await self._found(request)
        await self._desk.permissions.revoke(grant.id, at=self._desk.clock.now())
        return RedirectResponse("/grants", 303)

    async def resume(self, request: Request) -> Response:
        """Let a suspended one count again."""
        await posted_form(request)
        grant = await self._found(request)
        try:
            await resume(self._desk, grant)
        except NotProved as refused:
            return await self._show(request, "problem.html", status=403, said=say("{line}.", line=str(refused)))
        return RedirectResponse("/grants", 303)

    async def ask_to_stop(self, request: Request) -> Response:
        """Say what stopping does, with the button that does it."""
        return await self._show(request, "stop.html")

    async def stop(self, request: Request) -> Response:
        """Stop everything, as `handoffs gate stop` does."""
        await posted_form(request)
        await stop_everything(self._desk, by=self._who(request), channel=CHANNEL)
        return RedirectResponse("/grants", 303)

    async def lift(self, request: Request) -> Response:
        """End the stop, as `handoffs gate stop --lift` does."""
        await posted_form(request)
        await self._desk.permissions.lift()
        return RedirectResponse("/grants", 303)

    async def _found(self, request: Request) -> Grant:
        wanted = request.path_params["id"]
        found = [each for each in await self._desk.permissions.grants(limit=100_000) if each.id == wanted]
        if not found:
            raise NotFound(wanted)
        return found[0]

    async def _actions(self, grants: Sequence[Grant]) -> Mapping[str, Action]:
        ids = list(dict.fromkeys(each.handoff_id for each in grants if each.reach is Reach.EXACT))
        found = await self._desk.get_all(ids) if ids else ()
        return {each.id: each.question.action for each in found if each.question.action is not None}


def _name(pin: Pin) -> str:
    return pin.tool


def _arguments(grant: Grant, action: Action | None) -> tuple[Argument, ...]:
    """Return the arguments of a permission for exact ones; those that only its decider may see are masked."""
    if grant.reach is not Reach.EXACT or action is None or action.digest != grant.arguments_digest:
        return ()
    return arguments_of(without_secrets(action))
