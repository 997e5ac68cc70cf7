"""Passkeys at the inbox: what a browser is asked to sign, and the checks of what it signed.

A challenge is kept here for five minutes, is used once, and belongs to one invitation or session: what was signed for
another is refused. The origin is compared whole: a browser signs for `localhost` at every port of it. A user's
verification (PIN, fingerprint) is demanded each time. `fido2` verifies, and is imported when a page first needs it;
some of its parameters have no types.
"""

import json
import secrets
import struct
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, cast
from urllib.parse import urlsplit

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm

from handoffs.core.passkey import Passkey
from handoffs.core.person import Person
from handoffs.core.sentences import say
from handoffs.core.untrusted import inert_line
from handoffs.web.guard import origin_of

if TYPE_CHECKING:  # only a page that needs a passkey imports it
    from fido2.server import Fido2Server
    from fido2.webauthn import PublicKeyCredentialDescriptor

CHALLENGE_FOR = timedelta(minutes=5)
"""How long a challenge can be answered."""

MAX_LABEL = 60
"""Characters of the person's word for a key."""

STRANGER = "sign-in"
"""What a challenge belongs to that anybody may ask for."""

_MAX_CHALLENGES = 1000
"""How many challenges are kept, and as many for strangers, who so drive out no other: the oldest goes first."""

_UNREADABLE = (ValueError, TypeError, KeyError, IndexError, AttributeError, OverflowError, struct.error)


class PasskeyRefused(Exception):
    """What a browser sent is not accepted; the words are for the person."""


@dataclass(frozen=True, kw_only=True, slots=True)
class RelyingParty:
    """The host that passkeys are made for, and the one origin that they are accepted from."""

    id: str
    origin: str

    @classmethod
    def at(cls, url: str) -> "RelyingParty":
        """Return that of an inbox at this address."""
        return cls(id=urlsplit(url).hostname or "", origin=origin_of(url))


@dataclass(frozen=True, kw_only=True, slots=True)
class Offer:
    """What a page hands to the browser, with the id by which the answer comes back."""

    id: str
    options: Mapping[str, object]


@dataclass(frozen=True, kw_only=True, slots=True)
class _Challenge:
    purpose: str
    state: object
    bound: str
    vouched_by: str
    expires_at: datetime


class Passkeys:
    """Makes challenges, and verifies what is signed for them."""

    def __init__(self, party: RelyingParty, now: Callable[[], datetime]) -> None:
        """Take where passkeys are for, and the clock."""
        self.party = party
        self._now = now
        self._kept: tuple[dict[str, _Challenge], dict[str, _Challenge]] = ({}, {})

    def registration(self, person: Person, keys: Sequence[Passkey], *, bound: str, vouched_by: str = "") -> Offer:
        """Return what makes a passkey for a person, on an authenticator that holds none of `keys`.

        `bound` names the invitation or the session that it is for, `vouched_by` the earlier key that signed for it.
        """
        from fido2.webauthn import (
            PublicKeyCredentialUserEntity,
            ResidentKeyRequirement,
            UserVerificationRequirement,
        )

        # Random, and so of no other person: an authenticator replaces a key of the same handle.
        user = PublicKeyCredentialUserEntity(
            id=bytes.fromhex(person.handle), name=person.name, display_name=person.name
        )
        options, state = self._server().register_begin(  # pyright: ignore[reportUnknownMemberType]
            user,
            _described(keys),
            resident_key_requirement=ResidentKeyRequirement.REQUIRED,
            user_verification=UserVerificationRequirement.REQUIRED,
        )
        return self._offer("registration", options, state, bound, vouched_by)

    def registered(self, offer_id: str, credential: object, *, bound: str, person: str, label: str) -> Passkey:
        """Return the passkey that a browser made. It is not stored yet. Raises PasskeyRefused."""
        from fido2 import cbor
        from fido2.utils import websafe_encode

        kept = self._taken("registration", offer_id, bound)
        self._check_client(credential)
        try:
            made = self._server().register_complete(kept.state, cast("Mapping[str, object]", credential))  # pyright: ignore[reportUnknownMemberType]
            data = made.credential_data
            if data is None:
                raise ValueError("no key")
            credential_id, public_key = websafe_encode(data.credential_id), cbor.encode(dict(data.public_key))
        except (*_UNREADABLE, InvalidSignature, UnsupportedAlgorithm) as wrong:
            raise _not_verified(credential) from wrong
        now = self._now()
        return Passkey(
            credential_id=credential_id,
            person=person,
            public_key=public_key,
            sign_count=made.counter,
            label=inert_line(label, MAX_LABEL),
            added_at=now,
            added_with=kept.vouched_by,
            active_from=now,
        )

    def assertion(self, keys: Sequence[Passkey] = (), *, bound: str) -> Offer:
        """Return what one of `keys` signs; without keys, any passkey that the authenticator knows for this inbox."""
        from fido2.webauthn import UserVerificationRequirement

        options, state = self._server().authenticate_begin(  # pyright: ignore[reportUnknownMemberType]
            _described(keys) or None, user_verification=UserVerificationRequirement.REQUIRED
        )
        return self._offer("assertion", options, state, bound, "")

    def asserted(self, offer_id: str, credential: object, key: Passkey, handle: str, *, bound: str) -> int:
        """Verify what a browser signed with a key of the person with this handle; return the key's count of signatures.

        Raises:
            PasskeyRefused: It is not the signature of this key for this challenge at this inbox.
        """
        from fido2 import cbor
        from fido2.cose import CoseKey
        from fido2.utils import websafe_decode
        from fido2.webauthn import Aaguid, AttestedCredentialData, AuthenticationResponse

        kept = self._taken("assertion", offer_id, bound)
        self._check_client(credential)
        try:
            known = AttestedCredentialData.create(
                Aaguid.NONE,
                websafe_decode(key.credential_id),
                CoseKey.parse(cast("Mapping[int, object]", cbor.decode(key.public_key))),  # pyright: ignore[reportUnknownMemberType]
            )
            given = AuthenticationResponse.from_dict(cast("Mapping[str, object]", credential))
            self._server().authenticate_complete(kept.state, [known], given)  # pyright: ignore[reportUnknownMemberType]
            if (user := given.response.user_handle) and bytes(user).hex() != handle:
                raise ValueError("the key of another person")
            return given.response.authenticator_data.counter
        except (*_UNREADABLE, InvalidSignature, UnsupportedAlgorithm) as wrong:
            raise _not_verified(credential) from wrong

    def _server(self) -> "Fido2Server":
        from fido2.server import Fido2Server
        from fido2.webauthn import PublicKeyCredentialRpEntity

        party = PublicKeyCredentialRpEntity(id=self.party.id, name="Handoffs")
        return Fido2Server(party, verify_origin=self._is_ours)

    def _is_ours(self, origin: str) -> bool:
        return origin == self.party.origin

    def _offer(self, purpose: str, options: object, state: object, bound: str, vouched_by: str) -> Offer:
        offer_id, now = secrets.token_urlsafe(16), self._now()
        kept = self._kept[bound == STRANGER]
        for old in [each for each, challenge in kept.items() if challenge.expires_at <= now]:
            del kept[old]
        while len(kept) >= _MAX_CHALLENGES:
            del kept[next(iter(kept))]
        kept[offer_id] = _Challenge(
            purpose=purpose, state=state, bound=bound, vouched_by=vouched_by, expires_at=now + CHALLENGE_FOR
        )
        return Offer(id=offer_id, options=dict(cast("Mapping[str, object]", options)))

    def _taken(self, purpose: str, offer_id: str, bound: str) -> _Challenge:
        kept = self._kept[bound == STRANGER].pop(offer_id, None)
        if kept is None or kept.expires_at <= self._now():
            raise PasskeyRefused(say("This took longer than five minutes, or was sent before. Load the page again."))
        if (kept.purpose, kept.bound) != (purpose, bound):
            raise PasskeyRefused(say("This was begun for another invitation or sign-in. Load the page again."))
        return kept

    def _check_client(self, credential: object) -> None:
        """Check where the browser was, for a refusal in words: `fido2` checks the rest of it."""
        data = client_data(credential)
        origin = data.get("origin")
        if origin != self.party.origin:
            shown = inert_line(str(origin), 100)
            raise PasskeyRefused(
                say(
                    "This was signed at {shown}, and passkeys of this inbox count at {origin} alone. "
                    "Nothing was recorded.",
                    shown=shown,
                    origin=self.party.origin,
                )
            )
        if data.get("crossOrigin"):
            raise PasskeyRefused(say("This was signed inside a page of another site. Nothing was recorded."))


