"""An authenticator in software: keys of ES256 and EdDSA, and assertions as a browser hands them over."""

import base64
import json
import struct
from dataclasses import dataclass, field, replace
from datetime import datetime
from hashlib import sha256

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from fido2 import cbor

from handoffs.core.decision import Assertion, Decision
from handoffs.core.passkey import Passkey

PRESENT, VERIFIED = 0x01, 0x04
ORIGIN = "https://inbox.example.com"


def encoded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


@dataclass
class Authenticator:
    """One key, and what it and the browser say of themselves with each signature."""

    key: ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey = field(
        default_factory=lambda: ec.generate_private_key(ec.SECP256R1())
    )
    credential_id: str = "Y3JlZGVudGlhbA"
    rp_id: str = "inbox.example.com"
    origin: str = ORIGIN
    type: str = "webauthn.get"
    flags: int = PRESENT | VERIFIED
    counter: int = 0
    crossed: bool = False

    @property
    def cose(self) -> bytes:
        """The public key."""
        if isinstance(self.key, ed25519.Ed25519PrivateKey):
            return cbor.encode({1: 1, 3: -8, -1: 6, -2: self.key.public_key().public_bytes_raw()})
        point = self.key.public_key().public_numbers()
        return cbor.encode({1: 2, 3: -7, -1: 1, -2: point.x.to_bytes(32), -3: point.y.to_bytes(32)})

    def enrolled(self, person: str, at: datetime) -> Passkey:
        return Passkey(
            credential_id=self.credential_id, person=person, public_key=self.cose, added_at=at, active_from=at
        )

    def sign(self, decision: Decision, **otherwise: object) -> Assertion:
        """Return the assertion of a decision; `otherwise` is what this once is another than usual."""
        with_changes = replace(self, **otherwise)
        return with_changes._sign(decision)

    def response(self, challenge: str) -> dict[str, str]:
        """Return what a browser hands over, as it writes it."""
        said, client, signature = self._signed(challenge)
        return {
            "authenticatorData": encoded(said),
            "clientDataJSON": encoded(client),
            "signature": encoded(signature),
        }

    def _sign(self, decision: Decision) -> Assertion:
        said, client, signature = self._signed(encoded(decision.challenge))
        return Assertion(
            credential_id=self.credential_id,
            authenticator_data=said,
            client_data=client,
            signature=signature,
            ticket=decision.ticket,
        )

    def _signed(self, challenge: str) -> tuple[bytes, bytes, bytes]:
        client = json.dumps(
            {"type": self.type, "challenge": challenge, "origin": self.origin, "crossOrigin": self.crossed}
        ).encode()
        said = sha256(self.rp_id.encode()).digest() + struct.pack(">BI", self.flags, self.counter)
        message = said + sha256(client).digest()
        if isinstance(self.key, ed25519.Ed25519PrivateKey):
            signature = self.key.sign(message)
        else:
            signature = self.key.sign(message, ec.ECDSA(hashes.SHA256()))
        return said, client, signature
