"""The keys that pages of the inbox sign their posts with: what a browser brings, and the check of each post.

Cookies know no port: a program at another port of this machine gets the inbox's cookie, too, when the person's browser
goes there. So a browser makes a key that only pages of the inbox's own origin can use and no page can read, and brings
its public half when it signs in. From then on each post of that session carries a signature over its method, its
address, the session, a digest of the body, the time and a number that counts once.

A signature is `TIME.NUMBER.SIGNATURE`: milliseconds since 1970 by the inbox's clock, a random number, and ECDSA with
P-256 and SHA-256 in base64url. It stands in a header; or, where the browser itself sends a form, at the form's end.
"""

import base64
import hashlib
from collections.abc import Callable
from datetime import datetime, timedelta

from starlette.requests import Request
from starlette.types import Message, Receive

from handoffs.core.sentences import say
from handoffs.web.receiving import Unreadable, body_of

HEADER = "handoffs-signed"
"""The header that has the signature of what a script sends."""

FIELD = b"&signed="
"""What comes before the signature at the end of a form."""

CLOCK_HEADER = "Handoffs-Now"
"""The header by which a page whose clock is off learns of the inbox's, in milliseconds."""

GOOD_FOR = timedelta(minutes=2)
"""How far the time in a signature may be from the inbox's."""

_MOST = 10_000
"""How many numbers are kept: more posts than that in four minutes come from no person."""

_MAX_KEY = 200
_MAX_SIGNATURE = 300
_RAW = 64

UNSIGNED = say(
    "This came without the signature of the inbox's own page, and this sign-in demands one. If it was you: load the "
    "page again. Nothing was recorded."
)
NOT_VERIFIED = say(
    "This was not signed with the key that this sign-in is bound to. If it was you, load the page again. If that does "
    "not help, this browser has lost the key: run `handoffs inbox` to sign in again, or sign out and use your passkey. "
    "Nothing was recorded."
)
STALE = say("The time at which this was signed is not the inbox's: load the page again. Nothing was recorded.")
REPLAYED = say("This was sent before, and counts once. Load the page again to see what became of it.")
TOO_MANY = say("Too many posts came within four minutes: wait a little. Nothing was recorded.")
OTHER_KEY = say("This sign-in is bound to the key of another browser.")


class Stale(Unreadable):
    """What was signed is of another time: the page may sign it again, by the inbox's clock."""

    def __init__(self) -> None:
        super().__init__(403, STALE)


def checked_key(written: str) -> str:
    """Return the public key that a browser brought, or nothing if it brought none. Raises Unreadable: it is none."""
    if written and _key(written) is None:
        raise Unreadable(400, say("The key of this browser can't be read. Nothing was recorded."))
    return written


class SignedPosts:
    """Admits the posts of sessions that have a key."""

    def __init__(self, now: Callable[[], datetime]) -> None:
        """Take the clock. What was signed before this moment is refused: which numbers were used then is forgotten."""
        self._now = now
        self._since = _milliseconds(now())
        self._used: dict[tuple[str, str], int] = {}

    async def admitted(self, request: Request, *, session: str, page_key: str) -> Receive:
        """Return the body of a post that was signed with the key of its session, without the signature.

        `session` is the CSRF token. Raises Unreadable, and nothing may be done then.
        """
        body = bytes(await body_of(request))
        signed = request.headers.get(HEADER, "").encode("latin-1")
        if not signed:
            body, found, signed = body.rpartition(FIELD)
            signed = signed if found else b""
        if not signed or len(signed) > _MAX_SIGNATURE:
            raise Unreadable(403, UNSIGNED)
        at, number, signature = _parts(signed)
        message = message_of(request.method, _address(request), session, body, at, number)
        if not _verified(page_key, message, signature):
            raise Unreadable(403, NOT_VERIFIED)
        self._use(session, number, int(at))
        return _replayed(body)

    def clock(self) -> str:
        """Return the time as pages sign it."""
        return str(_milliseconds(self._now()))

    def _use(self, session: str, number: str, at: int) -> None:
        now, most = _milliseconds(self._now()), round(GOOD_FOR.total_seconds() * 1000)
        if at < self._since or abs(now - at) > most:
            raise Stale
        if (session, number) in self._used:
            raise Unreadable(403, REPLAYED)
        if len(self._used) >= _MOST:
            self._used = {key: ends for key, ends in self._used.items() if ends >= now}
            if len(self._used) >= _MOST:
                raise Unreadable(429, TOO_MANY)
        self._used[session, number] = at + most


def message_of(method: str, address: str, session: str, body: bytes, at: str, number: str) -> bytes:
    """Return what a page signs of a post."""
    digest = hashlib.sha256(body).hexdigest()
    return "\n".join(("handoffs inbox post", method, address, session, digest, at, number)).encode()


def _parts(signed: bytes) -> tuple[str, str, bytes]:
    try:
        at, number, signature = signed.decode("ascii").split(".")
        if not (at.isdigit() and len(at) < 16 and len(number) >= 16):
            raise ValueError("no signature")
        return at, number, _decoded(signature)
    except ValueError:
        raise Unreadable(403, NOT_VERIFIED) from None


def _address(request: Request) -> str:
    path = request.scope.get("raw_path") or request.url.path.encode()
    query = request.scope["query_string"]
    return (path + (b"?" + query if query else b"")).decode("latin-1")


def _verified(page_key: str, message: bytes, signature: bytes) -> bool:
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric import ec, utils
    from cryptography.hazmat.primitives.hashes import SHA256

    key = _key(page_key)
    if not isinstance(key, ec.EllipticCurvePublicKey) or len(signature) != _RAW:
        return False
    r, s = (int.from_bytes(half) for half in (signature[: _RAW // 2], signature[_RAW // 2 :]))
    try:
        key.verify(utils.encode_dss_signature(r, s), message, ec.ECDSA(SHA256()))
    except InvalidSignature:
        return False
    return True


def _key(written: str) -> object | None:
    """Return a public key on P-256; None where this is none."""
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.serialization import load_der_public_key

    try:
        key = load_der_public_key(_decoded(written) if len(written) <= _MAX_KEY else b"")
    except (ValueError, UnsupportedAlgorithm):
        return None
    return key if isinstance(key, ec.EllipticCurvePublicKey) and isinstance(key.curve, ec.SECP256R1) else None


def _decoded(written: str) -> bytes:
    return base64.b64decode(written + "=" * (-len(written) % 4), altchars=b"-_", validate=True)


def _replayed(body: bytes) -> Receive:
    """Return what an application receives a body from that was read before."""
    left: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def receive() -> Message:
        # Only a stream of events listens for its end, and that is no post.
        return left.pop() if left else {"type": "http.disconnect"}

    return receive


def _milliseconds(at: datetime) -> int:
    return int(at.timestamp() * 1000)
