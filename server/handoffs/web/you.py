"""The page of a person who is signed in: their groups, their passkeys, and the browsers in which they are signed in."""

from collections.abc import Awaitable, Callable, Sequence

import anyio
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from handoffs.core.passkey import Passkey
from handoffs.core.people import People
from handoffs.core.person import Person
from handoffs.core.ports import Clock
from handoffs.core.sentences import say
from handoffs.languages.tags import LANGUAGES
from handoffs.web.chats import OwnChats
from handoffs.web.guard import signed_in_person
from handoffs.web.joining import ELSEWHERE, NOT_USABLE, in_words, offered
from handoffs.web.languages.speaking import picked
from handoffs.web.passkeys import PasskeyRefused, Passkeys, credential_id_of
from handoffs.web.person_sessions import SignedIn
from handoffs.web.receiving import Unreadable, check_csrf, posted_form, posted_json, text_in

Show = Callable[..., Awaitable[Response]]
"""Renders a template as a page of the inbox."""


class You:
    """Shows a person what signs them in, adds and removes passkeys, and ends sessions."""

    def __init__(
        self, people: People, passkeys: Passkeys | None, clock: Clock, show: Show, chats: OwnChats | None = None
    ) -> None:
        """Take the parts; `passkeys` is None where the inbox has no address that browsers make passkeys for."""
        self._people, self._kept, self._clock, self._show, self._chats = people, passkeys, clock, show, chats
        self._removing = anyio.Lock()

    def routes(self) -> list[Route]:
        """Return the addresses."""
        return [
            Route("/you", self.page),
            *([] if self._chats is None else self._chats.routes(self.page_with)),
            Route("/you/sessions/{id}/end", self.end, methods=["POST"]),
            Route("/you/keys", in_words(self.add), methods=["POST"]),
            Route("/you/keys/vouch", in_words(self.ask_to_vouch), methods=["POST"]),
            Route("/you/keys/options", in_words(self.vouch), methods=["POST"]),
            Route("/you/keys/{id}/remove", self.remove, methods=["POST"]),
        ]

    async def page(self, request: Request) -> Response:
        """Show the page."""
        return await self.page_with(request)

    async def page_with(self, request: Request, *, status: int = 200, said: str = "", wrong: str = "") -> Response:
        """Show the page, with what became of something that was done on it."""
        signed_in = signed_in_person(request)
        chats = None if self._chats is None else await self._chats.shown(request)
        told: dict[str, object] = {"status": status, "chats": chats, "said": said, "wrong": wrong}
        told |= {"languages": LANGUAGES, "picked": picked(request.headers.get("cookie", ""))}
        if signed_in is None:
            return await self._show(request, "you_nobody.html", **told)
        person = await self._person(signed_in)
        return await self._show(
            request,
            "you.html",
            who=person,
            keys=await self._people.keys(person.name),
            sessions=await self._people.sessions(person.name, at=self._clock.now()),
            this=signed_in.session and signed_in.session.id,
            origin="" if self._kept is None else self._kept.party.origin,
            **told,
        )

    async def end(self, request: Request) -> Response:
        """End one of the person's sessions; of others, none is found."""
        signed_in = _of(request)
        await posted_form(request)
        wanted = str(request.path_params["id"])
        own = await self._people.sessions(signed_in.person, at=self._clock.now())
        if wanted in {each.id for each in own}:
            await self._people.end(wanted)
        return RedirectResponse("/you", 303)

    async def remove(self, request: Request) -> Response:
        """Remove one of the person's passkeys, unless it is the last that can be used."""
        signed_in = _of(request)
        await posted_form(request)
        wanted = str(request.path_params["id"])
        async with self._removing:
            now = self._clock.now()
            keys = await self._people.keys(signed_in.person)
            left = [each for each in keys if each.active(now) and each.credential_id != wanted]
            if wanted not in {each.credential_id for each in keys}:
                return RedirectResponse("/you", 303)
            if not left:
                raise Unreadable(409, say("This is your last passkey: add another one before you remove it."))
            await self._people.remove_key(wanted, at=now)
        return RedirectResponse("/you", 303)

    async def ask_to_vouch(self, request: Request) -> Response:
        """Return what an earlier passkey signs before another is added."""
        signed_in = _of(request)
        check_csrf(request, await posted_json(request))
        return offered(self._passkeys.assertion(await self._usable(signed_in), bound=signed_in.bound))

    async def vouch(self, request: Request) -> Response:
        """Return what the browser makes another passkey with, once an earlier one has signed for it."""
        signed_in = _of(request)
        posted = await posted_json(request)
        check_csrf(request, posted)
        credential = posted.get("credential")
        named = credential_id_of(credential)
        keys = await self._people.keys(signed_in.person)
        key = next((each for each in keys if each.credential_id == named), None)
        if key is None:
            raise PasskeyRefused(say("That is none of your passkeys here. Nothing was recorded."))
        person = await self._person(signed_in)
        bound = signed_in.bound
        count = self._passkeys.asserted(text_in(posted, "id"), credential, key, person.handle, bound=bound)
        if not await self._people.use_key(key.credential_id, sign_count=count, at=self._clock.now()):
            raise PasskeyRefused(NOT_USABLE)
        return offered(self._passkeys.registration(person, keys, bound=bound, vouched_by=key.credential_id))

    async def add(self, request: Request) -> Response:
        """Keep another passkey."""
        signed_in = _of(request)
        posted = await posted_json(request)
        check_csrf(request, posted)
        key = self._passkeys.registered(
            text_in(posted, "id"),
            posted.get("credential"),
            bound=signed_in.bound,
            person=signed_in.person,
            label=text_in(posted, "label"),
        )
        # The one that vouched for it may have been removed since.
        if key.added_with not in {each.credential_id for each in await self._usable(signed_in)}:
            raise PasskeyRefused(NOT_USABLE)
        await self._people.add_key(key)
        return JSONResponse({"to": "/you"})

    @property
    def _passkeys(self) -> Passkeys:
        if self._kept is None:
            raise PasskeyRefused(ELSEWHERE)
        return self._kept

    async def _usable(self, signed_in: SignedIn) -> Sequence[Passkey]:
        now = self._clock.now()
        return [each for each in await self._people.keys(signed_in.person) if each.active(now)]

    async def _person(self, signed_in: SignedIn) -> Person:
        return (await self._people.directory()).named(signed_in.person)


def _of(request: Request) -> SignedIn:
    """Return who is signed in as a person of the store. Raises Unreadable: nobody is."""
    signed_in = signed_in_person(request)
    if signed_in is None:
        raise Unreadable(403, say("Sign in as a person first. Nothing was recorded."))
    return signed_in
