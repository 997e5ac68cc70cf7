"""Checkpoints (C2SP tlog-checkpoint): how many entries a log has, and the root over all of them, as a signed note.

<origin: the name of the log>
<number of entries>
<base64 of the root>
<extension lines, of which this program writes none>
"""

import re
from base64 import b64encode
from collections.abc import Iterable
from dataclasses import dataclass

from handoffs.proof.merkle import HASH
from handoffs.proof.notes import LOG, Note, SigningKey, VerifierKey, strict_base64
from handoffs.proof.refused import ProofRefused

MAX_SIZE = 2**63 - 1

_DECIMAL = re.compile(r"0|[1-9][0-9]{0,18}")


@dataclass(frozen=True, kw_only=True, slots=True)
class Checkpoint:
    """A head of a log. Nothing in it is verified."""

    origin: str
    size: int
    root: bytes
    extensions: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        """The text that is signed."""
        lines = (self.origin, str(self.size), b64encode(self.root).decode(), *self.extensions)
        return "".join(f"{line}\n" for line in lines)

    @classmethod
    def parse(cls, text: str) -> "Checkpoint":
        """Return the checkpoint of a note's text. Raises ProofRefused."""
        lines = text.split("\n")
        if len(lines) < 4 or lines.pop() or not all(lines):
            raise ProofRefused("It is no checkpoint: one has three lines or more, and none of them is empty.")
        origin, size, root, *extensions = lines
        if not origin.isprintable():
            raise ProofRefused("The name of the log has a character that can't be printed.")
        if _DECIMAL.fullmatch(size) is None or int(size) > MAX_SIZE:
            raise ProofRefused("The size of the checkpoint is no whole number as it should be written.")
        found = strict_base64(root, "root of the checkpoint")
        if len(found) != HASH:
            raise ProofRefused(f"The root of the checkpoint has {len(found)} bytes instead of {HASH}.")
        return cls(origin=origin, size=int(size), root=found, extensions=tuple(extensions))

    def signed(self, key: SigningKey) -> bytes:
        """Return it as a note that the log's key signed. Raises ProofRefused: the key is of another log."""
        if key.verifier.name != self.origin:
            raise ProofRefused(f"The key of {key.verifier.name} signs no checkpoint of {self.origin}.")
        note = Note(self.text)
        return note.signed(key.sign(note.text)).dumps()


@dataclass(frozen=True, kw_only=True, slots=True)
class SignedCheckpoint:
    """A checkpoint with the keys that signed it; made by `opened`."""

    checkpoint: Checkpoint
    signers: tuple[VerifierKey, ...]
    """The given keys that signed it: the log's, and those of witnesses."""


def opened(raw: bytes, keys: Iterable[VerifierKey]) -> SignedCheckpoint:
    """Return the checkpoint of a note, once a key of its log is known to have signed it.

    Raises:
        ProofRefused: It is malformed, a signature of one of these keys is wrong, or the log itself did not sign it.
    """
    note = Note.parse(raw)
    signers = note.signers(keys)
    checkpoint = Checkpoint.parse(note.text)
    if not any(key.kind == LOG and key.name == checkpoint.origin for key in signers):
        raise ProofRefused(f"The log {checkpoint.origin} itself did not sign it with one of the given keys.")
    return SignedCheckpoint(checkpoint=checkpoint, signers=signers)
