"""Signing in and out: a link with a code, a password, the key of the page, and the page that says how."""

from collections.abc import Awaitable, Callable
from urllib.parse import urlsplit

import anyio.to_thread
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from handoffs.core.sentences import say
from handoffs.web.guard import host_of, signed_in_person
from handoffs.web.page_keys import OTHER_KEY, SignedPosts, checked_key
from handoffs.web.pages import Pages
from handoffs.web.person_sessions import PersonSessions
from handoffs.web.receiving import Unreadable, any_form, posted_form
from handoffs.web.sign_in import NAMED_HOURS, SESSION_DAYS, CodeRefused, SignIn, TooManyTries, local_path
from handoffs.web.visitors import Visitors

_LOOPBACK = frozenset({"127.0.0.1", "localhost", "[::1]"})


class Entering:
    """The pages that start and end a session."""

    def __init__(
        self,
        pages: Pages,
        sign_in: SignIn,
        visitors: Visitors,
        *,
        password: str | None,
        url: str | None,
        posts: SignedPosts,
        people: PersonSessions | None = None,
        origin: Callable[[], Awaitable[str]] | None = None,
        provider: str = "",
    ) -> None:
        """Take the parts. With a `password`, a person who knows it can sign in; `url` is the public address.

        `posts` has the clock by which pages sign.
        `people` has the sessions of people, and `origin` returns where these sign in with a passkey, if any can.
        `provider` is the name of the OpenID provider at which one signs in; empty where there is none.
        """
        self._people, self._origin, self._visitors, self._provider = people, origin, visitors, provider
        self._posts = posts
        self._pages, self._sign_in, self._password, self._url = pages, sign_in, password, url
        self._over_tls = host_of(urlsplit(url).netloc) if url and urlsplit(url).scheme == "https" else None

    def routes(self) -> list[Route]:
        """Return the addresses."""
        return [
            Route("/sign-in", self.enter),
            Route("/sign-in", self.enter_by_form, methods=["POST"]),
            Route("/sign-out", self.leave, methods=["POST"]),
            Route("/key", self.key, methods=["GET"]),
            Route("/key", self.bind, methods=["POST"]),
        ]

    async def enter(self, request: Request) -> Response:
        """Show the button that signs in, without signing in: chats, scanners and prefetching browsers fetch links.

        On this machine a script presses it when a person sees the page. In a browser that is signed in and still has
        the key of its session, the script goes on, and the code is not used.
        """
        after = local_path(request.query_params.get("next", "/"))
        code = request.query_params.get("code", "")
        page_key = await self._visitors.page_key(request)
        if page_key == "" or (page_key and not code):
            return RedirectResponse(after, 303)
        if not code:
            return await self.locked_page(401, after=after)
        return self._pages.page(
            "enter.html", code=code, after=after, at_home=self._is_local(request), page_key=page_key or ""
        )

    async def enter_by_form(self, request: Request) -> Response:
        """Sign in by what a form has: a code or a password."""
        posted = await any_form(request)
        after = local_path("".join(posted.get("next", [])) or "/")
        code = "".join(posted.get("code", []))
        page_key = checked_key("".join(posted.get("key", [])))
        try:
            token = await self._admitted(code, "".join(posted.get("password", [])), page_key)
        except CodeRefused as refused:
            if code and await self._visitors.is_in(request):
                return RedirectResponse(after, 303)  # the button was pressed twice: the code is used
            status = 429 if isinstance(refused, TooManyTries) else 403
            return await self.locked_page(status, why=str(refused), after=after)
        return self._entered(request, token, after)

    async def _admitted(self, code: str, given: str, page_key: str) -> str:
        if code:
            return await anyio.to_thread.run_sync(self._sign_in.redeem, code, page_key)
        if self._password is None:
            raise HTTPException(405)
        return await anyio.to_thread.run_sync(self._sign_in.admit, given, self._password, page_key)

    async def key(self, request: Request) -> Response:
        """Return, as JSON, the key that this session is bound to, and the time by which pages sign."""
        return JSONResponse({"key": request.state.page_key or "", "now": int(self._posts.clock())})

    async def bind(self, request: Request) -> Response:
        """Bind a session that has no key yet to the one of this browser: it was begun by a page without script, or by
        an earlier version.
        """
        posted = await posted_form(request)
        page_key = checked_key("".join(posted.get("key", [])))
        person = signed_in_person(request)
        if not page_key or request.state.page_key is None:
            raise Unreadable(400, say("There is no key here, or no session that it could be bound to."))
        if person is None or self._people is None:
            token = request.cookies.get(self._sign_in.cookie, "")
            bound = await anyio.to_thread.run_sync(self._sign_in.bind, token, page_key)
        else:
            bound = await self._people.bind(person, page_key)
        if not bound:
            raise Unreadable(409, OTHER_KEY)
        return JSONResponse({"key": page_key})

    def _is_local(self, request: Request) -> bool:
        """Say whether the request comes from this machine, and is no prefetch."""
        away = self._url is not None or {"forwarded", "x-forwarded-for", "sec-purpose"} & set(request.headers.keys())
        return not away and host_of(request.headers.get("host", "")) in _LOOPBACK

    def _entered(self, request: Request, token: str, after: str) -> Response:
        response = RedirectResponse(after, 303)
        self._remember(request, response, self._sign_in.cookie, token)
        return response

    def remember_person(self, request: Request, response: Response, token: str) -> None:
        """Set the cookie with the token of a person's session."""
        if self._people is not None:
            self._remember(request, response, self._people.cookie, token)

    def remember_named(self, request: Request, response: Response, token: str) -> None:
        """Set the cookie with the token of somebody whom a provider named; an earlier person acts here no more."""
        self._remember(request, response, self._sign_in.cookie, token, seconds=NAMED_HOURS * 3600)
        if self._people is not None:
            _forget(response, self._people.cookie)

    def _remember(
        self, request: Request, response: Response, name: str, token: str, *, seconds: int = SESSION_DAYS * 86_400
    ) -> None:
        response.set_cookie(
            name,
            token,
            max_age=seconds,
            path="/",
            httponly=True,
            samesite="strict",
            secure=self.came_over_tls(request),
        )

    def came_over_tls(self, request: Request) -> bool:
        """Say whether the browser uses TLS, by the proxy's header or by the host name."""
        forwarded = request.headers.get("x-forwarded-proto") == "https"
        return forwarded or host_of(request.headers.get("host", "")) == self._over_tls

    async def locked_page(self, status: int, *, why: str = "", after: str = "/", again: bool = False) -> Response:
        """Return the page that says how to sign in, and why somebody is not."""
        password = self._password is not None
        origin = "" if self._origin is None else await self._origin()
        return self._pages.page(
            "locked.html",
            status,
            why=why,
            again=again,
            password=password,
            after=after,
            origin=origin,
            provider=self._provider,
        )

    async def leave(self, request: Request) -> Response:
        """End the session."""
        await posted_form(request)
        token = request.cookies.get(self._sign_in.cookie, "")
        await anyio.to_thread.run_sync(self._sign_in.end, token)
        cookies = [self._sign_in.cookie]
        if self._people is not None:
            await self._people.end(request)
            cookies.append(self._people.cookie)
        response = await self.locked_page(200, why=say("You are signed out."))
        for cookie in cookies:
            _forget(response, cookie)
        return response

    async def locked(self, request: Request, why: str = "") -> Response:
        """Return the page for a person who is not signed in, or not let in; it is the same for every address."""
        # A browser does not send a strict cookie after a link on another site. Reloading the page sends it.
        again = request.headers.get("sec-fetch-site") == "cross-site" and request.method == "GET"
        after = local_path(request.url.path)
        return await self.locked_page(403 if why else 401, why=why, after=after, again=again and not why)


def _forget(response: Response, cookie: str) -> None:
    response.delete_cookie(cookie, path="/", httponly=True, samesite="strict")
