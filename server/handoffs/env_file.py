"""A working folder's `.env`: what it may say, and what it says beyond that.

Whoever wrote the repository wrote the file. So it may name the model of an agent and that model's keys, and nothing
that decides where questions go, who may answer them or who is told. That comes from the environment, or from the
person's own configuration.
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
"""How long a file may be; a longer one is nobody's settings."""

_TAKEN = re.compile(r"HANDOFFS_MODEL|(?!HANDOFFS_)[A-Z0-9_]+_API_(KEY|BASE)", re.IGNORECASE)


def text_of(path: Path) -> str:
    """Return what is in a file, without a byte order mark; nothing where it is none, or can't be read as text."""
    try:
        if not path.is_file() or path.stat().st_size > MAX_BYTES:  # a pipe would have us wait
            return ""
        return path.read_text("utf-8-sig")
    except (OSError, ValueError):
        return ""


def values(path: Path, *, interpolate: bool = False) -> Mapping[str, str]:
    """Return every variable that a file gives a value.

    Without `interpolate`, a value is what is written: one that named other variables could carry them elsewhere.
    """
    text = text_of(path)
    if not text:
        return {}
    from dotenv import dotenv_values  # most folders have no such file

    return {
        name: value for name, value in dotenv_values(stream=io.StringIO(text), interpolate=interpolate).items() if value
    }


def is_taken(name: str) -> bool:
    """Say whether a variable is one that such a file may set: a model, or its key or address."""
    return _TAKEN.fullmatch(name) is not None


def taken(path: Path) -> dict[str, str]:
    """Return the variables of a file that it may set."""
    return {name: value for name, value in values(path).items() if is_taken(name)}


def left_out(path: Path) -> dict[str, str]:
    """Return the variables of a file that are named like settings of handoffs, and that it may not set."""
    return {name: value for name, value in values(path).items() if _is_ours(name) and not is_taken(name)}


def load(path: Path) -> None:
    """Put what a file may set into the environment of this process, where the name is not there yet."""
    for name, value in taken(path).items():
        os.environ.setdefault(name, value)


def nearest(folder: Path) -> Path | None:
    """Return the file in a folder, or in one above it."""
    return next((path for each in (folder, *folder.parents) if (path := each / NAME).is_file()), None)


def program_folder() -> Path:
    """Return the folder of the program that runs; where it is typed by a person, the working folder."""
    program = getattr(sys.modules.get("__main__"), "__file__", None)
    return Path(program).resolve().parent if isinstance(program, str) else Path.cwd()


def without_loaded(environ: Mapping[str, str]) -> dict[str, str]:
    """Return an environment without the settings of handoffs that came into it from a `.env`.

    Programs load such files themselves (`load_dotenv()`), and libraries do so when they are imported (litellm does). A
    setting that the process was started with was the person's own, and stays.
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
    """The folders in which a program looks: its own, that it runs in, that of its packages, and those above them."""
    for start in (Path.cwd(), program_folder(), Path(sys.prefix)):
        yield from (start, *start.parents)


def _is_ours(name: str) -> bool:
    return name.upper().startswith(OURS)


def _first_environment() -> Mapping[str, str]:
    """The environment that this process was started with, or as near to it as this system tells."""
    try:
        written = Path("/proc/self/environ").read_bytes()
    except OSError:
        return dict(os.environ)
    pairs = (os.fsdecode(pair).partition("=") for pair in written.split(b"\0"))
    return {name: value for name, mark, value in pairs if mark}


_FIRST = _first_environment()


def _started_with(name: str) -> str | None:
    return _FIRST.get(name)
