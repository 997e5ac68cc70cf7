"""The guard before every page: it checks the host, the origin and the session, and sets the security headers.

A page of another site can neither read the inbox (the Host is checked, against DNS rebinding) nor write to it (Origin,
Sec-Fetch-Site, and the CSRF token in `inbox`). Without a session the only page is the one that says how to sign in.
Each post of a session with a page's key must be signed with it, or nothing of it reaches the inbox: see `page_keys`.
"""

import logging
from collections.abc import Awaitable, Callable, Sequence
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from handoffs.core.errors import StoreError
from handoffs.core.sentences import say
from handoffs.web.languages.words import spoken
from handoffs.web.page_keys import CLOCK_HEADER, SignedPosts, Stale
from handoffs.web.person_sessions import SignedIn
from handoffs.web.receiving import Unreadable
from handoffs.web.visitors import Visitor, VisitorRefused, Visitors

log = logging.getLogger("handoffs.inbox")

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "manifest-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
FILE_POLICY = "default-src 'none'; sandbox"
"""Of what a person gave: should a browser show it as a page after all, nothing in it runs, or is loaded."""

HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
}

# A press in a notification is believed by its code alone, as one in a chat is: see `push`.
_OPEN_TO_ALL = (
    "/static/", "/sign-in", "/favicon.ico", "/join/", "/service-worker.js", "/manifest.webmanifest", "/offline",
    "/push/press",
)  # fmt: skip
_READS = frozenset({"GET", "HEAD"})

_UNSIGNED = frozenset({"/key", "/sign-out"})
"""What needs no signature: to bring a key, which a session takes once; and to leave, as who lost the key must."""


class Guard:
    """Serves requests of our own pages with a session, and refuses all others.

    It sets `request.state.csrf` and `visitor`, and `page_key`: the key of the session, empty where it has none yet, and
    None for users of a proxy, who have no session here. For those who have a name it sets `by`; for people `person`.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        visitors: Visitors,
        hosts: Sequence[str],
        on_seen: Callable[[], None],
        locked: Callable[[Request, str], Awaitable[Response]],
        unreadable: Callable[[Request, Exception], Awaitable[Response]],
        posts: SignedPosts,
        url: str | None = None,
        led_here: Sequence[str] = (),
    ) -> None:
        """Take the allowed host names (with any port), and the page for a person who is not let in, with the reason.

        `posts` checks signatures, and `unreadable` is the page that says why a post is refused.
        What is read under a host of `led_here` is redirected to the first one of `hosts`; nothing else is done there.
        `url` is the public address, if it differs from the server's own.
        """
        self._app = app
        self._visitors = visitors
        self._origin = url and origin_of(url)
        self._hosts = frozenset(host.lower() for host in (*hosts, *([host_of(urlsplit(url).netloc)] if url else [])))
        self._home, self._led_here = hosts[0], frozenset(led_here)
        self._on_seen = on_seen
        self._locked, self._unreadable, self._posts = locked, unreadable, posts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request, or refuse it."""
        if scope["type"] != "http":
            if scope["type"] == "lifespan":
                await self._app(scope, receive, send)
            return
        guarded = _with_headers(send)
        request = Request(scope, receive)
        refused = await self._refusal(request)
        if refused is None and self._must_be_signed(request):
            try:
                state = request.state
                receive = await self._posts.admitted(request, session=state.csrf, page_key=state.page_key)
            except Unreadable as wrong:
                log.warning("Refused a write: its signature is missing, or does not fit.")
                refused = await self._unreadable(request, wrong)
                if isinstance(wrong, Stale):
                    refused.headers[CLOCK_HEADER] = self._posts.clock()
        await (refused or self._app)(scope, receive, guarded)

    def _must_be_signed(self, request: Request) -> bool:
        if request.method in _READS or request.url.path in _UNSIGNED:
            return False
        return bool(getattr(request.state, "page_key", None))

    async def _refusal(self, request: Request) -> Response | None:
        headers = request.headers
        host = headers.get("host", "")
        if request.method in _READS and host_of(host) in self._led_here:
            return RedirectResponse(str(request.url.replace(hostname=self._home)), 307)
        if host_of(host) not in self._hosts:
            return _refuse(request, "the Host is none of ours", say("The inbox is not at this address."))
        writes = request.method not in _READS
        if writes and not _from_here(headers, self._origin):
            return _refuse(request, "it comes from another site", say("Only the inbox's own page may send this."))
        if request.url.path.startswith(_OPEN_TO_ALL):
            return None
        try:
            visitor = await self._visitors.of(request)
        except StoreError as broken:
            return _away(request, broken)
        except VisitorRefused as refused:
            log.warning("Refused a request of somebody who is not let in.")
            return await self._kept_out(request, str(refused), 403)
        if visitor is None:
            log.info("Refused a request without a session.")
            return await self._kept_out(request, "", 401)
        _note(request, visitor)
        self._on_seen()
        return None

    async def _kept_out(self, request: Request, why: str, status: int) -> Response:
        if wants_json(request) or request.url.path == "/events":
            said = why or say("You are signed out. Run `handoffs inbox` to sign in.")
            return JSONResponse({"problem": spoken(said)}, status)
        return await self._locked(request, why)


