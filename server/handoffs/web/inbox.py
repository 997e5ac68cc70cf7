"""The inbox: the pages where a person finds and answers every question of a store.

The parts: `sign_in` and `guard` authenticate, `board` has the open handoffs, `live` streams changes, `controls` turns a
form into a page and back, `pages` renders. The desk records every decision.
"""

import json
from collections.abc import Callable, Sequence
from urllib.parse import urlencode

from markupsafe import Markup
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route

from handoffs.channels.chats.setup import Setup
from handoffs.core.desk import Desk
from handoffs.core.errors import Ambiguous, NotFound, StoreError
from handoffs.core.events import Entry
from handoffs.core.grant import Stop
from handoffs.core.model import Handoff, State
from handoffs.core.people import People
from handoffs.core.standing import sees
from handoffs.web.alike import Alike
from handoffs.web.assets import asset_routes
from handoffs.web.board import Board
from handoffs.web.chats import OwnChats
from handoffs.web.controls import Posted
from handoffs.web.deciding import Deciding
from handoffs.web.earlier import Earlier
from handoffs.web.entering import Entering
from handoffs.web.files import Files
from handoffs.web.grants import GrantsPage
from handoffs.web.guard import Guard, signed_in_person, wants_json
from handoffs.web.history import STATES, Search, find
from handoffs.web.joining import Joining
from handoffs.web.languages.speaking import Speaking
from handoffs.web.languages.words import spoken
from handoffs.web.live import Feed
from handoffs.web.log_head import Log, log_routes
from handoffs.web.oidc import IdentityProvider, OidcSignIn
from handoffs.web.open_page import OpenPage
from handoffs.web.page_keys import SignedPosts
from handoffs.web.pages import Pages, ended_line
from handoffs.web.passkeys import Passkeys, RelyingParty
from handoffs.web.person_sessions import PersonSessions
from handoffs.web.picking import picking_routes
from handoffs.web.proving import Signatures
from handoffs.web.push import Push
from handoffs.web.receiving import NO_QUESTION, NOTHING, Unreadable
from handoffs.web.record import RecordPage
from handoffs.web.recovering import Recovering, told_on_pages
from handoffs.web.seen_by import SeenBy
from handoffs.web.sign_in import SignIn
from handoffs.web.statistics import charts
from handoffs.web.statistics.counting import Counting
from handoffs.web.together import Together
from handoffs.web.visitors import Visitors
from handoffs.web.you import You


def _ignore() -> None:
    """Do nothing: the default for `on_seen`."""


def build_inbox(
    desk: Desk,
    *,
    sign_in: SignIn,
    by: str,
    hosts: Sequence[str],
    on_seen: Callable[[], None] = _ignore,
    password: str | None = None,
    proxy_header: str | None = None,
    url: str | None = None,
    people: People | None = None,
    own_url: str | None = None,
    led_here: Sequence[str] = (),
    unused: Callable[[str], str] = lambda _: "",
    provider: IdentityProvider | None = None,
    log: Log | None = None,
    chats: Setup | None = None,
    pinned: bool = False,
) -> Starlette:
    """Return the inbox of a desk as an application.

    `by` is recorded as the person who answered. `hosts` are the allowed host names, with any port; `on_seen` is called
    at every authenticated request. With a `password`, a person who knows it can sign in; with a `proxy_header`, the
    user that a proxy names there is signed in; with a `provider`, those whom it names. `people` are the people of the
    store, who sign in with passkeys: at the public address, or at `own_url` where there is none. `url` is its public
    address behind a proxy. A page that is read under a host of `led_here` is redirected to the first of `hosts`.
    `chats` lets people set up where they are told of questions. `unused` returns the notice about unused settings in an
    agent's folder; `log` has the head of the verifiable log. Where keys are `pinned` in a file, no passkey is
    recovered.

    The server must not log addresses: a sign-in link has its code there.
    """
    at = url or own_url
    inbox = _Inbox(
        desk,
        sign_in,
        by,
        password,
        url,
        proxy_header=proxy_header,
        unused=unused,
        people=people,
        at=at,
        provider=provider,
        log=log,
        chats=chats,
        pinned=pinned,
    )
    guard = Middleware(
        Guard,
        visitors=inbox.visitors,
        hosts=hosts,
        on_seen=on_seen,
        locked=inbox.entering.locked,
        unreadable=inbox.unreadable,
        posts=inbox.posts,
        url=url,
        led_here=led_here,
    )
    routes = [
        Route("/", inbox.open_page.show),
        Route("/history", inbox.history),
        Route("/figures", inbox.figures),
        Route("/figures.csv", inbox.figures_csv),
        Route("/figures.json", inbox.figures_json),
        Route("/events", inbox.feed.events),
        *inbox.of_log,
        Route("/h/{id}", inbox.one),
        Route("/h/{id}/card", inbox.card),
        *inbox.deciding.routes(),
        *inbox.files.routes(),
        *inbox.record.routes(),
        *inbox.grants.routes(),
        *inbox.together.routes(),
        *inbox.alike.routes(),
        *inbox.of_people,
        *inbox.entering.routes(),
        *inbox.push.routes(),
        *picking_routes(),
        *inbox.assets,
    ]
    return Starlette(
        routes=routes,
        # The guard refuses requests without a session, in the language of each; a server may answer probes outside.
        middleware=[Middleware(Speaking), guard],
        exception_handlers={
            HTTPException: inbox.refused,
            NotFound: inbox.not_found,
            Ambiguous: inbox.not_found,
            Unreadable: inbox.unreadable,
            StoreError: inbox.broken,
        },
    )