def credential_id_of(credential: object) -> str:
    """Return the credential id that a browser named; empty where it named none."""
    named = cast("Mapping[str, object]", credential).get("id") if isinstance(credential, dict) else None
    return named if isinstance(named, str) and len(named) < 2000 else ""


def client_data(credential: object) -> Mapping[str, object]:
    """Return what the browser says of where and for what it signed. Raises PasskeyRefused: it can't be read."""
    from fido2.utils import websafe_decode

    try:
        response = cast("Mapping[str, Mapping[str, str]]", credential)["response"]
        data = json.loads(websafe_decode(response["clientDataJSON"]))
        if isinstance(data, dict):
            return cast("Mapping[str, object]", data)
    except _UNREADABLE as wrong:
        raise _not_verified(credential) from wrong
    raise _not_verified(credential)


def _described(keys: Sequence[Passkey]) -> "list[PublicKeyCredentialDescriptor]":
    from fido2.utils import websafe_decode
    from fido2.webauthn import PublicKeyCredentialDescriptor, PublicKeyCredentialType

    kind = PublicKeyCredentialType.PUBLIC_KEY
    return [PublicKeyCredentialDescriptor(type=kind, id=websafe_decode(each.credential_id)) for each in keys]


def _not_verified(credential: object) -> PasskeyRefused:
    if _unverified_user(credential):
        return PasskeyRefused(
            say(
                "The device did not check that it is you, by a PIN, a fingerprint or the like. Set that up there, or "
                "use another one. Nothing was recorded."
            )
        )
    return PasskeyRefused(say("That could not be verified as a passkey of this inbox. Nothing was recorded."))


def _unverified_user(credential: object) -> bool:
    """Say whether an otherwise readable response lacks the user's verification."""
    from fido2.utils import websafe_decode
    from fido2.webauthn import AttestationObject, AuthenticatorData

    try:
        response = cast("Mapping[str, Mapping[str, str]]", credential)["response"]
        data: AuthenticatorData
        if "authenticatorData" in response and "signature" in response:
            data = AuthenticatorData(websafe_decode(response["authenticatorData"]))
        else:
            data = AttestationObject(websafe_decode(response["attestationObject"])).auth_data
    except _UNREADABLE:
        return False
    return not data.is_user_verified()
