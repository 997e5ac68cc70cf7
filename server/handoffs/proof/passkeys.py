"""Checks the assertions of passkeys: that a person signed this very decision, at this inbox, now or back then.

An assertion counts only if all of it fits: the type `webauthn.get`, the challenge, the exact origin of the page, no
page of another site around it, the RP id, that the person was present and verified, a signature by an active key of
theirs, and the time. When a decision is made, the key's counter must go on, and the challenge was not used before.
"""

import base64
import struct
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from typing import cast
from urllib.parse import urlsplit

from handoffs.core.decision import LONGEST, Assertion, Decision
from handoffs.core.errors import NotProved
from handoffs.core.passkey import Passkey
from handoffs.core.people import People
from handoffs.core.sentences import say

LOCAL = "localhost"
"""The RP id of an inbox on this machine: a browser makes passkeys for a name, and for no address."""

_UNREADABLE = (ValueError, TypeError, LookupError, AttributeError, OverflowError, RecursionError, struct.error)
"""What fido2 raises of bytes that are no assertion, or no key."""

PinnedKeys = Mapping[str, tuple[bytes, ...]]
"""Public keys as COSE, by person."""


@dataclass(frozen=True, kw_only=True, slots=True)
class RelyingParty:
    """The inbox that passkeys are made for."""

    rp_id: str
    """The host of its address."""
    origins: frozenset[str] | None
    """Its pages' exact addresses; None: any port of this machine, for who does not know at which one it was."""
    server_id: str

    @classmethod
    def of(cls, inbox_url: str | None, *, page: str | None = None) -> "RelyingParty":
        """Return that of the address of a team's inbox, or else of the one on this machine, whose `page` may be known.

        Only with an address, decisions can be made: without, those that were made before can be checked.
        """
        if inbox_url is not None:
            host = urlsplit(inbox_url).hostname or ""
            return cls(rp_id=host, origins=frozenset({inbox_url}), server_id=inbox_url)
        return cls(rp_id=LOCAL, origins=None if page is None else frozenset({page.rstrip("/")}), server_id=LOCAL)

    def has(self, origin: str) -> bool:
        """Say whether a page of this address is the inbox's."""
        if self.origins is not None:
            return origin in self.origins
        scheme, _, port = origin.rpartition(":")
        return scheme == f"http://{self.rp_id}" and port.isascii() and port.isdecimal()


@dataclass(frozen=True, kw_only=True, slots=True)
class Verified:
    """What a verified assertion says of its key."""

    key: bytes
    sign_count: int


def verify(
    assertion: Assertion, decision: Decision, keys: Collection[bytes], party: RelyingParty, *, at: datetime
) -> Verified:
    """Return the key that signed this decision, of those that are the person's.

    `at` is the moment of the decision. Raises NotProved.
    """
    signed = Signed(challenge=decision.challenge, expires_at=decision.ticket.expires_at, person=decision.person)
    return verify_signed(assertion, signed, keys, party, at=at)


@dataclass(frozen=True, kw_only=True, slots=True)
class Signed:
    """What an assertion is checked against."""

    challenge: bytes
    expires_at: datetime
    person: str


def verify_signed(
    assertion: Assertion, signed: Signed, keys: Collection[bytes], party: RelyingParty, *, at: datetime
) -> Verified:
    """Return the key that signed this challenge, as `verify` does for a decision. Raises NotProved."""
    # Only where there is something to verify: most processes see no passkey.
    from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
    from fido2 import cbor
    from fido2.cose import CoseKey
    from fido2.webauthn import AuthenticatorData, CollectedClientData

    try:
        client = CollectedClientData(assertion.client_data)
        said = AuthenticatorData(assertion.authenticator_data)
        told = cast("tuple[object, object, object]", (client.type, client.origin, client.cross_origin))
    except _UNREADABLE as wrong:
        raise NotProved(say("what the authenticator sent can't be read")) from wrong
    kind, origin, crossed = told
    if kind != CollectedClientData.TYPE.GET:
        raise NotProved(say("it was signed for something else than a decision"))
    if not isinstance(origin, str) or not party.has(origin):
        raise NotProved(say("it was signed on a page of another address than the inbox's"))
    if crossed is not False:
        raise NotProved(say("it was signed in a frame of another site's page"))
    if said.rp_id_hash != sha256(party.rp_id.encode()).digest():
        raise NotProved(say("it is the passkey of another site"))
    if not said.is_user_present():
        raise NotProved(say("the authenticator does not say that a person was there"))
    if not said.is_user_verified():
        raise NotProved(say("the authenticator did not check who was there: use a PIN, a finger or a face"))
    if client.challenge != signed.challenge:
        raise NotProved(
            say("it was signed for another question, answer or person, or what is decided has changed since")
        )
    _check_time(signed.expires_at, at)
    for key in keys:
        try:
            parsed = CoseKey.parse(cast("Mapping[int, object]", cbor.decode(key)))  # pyright: ignore[reportUnknownMemberType]
            parsed.verify(assertion.authenticator_data + client.hash, assertion.signature)
        except (InvalidSignature, UnsupportedAlgorithm, NotImplementedError, *_UNREADABLE):
            continue
        return Verified(key=key, sign_count=said.counter)
    raise NotProved(say("no active passkey of {person} has signed it", person=signed.person))


