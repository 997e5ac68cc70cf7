"""Signing in at an OpenID provider: to it, back from it, and on to the page that was asked for.

What a sign-in is begun with is in a cookie of that browser, for ten minutes; its state, its nonce and its PKCE secret
are computed of it with the inbox's key. So a response is taken from the browser that began, once, and strangers who
begin sign-ins fill nothing up.
"""

import base64
import hashlib
import hmac
import secrets
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import Protocol
from urllib.parse import quote

import anyio.to_thread
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from handoffs.core.errors import StoreError
from handoffs.core.identity import Identity, IdentityRefused, ProviderUnavailable, SignInRequest, SignInResponse
from handoffs.core.sentences import say
from handoffs.core.untrusted import inert_line
from handoffs.web.entering import Entering
from handoffs.web.pages import Pages
from handoffs.web.person_sessions import PersonSessions
from handoffs.web.sign_in import SignIn, local_path
from handoffs.web.visitors import VisitorRefused, Visitors

PATH = "/sign-in/oidc"
CALLBACK = f"{PATH}/callback"

BEGUN_FOR = timedelta(minutes=10)
"""How long a sign-in may take at the provider."""

_MAX_AFTER = 1000
"""The most characters of a page's address: a cookie has room for 4,096."""

_MAX_COOKIE = 3000
_MAX_CODE = 4096


class IdentityProvider(Protocol):
    """An OpenID provider."""

    @property
    def name(self) -> str:
        """The name that people know it by."""
        ...

    async def address(self, request: SignInRequest) -> str:
        """Return where the browser is sent to sign in. Raises ProviderUnavailable."""
        ...

    async def identity(self, request: SignInRequest, response: SignInResponse) -> Identity:
        """Return whom the provider names. Raises IdentityRefused, ProviderUnavailable."""
        ...


