"""Snapshots: the real server's replies to a host's first requests, in files that are valid until something changes.

The settings and the running Python give a file its name; its content names the files of packages and configuration that
the answers were made with, by their stamps. It is sealed with a key of this user (HMAC-SHA256), mode 0600 in a folder
of 0700: hosts and models take its content for the server's own words.
"""

import contextlib
import hashlib
import hmac
import json
import os
import sys
import time
from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple, cast

FOLDER = "first-answers"
FORMAT = 1

MAX_ANSWERS = 64
"""The most answers in one file: a dozen clients in both eras. With one more, the file starts anew."""

MAX_FILES = 16
"""The most files that are kept; the oldest are removed."""

MAX_BYTES = 4_194_304

_KEY = "key"
_NAMED = ("HOME", "USERPROFILE", "APPDATA", "LOCALAPPDATA", "PATH", "USER", "LOGNAME")
_PREFIXES = ("HANDOFFS_", "XDG_", "PYTHON")


class SnapshotFile(NamedTuple):
    """The location of the snapshot for this process's settings and Python."""

    path: str
    key: bytes
    began: int
    """When the process began, in nanoseconds since 1970. It may have read files changed later before or after that."""


def file_of(data: str, environ: Mapping[str, str]) -> SnapshotFile | None:
    """Return the location below a data folder; None if no file can be kept there safely."""
    folder = os.path.join(data, FOLDER)
    key = _key_in(folder)
    if key is None:
        return None
    settings = {name: value for name, value in environ.items() if name in _NAMED or name.upper().startswith(_PREFIXES)}
    # A file in the working folder, where `python -m` looks for modules, is no installation.
    imported = [[each, 0 if _is_here(each) else _changed(each)] for each in sys.path]
    found_by = [FORMAT, sys.version, sys.executable, imported, settings]
    # Keyed: a setting can be a password, and the name of a file is no secret.
    name = hmac.digest(key, json.dumps(found_by, sort_keys=True).encode(), "sha256").hex()
    return SnapshotFile(os.path.join(folder, f"{name}.json"), key, time.time_ns())


def load(file: SnapshotFile, *, max_bytes: int = MAX_BYTES) -> dict[str, str] | None:
    """Return the answers as JSON, by the key of their request; None if there are no valid ones."""
    body = _sealed_in(file, max_bytes)
    if body is None:
        return None
    kept = cast("dict[str, dict[str, str]]", json.loads(body))
    if any(stamp_of(path) != stamp for path, stamp in kept["stamps"].items()):
        return None
    return kept["answers"]


def save(file: SnapshotFile, answers: Mapping[str, str], stamped: Iterable[str]) -> None:
    """Add answers to the valid ones that are there, unless the stamped files and folders have changed since the start.

    Raises:
        OSError: The file can't be written.
    """
    stamped = list(stamped)
    if any(_last_changed(path) > file.began for path in stamped):
        return
    before = load(file) or {}
    together = {**before, **answers}
    if len(together) > MAX_ANSWERS:
        together = dict(answers)
    kept = {"stamps": {path: stamp_of(path) for path in stamped}, "answers": together}
    body = json.dumps(kept).encode()
    _replace(file.path, _seal(file.key, body) + b"\n" + body)
    _prune(os.path.dirname(file.path))


def remove(file: SnapshotFile) -> None:
    """Remove the snapshot, if there is one."""
    with contextlib.suppress(OSError):
        os.unlink(file.path)


def stamp_of(path: str) -> str:
    """Return a stamp of a file, or of all files below a folder: names, sizes and times, without bytecode."""
    if not os.path.isdir(path):
        try:
            with open(path, "rb") as file:
                return hashlib.sha256(file.read()).hexdigest()
        except OSError:
            return ""  # it does not exist
    return hashlib.sha256("\n".join(sorted(_files(path, ""))).encode("utf-8", "surrogateescape")).hexdigest()


def _last_changed(path: str) -> int:
    """Return when a file, or any file below a folder, last changed; without bytecode."""
    if not os.path.isdir(path):
        return _changed(path)
    with os.scandir(path) as entries:
        return max((_last_changed(entry.path) for entry in entries if entry.name != "__pycache__"), default=0)


def _files(folder: str, below: str) -> Iterator[str]:
    with os.scandir(folder) as entries:
        for entry in entries:
            name = f"{below}/{entry.name}"
            if entry.is_dir():
                if entry.name != "__pycache__":
                    yield from _files(entry.path, name)
            else:
                status = entry.stat()
                yield f"{name} {status.st_size} {status.st_mtime_ns}"


def _is_here(path: str) -> bool:
    with contextlib.suppress(OSError):
        return not path or os.path.samefile(path, ".")
    return False


def _changed(path: str) -> int:
    """Return when an entry of a folder of packages was last added or removed: every installation does so."""
    try:
        return os.stat(path or ".").st_mtime_ns
    except OSError:
        return 0


def _key_in(folder: str) -> bytes | None:
    """Return this user's key, which the first start makes; None if the folder is not private."""
    path = os.path.join(folder, _KEY)
    try:
        os.makedirs(folder, mode=0o700, exist_ok=True)
        status = os.stat(folder)
        if status.st_uid != os.geteuid() or status.st_mode & 0o022:
            return None
        key = _read(path)
        if key is None:
            _replace(path, os.urandom(32), over=False)
            key = _read(path)
    except OSError:
        return None
    return key if key is not None and len(key) == 32 else None


def _sealed_in(file: SnapshotFile, max_bytes: int) -> bytes | None:
    try:
        written = _read(file.path, max_bytes) or b""
    except OSError:
        return None
    seal, _, body = written.partition(b"\n")
    return body if hmac.compare_digest(seal, _seal(file.key, body)) else None


def _seal(key: bytes, body: bytes) -> bytes:
    return hmac.digest(key, body, "sha256").hex().encode()


def _read(path: str, max_bytes: int = MAX_BYTES) -> bytes | None:
    """Return a file's bytes; None where it is not there, or others may read or write it."""
    try:
        file = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    try:
        status = os.fstat(file)
        if status.st_uid != os.geteuid() or status.st_mode & 0o077 or status.st_size > max_bytes:
            return None
        return os.read(file, max_bytes)
    finally:
        os.close(file)


def _replace(path: str, content: bytes, *, over: bool = True) -> None:
    fresh = f"{path}.{os.urandom(4).hex()}"
    try:
        file = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with open(file, "wb") as written:
            written.write(content)
        if over:
            os.replace(fresh, path)
        else:
            with contextlib.suppress(FileExistsError):
                os.link(fresh, path)  # a file that another process made at the same time stays
    finally:
        with contextlib.suppress(OSError):
            os.unlink(fresh)


def _prune(folder: str) -> None:
    with os.scandir(folder) as entries:
        files = [(entry.stat().st_mtime_ns, entry.path) for entry in entries if entry.name.endswith(".json")]
    for _, path in sorted(files)[:-MAX_FILES]:
        with contextlib.suppress(OSError):
            os.unlink(path)
