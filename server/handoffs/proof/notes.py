"""Signed notes and their keys (C2SP signed-note, v1.0.0), with Ed25519.

A note is a text, a blank line, and one line for each signature:

    — <key name> base64(key id ‖ signature)

A *vkey* is a public key as text, an *skey* a private one (as golang.org/x/mod/sumdb/note writes it):

    <name>+<key id in hex>+base64(kind ‖ public key)
    PRIVATE+KEY+<name>+<key id in hex>+base64(kind ‖ seed)

A log signs the text itself (kind 1). A witness signs it with the time (kind 4, C2SP tlog-cosignature): it has seen that
this head of the log continues the one that it saw before. This program verifies both, and signs as a log.
"""

from base64 import b64decode, b64encode
from collections.abc import Iterable
from dataclasses import dataclass, replace
from hashlib import sha256

from handoffs.proof.refused import ProofRefused

LOG, WITNESS = 1, 4
"""The kinds of keys."""

MAX_NOTE = 1_000_000
"""The most bytes of a note."""
MAX_SIGNATURES = 100

_ID = 4
_KEY = 32
_SIGNATURE = {LOG: 64, WITNESS: 8 + 64}
_DASH = "— "
_PRIVATE = "PRIVATE+KEY+"


@dataclass(frozen=True, kw_only=True, slots=True)
class VerifierKey:
    """A public key."""

    name: str
    public: bytes
    kind: int = LOG

    @property
    def id(self) -> bytes:
        """The four bytes that tell apart the keys of one name."""
        return sha256(b"%b\n%c%b" % (self.name.encode(), self.kind, self.public)).digest()[:_ID]

    def __str__(self) -> str:
        return f"{self.name}+{self.id.hex()}+{_base64(bytes([self.kind]) + self.public)}"

    @classmethod
    def parse(cls, text: str) -> "VerifierKey":
        """Return the key of a vkey. Raises ProofRefused."""
        name, key_id, kind, public = _key_parts(text, "public key")
        if kind not in _SIGNATURE:
            raise ProofRefused(
                f"The public key of {name} is of kind {kind}; {LOG} (log) and {WITNESS} (witness) are read."
            )
        key = cls(name=name, public=public, kind=kind)
        if key.id != key_id:
            raise ProofRefused(f"The public key of {name} has another id than it says: it was changed or cut.")
        return key

    def verifies(self, text: str, signature: bytes) -> bool:
        """Return whether this is the key's signature of a note's text."""
        # Importing it takes a while, and most commands neither verify nor sign.
        from cryptography.exceptions import InvalidSignature
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

        if len(signature) != _SIGNATURE[self.kind]:
            return False
        message = text.encode()
        if self.kind == WITNESS:
            message = _cosigned(int.from_bytes(signature[:8]), message)
        try:
            Ed25519PublicKey.from_public_bytes(self.public).verify(signature[-64:], message)
        except (InvalidSignature, ValueError):
            return False
        return True


@dataclass(frozen=True, slots=True)
class Signature:
    """One signature of a note, of a key that may not be known here."""

    name: str
    key_id: bytes
    signature: bytes

    def __str__(self) -> str:
        return f"{_DASH}{self.name} {_base64(self.key_id + self.signature)}"


class SigningKey:
    """The private key of a log."""

    def __init__(self, name: str, seed: bytes) -> None:
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

        if len(seed) != _KEY:
            raise ProofRefused(f"The private key of {name} has {len(seed)} bytes instead of {_KEY}.")
        self._seed = seed
        self._private = Ed25519PrivateKey.from_private_bytes(seed)
        public = self._private.public_key().public_bytes_raw()
        self.verifier = VerifierKey(name=_checked_name(name), public=public)

    def text(self) -> str:
        """Return it as an skey: a secret. There is no `__str__`, so that no log shows it by accident."""
        key = self.verifier
        return f"{_PRIVATE}{key.name}+{key.id.hex()}+{_base64(bytes([LOG]) + self._seed)}"

    @classmethod
    def parse(cls, text: str) -> "SigningKey":
        """Return the key of an skey. Raises ProofRefused, with nothing of the key in its words."""
        if not text.startswith(_PRIVATE):
            raise ProofRefused("It is no private key: one begins with PRIVATE+KEY+.")
        name, key_id, kind, seed = _key_parts(text.removeprefix(_PRIVATE), "private key")
        if kind != LOG:
            raise ProofRefused(f"The private key of {name} is of kind {kind}; {LOG} is that of a log.")
        key = cls(name, seed)
        if key.verifier.id != key_id:
            raise ProofRefused(f"The private key of {name} has another id than it says: it was changed or cut.")
        return key

    def sign(self, text: str) -> Signature:
        """Return the signature of a note's text."""
        return Signature(self.verifier.name, self.verifier.id, self._private.sign(text.encode()))


