"""Decisions that a person signs with their passkey on a page: what the browser is asked to sign, and what it signed.

What is to be signed is kept here for as long as the ticket of the decision is good, and is used once. It belongs to
one session and one question; the challenge itself holds the values, the note and the person. The desk verifies the
signature before it records anything.
"""

import base64
import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, cast

from starlette.requests import Request

from handoffs.core.errors import NotProved
from handoffs.core.model import Handoff
from handoffs.core.passkey import Passkey
from handoffs.core.people import People
from handoffs.core.ports import Clock
from handoffs.core.sentences import say
from handoffs.web.guard import signed_in_person
from handoffs.web.pages import Signing
from handoffs.web.passkeys import RelyingParty

if TYPE_CHECKING:  # only a decision that is signed needs them
    from handoffs.core.decision import Assertion, Decision, Ticket

_MAX_PENDING = 1000
"""How many tickets are kept: the oldest goes first."""

_NO_PEOPLE = say("An answer takes a passkey, and this inbox has no people or no address that passkeys are made for.")
_NOT_SIGNED_IN = say("An answer takes a passkey. Sign out here, and sign in with the passkey of a person who decides.")
_NO_KEY = say(
    "An answer takes a passkey, and you have none that can be used now. A passkey is set up with an invitation: "
    "`handoffs people invite` makes one."
)
_OVER = say("the two minutes to use your passkey are over, or this was sent before: decide once more")
_UNREADABLE = say("what the browser sent of your passkey can't be read")


class Signatures:
    """Offers decisions to be signed, and takes what was signed."""

    def __init__(self, people: People | None, party: RelyingParty | None, clock: Clock) -> None:
        """Take the people, and where their passkeys are for: None where the inbox has none."""
        self._people, self._party, self._clock = people, party, clock
        self._pending: dict[tuple[str, str], Ticket] = {}

    async def signing(self, request: Request, handoffs: Sequence[Handoff]) -> Signing | None:
        """Return whether the reader of a page can sign there; None where none of these questions takes it."""
        if not any(each.question.takes_proof for each in handoffs):
            return None
        if self._people is None or self._party is None:
            return Signing(obstacle=_NO_PEOPLE)
        if signed_in_person(request) is None:
            return Signing(obstacle=_NOT_SIGNED_IN)
        return Signing(origin=self._party.origin) if await self._keys(request) else Signing(obstacle=_NO_KEY)

    async def offer(self, request: Request, decision: "Decision") -> Mapping[str, object]:
        """Return the options for the browser, and keep the ticket. Raises NotProved: the reader can't sign here."""
        signing = await self.signing(request, [decision.handoff])
        signed_in = signed_in_person(request)
        if self._party is None or signed_in is None or signing is None or signing.obstacle:
            raise NotProved(_NOT_SIGNED_IN if signing is None else signing.obstacle)
        now, keys = self._clock.now(), await self._keys(request)
        self._pending = {key: each for key, each in self._pending.items() if each.expires_at > now}
        while len(self._pending) >= _MAX_PENDING:
            del self._pending[next(iter(self._pending))]
        self._pending[signed_in.bound, decision.handoff.id] = decision.ticket
        return {
            "challenge": _encoded(decision.challenge),
            "rpId": self._party.id,
            "timeout": int((decision.ticket.expires_at - now).total_seconds() * 1000),
            "userVerification": "required",
            "allowCredentials": [{"type": "public-key", "id": each.credential_id} for each in keys],
        }

    def taken(self, request: Request, handoff: Handoff, sent: str) -> "Assertion | None":
        """Return what the browser signed for a question, once; None where the question takes no signature.

        Raises:
            NotProved: It was sent without a signature of this sign-in that can be used now.
        """
        if not handoff.question.takes_proof or not sent:
            return None
        signed_in = signed_in_person(request)
        if signed_in is None:
            raise NotProved(_NOT_SIGNED_IN)
        ticket = self._pending.pop((signed_in.bound, handoff.id), None)
        if ticket is None or ticket.expires_at <= self._clock.now():
            raise NotProved(_OVER)
        return _assertion(sent, ticket)

    async def _keys(self, request: Request) -> Sequence[Passkey]:
        signed_in, now = signed_in_person(request), self._clock.now()
        if self._people is None or signed_in is None:
            return ()
        return [each for each in await self._people.keys(signed_in.person) if each.active(now)]


def _assertion(sent: str, ticket: "Ticket") -> "Assertion":
    from fido2.utils import websafe_decode

    from handoffs.core.decision import Assertion

    try:
        credential = cast("Mapping[str, object]", json.loads(sent))
        response = cast("Mapping[str, str]", credential["response"])
        return Assertion(
            credential_id=str(credential["id"]),
            authenticator_data=websafe_decode(response["authenticatorData"]),
            client_data=websafe_decode(response["clientDataJSON"]),
            signature=websafe_decode(response["signature"]),
            ticket=ticket,
        )
    except (ValueError, TypeError, LookupError, AttributeError, RecursionError) as wrong:
        raise NotProved(_UNREADABLE) from wrong


def _encoded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
