"""Files of an answer in a folder: under names that every system takes, owner-only, over no file that is there.

A file has its name only once it is whole, so a command that is killed leaves no half of one.
"""

import os
import re
import stat
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from handoffs.core.attachment import numbered
from handoffs.core.errors import HandoffError, StoreError
from handoffs.core.model import Handoff
from handoffs.core.untrusted import inert_line

if TYPE_CHECKING:
    from handoffs.client.questions import Questions

_MOST_BYTES = 200
"""Of a name: file systems take 255, and a number may follow."""
_MOST_ENDING = 20

_NOT_EVERYWHERE = re.compile(r'[\x00-\x1f\x7f/\\<>:"|?*]')
# Windows takes them for devices, with any ending.
_DEVICE = re.compile(r"(?:con|prn|aux|nul|(?:com|lpt)[0-9\u00b9\u00b2\u00b3])(?:[. ].*)?", re.IGNORECASE)


@dataclass(frozen=True, kw_only=True, slots=True)
class Saved:
    """A file in the folder."""

    path: Path
    new: bool
    """Whether it was written now; else the same was there."""

    @property
    def told(self) -> str:
        """What is said of it, in a line."""
        return f"{'Written' if self.new else 'There already'}: {inert_line(str(self.path))}"


class NotSaved(Exception):
    """A file is lost, or can't be written. The message says which, and why."""


def not_written(path: Path, error: OSError) -> NotSaved:
    """Return the error that says why something can't be written."""
    return NotSaved(f"{inert_line(str(path))} can't be written: {error.strerror or type(error).__name__}.")


def file_name(name: str) -> str:
    """Return a file's name as every system takes it, and no command takes for an option."""
    safe = _NOT_EVERYWHERE.sub("_", name).rstrip(". ")
    safe = re.sub(r"^-", "_", safe)
    safe = f"_{safe}" if _DEVICE.fullmatch(safe) else safe
    stem, ending = os.path.splitext(safe)
    if len(ending) > _MOST_ENDING:
        stem, ending = safe, ""
    room = _MOST_BYTES - len(ending.encode(errors="ignore"))
    cut = stem.encode(errors="ignore")[:room].decode(errors="ignore")
    return f"{cut}{ending}".rstrip(". ") or "file"


async def fetch_and_save(asking: "Questions", handoff: Handoff, folder: str) -> list[Saved]:
    """Write the files of an answer, once all are there.

    Raises:
        NotSaved: One is lost, or can't be written.
        StoreError: The store can't be used.
    """
    try:
        contents = [await asking.content(handoff, number + 1) for number in range(len(handoff.attachments))]
    except StoreError:
        raise
    except HandoffError as wrong:
        raise NotSaved(str(wrong)) from None
    named = [(each.name, content) for each, content in zip(handoff.attachments, contents, strict=True)]
    import anyio.to_thread  # a command that only asks makes the folder without it

    return await anyio.to_thread.run_sync(save, folder, named)


def ready(written: str) -> Path:
    """Make a folder, for its owner alone, if it is not there; return it. Raises NotSaved."""
    if not written:
        raise NotSaved("Name a folder.")
    folder = Path(written)
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        if not os.access(folder, os.W_OK | os.X_OK):
            raise PermissionError(0, "no file can be made there")
    except OSError as error:
        raise not_written(folder, error) from None
    return folder


def save(written: str, files: Sequence[tuple[str, bytes]]) -> list[Saved]:
    """Write files into a folder, each by its name and content.

    Another file of that name stays, and this one gets a number. Where the same file is there from an earlier run, it is
    not written again.

    Raises:
        NotSaved: One can't be written. Those before it stay.
    """
    folder = ready(written)
    saved: list[Saved] = []
    for name, content in files:
        safe, number = file_name(name), 1
        while True:
            path = folder / (safe if number == 1 else numbered(safe, number))
            number += 1
            if any(path == each.path for each in saved):
                continue
            try:
                if not _is_taken(path):
                    put(path, content)
                    saved.append(Saved(path=path, new=True))
                    break
                if _holds(path, content):
                    saved.append(Saved(path=path, new=False))
                    break
            except FileExistsError:
                continue  # it came in between
            except OSError as error:
                raise not_written(path, error) from None
    return saved


def put(path: Path, content: bytes) -> None:
    """Write a new file, readable for its owner alone. Raises OSError: FileExistsError where something has its name."""
    handle, part = tempfile.mkstemp(prefix=".handoffs-", dir=path.parent)
    try:
        with open(handle, "wb") as file:
            file.write(content)
        try:
            os.link(part, path)  # never over what came in between, nor through a link
        except FileExistsError:
            raise
        except OSError:  # a file system without hard links
            _put_at_once(path, content)
    finally:
        os.unlink(part)


def _put_at_once(path: Path, content: bytes) -> None:
    with open(path, "xb", opener=lambda name, flags: os.open(name, flags, 0o600)) as file:
        try:
            file.write(content)
            file.flush()
        except OSError:
            with suppress(OSError):
                path.unlink()
            raise


def _is_taken(path: Path) -> bool:
    return path.is_symlink() or path.exists()


def _holds(path: Path, content: bytes) -> bool:
    """Say whether a file, and no link, pipe or device, has this content."""
    try:
        found = path.lstat()
        return stat.S_ISREG(found.st_mode) and found.st_size == len(content) and path.read_bytes() == content
    except OSError:
        return False