def _check_time(expires_at: datetime, at: datetime) -> None:
    if at >= expires_at:
        raise NotProved(say("its time is over: decide once more"))
    if expires_at - at > LONGEST:
        raise NotProved(
            say(
                "it is good for longer than {count} minutes: are the clocks right?",
                count=LONGEST // timedelta(minutes=1),
            )
        )


class PasskeyProofs:
    """Checks assertions with the passkeys of a store, or with pinned ones, which then count alone."""

    def __init__(
        self,
        people: Callable[[], People],
        party: RelyingParty,
        *,
        claim: "Callable[[str, datetime, datetime], Awaitable[bool]]",
        pinned: PinnedKeys | None = None,
    ) -> None:
        """Take the people; `claim` takes a key, now and until when it may be claimed once: see `Store.claim`."""
        self._people, self._party, self._claim, self._pinned = people, party, claim, pinned

    @property
    def server_id(self) -> str:
        """The inbox that decisions are made at, by its address."""
        return self._party.server_id

    async def use(self, assertion: Assertion, decision: Decision, *, at: datetime) -> None:
        """Check the assertion of a decision that is made now, and use it up. Raises NotProved."""
        if self._party.origins is None:
            raise NotProved(say("a decision is signed in the inbox alone: `handoffs inbox` opens it"))
        known = await self._people().key(assertion.credential_id)
        found = await self._verify(assertion, decision, known, at)
        # A pinned key may be none of the store's: then no counter of it is kept.
        if known is not None or self._pinned is None:
            used = await self._people().use_key(assertion.credential_id, sign_count=found.sign_count, at=at)
            if not used:
                raise NotProved(
                    say("this passkey can't be used: its counter went back, as of a copied key, or it is not active")
                )
        if not await self._claim(f"passkey {decision.challenge.hex()}", at, decision.ticket.expires_at):
            raise NotProved(say("it was used before: decide once more"))

    async def check(
        self, assertion: Assertion, decision: Decision, *, at: datetime, used_at: datetime | None = None
    ) -> None:
        """Check the assertion of a decision that was made at this moment. Raises NotProved.

        With `used_at`, a key of the store must be active then, too; pinned ones are as they are now.
        """
        known = await self._people().key(assertion.credential_id)
        if used_at is not None and self._pinned is None and known is not None and not _was_active(known, used_at):
            raise NotProved(say("the passkey that has signed it was removed since"))
        await self._verify(assertion, decision, known, at)

    async def _verify(self, assertion: Assertion, decision: Decision, known: Passkey | None, at: datetime) -> Verified:
        keys: Sequence[bytes] = ()
        if self._pinned is not None:
            keys = self._pinned.get(decision.person, ())
        elif known is not None and known.person == decision.person and _was_active(known, at):
            keys = (known.public_key,)
        return verify(assertion, decision, keys, self._party, at=at)


def _was_active(key: Passkey, at: datetime) -> bool:
    return key.active_from <= at and (key.removed_at is None or at < key.removed_at)


def decoded(text: str) -> bytes:
    """Return what base64url, with or without padding, stands for. Raises ValueError."""
    return base64.b64decode(text.rstrip("=") + "=" * (-len(text.rstrip("=")) % 4), altchars=b"-_", validate=True)
