"""The verifiable log on the command line: its head, its export, and its verification."""

import json
from collections.abc import Awaitable, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TypeVar
from urllib.parse import urlsplit

import anyio.to_thread

from handoffs.assembly import open_desk, store_at
from handoffs.cli.looking import is_there
from handoffs.console import UsageError, failed, print_out
from handoffs.core.display import counted
from handoffs.core.errors import NotFound, StoreError
from handoffs.core.untrusted import inert_line
from handoffs.extras import command_to_add
from handoffs.proof.checkpoint import Checkpoint
from handoffs.proof.decisions import check_alone
from handoffs.proof.growing import head_line
from handoffs.proof.keys import log_key, refuse_inside
from handoffs.proof.notes import SigningKey, VerifierKey
from handoffs.proof.passkeys import PinnedKeys, RelyingParty
from handoffs.proof.pinned_keys import PinnedKeysRefused, parse_pinned_keys
from handoffs.proof.refused import ProofRefused
from handoffs.proof.store_checks import verify_store
from handoffs.proof.verifying import Report, verify_folder
from handoffs.proof.writing import export, proof_of, signed_head
from handoffs.settings import Settings, data_folder

T = TypeVar("T")

_MOST_BYTES = 64_000_000


@dataclass(frozen=True, kw_only=True, slots=True)
class Asked:
    """What is to be verified, and how."""

    place: Path | None
    since: Path | None
    vkey: Path | None
    keys: Path | None
    as_json: bool


def _key(settings: Settings) -> SigningKey:
    """Return the key that signs the log; it is made the first time. Raises StoreError."""
    try:
        return log_key(data_folder(), settings.inbox_url)
    except (OSError, ProofRefused) as wrong:
        raise StoreError(f"The key of the log can't be used: {_words(wrong)}") from None


async def head(settings: Settings, *, vkey: bool, as_json: bool) -> None:
    """Print the signed checkpoint, or the public key."""
    key = await anyio.to_thread.run_sync(_key, settings)
    if vkey:
        print_out(str(key.verifier))
        return
    _there(settings)
    async with store_at(settings.store) as store:
        checkpoint, signed = await _refused(signed_head(store, key))
    if as_json:
        told = _told(checkpoint) | {"checkpoint": signed.decode(), "vkey": str(key.verifier)}
        print_out(json.dumps(told))
        return
    print_out(signed.decode(), end="")


