"""The command in a host's entry: it must keep working after updates, and without a shell's PATH."""

import re
import shlex
import shutil
import sys
import sysconfig
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

from handoffs.console import UsageError
from handoffs.extras import in_cache

_OURS = re.compile(r"handoffs(\.exe)?(\[[^]]*\])?([=@~<>!].*)?", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Launch:
    """A program and its arguments."""

    command: str
    args: tuple[str, ...] = ()


def given(written: str, platform: str = sys.platform) -> Launch:
    """Return the command of `--command`, unchanged. Raises UsageError when it is none."""
    try:
        words = shlex.split(written, posix=platform != "win32")
    except ValueError as wrong:
        raise UsageError(f"--command can't be read: {wrong}.") from None
    words = [word[1:-1] if platform == "win32" and word[:1] == word[-1:] == '"' else word for word in words]
    if not words or not words[0]:
        raise UsageError("--command is empty.")
    return Launch(words[0], tuple(words[1:]))


def running(environ: Mapping[str, str]) -> Launch:
    """Return the command of the installation that runs now.

    Raises:
        UsageError: It runs from a cache that may be emptied, and no lasting command is known.
    """
    if in_cache(Path(sys.prefix)):
        return _uvx(environ)
    started = Path(sys.argv[0])
    if started.name.lower() in {"handoffs", "handoffs.exe"}:
        # On Windows the script's own name lacks its ending. A link is not followed: an upgrade may move what is behind.
        script = Path(shutil.which(str(started.absolute())) or "")
        if script.is_absolute():
            return Launch(str(script))
    script = Path(sysconfig.get_path("scripts")) / ("handoffs.exe" if sys.platform == "win32" else "handoffs")
    if script.is_file():
        return Launch(str(script))
    return Launch(sys.executable, ("-m", "handoffs"))


def is_ours(command: object, args: object) -> bool:
    """Say whether a command in a host's configuration starts handoffs."""
    if isinstance(command, Mapping):  # Zed's older form
        command, args = command.get("path"), command.get("args")  # pyright: ignore[reportUnknownVariableType, reportUnknownMemberType]
    words: list[object] = [command, *args] if isinstance(args, Sequence) and not isinstance(args, str) else [command]  # pyright: ignore[reportUnknownArgumentType]
    return any(isinstance(word, str) and _OURS.fullmatch(re.split(r"[/\\]", word)[-1]) for word in words)


def _uvx(environ: Mapping[str, str]) -> Launch:
    uv = environ.get("UV", "")  # uv sets its own path for child processes
    beside = Path(uv).with_name("uvx.exe" if sys.platform == "win32" else "uvx") if uv else None
    uvx = str(beside) if beside is not None and beside.is_file() else shutil.which("uvx")
    try:
        elsewhere = distribution("handoffs").read_text("direct_url.json") is not None
    except PackageNotFoundError:
        elsewhere = True
    if uvx is None or elsewhere:
        raise UsageError(
            "This handoffs runs from a cache, which a host can't count on."
            " Install it (`uv tool install …`), or name the command with --command."
        )
    return Launch(str(Path(uvx).absolute()), ("handoffs",))
