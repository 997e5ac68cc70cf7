"""Configuration files: read, backed up, and replaced atomically."""

import contextlib
import os
import stat
import sys
import tempfile
from collections.abc import Generator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from handoffs.console import UsageError

_BOM = "\ufeff"


@dataclass(frozen=True, kw_only=True, slots=True)
class ConfigFile:
    """A configuration as it was read."""

    file: Path
    """The file itself, behind all links."""
    content: bytes | None
    """None where there is no file."""
    text: str
    """Without a byte order mark."""
    mark: str
    """The byte order mark, or nothing."""


def read(path: Path, *, within: Path | None = None) -> ConfigFile:
    """Return the content of a file; a missing file counts as empty.

    Raises:
        UsageError: It can't be read, or is not `within` the folder that it is meant to be in, by way of a link.
    """
    try:
        file = path.resolve()
        if within is not None and not file.is_relative_to(within.resolve()):
            raise UsageError(
                f"{path} leads to {file}, outside of {within}. Nothing was written: change that file itself."
            )
        if not file.exists():
            if path.is_symlink():
                raise UsageError(f"{path} is a link to {file}, which is not there.")
            return ConfigFile(file=file, content=None, text="", mark="")
        if not file.is_file():
            raise UsageError(f"{path} is not a file.")
        content = file.read_bytes()
        text = content.decode()
    except RuntimeError:  # how pathlib reports it
        raise UsageError(f"{path} is a link that leads back to itself.") from None
    except UnicodeDecodeError:
        raise UsageError(f"{path} is not UTF-8. It was left as it is.") from None
    except OSError as wrong:
        raise UsageError(f"{path} can't be read: {wrong.strerror or wrong}.") from None
    mark = _BOM if text.startswith(_BOM) else ""
    return ConfigFile(file=file, content=content, text=text.removeprefix(_BOM), mark=mark)


def write(
    config: ConfigFile, text: str, now: datetime, *, keep_backup: bool = True, private: bool = False
) -> Path | None:
    """Replace the file's text, and return the path of the backup; None without one, or without an old file.

    Mode and owner stay; what is `private` is from then on its owner's alone to read. The file is never half written:
    what reads it finds the old one or the new one.

    Raises:
        UsageError: Another program has changed or locked the file, or it can't be written. It is then unchanged.
    """
    file = config.file
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with _locked(file, config):
            backup = _back_up(config, now) if keep_backup else None
            try:
                _replace(config, (config.mark + text).encode(), private=private)
            except BaseException:
                if backup is not None:  # of what was not replaced
                    backup.unlink(missing_ok=True)
                raise
    except OSError as wrong:
        raise UsageError(f"{file} can't be written: {wrong.strerror or wrong}. It was left as it is.") from None
    return backup


@contextlib.contextmanager
def _locked(file: Path, config: ConfigFile) -> Generator[None]:
    """Hold the lock that others may ask for, while the file is replaced."""
    if config.content is None:
        yield
        return
    if not os.access(file, os.W_OK):
        raise UsageError(f"{file} is write-protected. It was left as it is.")
    with file.open("rb") as handle:
        if sys.platform != "win32":
            import fcntl

            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise UsageError(f"{file} is locked by another program. Try again when it is done.") from None
            except OSError:
                pass  # a file system without locks; what is in the file is compared all the same
        yield


def _back_up(config: ConfigFile, now: datetime) -> Path | None:
    if config.content is None:
        return None
    stamp = f"{now:%Y%m%dT%H%M%SZ}"
    for number in range(1, 1_000):
        name = f"{config.file.name}.handoffs-backup-{stamp}" + ("" if number == 1 else f"-{number}")
        backup = config.file.with_name(name)
        try:
            # Never another's: the name has to be free. Nobody else may read it before it has the file's own mode.
            descriptor = os.open(backup, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), 0o600)
        except FileExistsError:
            continue
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(config.content)
                file.flush()
                os.fsync(file.fileno())
            _like(config.file, backup)
        except OSError:
            backup.unlink(missing_ok=True)
            raise
        return backup
    raise UsageError(f"There are too many backups beside {config.file}: remove some.")


def _replace(config: ConfigFile, content: bytes, *, private: bool) -> None:
    descriptor, name = tempfile.mkstemp(prefix=f".{config.file.name}.", dir=config.file.parent)
    fresh = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        if config.content is not None:
            _like(config.file, fresh)
        if private:
            fresh.chmod(stat.S_IMODE(fresh.stat().st_mode) & ~0o077)
        current = config.file.read_bytes() if config.file.exists() else None
        if current != config.content:
            raise UsageError(f"{config.file} was changed by something else just now. It was left as it is; try again.")
        fresh.replace(config.file)
    finally:
        fresh.unlink(missing_ok=True)
    if sys.platform != "win32":  # where a folder can be opened: the new name is to outlive a power cut, too
        folder = os.open(config.file.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def _like(model: Path, copy: Path) -> None:
    """Give a copy the mode and the owner of its model."""
    had = model.stat()
    if sys.platform != "win32" and (had.st_uid, had.st_gid) != (copy.stat().st_uid, copy.stat().st_gid):
        os.chown(copy, had.st_uid, had.st_gid)
    copy.chmod(stat.S_IMODE(had.st_mode))
