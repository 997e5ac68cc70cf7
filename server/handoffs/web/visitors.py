"""Who sends a request: the user of this machine, a person of the store, or somebody whom a proxy or a provider names.

Whom a proxy or a provider names is looked up among the people at each request: who is one of them acts as that person,
who was removed is not let in, and anybody else acts under a name that is no person's.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from starlette.requests import Request

from handoffs.core.errors import PersonRefused
from handoffs.core.identity import Identity
from handoffs.core.people import People
from handoffs.core.person import Directory, Person
from handoffs.core.sentences import say
from handoffs.core.untrusted import inert_line
from handoffs.web.person_sessions import PersonSessions, SignedIn
from handoffs.web.sign_in import OpenSession, SignIn

MAX_NAMED = 100
"""The most characters of the name that a proxy gives."""


class VisitorRefused(Exception):
    """Somebody is known here, and not let in; the words are for them."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Visitor:
    """Who sends a request."""

    csrf: str
    by: str | None = None
    """The name that is recorded; None for the user of this machine."""
    person: SignedIn | None = None
    """None for those who are none of the store's people."""
    page_key: str | None = None
    """The key that signs each post, empty where the session has none yet; None for users of a proxy: they have none."""
    identity: Identity | None = None
    """What a proxy or a provider said; None where neither named the visitor."""
    token: str = field(default="", repr=False)
    """The token of the session of somebody whom a provider named."""


class Visitors:
    """Finds out who sends a request."""

    def __init__(
        self,
        sign_in: SignIn,
        people: People | None = None,
        sessions: PersonSessions | None = None,
        *,
        proxy_header: str | None = None,
        has_provider: bool = False,
    ) -> None:
        """Take the sessions of this machine's user, the people, theirs, and the header in which a proxy names users.

        Without a provider, nobody is let in whom one named before.
        """
        self._sign_in, self._people, self._sessions = sign_in, people, sessions
        self._proxy_header, self._has_provider = proxy_header, has_provider

    async def of(self, request: Request) -> Visitor | None:
        """Return who sends a request; None for nobody.

        A proxy's header precedes cookies, and a person's session the others.

        Raises:
            VisitorRefused: They were removed, or stand for several people.
            StoreError: The people can't be read.
        """
        named = request.headers.getlist(self._proxy_header) if self._proxy_header else []
        # With two headers, one may be forged, so neither counts.
        if len(named) == 1 and (user := inert_line(named[0], MAX_NAMED)):
            return await self._of_proxy(user)
        if self._sessions is not None and (signed_in := await self._sessions.of(request)) is not None:
            key = signed_in.session.page_key if signed_in.session is not None else None
            return Visitor(csrf=signed_in.csrf, by=signed_in.person, person=signed_in, page_key=key)
        token = request.cookies.get(self._sign_in.cookie, "")
        if self._has_provider and (kept := self._sign_in.named(token)) is not None:
            return await self._of_provider(*kept, token)
        session = self._sign_in.session(token)
        return None if session is None else Visitor(csrf=session.csrf, page_key=session.page_key)

    async def is_in(self, request: Request) -> bool:
        """Return whether somebody who is let in sends a request. Raises StoreError."""
        try:
            return await self.of(request) is not None
        except VisitorRefused:
            return False

    async def page_key(self, request: Request) -> str | None:
        """Return the key of the session in this browser, empty where it has none; None where nobody is let in.

        Raises:
            StoreError: The people can't be read.
        """
        try:
            visitor = await self.of(request)
        except VisitorRefused:
            return None
        return None if visitor is None else visitor.page_key or ""

    async def person_of(self, identity: Identity) -> Person | None:
        """Return the person whom a proxy or a provider names; None for somebody who is none of the people.

        Raises:
            VisitorRefused: They were removed, or it names several.
            StoreError: The people can't be read.
        """
        return self._known(await self._directory(), identity)

    def lasts(self, request: Request) -> Callable[[], Awaitable[bool]] | None:
        """Return what says whether who sent a request is still let in, as the same; None where that can't change."""
        visitor: Visitor | None = getattr(request.state, "visitor", None)
        if visitor is None or self._people is None or (visitor.person is None and visitor.identity is None):
            return None

        async def lasts() -> bool:
            if visitor.identity is not None:
                return await self._is_still(visitor.identity, visitor)
            person = visitor.person
            return self._sessions is not None and person is not None and await self._sessions.lasts(person)

        return lasts

    async def _is_still(self, identity: Identity, visitor: Visitor) -> bool:
        if visitor.token and self._sign_in.named(visitor.token) is None:
            return False
        directory = await self._directory()
        try:
            person = self._known(directory, identity)
        except VisitorRefused:
            return False
        if person is None:
            return visitor.person is None and visitor.by == directory.stranger(identity)
        return visitor.person is not None and visitor.person.person == person.name

    async def _of_proxy(self, user: str) -> Visitor:
        directory = await self._directory()
        identity = Identity(shown=user, login=user, email=user if "@" in user else "")
        person = self._known(directory, identity)
        csrf = self._sign_in.vouched(user)
        if person is None:
            return Visitor(csrf=csrf, by=directory.stranger(identity), identity=identity)
        signed_in = SignedIn(person=person.name, bound=f"proxy {person.name}", csrf=csrf)
        return Visitor(csrf=csrf, by=person.name, person=signed_in, identity=identity)

    async def _of_provider(self, identity: Identity, session: OpenSession, token: str) -> Visitor | None:
        directory = await self._directory()
        if self._known(directory, identity) is not None:
            return None  # added since: to sign in again begins a session that is listed
        by = directory.stranger(identity)
        return Visitor(csrf=session.csrf, by=by, page_key=session.page_key, identity=identity, token=token)

    def _known(self, directory: Directory, identity: Identity) -> Person | None:
        try:
            person = directory.identified(identity)
        except PersonRefused as several:
            raise VisitorRefused(str(several)) from None
        if person is not None and not person.present:
            raise VisitorRefused(
                say("{name} was removed from the people of this inbox, and decides nothing here.", name=person.name)
            )
        return person

    async def _directory(self) -> Directory:
        return Directory() if self._people is None else await self._people.directory()
