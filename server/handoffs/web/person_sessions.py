"""Browsers in which a person of the store is signed in: the cookie, and the session that the store keeps by its digest.

Each request, and each open stream, asks the store: what was ended anywhere, and a person who was removed, is signed in
no more. Cookies know no port: another program of this machine at another port gets the cookie too, when the person
visits it. The name of the cookie differs for each inbox, so that inboxes do not sign each other out.
"""

import hashlib
import hmac
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from starlette.requests import Request

from handoffs.core.inbox_session import Session
from handoffs.core.people import People

SEEN_EVERY = timedelta(minutes=1)
"""How exactly it is recorded when a session was last used."""

_MAX_AGENT = 300
_MAX_TOKEN = 200


@dataclass(frozen=True, kw_only=True, slots=True)
class SignedIn:
    """A person who is signed in: in one browser, or by a proxy that names them at each request."""

    person: str
    bound: str
    """The name of this sign-in: what is begun in one is not ended in another."""
    csrf: str
    session: Session | None = None
    """None where a proxy names the person."""
    digest: str = ""


class PersonSessions:
    """Begins, finds and ends the sessions of people."""

    def __init__(self, people: People, now: Callable[[], datetime], cookie: Callable[[], str]) -> None:
        """Take the people of the store, the clock, and the name of the inbox's other cookie."""
        self._people, self._now, self._base = people, now, cookie

    @property
    def cookie(self) -> str:
        """The name of the cookie."""
        return f"{self._base()}_person"

    async def begin(self, person: str, request: Request, page_key: str = "") -> str | None:
        """Return the token of a new session, bound to a page's key if one came; None where the person was removed."""
        token = secrets.token_urlsafe(32)
        agent = request.headers.get("user-agent", "")[:_MAX_AGENT]
        begun = await self._people.begin(_digest(token), person, at=self._now(), agent=agent, page_key=page_key)
        return None if begun is None else token

    async def of(self, request: Request) -> SignedIn | None:
        """Return who is signed in in the browser that sent a request. Without the cookie, nothing is read."""
        token = request.cookies.get(self.cookie, "") if request.cookies else ""
        if not token or len(token) > _MAX_TOKEN:
            return None
        digest, now = _digest(token), self._now()
        session = await self._people.session(digest, at=now)
        if session is None:
            return None
        if now - session.seen_at >= SEEN_EVERY:
            await self._people.seen(digest, at=now)
        csrf = hmac.new(token.encode(), b"csrf", hashlib.sha256).hexdigest()
        return SignedIn(person=session.person, bound=f"session {session.id}", csrf=csrf, session=session, digest=digest)

    async def bind(self, signed_in: SignedIn, page_key: str) -> bool:
        """Give a session without a page's key this one; False where it has another, or has ended."""
        return await self._people.bind(signed_in.digest, page_key)

    async def lasts(self, signed_in: SignedIn) -> bool:
        """Return whether a session is still open."""
        return await self._people.session(signed_in.digest, at=self._now()) is not None

    async def end(self, request: Request) -> None:
        """End the session of the browser that sent a request; where there is none, nothing happens."""
        if (signed_in := await self.of(request)) and signed_in.session:
            await self._people.end(signed_in.session.id)


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode(errors="replace")).hexdigest()