class OidcSignIn:
    """The pages of a sign-in at a provider."""

    def __init__(
        self,
        provider: IdentityProvider,
        sign_in: SignIn,
        visitors: Visitors,
        sessions: PersonSessions | None,
        entering: Entering,
        pages: Pages,
        now: Callable[[], datetime],
        *,
        at: str,
    ) -> None:
        """Take the parts; `at` is the inbox's address, to which the provider sends browsers back."""
        self._provider, self._sign_in, self._visitors, self._sessions = provider, sign_in, visitors, sessions
        self._entering, self._pages, self._now = entering, pages, now
        self._callback = f"{at.rstrip('/')}{CALLBACK}"
        self._used: dict[str, datetime] = {}

    def routes(self) -> list[Route]:
        """Return the addresses."""
        return [
            Route(PATH, self._in_words(self.begin)),
            Route(CALLBACK, self._in_words(self.end)),
            Route(f"{PATH}/done", self.done),
        ]

    async def begin(self, request: Request) -> Response:
        """Lead to the provider."""
        after = local_path(request.query_params.get("next", "/")[:_MAX_AFTER])
        ends = int((self._now() + BEGUN_FOR).timestamp())
        begun = f"{secrets.token_urlsafe(32)}.{ends}.{_encoded(after)}"
        asked = self._request(begun)
        response = RedirectResponse(await self._provider.address(asked), 303)
        response.set_cookie(
            self._cookie(asked.state),
            begun,
            max_age=int(BEGUN_FOR.total_seconds()),
            path=PATH,
            httponly=True,
            # A strict cookie would not come back with the browser, which another site sends here.
            samesite="lax",
            secure=self._entering.came_over_tls(request),
        )
        return response

    async def end(self, request: Request) -> Response:
        """Sign in whom the provider names, and go on to the page that was asked for."""
        state = request.query_params.get("state", "")
        begun, asked = self._begun(request, state)
        response = await self._entered(request, asked, self._answer(request), local_path(_after(begun)))
        response.delete_cookie(self._cookie(state), path=PATH, httponly=True, samesite="lax")
        return response

    async def done(self, request: Request) -> Response:
        """Lead on from a page of our own: browsers send strict cookies to no page that another site leads to."""
        return self._pages.page("entered.html", after=local_path(request.query_params.get("next", "/")))

    async def _entered(self, request: Request, asked: SignInRequest, answer: SignInResponse, after: str) -> Response:
        identity = await self._provider.identity(asked, answer)
        person = await self._visitors.person_of(identity)
        # Without the address of this one, which has the code in it.
        response = RedirectResponse(f"{PATH}/done?next={quote(after)}", 303)
        if person is None:
            token = await anyio.to_thread.run_sync(self._sign_in.admit_named, identity)
            self._entering.remember_named(request, response, token)
            return response
        token = None if self._sessions is None else await self._sessions.begin(person.name, request)
        if token is None:
            raise IdentityRefused(say("{name} was removed a moment ago. Nobody was signed in.", name=person.name))
        self._entering.remember_person(request, response, token)
        return response

    def _begun(self, request: Request, state: str) -> tuple[str, SignInRequest]:
        """Return what this browser began, once. Raises IdentityRefused."""
        begun = request.cookies.get(self._cookie(state), "")
        now = self._now()
        self._used = {each: ends for each, ends in self._used.items() if ends > now}
        if not begun or len(begun) > _MAX_COOKIE:
            raise _refused(
                say("This sign-in was begun in another browser, took longer than ten minutes, or was ended before.")
            )
        asked = self._request(begun)
        if not hmac.compare_digest(asked.state.encode(), state.encode(errors="replace")):
            raise _refused(say("This is the answer to another sign-in."))
        # Its state is right, so it is as it was written here.
        ends = datetime.fromtimestamp(int(begun.split(".")[1]), now.tzinfo)
        used = hashlib.sha256(begun.encode()).hexdigest()
        if ends <= now or used in self._used:
            raise _refused(say("This sign-in took longer than ten minutes, or was ended before."))
        self._used[used] = ends
        return begun, asked

    def _answer(self, request: Request) -> SignInResponse:
        """Return what the provider answered. Raises IdentityRefused: it let nobody in."""
        query = request.query_params
        if error := query.get("error"):
            gave_up, other = say("it was given up there, or you may not use this inbox"), say("ask it why")
            raise _refused(
                say(
                    "{provider} has not signed you in ({error}): {why}.",
                    provider=self._provider.name,
                    error=inert_line(error, 60),
                    why=gave_up if error == "access_denied" else other,
                )
            )
        code = query.get("code", "")
        if not 0 < len(code) <= _MAX_CODE:
            raise _refused(say("{provider} has sent no answer that can be read.", provider=self._provider.name))
        return SignInResponse(code=code, issuer=query.get("iss"))

    def _request(self, begun: str) -> SignInRequest:
        return SignInRequest(
            state=self._sign_in.sealed("oidc state", begun),
            nonce=self._sign_in.sealed("oidc nonce", begun),
            verifier=self._sign_in.sealed("oidc verifier", begun),
            callback=self._callback,
        )

    def _cookie(self, state: str) -> str:
        """Return the name of one sign-in's cookie: a browser may begin several at once, in several tabs."""
        return f"{self._sign_in.cookie}_oidc_{hashlib.sha256(state.encode(errors='replace')).hexdigest()[:12]}"

    def _in_words(self, work: Callable[[Request], Awaitable[Response]]) -> Callable[[Request], Awaitable[Response]]:
        async def endpoint(request: Request) -> Response:
            try:
                return await work(request)
            except (IdentityRefused, VisitorRefused) as refused:
                return await self._entering.locked_page(403, why=str(refused))
            except (ProviderUnavailable, StoreError) as away:
                return await self._entering.locked_page(503, why=str(away))

        return endpoint


def _refused(why: str) -> IdentityRefused:
    return IdentityRefused(say("{why} Nobody was signed in. Begin again.", why=why))


def _encoded(text: str) -> str:
    return base64.urlsafe_b64encode(text.encode()).rstrip(b"=").decode()


def _after(begun: str) -> str:
    encoded = begun.split(".")[2]
    return base64.urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4)).decode()
