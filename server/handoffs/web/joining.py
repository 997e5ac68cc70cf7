"""Joining and signing in with a passkey: the page of an invitation, and the button for a person who is signed out."""

import hashlib
from collections.abc import Awaitable, Callable

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from handoffs.core.display import stamp
from handoffs.core.errors import PersonNotFound, PersonRefused, StoreError
from handoffs.core.people import People
from handoffs.core.person import Person
from handoffs.core.ports import Clock
from handoffs.core.sentences import say
from handoffs.web.languages.words import spoken
from handoffs.web.page_keys import checked_key
from handoffs.web.pages import Pages
from handoffs.web.passkeys import STRANGER, Offer, PasskeyRefused, Passkeys, credential_id_of
from handoffs.web.person_sessions import PersonSessions
from handoffs.web.receiving import Unreadable, posted_json, text_in
from handoffs.web.sign_in import local_path

ELSEWHERE = say(
    "Passkeys can't be used at this address. Whoever runs this inbox sets HANDOFFS_INBOX_URL to the https address by "
    "which people reach it, and starts it again."
)

NOT_USABLE = say(
    "This passkey can't be used: it was removed, or it counts its signatures backwards, which says that two devices "
    "hold it. Use another one, or ask for help."
)

LOOK_SECONDS = 5.0
"""How often it is looked for whether somebody has a passkey, at most."""

Enter = Callable[[Request, Response, str], None]
"""Sets the cookie with the token of a person's session."""

Spoken = Callable[[Request], Awaitable[Response]]