class _Inbox:
    def __init__(
        self,
        desk: Desk,
        sign_in: SignIn,
        by: str,
        password: str | None,
        url: str | None,
        *,
        proxy_header: str | None,
        unused: Callable[[str], str],
        people: People | None,
        at: str | None,
        provider: IdentityProvider | None,
        log: Log | None,
        chats: Setup | None,
        pinned: bool,
    ) -> None:
        self._desk, self._by = desk, by
        self._has_chats, self._has_you = chats is not None, people is not None
        now = desk.clock.now
        party = RelyingParty.at(at) if at else None
        sessions = None if people is None else PersonSessions(people, now, lambda: sign_in.cookie)
        self.visitors = Visitors(
            sign_in, people, sessions, proxy_header=proxy_header, has_provider=provider is not None
        )
        self._board = Board(desk)
        self._seen = SeenBy(desk, self._board)
        self.feed = Feed(desk, self._board, self._seen, self._who, self.visitors.lasts)
        self._counting = Counting(desk, self._board)
        self._earlier = Earlier(desk)
        self.of_log = log_routes(log)
        # Several people use the inbox then, and the page's cache does not depend on the person.
        shared = proxy_header is not None or provider is not None
        self._pages = Pages(
            now,
            earlier=self._earlier.of,
            you="" if shared else by,
            unused=unused,
            log_head=lambda: "" if log is None else log.line,
        )
        self.push, self.assets = Push(desk, chats), asset_routes(self._pages)
        self.of_people: list[Route] = []
        self._recovering: Recovering | None = None
        joining = None
        if people is not None and sessions is not None:
            passkeys = None if party is None else Passkeys(party, now)
            joining = Joining(people, sessions, passkeys, self._pages, desk.clock, enter=self._remember, pinned=pinned)
            own = None if chats is None else OwnChats(chats, people, self._page, local=by)
            you = You(people, passkeys, desk.clock, self._page, own)
            self._recovering = Recovering(people, passkeys, desk.clock)
            self.of_people += [*joining.routes(), *you.routes(), *self._recovering.routes()]
        origin = None if joining is None else joining.origin
        self.posts = SignedPosts(now)
        self.entering = Entering(
            self._pages,
            sign_in,
            self.visitors,
            password=password,
            url=url,
            posts=self.posts,
            people=sessions,
            origin=origin,
            provider=provider.name if provider is not None and at else "",
        )
        if provider is not None and at:
            oidc = OidcSignIn(provider, sign_in, self.visitors, sessions, self.entering, self._pages, now, at=at)
            self.of_people += oidc.routes()
        self.grants = GrantsPage(desk, self._page, self._who)
        self.open_page = OpenPage(
            desk, self._seen, self._earlier, self.grants, cards=self._cards, show=self._page, who=self._who
        )
        self.together = Together(desk, self._page, self._who)
        self.alike = Alike(desk, self._page, self._who)
        self._signatures = Signatures(people, party, desk.clock)
        self.deciding = Deciding(
            desk, self._signatures, find=self._whole, before=self._before, show=self._shown, who=self._who
        )
        self.files = Files(desk, find=self._whole)
        self.record = RecordPage(desk, find=self._whole, show=self._page, who=self._who)

    # Looking

    async def one(self, request: Request) -> Response:
        handoff = await self._found(request)
        if handoff.id != request.path_params["id"]:
            return RedirectResponse(f"/h/{handoff.id}")
        return await self._shown(request, handoff)

    async def card(self, request: Request) -> Response:
        handoff = await self._whole(request)
        if handoff.state is not State.OPEN:
            return JSONResponse({"ended": spoken(ended_line(handoff))}, 409)
        await self._earlier.look_up([handoff])
        return HTMLResponse(await self._cards(request, [handoff]))

    async def _cards(self, request: Request, handoffs: Sequence[Handoff]) -> Markup:
        signing = await self._signatures.signing(request, handoffs)
        return self._pages.cards(handoffs, request.state.csrf, self._who(request), signing=signing)

    async def history(self, request: Request) -> Response:
        search = Search.of(request.query_params)
        found = await find(self._desk, search, person=self._who(request))
        await self._board.refresh()
        older = f"/history?{urlencode(search.query(found.older))}" if found.older else ""
        return await self._page(request, "history.html", search=search, found=found, older=older, states=STATES)

    async def figures(self, request: Request) -> Response:
        return await self._page(request, "figures.html", figures=await self._figures(request), draw=charts)

    async def figures_csv(self, request: Request) -> Response:
        counted = charts.as_csv(await self._figures(request))
        return _download(counted, "text/csv; charset=utf-8", "handoffs.csv")

    async def figures_json(self, request: Request) -> Response:
        counted = json.dumps(charts.as_json(await self._figures(request)), indent=2)
        return _download(counted, "application/json", "handoffs.json")

    async def _figures(self, request: Request) -> charts.Figures:
        await self._board.refresh()
        person, people = self._who(request), await self._seen.has_people()
        return await self._counting.figures(
            person, open_now=await self._seen.count(person) if people else self._board.count
        )

    async def _before(self, handoff: Handoff) -> Handoff | None:
        await self._earlier.look_up([handoff])
        return self._earlier.of(handoff)

    def _who(self, request: Request) -> str:
        return str(getattr(request.state, "by", self._by))

    # Errors

    async def refused(self, request: Request, error: Exception) -> Response:
        status = error.status_code if isinstance(error, HTTPException) else 500
        if not hasattr(request.state, "csrf"):
            return PlainTextResponse(spoken(NOTHING) + "\n", status)
        if wants_json(request):
            return JSONResponse({"problem": spoken(NOTHING)}, status)
        return await self._page(request, "missing.html", status=status, ids=(), what="page")

    async def not_found(self, request: Request, error: Exception) -> Response:
        ids = error.ids if isinstance(error, Ambiguous) else ()
        if wants_json(request):
            return JSONResponse({"problem": spoken(NO_QUESTION)}, 404)
        return await self._page(request, "missing.html", status=404, ids=ids, what="question")

    async def unreadable(self, request: Request, error: Exception) -> Response:
        status = error.status if isinstance(error, Unreadable) else 400
        if wants_json(request):
            return JSONResponse({"problem": spoken(str(error))}, status)
        return await self._page(request, "problem.html", status=status, said=str(error))

    async def broken(self, request: Request, error: Exception) -> Response:
        if wants_json(request):
            return JSONResponse({"problem": spoken(str(error))}, 503)
        return await self._page(request, "problem.html", status=503, said=str(error))

    async def _found(self, request: Request) -> Handoff:
        return self._visible(request, await self._desk.find(request.path_params["id"]))

    async def _whole(self, request: Request) -> Handoff:
        """Return the question with this whole id. Raises NotFound, also where the person may not see it."""
        return self._visible(request, await self._desk.get(request.path_params["id"]))

    def _visible(self, request: Request, handoff: Handoff) -> Handoff:
        if not sees(handoff.question.deciders, self._who(request)):
            raise NotFound(request.path_params["id"])
        return handoff

    async def _shown(
        self,
        request: Request,
        handoff: Handoff,
        *,
        status: int = 200,
        posted: Posted | None = None,
        problems: dict[str, str] | None = None,
    ) -> Response:
        await self._board.refresh()
        await self._earlier.look_up([handoff])
        entries: Sequence[Entry] = await self._desk.log(handoff_id=handoff.id)
        return await self._page(
            request,
            "one.html",
            status=status,
            handoff=handoff,
            entries=entries,
            late=status == 409,
            signing=await self._signatures.signing(request, [handoff]),
            posted=posted,
            problems=problems or {},
        )

    async def _page(self, request: Request, template: str, *, status: int = 200, **context: object) -> Response:
        signed_in = signed_in_person(request)
        everywhere: dict[str, object] = {
            "csrf": getattr(request.state, "csrf", ""),
            "line": self._board.line,
            "count": await self._count(request),
            "person": self._who(request),
            "path": request.url.path,
            "stopped": await self._stopped(),
            "posted": None,
            "problems": {},
            "signed_in": "" if signed_in is None else signed_in.person,
            "own_chats": self._has_chats and not getattr(request.state, "by", ""),
            "has_you": self._has_you,
            "named": getattr(request.state, "by", ""),
            "page_key": getattr(request.state, "page_key", None),
            **await told_on_pages(self._recovering, self._seen, self._desk.clock),
        }
        if everywhere["named"]:
            everywhere["you"] = everywhere["named"]
        return self._pages.page(template, status, **(everywhere | context))

    def _remember(self, request: Request, response: Response, token: str) -> None:
        self.entering.remember_person(request, response, token)

    async def _count(self, request: Request) -> int:
        try:
            if await self._seen.has_people():
                return await self._seen.count(self._who(request))
        except StoreError:
            pass  # the page says that the store can't be used
        return self._board.count

    async def _stopped(self) -> Stop | None:
        try:
            return await self._desk.permissions.stopped()
        except StoreError:
            return None  # the page says that the store can't be used, or the next one will


def _download(data: str, kind: str, name: str) -> Response:
    return Response(data, media_type=kind, headers={"Content-Disposition": f'attachment; filename="{name}"'})
