"""Keeps heads of a log outside of it: in a folder, signed by a witness and stamped with the time where that is wanted.

    1042.checkpoint   the signed head of 1,042 entries, with a witness's line (C2SP tlog-witness)
    1042.tsr          an RFC 3161 time stamp of that file

Each head that is kept continues the one before it, or nothing is written: so a log that was written anew is found here.
"""

import re
from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import anyio.to_thread

from handoffs.proof.checkpoint import Checkpoint, opened
from handoffs.proof.files import put
from handoffs.proof.growing import LoggedStore, StoreTiles
from handoffs.proof.merkle import Tree
from handoffs.proof.notes import Note, SigningKey, VerifierKey
from handoffs.proof.proof_checks import verify_consistency
from handoffs.proof.refused import ProofRefused
from handoffs.proof.writing import signed_head

SECONDS = 30.0
"""How long a witness, or who gives time stamps, may take."""

_NAME = re.compile(r"(0|[1-9][0-9]{0,18})\.checkpoint")
_MOST_BYTES = 1_000_000


@dataclass(frozen=True, kw_only=True, slots=True)
class Witness:
    """Who signs heads of logs that continue those they have signed before."""

    url: str
    """What the path `/add-checkpoint` is below."""
    key: VerifierKey


@dataclass(frozen=True, kw_only=True, slots=True)
class Anchored:
    """What was kept."""

    checkpoint: Checkpoint
    files: tuple[Path, ...]
    """Those that were written; none if the log has nothing new."""


async def anchor(
    store: LoggedStore, key: SigningKey, folder: Path, *, witness: Witness | None = None, timestamp_url: str = ""
) -> Anchored:
    """Keep the head of the log in a folder, if it is not kept there yet.

    Raises:
        ProofRefused: The log does not continue the last head that is kept there, the witness does not sign it, or what
            came in place of a time stamp is none.
        OSError: A file can't be read or written.
        StoreError: The store can't be used.
    """
    keys = [key.verifier, *([] if witness is None else [witness.key])]
    last = await anyio.to_thread.run_sync(_last, folder, [key.verifier])
    checkpoint, signed = await signed_head(store, key)
    await _continues(store, last, checkpoint)
    path = folder / f"{checkpoint.size}.checkpoint"
    written: list[Path] = []
    kept = await anyio.to_thread.run_sync(_read, path)
    if kept is not None:
        signed = kept
    if witness is not None and witness.key not in opened(signed, keys).signers:
        signed = await _witnessed(store, checkpoint, signed, witness, 0 if last is None else last.size)
        if witness.key not in opened(signed, keys).signers:
            raise ProofRefused(f"The witness {witness.url} did not sign it with the key that it is known by.")
    if signed != kept:
        await anyio.to_thread.run_sync(put, path, signed)
        written.append(path)
    stamp = path.with_suffix(".tsr")
    if timestamp_url and (signed != kept or not await anyio.to_thread.run_sync(stamp.exists)):
        await anyio.to_thread.run_sync(put, stamp, await _time_stamp(signed, timestamp_url))
        written.append(stamp)
    return Anchored(checkpoint=checkpoint, files=tuple(written))


def _last(folder: Path, keys: Sequence[VerifierKey]) -> Checkpoint | None:
    """Return the newest head that is kept in the folder."""
    sizes = [int(found[1]) for path in folder.glob("*.checkpoint") if (found := _NAME.fullmatch(path.name))]
    if not sizes:
        return None
    path = folder / f"{max(sizes)}.checkpoint"
    kept = opened(_read(path) or b"", keys).checkpoint
    if kept.size != max(sizes):
        raise ProofRefused(f"{path} is the head of {kept.size} entries: it was changed, or has another's name.")
    return kept


async def _continues(store: LoggedStore, last: Checkpoint | None, now: Checkpoint) -> None:
    """Check that the log continues the last head. Raises ProofRefused."""
    if last is None:
        return
    if last.size > now.size:
        raise ProofRefused(f"The log had {last.size} entries and has {now.size} now: it was cut off.")
    proof = await StoreTiles(store.leaves).run(lambda tiles: Tree(now.size, tiles).consistency(last.size))
    verify_consistency(last.size, last.root, now.size, now.root, proof)


async def _witnessed(store: LoggedStore, now: Checkpoint, signed: bytes, witness: Witness, old: int) -> bytes:
    """Return the head with the witness's signature. `old` is the size that it is believed to know."""
    import httpx2  # only where a witness is asked

    for _ in range(2):
        size = old
        proof = await StoreTiles(store.leaves).run(lambda tiles, size=size: Tree(now.size, tiles).consistency(size))
        body = b"".join([b"old %d\n" % old, *(b64encode(each) + b"\n" for each in proof), b"\n", signed])
        try:
            async with httpx2.AsyncClient(timeout=SECONDS) as http:
                reply = await http.post(f"{witness.url.rstrip('/')}/add-checkpoint", content=body)
        except httpx2.HTTPError as wrong:
            raise ProofRefused(f"The witness {witness.url} can't be reached: {type(wrong).__name__}.") from None
        known = reply.text.strip() if reply.status_code == 409 else ""
        if known.isascii() and known.isdecimal() and int(known) <= now.size and int(known) != old:
            old = int(known)  # it knows another head of this log
            continue
        if reply.status_code != 200 or len(reply.content) > _MOST_BYTES:
            raise ProofRefused(f"The witness {witness.url} does not sign this head: status {reply.status_code}.")
        note = Note.parse(signed)
        for each in Note.parse(note.text.encode() + b"\n" + reply.content).signatures:
            note = note.signed(each)
        return note.dumps()
    raise ProofRefused(f"The witness {witness.url} knows another head of this log than it says.")


async def _time_stamp(signed: bytes, url: str) -> bytes:
    """Return the reply of who gives time stamps. Its signature is not verified: that takes their certificate."""
    import httpx2  # only where a time stamp is wanted
    from rfc3161_client import TimestampRequestBuilder, decode_timestamp_response

    request = TimestampRequestBuilder().data(signed).nonce(nonce=True).cert_request(cert_request=True).build()
    headers = {"content-type": "application/timestamp-query"}
    try:
        async with httpx2.AsyncClient(timeout=SECONDS) as http:
            reply = await http.post(url, content=request.as_bytes(), headers=headers)
    except httpx2.HTTPError as wrong:
        raise ProofRefused(f"{url} can't be reached: {type(wrong).__name__}.") from None
    try:
        if reply.status_code != 200 or len(reply.content) > _MOST_BYTES:
            raise ValueError(f"status {reply.status_code}")
        given = decode_timestamp_response(reply.content)
        if given.status not in {0, 1}:
            raise ValueError("; ".join(given.status_string) or f"PKI status {given.status}")
        if given.tst_info.nonce != request.nonce or given.tst_info.message_imprint.message not in _digests(signed):
            raise ValueError("it is of something else")
    except ValueError as wrong:
        raise ProofRefused(f"{url} gave no time stamp of this head: {wrong}.") from None
    return reply.content


def _digests(signed: bytes) -> frozenset[bytes]:
    from hashlib import sha512

    return frozenset((sha256(signed).digest(), sha512(signed).digest()))


def _read(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None