class Joining:
    """The pages by which people come in."""

    def __init__(
        self,
        people: People,
        sessions: PersonSessions,
        passkeys: Passkeys | None,
        pages: Pages,
        clock: Clock,
        *,
        enter: Enter,
        pinned: bool = False,
    ) -> None:
        """Take the parts; `passkeys` is None where the inbox has no address that browsers make passkeys for.

        Where keys are `pinned` in a file, no recovery can be used.
        """
        self._people, self._sessions, self._kept, self._pages = people, sessions, passkeys, pages
        self._clock, self._enter, self._pinned = clock, enter, pinned
        self._somebody, self._look_again = False, 0.0

    def routes(self) -> list[Route]:
        """Return the addresses."""
        return [
            Route("/join/{token}", self.page),
            Route("/join/{token}", in_words(self.join), methods=["POST"]),
            Route("/join/{token}/options", in_words(self.join_options), methods=["POST"]),
            Route("/sign-in/passkey", in_words(self.sign_in), methods=["POST"]),
            Route("/sign-in/passkey/options", in_words(self.sign_in_options), methods=["POST"]),
        ]

    async def origin(self) -> str:
        """Return where people sign in with a passkey; empty where nobody has one."""
        if self._kept is None:
            return ""
        now = self._clock.monotonic()
        if now >= self._look_again:
            self._look_again = now + LOOK_SECONDS
            try:
                self._somebody = await self._somebody_has_one()
            except StoreError:
                return ""  # to sign in in another way says what is wrong
        return self._kept.party.origin if self._somebody else ""

    async def page(self, request: Request) -> Response:
        """Show whom an invitation is for. Nothing is used up: chats, scanners and prefetching browsers fetch links."""
        try:
            origin, why, status = self._passkeys.party.origin, "", 200
            person, again = await self._let_in(_digest(request))
        except (PasskeyRefused, StoreError) as refused:
            person, origin, why, status = None, "", str(refused), 503 if isinstance(refused, StoreError) else 404
            again = False
        told = {"who": person and person.name, "origin": origin, "why": why, "path": request.url.path, "again": again}
        return self._pages.page("join.html", status, **told)

    async def join_options(self, request: Request) -> Response:
        """Return what the browser makes a passkey with."""
        await posted_json(request)
        passkeys = self._passkeys
        digest = _digest(request)
        person, _ = await self._let_in(digest)
        return offered(passkeys.registration(person, (), bound=_bound(digest, person)))

    async def join(self, request: Request) -> Response:
        """Use up the invitation, keep the passkey and sign the person in, once the passkey is verified.

        The passkey is kept after the invitation was used up: of several browsers with one link, one joins.
        """
        posted = await posted_json(request)
        passkeys, page_key = self._passkeys, checked_key(text_in(posted, "key"))
        digest = _digest(request)
        person, again = await self._let_in(digest)
        key = passkeys.registered(
            text_in(posted, "id"),
            posted.get("credential"),
            bound=_bound(digest, person),
            person=person.name,
            label=text_in(posted, "label"),
        )
        if await self._people.key(key.credential_id) is not None:
            raise PasskeyRefused(say("This passkey was enrolled before: make another one. The invitation still works."))
        if again:
            if not await self._people.recover(digest, key, at=self._clock.now()):
                raise PasskeyRefused(say("This recovery was used, stopped or over a moment ago. Nothing was recorded."))
            self._look_again = 0.0
            return await self._entered(request, person.name, "/you", page_key)
        if await self._people.redeem(digest, at=self._clock.now()) != person.name:
            raise PasskeyRefused(say("This invitation was used a moment ago, or has expired. Ask for a new one."))
        await self._people.add_key(key)
        self._look_again = 0.0
        return await self._entered(request, person.name, "/", page_key)

    async def sign_in_options(self, request: Request) -> Response:
        """Return what the browser signs to sign in."""
        await posted_json(request)
        return offered(self._passkeys.assertion(bound=STRANGER))

    async def sign_in(self, request: Request) -> Response:
        """Begin a session for the person whose passkey has signed."""
        posted = await posted_json(request)
        credential, page_key = posted.get("credential"), checked_key(text_in(posted, "key"))
        key = await self._people.key(credential_id_of(credential))
        person = None if key is None else (await self._people.directory()).present(key.person)
        if key is None or person is None:
            raise PasskeyRefused(
                say(
                    "This passkey is not known here, or its person was removed: `handoffs people invite` makes a link "
                    "that sets up a new one."
                )
            )
        count = self._passkeys.asserted(text_in(posted, "id"), credential, key, person.handle, bound=STRANGER)
        if not await self._people.use_key(key.credential_id, sign_count=count, at=self._clock.now()):
            raise PasskeyRefused(NOT_USABLE)
        return await self._entered(request, person.name, local_path(text_in(posted, "next") or "/"), page_key)

    @property
    def _passkeys(self) -> Passkeys:
        if self._kept is None:
            raise PasskeyRefused(ELSEWHERE)
        return self._kept

    async def _somebody_has_one(self) -> bool:
        now = self._clock.now()
        for person in (await self._people.directory()).people.values():
            if person.present and any(each.active(now) for each in await self._people.keys(person.name)):
                return True
        return False

    async def _let_in(self, digest: str) -> tuple[Person, bool]:
        """Return the person whom a link lets in, and whether it is a recovery. Raises PasskeyRefused, in words."""
        recovery = await self._people.recovery(digest)
        if recovery is None:
            return await self._invited(digest), False
        now = self._clock.now()
        if recovery.used_at is not None:
            raise PasskeyRefused(
                say(
                    "This recovery was used. If that was you, sign in with your new passkey. If it was not, say so at "
                    "once: somebody signs in as you."
                )
            )
        if recovery.stopped_at is not None:
            raise PasskeyRefused(say("This recovery was stopped. Ask for a new one."))
        if now >= recovery.ends_at:
            raise PasskeyRefused(say("This recovery is over. Ask for a new one."))
        if self._pinned:
            raise PasskeyRefused(
                say(
                    "This inbox counts the keys of a file (HANDOFFS_PINNED_KEYS), and no recovery changes them. "
                    "Whoever runs it puts your new key there."
                )
            )
        if not recovery.usable(now):
            raise PasskeyRefused(
                say(
                    "This recovery begins at {time}: open this link then. Until then it can be stopped.",
                    time=stamp(recovery.begins_at),
                )
            )
        return (await self._people.directory()).named(recovery.person), True

    async def _invited(self, digest: str) -> Person:
        """Return the person of an invitation that can be used. Raises PasskeyRefused, with the reason in words."""
        invitation = await self._people.invitation(digest)
        person = None if invitation is None else (await self._people.directory()).present(invitation.person)
        if invitation is None or person is None:
            raise PasskeyRefused(
                say(
                    "This invitation is not known here: its address may have lost a character, a later one may have "
                    "taken its place, or the person was removed. Ask for a new one."
                )
            )
        if invitation.used_at is not None:
            raise PasskeyRefused(
                say(
                    "This invitation was used. If that was you, sign in with your passkey. If it was not, say so at "
                    "once: somebody has joined in your name."
                )
            )
        if invitation.expires_at <= self._clock.now():
            raise PasskeyRefused(say("This invitation has expired. Ask for a new one."))
        if await self._people.keys(person.name):
            raise PasskeyRefused(
                say(
                    "{name} has a passkey already: sign in with it, and add others on the page You. An invitation sets "
                    "up the first one.",
                    name=person.name,
                )
            )
        return person

    async def _entered(self, request: Request, name: str, after: str, page_key: str) -> Response:
        token = await self._sessions.begin(name, request, page_key)
        if token is None:
            raise PasskeyRefused(say("{name} was removed a moment ago.", name=name))
        response = JSONResponse({"to": after})
        self._enter(request, response, token)
        return response


def in_words(work: Spoken) -> Spoken:
    """Return the endpoint with what it refuses as JSON, in words."""

    async def endpoint(request: Request) -> Response:
        try:
            return await work(request)
        except Unreadable as wrong:
            return JSONResponse({"problem": spoken(str(wrong))}, wrong.status)
        except (PasskeyRefused, PersonRefused, PersonNotFound) as refused:
            return JSONResponse({"problem": spoken(str(refused))}, 403)
        except StoreError as broken:
            return JSONResponse({"problem": spoken(str(broken))}, 503)

    return endpoint


def offered(offer: Offer) -> Response:
    """Return what a page hands to the browser."""
    return JSONResponse({"id": offer.id, **offer.options})


def _digest(request: Request) -> str:
    return hashlib.sha256(str(request.path_params["token"]).encode(errors="replace")).hexdigest()


def _bound(digest: str, person: Person) -> str:
    return f"join {digest} {person.name}"
