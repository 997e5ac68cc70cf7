"""Recoveries of lost passkeys: what every page says of them, and the button with which their person stops one.

To stop one takes a passkey of that person, not only a session: a browser that is signed in may be anybody's by now.
"""

from collections.abc import Sequence

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from handoffs.core.errors import StoreError
from handoffs.core.people import People
from handoffs.core.ports import Clock
from handoffs.core.recovery import Recovery
from handoffs.core.sentences import say
from handoffs.web.guard import signed_in_person
from handoffs.web.joining import ELSEWHERE, NOT_USABLE, in_words, offered
from handoffs.web.passkeys import PasskeyRefused, Passkeys, credential_id_of
from handoffs.web.person_sessions import SignedIn
from handoffs.web.receiving import Unreadable, check_csrf, posted_json, text_in
from handoffs.web.seen_by import SeenBy


class Recovering:
    """Tells of recoveries that are under way, and stops them."""

    def __init__(self, people: People, passkeys: Passkeys | None, clock: Clock) -> None:
        """Take the parts; `passkeys` is None where the inbox has no address that browsers make passkeys for."""
        self._people, self._kept, self._clock = people, passkeys, clock

    def routes(self) -> list[Route]:
        """Return the addresses."""
        return [
            Route("/recovery/stop", in_words(self.stop), methods=["POST"]),
            Route("/recovery/stop/options", in_words(self.options), methods=["POST"]),
        ]

    @property
    def origin(self) -> str:
        """Where a page must have been opened so that one can be stopped there; empty where none can."""
        return "" if self._kept is None else self._kept.party.origin

    async def under_way(self) -> Sequence[Recovery]:
        """Return the recoveries that wait for their time, or to be used; none while the store can't be used."""
        try:
            return await self._people.recoveries(at=self._clock.now())
        except StoreError:
            return ()  # the page says what is wrong

    async def options(self, request: Request) -> Response:
        """Return what a passkey of the person signs to stop the recovery."""
        signed_in = _of(request)
        check_csrf(request, await posted_json(request))
        now = self._clock.now()
        keys = [each for each in await self._people.keys(signed_in.person) if each.active(now)]
        if not keys:
            raise PasskeyRefused(
                say(
                    "To stop a recovery takes a passkey of yours, and you have none: ask the person who runs this "
                    "inbox for `handoffs people recover --stop`."
                )
            )
        return offered(self._passkeys.assertion(keys, bound=_bound(signed_in)))

    async def stop(self, request: Request) -> Response:
        """Stop the person's recovery, once one of their passkeys has signed."""
        signed_in = _of(request)
        posted = await posted_json(request)
        check_csrf(request, posted)
        credential = posted.get("credential")
        key = await self._people.key(credential_id_of(credential))
        person = (await self._people.directory()).named(signed_in.person)
        if key is None or key.person != person.name:
            raise PasskeyRefused(say("That is none of your passkeys here. Nothing was stopped."))
        count = self._passkeys.asserted(text_in(posted, "id"), credential, key, person.handle, bound=_bound(signed_in))
        now = self._clock.now()
        if not await self._people.use_key(key.credential_id, sign_count=count, at=now):
            raise PasskeyRefused(NOT_USABLE)
        if not await self._people.stop_recovery(person.name, by=person.name, at=now):
            raise PasskeyRefused(say("The recovery is over: it was stopped or used a moment ago. Load the page again."))
        return JSONResponse({"to": "/you"})

    @property
    def _passkeys(self) -> Passkeys:
        if self._kept is None:
            raise PasskeyRefused(ELSEWHERE)
        return self._kept


async def told_on_pages(recovering: Recovering | None, seen: SeenBy, clock: Clock) -> dict[str, object]:
    """Return the recoveries that each page tells of; without people nothing is read for it."""
    told: dict[str, object] = {"recoveries": (), "recovery_origin": "", "recovery_now": clock.now()}
    try:
        if recovering is not None and await seen.has_people():
            told |= {"recoveries": await recovering.under_way(), "recovery_origin": recovering.origin}
    except StoreError:
        pass  # the page says that the store can't be used
    return told


def _of(request: Request) -> SignedIn:
    signed_in = signed_in_person(request)
    if signed_in is None:
        raise Unreadable(403, say("Sign in as the person whose passkeys are to be recovered. Nothing was stopped."))
    return signed_in


def _bound(signed_in: SignedIn) -> str:
    return f"stop recovery {signed_in.bound}"