@dataclass(frozen=True, slots=True)
class Note:
    """A text and its signatures, none of them verified yet."""

    text: str
    signatures: tuple[Signature, ...] = ()

    def dumps(self) -> bytes:
        """Return the note as bytes."""
        return "".join((self.text, "\n", *(f"{each}\n" for each in self.signatures))).encode()

    @classmethod
    def parse(cls, raw: bytes) -> "Note":
        """Return the note of some bytes. Raises ProofRefused."""
        if len(raw) > MAX_NOTE:
            raise ProofRefused(f"The note has {len(raw)} bytes; {MAX_NOTE} is the most.")
        try:
            whole = raw.decode()
        except UnicodeDecodeError:
            raise ProofRefused("The note is no UTF-8.") from None
        if any(letter < " " and letter != "\n" for letter in whole):
            raise ProofRefused("The note has a control character.")
        body, blank, signed = whole.rpartition("\n\n")
        if not blank or not body or not signed.endswith("\n"):
            raise ProofRefused("The note has no signatures: it ends before them, or was cut.")
        lines = signed[:-1].split("\n")
        if len(lines) > MAX_SIGNATURES:
            raise ProofRefused(f"The note has {len(lines)} signatures; {MAX_SIGNATURES} is the most.")
        return cls(body + "\n", tuple(map(_signature, lines)))

    def signed(self, signature: Signature) -> "Note":
        """Return the note with one more signature."""
        return replace(self, signatures=(*self.signatures, signature))

    def signers(self, keys: Iterable[VerifierKey]) -> tuple[VerifierKey, ...]:
        """Return those of the keys that signed it; signatures of other keys are passed over.

        Raises:
            ProofRefused: None of them signed it, or a signature of one of them is wrong or there twice.
        """
        by_id = {(key.name, key.id): key for key in keys}
        found: list[VerifierKey] = []
        for each in self.signatures:
            key = by_id.get((each.name, each.key_id))
            if key is None:
                continue
            if key in found:
                raise ProofRefused(f"{each.name} signed twice.")
            if not key.verifies(self.text, each.signature):
                raise ProofRefused(f"The signature of {each.name} is not valid: the text or the signature was changed.")
            found.append(key)
        if not found:
            signers = ", ".join(f"{each.name} (key {each.key_id.hex()})" for each in self.signatures)
            raise ProofRefused(f"None of the given keys signed it. It is signed by {signers}.")
        return tuple(found)


def strict_base64(text: str, what: str) -> bytes:
    """Return the bytes of standard Base64. Raises ProofRefused: it is none, or has another form of the same bytes."""
    try:
        found = b64decode(text, validate=True)
    except ValueError:
        found = b""
    if not found or _base64(found) != text:
        raise ProofRefused(f"The {what} is no Base64, or not written in its one standard form.")
    return found


def _base64(raw: bytes) -> str:
    return b64encode(raw).decode()


def _checked_name(name: str) -> str:
    # Names are printed on terminals: nothing that changes the direction of a line, and no half of a character.
    if not name or "+" in name or " " in name or not name.isprintable():
        raise ProofRefused("The name of a key is empty, or has a blank, a plus or a character that can't be printed.")
    return name


def _key_parts(text: str, what: str) -> tuple[str, bytes, int, bytes]:
    name, plus, rest = text.strip().partition("+")
    key_id, second_plus, written = rest.partition("+")
    if not plus or not second_plus:
        raise ProofRefused(f"It is no {what}: one has a name, an id and the key, with plus signs between them.")
    _checked_name(name)
    if len(key_id) != 2 * _ID or any(letter not in "0123456789abcdef" for letter in key_id):
        raise ProofRefused(f"The id of the {what} of {name} is not eight hexadecimal digits.")
    raw = strict_base64(written, what)
    if len(raw) != 1 + _KEY:
        raise ProofRefused(f"The {what} of {name} has {len(raw)} bytes instead of {1 + _KEY}.")
    return name, bytes.fromhex(key_id), raw[0], raw[1:]


def _signature(line: str) -> Signature:
    name, blank, written = line.removeprefix(_DASH).rpartition(" ")
    if not line.startswith(_DASH) or not blank:
        raise ProofRefused("A line after the blank one is no signature.")
    raw = strict_base64(written, f"signature of {_checked_name(name)}")
    if len(raw) <= _ID:
        raise ProofRefused(f"The signature of {name} is too short.")
    return Signature(name, raw[:_ID], raw[_ID:])


def _cosigned(at: int, text: bytes) -> bytes:
    return b"cosignature/v1\ntime %d\n%b" % (at, text)
