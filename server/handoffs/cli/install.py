"""`handoffs install`: a person is shown what would change in a host's configuration, and says whether it may."""

import difflib
import os
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import takewhile
from pathlib import Path

from handoffs.cli.ending import UsageError, put
from handoffs.cli.installing import launching, planning, writing
from handoffs.cli.installing.finding import installed
from handoffs.cli.installing.hosts import HOSTS, NAME, Host, find
from handoffs.cli.installing.texts import Unreadable
from handoffs.core.untrusted import inert, inert_line

_LINE = 160
_CONTEXT = 2
_ALIKE = 40
_OURS = {key for host in HOSTS for key in (host.command, "args", *host.fixed, host.limit.key if host.limit else "args")}


@dataclass(frozen=True, kw_only=True, slots=True)
class Wish:
    """What was asked for on the command line."""

    host: str
    project: bool = False
    remove: bool = False
    print_only: bool = False
    yes: bool = False
    force: bool = False
    command: str | None = None


def run(wish: Wish) -> None:
    """Install in one host, or remove. Raises UsageError for everything that was not done."""
    if wish.remove and (wish.print_only or wish.command is not None):
        raise UsageError("--remove goes without --print and --command.")
    host = find(wish.host)
    path = _file(host, project=wish.project)
    if wish.print_only:
        put(planning.snippet(host, _launch(wish)), end="")
        return
    kept = writing.read(path)
    try:
        if wish.remove:
            plan = planning.to_remove(host, kept.text, force=wish.force)
        else:
            plan = planning.to_install(host, kept.text, _launch(wish), force=wish.force)
    except Unreadable as wrong:
        raise UsageError(f"{path}: {inert_line(str(wrong))}. It was left as it is.") from None
    if not plan.changes:
        put(f"{host.title} has no handoffs in {path}." if wish.remove else f"{host.title} has it already: {path}")
        return
    for line in difference(str(path), plan.before, plan.after):
        put(line)
    _agree(path, yes=wish.yes)
    backup = writing.write(kept, plan.after, datetime.now(UTC))
    put(f"\nWritten: {path}" + (f"\nAs it was: {backup}" if backup is not None else ""))
    if wish.remove:
        put(f"Start {host.title} again, so that it forgets the server.")
        return
    put(_patience(host, plan))
    if wish.project and wish.command is None:
        put("The command in it is one of this machine. For a file that others use, give --command handoffs.")
    entry = planning.found(host, plan.after)
    if entry is not None and not entry.enabled:
        put(f"It is switched off in {host.title}, and stays so.")
    put(host.then)


def tell() -> None:
    """List the hosts, with the file of each and whether handoffs is in it."""
    put("handoffs install HOST puts handoffs into one of these, and shows you the difference first.\n")
    wide = max(len(host.name) for host in HOSTS)
    for host in HOSTS:
        try:
            path = _file(host, project=False)
            state = _state(host, path)
        except UsageError as wrong:
            path, state = None, inert_line(str(wrong))
        put(f"{host.name:<{wide}}  {state:<13}  {path or ''}".rstrip())


def difference(name: str, before: str, after: str) -> Iterator[str]:
    """Yield a unified difference, safe to print: what we did not write ourselves is shown without its values.

    A host's configuration has keys and tokens in it, which do not belong on a screen, or in an agent's eyes.
    """
    names = inert_line(name), "with the change"
    lines = list(difflib.unified_diff(_lines(before), _lines(after), *names, lineterm="", n=_CONTEXT))
    for number in range(2, len(lines) - 1):
        if lines[number].startswith("-") and lines[number + 1].startswith("+"):
            lines[number : number + 2] = _shortened(lines[number], lines[number + 1])
    for line in lines:
        shown = inert(line.removesuffix("\r"))
        key = re.match(r"-\s*\"?([\w-]+)\"?\s*[:=]", line)
        if line.startswith(" ") or (key is not None and key[1] not in _OURS):
            shown = re.sub(r"([:=]\s*)[^\s{\[].*$", r"\1…", shown)
        yield shown if len(shown) <= _LINE else shown[: _LINE - 1] + "…"


def _shortened(old: str, new: str) -> tuple[str, str]:
    """Leave out what a line that was changed has in common with the one before, where that is much."""
    old, new = old[1:], new[1:]
    ahead = _alike(old, new)
    ahead = ahead if ahead > _ALIKE else 0
    behind = _alike(old[ahead:][::-1], new[ahead:][::-1])
    behind = behind if behind > _ALIKE else 0
    first, last = "…" if ahead else "", "…" if behind else ""
    return (
        f"-{first}{old[ahead : len(old) - behind]}{last}",
        f"+{first}{new[ahead : len(new) - behind]}{last}",
    )


def _alike(one: str, other: str) -> int:
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(one, other, strict=False)))


def _lines(text: str) -> list[str]:
    return text.removesuffix("\n").split("\n") if text else []


def _state(host: Host, path: Path) -> str:
    try:
        entry = installed(host, os.environ, sys.platform)
    except UsageError:
        return "can't be read"
    if entry is None:
        return "not installed" if path.exists() else "no file yet"
    if not entry.ours:
        return "another one"
    return "installed" if entry.enabled else "switched off"


def _file(host: Host, *, project: bool) -> Path:
    return host.file(os.environ, sys.platform, project=Path.cwd() if project else None)


def _launch(wish: Wish) -> launching.Launch:
    return launching.running(os.environ) if wish.command is None else launching.given(wish.command)


def _patience(host: Host, plan: planning.Plan) -> str:
    limit = host.limit
    entry = planning.found(host, plan.after) if limit is not None and plan.entry is not None else None
    if limit is None or entry is None or entry.timeout_seconds is None:
        return host.patience
    return f"Its limit on a call is now {entry.timeout_seconds:g} seconds ({limit.key} of {NAME})."


def _agree(path: Path, *, yes: bool) -> None:
    if yes:
        return
    if not (sys.stdin is not None and sys.stdin.isatty() and sys.stdout is not None and sys.stdout.isatty()):
        raise UsageError(f"Nothing was written to {path}. Pass --yes to write it.")
    put("\nWrite this? [y/N] ", end="")
    if sys.stdin.readline().strip().lower() not in {"y", "yes"}:
        raise UsageError("Nothing was written.")