async def exported(settings: Settings, folder: Path, *, words: bool, secret: bool) -> None:
    """Write the log into a folder, or what is new of it."""
    key = await anyio.to_thread.run_sync(_key, settings)
    _there(settings)
    try:
        refuse_inside(folder, data_folder())
        async with store_at(settings.store) as store:
            done = await export(store, folder, key, server_id=_server_id(settings), words=words, secret=secret)
    except (OSError, ProofRefused) as wrong:
        raise StoreError(f"The log can't be exported: {_words(wrong)}") from None
    print_out(
        f"Exported to {folder}: {done.checkpoint.size:,} entries, {done.written:,} new files, "
        f"{done.decisions:,} decisions.\nIts public key, for others: {key.verifier}"
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class Anchors:
    """Where a head is to be kept."""

    folder: Path
    git: bool
    timestamp: str
    witness: str
    key: Path | None


async def anchored(settings: Settings, places: Anchors) -> None:
    """Keep the head of the log outside of it."""
    from handoffs.proof.anchors import Witness, anchor

    for url in filter(None, (places.timestamp, places.witness)):
        if urlsplit(url).scheme not in {"http", "https"} or not urlsplit(url).hostname:
            raise UsageError(f"{inert_line(url)} is no address that begins with http:// or https://")
    if places.timestamp and find_spec("rfc3161_client") is None:
        raise UsageError(f"--timestamp needs the extra timestamp: {command_to_add('timestamp')}")
    key = await anyio.to_thread.run_sync(_key, settings)
    witness = None if places.key is None else Witness(url=places.witness, key=_vkey(settings, places.key))
    _there(settings)
    try:
        async with store_at(settings.store) as store:
            kept = await anchor(store, key, places.folder, witness=witness, timestamp_url=places.timestamp)
    except (OSError, ProofRefused) as wrong:
        raise StoreError(f"The head of the log is not kept: {_words(wrong)}") from None
    head = head_line(kept.checkpoint)
    if places.git and kept.files:
        await _committed(places.folder, [each.name for each in kept.files], f"Log of Handoffs: {head}")
    names = " and ".join(each.name for each in kept.files)
    print_out(f"Kept in {places.folder}: {names} ({head})." if names else f"It is kept there already: {head}.")


async def _committed(folder: Path, names: Sequence[str], message: str) -> None:
    for command in (["add", "--"], ["commit", "--quiet", "--message", message, "--"]):
        try:
            done = await anyio.run_process(["git", "-C", str(folder), *command, *names], check=False)
        except FileNotFoundError:
            raise StoreError("git is not installed: the head is kept, and not committed.") from None
        if done.returncode:
            said = inert_line(done.stderr.decode(errors="replace") or done.stdout.decode(errors="replace"))
            raise StoreError(f"The head is kept in {folder}, and git does not commit it: {said}")


async def proved(settings: Settings, prefix: str, *, secret: bool) -> None:
    """Print one decision with all that is needed to check it, as JSON."""
    if not is_there(settings):
        raise NotFound(prefix)
    key = await anyio.to_thread.run_sync(_key, settings)
    async with store_at(settings.store) as store, open_desk(settings, store=store) as desk:
        handoff = await desk.find(prefix)
        whole = await _refused(proof_of(store, handoff, key, server_id=_server_id(settings), secret=secret))
    print_out(json.dumps(whole, indent=1))


async def verified(settings: Settings, asked: Asked) -> bool:
    """Print what is wrong with a log, and return whether nothing is."""
    keys = [await anyio.to_thread.run_sync(_vkey, settings, asked.vkey)]
    since = None if asked.since is None else await anyio.to_thread.run_sync(_read, asked.since)
    pinned = None if asked.keys is None else _pinned(await anyio.to_thread.run_sync(_read, asked.keys), asked.keys)
    if asked.place is None:
        _there(settings)
        async with store_at(settings.store) as store:
            report = await verify_store(store, keys[0].name, keys, since)
    elif asked.place.is_file():
        written = await anyio.to_thread.run_sync(_read, asked.place)
        return _alone(written, keys, pinned, asked)
    else:
        folder = asked.place
        report = await anyio.to_thread.run_sync(lambda: verify_folder(folder, keys, since, pinned=pinned))
    _print(report, asked)
    return report.ok


def _alone(written: bytes, keys: Sequence[VerifierKey], pinned: PinnedKeys | None, asked: Asked) -> bool:
    found = check_alone(written, keys, pinned=pinned)
    for each in found.problems:
        failed(f"{each}.", 1)
    if asked.as_json:
        print_out(json.dumps({"ok": not found.problems, "handoff": found.handoff, "problems": found.problems}))
    elif not found.problems:
        signed = f", signed by {', '.join(found.signed_by)}" if found.signed_by else ""
        kept = f" The words of {found.closed} are not there." if found.closed else ""
        events = "its one event is" if found.events == 1 else f"all {found.events:,} events are"
        print_out(f"{found.handoff}: {events} in the log{signed}.{kept}")
    return not found.problems


def _print(report: Report, asked: Asked) -> None:
    for each in report.problems:
        failed(str(each), 1)
    head = report.checkpoint
    if asked.as_json:
        told = {} if head is None else _told(head)
        counts: dict[str, object] = {"people": report.people, "erasedPeople": report.erased_people}
        counts |= {"erasedLines": report.erased}
        counts |= {"handoffs": report.handoffs, "decisions": report.decisions, "signed": report.signed}
        print_out(json.dumps({"ok": report.ok, **told, **counts, "problems": list(map(str, report.problems))}))
        return
    if head is None or not report.ok:
        return
    since = ""
    if report.since is not None:
        since = f" It continues the checkpoint of {counted(report.since.size, 'entry', 'entries')}."
    closed = f" In {report.closed:,} of them words were erased or kept back." if report.closed else ""
    signed = f", {report.signed:,} signed with passkeys" if report.signed else ""
    people = f" and {counted(report.people, 'person', 'people')}" if report.people else ""
    erased = ""
    if report.erased_people:
        erased = f" {counted(report.erased_people, 'person was', 'people were')} erased"
        lines = "line" if len(report.erased) == 1 else "lines"
        erased += f": so the words of {lines} {_runs(report.erased)} were." if report.erased else "."
    print_out(
        f"Nothing is wrong with {head.origin}: {counted(head.size, 'entry', 'entries')} of "
        f"{counted(report.handoffs, 'handoff', 'handoffs')}{people}, "
        f"{report.decisions:,} compared word by word{signed}.{closed}{erased}{since}"
    )


def _runs(numbers: Sequence[int]) -> str:
    """Return numbers as runs: `3, 5-8`."""
    runs: list[list[int]] = []
    for each in sorted(numbers):
        if runs and runs[-1][1] == each - 1:
            runs[-1][1] = each
        else:
            runs.append([each, each])
    return ", ".join(str(first) if first == last else f"{first}-{last}" for first, last in runs)


def _vkey(settings: Settings, path: Path | None) -> VerifierKey:
    if path is None:
        return _key(settings).verifier
    try:
        return VerifierKey.parse(_read(path).decode().strip())
    except (ProofRefused, UnicodeDecodeError) as wrong:
        raise UsageError(f"{path} holds no public key of a log: {wrong}") from None


def _pinned(written: bytes, path: Path) -> PinnedKeys:
    try:
        return parse_pinned_keys(written)
    except PinnedKeysRefused as wrong:
        raise UsageError(f"{path} can't be used: {wrong}") from None


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            found = file.read(_MOST_BYTES + 1)
    except OSError as wrong:
        raise UsageError(f"{path} can't be read: {wrong.strerror}.") from None
    if len(found) > _MOST_BYTES:
        raise UsageError(f"{path} is too large.")
    return found


def _told(checkpoint: Checkpoint) -> dict[str, object]:
    return {"origin": checkpoint.origin, "size": checkpoint.size, "root": checkpoint.root.hex()}


async def _refused(work: Awaitable[T]) -> T:
    """Return what the work returns. Raises StoreError in place of ProofRefused."""
    try:
        return await work
    except ProofRefused as wrong:
        raise StoreError(f"The log in the store can't be used: {wrong} `handoffs log verify` says more.") from None


def _words(wrong: OSError | ProofRefused) -> str:
    return f"{wrong.filename}: {wrong.strerror}." if isinstance(wrong, OSError) else str(wrong)


def _server_id(settings: Settings) -> str:
    return RelyingParty.of(settings.inbox_url).server_id


def _there(settings: Settings) -> None:
    if not is_there(settings):
        raise UsageError(f"There is no store yet, so there is no log: {settings.store}")
