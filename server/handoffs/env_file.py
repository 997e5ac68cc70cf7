"""The `.env` of a working folder: the variables that it may set, and those that it may not.

The file comes from the author of the repository. So it may name the model of an agent and that model's keys, but
nothing that decides where questions go, who may answer them or who is notified. Those settings come from the
environment, or from the person's own configuration.
"""

import io
import os
import re
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

NAME = ".env"
OURS = "HANDOFFS_"

MAX_BYTES = 1_000_000
"""The most bytes of a file; a longer one holds no settings."""

_TAKEN = re.compile(r"HANDOFFS_MODEL|(?!HANDOFFS_)[A-Z0-9_]+_API_(KEY|BASE)", re.IGNORECASE)


def text_of(path: Path) -> str:
    """Return the text of a file, without a byte order mark; empty if there is no such file, or it is no text."""
    try:
        if not path.is_file() or path.stat().st_size > MAX_BYTES:  # reading a pipe would block
            return ""
        return path.read_text("utf-8-sig")
    except (OSError, ValueError):
        return ""


def values(path: Path, *, interpolate: bool = False) -> Mapping[str, str]:
    """Return all variables that a file gives a value.

    Without `interpolate`, values are literal: a value that named other variables could leak them.
    """
    text = text_of(path)
    if not text:
        return {}
    from dotenv import dotenv_values  # deferred: most folders have no such file

    return {
        name: value for name, value in dotenv_values(stream=io.StringIO(text), interpolate=interpolate).items() if value
    }


def is_taken(name: str) -> bool:
    """Return whether a `.env` may set a variable: a model, its key or its address."""
    return _TAKEN.fullmatch(name) is not None


def taken(path: Path) -> dict[str, str]:
    """Return the variables of a file that it may set."""
    return {name: value for name, value in values(path).items() if is_taken(name)}


def left_out(path: Path) -> dict[str, str]:
    """Return the variables of a file that are named like settings of handoffs, and that it may not set."""
    return {name: value for name, value in values(path).items() if _is_ours(name) and not is_taken(name)}


def load(path: Path) -> None:
    """Set the allowed variables of a file in this process's environment, unless they are set already."""
    for name, value in taken(path).items():
        os.environ.setdefault(name, value)


def nearest(folder: Path) -> Path | None:
    """Return the path of the file in a folder, or in the nearest folder above it."""
    return next((path for each in (folder, *folder.parents) if (path := each / NAME).is_file()), None)


def program_folder() -> Path:
    """Return the folder of the running program; for an interactive Python, the working folder."""
    program = getattr(sys.modules.get("__main__"), "__file__", None)
    return Path(program).resolve().parent if isinstance(program, str) else Path.cwd()


def without_loaded(environ: Mapping[str, str]) -> dict[str, str]:
    """Return an environment without settings of handoffs that a `.env` has added to it.

    Programs load such files themselves (`load_dotenv()`), and some libraries when they are imported (litellm). A
    setting that the process was started with came from the person, and stays.
    """
    loaded = _could_be_loaded()
    return {
        name: value
        for name, value in environ.items()
        if not _is_ours(name) or is_taken(name) or value not in loaded.get(name, ()) or _started_with(name) == value
    }


def _could_be_loaded() -> Mapping[str, set[str]]:
    found: dict[str, set[str]] = {}
    for folder in dict.fromkeys(_folders()):
        for interpolate in (False, True):
            for name, value in values(folder / NAME, interpolate=interpolate).items():
                found.setdefault(name, set()).add(value)
    return found


def _folders() -> Iterator[Path]:
    """Yield the folders in which programs look: their own, the working folder, that of packages, and those above."""
    for start in (Path.cwd(), program_folder(), Path(sys.prefix)):
        yield from (start, *start.parents)


def _is_ours(name: str) -> bool:
    return name.upper().startswith(OURS)


def _first_environment() -> Mapping[str, str]:
    """Return the environment that this process was started with, as far as the system tells."""
    try:
        written = Path("/proc/self/environ").read_bytes()
    except OSError:
        return dict(os.environ)
    pairs = (os.fsdecode(pair).partition("=") for pair in written.split(b"\0"))
    return {name: value for name, mark, value in pairs if mark}


_FIRST = _first_environment()


def _started_with(name: str) -> str | None:
    return _FIRST.get(name)