def _note(request: Request, visitor: Visitor) -> None:
    request.state.visitor, request.state.csrf, request.state.person = visitor, visitor.csrf, visitor.person
    request.state.page_key = visitor.page_key
    if visitor.by is not None:
        request.state.by = visitor.by


def signed_in_person(request: Request) -> SignedIn | None:
    """Return the person of the store who is signed in; None for all others."""
    return getattr(request.state, "person", None)


def wants_json(request: Request) -> bool:
    """Say whether the page's script sent the request, and not the browser itself."""
    return "application/json" in request.headers.get("accept", "")


def host_of(written: str) -> str:
    """Return a Host header's name without its port, in lower case."""
    name, colon, port = written.rpartition(":")
    return (name if colon and port.isdigit() else written).lower()


def origin_of(url: str) -> str:
    """Return an address's origin as a browser writes it: in lower case, without the scheme's default port."""
    parts = urlsplit(url.lower())
    usual = {"http": ":80", "https": ":443"}.get(parts.scheme, "")
    return f"{parts.scheme}://{parts.netloc.removesuffix(usual)}"


def _from_here(headers: Headers, public: str | None) -> bool:
    site = headers.get("sec-fetch-site")
    if site not in (None, "same-origin", "none"):
        return False
    origin = headers.get("origin")
    if origin == "null" and site == "same-origin":
        return True  # sent by a browser for a form without script under `no-referrer`
    if origin is None or origin.lower() == public:
        return True
    host = headers.get("host", "").lower()
    # A proxy may not pass on the port: an origin with another port or scheme is another site.
    netloc = "" if public is None else urlsplit(public).netloc
    if netloc and host in {netloc, host_of(netloc)}:
        return False
    # Behind a TLS proxy the scheme differs from ours; the name and port do not.
    return origin.partition("://")[2].lower() == host


def _refuse(request: Request, why: str, said: str) -> Response:
    # Without the address: it may contain a code, or text of a stranger.
    log.warning("Refused a %s: %s.", "read" if request.method in _READS else "write", why)
    if wants_json(request):
        return JSONResponse({"problem": spoken(said)}, 403)
    return PlainTextResponse(spoken(said) + "\n", 403)


def _away(request: Request, broken: StoreError) -> Response:
    if wants_json(request):
        return JSONResponse({"problem": spoken(str(broken))}, 503)
    return PlainTextResponse(spoken(str(broken)) + "\n", 503)


def _with_headers(send: Send) -> Callable[[Message], Awaitable[None]]:
    async def guarded(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            sandboxed = headers.get("Content-Security-Policy") == FILE_POLICY
            for name, value in HEADERS.items():
                headers[name] = value
            if sandboxed:
                headers["Content-Security-Policy"] = FILE_POLICY
            headers.setdefault("Cache-Control", "no-store")
        await send(message)

    return guarded
