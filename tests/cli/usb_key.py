"""A stand-in for a USB security key, which can't be had here: the commands of CTAP 2.1 that an assertion takes.

From the Client to Authenticator Protocol 2.1: authenticatorGetAssertion (6.2), authenticatorGetInfo (6.4),
authenticatorClientPIN with protocol 2 (6.5.7). A real key is reached by HID; here its messages are handed over.
"""

import hmac
import struct
from collections.abc import Callable, Iterator
from hashlib import sha256
from threading import Event
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from fido2 import cbor
from fido2.ctap import CtapDevice
from fido2.ctap2.pin import PinProtocolV2
from fido2.hid import CAPABILITY
from fido2.utils import websafe_decode

from tests.proof.authenticator import PRESENT, VERIFIED, Authenticator

PIN_INVALID, NO_CREDENTIALS, CANCELLED, NOT_ALLOWED = b"\x31", b"\x2e", b"\x2d", b"\x36"
_TOKEN = bytes(range(32))


class UsbKey(CtapDevice):
    """One key with passkeys of some people. It is touched at once, unless it is left alone."""

    def __init__(self, *held: tuple[str, Authenticator], pin: str = "", finger: bool = False) -> None:
        self.held, self.pin, self.finger = held, pin, finger
        self.touched = True
        self.closed = False
        self._protocol, self._own = PinProtocolV2(), ec.generate_private_key(ec.SECP256R1())
        self._more: list[bytes] = []

    @property
    def capabilities(self) -> int:
        return CAPABILITY.CBOR

    @classmethod
    def list_devices(cls) -> Iterator["UsbKey"]:
        return iter(())

    def close(self) -> None:
        self.closed = True

    def call(
        self,
        cmd: int,
        data: bytes = b"",
        event: Event | None = None,
        on_keepalive: Callable[[Any], None] | None = None,
    ) -> bytes:
        command, given = data[0], cbor.decode(data[1:]) if data[1:] else {}
        match command:
            case 0x04:
                options = {"rk": True, "up": True}
                if self.pin:
                    options |= {"clientPin": True, "pinUvAuthToken": True}
                if self.finger:
                    options["uv"] = True
                return _said({1: ["FIDO_2_0", "FIDO_2_1"], 3: bytes(16), 4: options, 6: [2]})
            case 0x06:
                return self._pin(given)
            case 0x08:
                return self._more.pop(0)
            case _:
                return self._assertion(given, event, on_keepalive)

    def _pin(self, given: Any) -> bytes:
        if given[2] == 0x02:
            point = self._own.public_key().public_numbers()
            own = {1: 2, 3: -25, -1: 1, -2: point.x.to_bytes(32), -3: point.y.to_bytes(32)}
            return _said({1: own})
        assert (given[2], given[9], given[10] != "") == (0x09, 0x02, True)  # a token to assert, for one party
        x, y = int.from_bytes(given[3][-2]), int.from_bytes(given[3][-3])
        theirs = ec.EllipticCurvePublicNumbers(x, y, ec.SECP256R1()).public_key()
        shared = self._protocol.kdf(self._own.exchange(ec.ECDH(), theirs))
        if self._protocol.decrypt(shared, given[6]) != sha256(self.pin.encode()).digest()[:16]:
            return PIN_INVALID
        return _said({2: self._protocol.encrypt(shared, _TOKEN)})

    def _assertion(self, given: Any, event: Event | None, on_keepalive: Callable[[Any], None] | None) -> bytes:
        verified = bool(self.finger and given.get(5, {}).get("uv"))
        if 6 in given:
            assert hmac.compare_digest(given[6], hmac.digest(_TOKEN, given[2], "sha256"))
            verified = True
        if not verified:
            return NOT_ALLOWED
        if on_keepalive is not None:
            on_keepalive(2)  # it waits for a touch
        if not self.touched:
            assert event is not None
            event.wait(30)
            return CANCELLED
        found = [each for each in self.held if each[1].rp_id == given[1]]
        if not found:
            return NO_CREDENTIALS
        signed = [self._signed(name, each, given[2], len(found)) for name, each in found]
        first, *self._more = (_said(each) for each in signed)
        return first

    @staticmethod
    def _signed(name: str, held: Authenticator, client: bytes, count: int) -> dict[int, object]:
        held.counter += 1
        said = sha256(held.rp_id.encode()).digest() + struct.pack(">BI", PRESENT | VERIFIED, held.counter)
        assert isinstance(held.key, ec.EllipticCurvePrivateKey)
        user = {"id": name.encode()} | ({"name": name, "displayName": name} if count > 1 else {})
        said_of: dict[int, object] = {
            1: {"id": websafe_decode(held.credential_id), "type": "public-key"},
            2: said,
            3: held.key.sign(said + client, ec.ECDSA(hashes.SHA256())),
            4: user,
        }
        return said_of | ({5: count} if count > 1 else {})


def _said(value: dict[int, object]) -> bytes:
    return b"\0" + cbor.encode(value)
