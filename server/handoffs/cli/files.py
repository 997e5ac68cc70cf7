"""Files of answers on the command line: read for `answer --attach`, written by `show --save`."""

import mimetypes
from collections.abc import Sequence
from pathlib import Path

import anyio

from handoffs.assembly import open_desk
from handoffs.cli.looking import is_there
from handoffs.cli.saved_files import file_name, put
from handoffs.console import UsageError, print_out
from handoffs.core.attachment import BOUNDS, MAX_BYTES, MAX_FILES, GivenFile
from handoffs.core.errors import NotFound
from handoffs.core.untrusted import inert_line
from handoffs.settings import Settings


async def read_files(paths: Sequence[Path]) -> list[GivenFile]:
    """Return the files at these paths, no more of them than an answer takes. Raises UsageError."""
    if len(paths) > MAX_FILES:
        raise UsageError(f"Nothing was recorded: an answer takes {BOUNDS}, and --attach names {len(paths)}.")
    given: list[GivenFile] = []
    left = MAX_BYTES
    for path in paths:
        try:
            content = await anyio.to_thread.run_sync(_read, path, left + 1)
        except OSError as error:
            why = error.strerror or type(error).__name__
            raise UsageError(f"Nothing was recorded: {inert_line(str(path))} can't be read: {why}.") from None
        left -= len(content)
        if left < 0:
            raise UsageError(f"Nothing was recorded: an answer takes {BOUNDS}, and these files are larger.")
        given.append(GivenFile(name=path.name, declared=mimetypes.guess_type(path.name)[0] or "", content=content))
    return given


async def saved(settings: Settings, prefix: str, folder: Path) -> None:
    """Write the files of an answer into a folder, which is made if it is not there. No file there is changed.

    Raises:
        UsageError: The answer has no files, one of that name is there, or the folder can't be written.
        FileChanged: One is not in the store as the person gave it. Nothing was written.
    """
    if not is_there(settings):
        raise NotFound(prefix)
    async with open_desk(settings) as desk:
        handoff = await desk.find(prefix)
        if not handoff.attachments:
            raise UsageError(f"No files came with an answer to {handoff.id}. Nothing was written.")
        await desk.check_proof(handoff)
        contents = [await desk.content(handoff, number + 1) for number in range(len(handoff.attachments))]
    paths = [folder / file_name(each.name) for each in handoff.attachments]
    await anyio.to_thread.run_sync(_write, folder, paths, contents)


def _read(path: Path, most: int) -> bytes:
    if not path.is_file():  # a pipe or a device may never end
        raise OSError(0, "it is no file" if path.exists() else "it is not there")
    with path.open("rb") as file:
        return file.read(most)


def _write(folder: Path, paths: Sequence[Path], contents: Sequence[bytes]) -> None:
    path = folder
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        for path in paths:
            if path.is_symlink() or path.exists():
                raise FileExistsError(0, "it is there already, and nothing is written over: name another folder")
        for path, content in zip(paths, contents, strict=True):
            put(path, content)
            print_out(f"Written: {inert_line(str(path))}")
    except OSError as error:
        why = error.strerror or type(error).__name__
        raise UsageError(f"{inert_line(str(path))} can't be written: {why}.") from None
