"""`handoffs install`: shows a person the changes to a host's configuration, and writes them after a yes."""

import difflib
import os
import re
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from handoffs.access.local import LOCAL, LocalToken, LocalTokenError
from handoffs.cli.installing import launching, planning, writing
from handoffs.cli.installing.finding import installed
from handoffs.cli.installing.hosts import HOSTS, NAME, Host, find
from handoffs.cli.installing.texts import Unreadable
from handoffs.console import UsageError, print_out
from handoffs.core.untrusted import inert, inert_line
from handoffs.settings import LOCAL_TOKEN, data_folder

_LINE = 160
_CONTEXT = 2
_ALIKE = 40
_OURS = {key for host in HOSTS for key in (host.command, "args", *host.fixed, host.limit.key if host.limit else "args")}


@dataclass(frozen=True, kw_only=True, slots=True)
class InstallOptions:
    """The options on the command line."""

    host: str
    project: bool = False
    remove: bool = False
    print_only: bool = False
    yes: bool = False
    force: bool = False
    command: str | None = None
    http: str | None = None
    """Where a server on this machine runs, as a URL or as HOST:PORT."""


def run(options: InstallOptions) -> None:
    """Install in one host, or remove. Raises UsageError when nothing was changed."""
    if options.remove and (options.print_only or options.command is not None or options.http is not None):
        raise UsageError("--remove goes without --print, --command and --http.")
    if options.command is not None and options.http is not None:
        raise UsageError("Give --command for a server that the host starts, or --http for one that runs, not both.")
    host = find(options.host)
    path = _file(host, project=options.project)
    if options.print_only:
        print_out(planning.snippet(host, _way(options, None, path)), end="")
        return
    config = writing.read(path, within=Path.cwd() if options.project else None)
    way: planning.Way | None = None
    try:
        if options.remove:
            plan = planning.to_remove(host, config.text, force=options.force)
        else:
            way = _way(options, planning.found(host, config.text), config.file)
            plan = planning.to_install(host, config.text, way, force=options.force)
    except Unreadable as wrong:
        raise UsageError(f"{path}: {inert_line(str(wrong))}. It was left as it is.") from None
    if not plan.changes:
        print_out(
            f"{host.title} has no handoffs in {path}." if options.remove else f"{host.title} has it already: {path}"
        )
        return
    token = way.token if isinstance(way, planning.Remote) else None
    for line in difference(str(path), plan.before, plan.after, secret=token):
        print_out(line)
    agree(path, yes=options.yes)
    backup = writing.write(config, plan.after, datetime.now(UTC), private=token is not None)
    print_out(f"\nWritten: {path}" + (f"\nAs it was: {backup}" if backup is not None else ""))
    if options.remove:
        print_out(f"Start {host.title} again, so that it forgets the server.")
        return
    if token is not None:
        print_out("Your token for servers on this machine stands in it, so only you can read it now.")
    elif isinstance(way, planning.Remote):
        print_out(f"It has your token by a variable. Before you start {host.title}, in its shell:")
        print_out(f'  export {way.variable}="$(handoffs token local)"')
    print_out(_patience(host, plan))
    if options.project and options.command is None and isinstance(way, launching.Launch):
        print_out("The command in it is one of this machine. For a file that others use, give --command handoffs.")
    if plan.entry is not None and not plan.entry.enabled:
        print_out(f"It is switched off in {host.title}, and stays so.")
    print_out(host.then)


def _way(options: InstallOptions, now: planning.Installed | None, file: Path) -> planning.Way:
    """Return how the host reaches a server: as the options say, or as it does already."""
    calls_one = now is not None and now.ours and now.url is not None
    if options.http is None and (options.command is not None or not calls_one):
        return _launch(options)
    url = None if options.http is None else _url(options.http)
    # A file that others get must not contain a token.
    if options.project or in_repository(file):
        return planning.Remote(url=url, variable=LOCAL_TOKEN)
    try:
        return planning.Remote(url=url, token=LocalToken(data_folder()).ensure()[0])
    except LocalTokenError as why:
        raise UsageError(str(why)) from None


def _url(written: str) -> str:
    url = written if "://" in written else f"http://{written}/mcp"
    if not planning.is_on_this_machine(url):
        raise UsageError(
            f"{inert_line(repr(written), 80)} is no server on this machine: give what `handoffs serve --http` says, "
            "such as 127.0.0.1:8765. A team's server has tokens of its own: ask its people for one."
        )
    return url


def in_repository(file: Path) -> bool:
    """Say whether a file is in a repository, so that others may get it."""
    return any((folder / name).exists() for folder in file.resolve().parents for name in (".git", ".hg", ".jj"))


def tell() -> None:
    """List the hosts, those on this machine first, with each one's file and whether handoffs is in it."""
    print_out("handoffs install HOST puts handoffs into one of these, and shows you the difference first.")
    wide = max(len(host.name) for host in HOSTS)
    here = [host for host in HOSTS if is_here(host)]
    for title, hosts in (("On this machine", here), ("Not seen here", [host for host in HOSTS if host not in here])):
        if hosts:
            print_out(f"\n{title}:")
        for host in hosts:
            try:
                path = _file(host, project=False)
                state = _state(host, path)
            except UsageError as wrong:
                path, state = None, inert_line(str(wrong))
            print_out(f"{host.name:<{wide}}  {state:<13}  {path or ''}".rstrip())


def is_here(host: Host) -> bool:
    """Say whether a host is on this machine: its program on the PATH, or its files in the home folder."""
    if any(shutil.which(program) for program in host.programs):
        return True
    try:
        file = _file(host, project=False)
    except UsageError:
        return False
    # A folder of its own, not one that programs share.
    own = file.parent if file.parent not in {Path.home(), Path.home() / ".config"} else file
    return file.exists() or own.exists()


def difference(name: str, before: str, after: str, *, secret: str | None = None) -> Iterator[str]:
    """Yield a unified difference, safe to print: lines that are not ours are shown without their values.

    A `secret` that we write is shown shortened.

    A host's configuration contains keys and tokens, which must not be shown on a screen or to an agent.
    """
    names = inert_line(name), "with the change"
    lines = list(difflib.unified_diff(_lines(before), _lines(after), *names, lineterm="", n=_CONTEXT))
    for number in range(2, len(lines) - 1):
        if lines[number].startswith("-") and lines[number + 1].startswith("+"):
            lines[number : number + 2] = _shortened(lines[number], lines[number + 1])
    for line in lines:
        if secret is not None:
            line = line.replace(secret, f"{LOCAL}…")
        shown = inert(line.removesuffix("\r"))
        key = re.match(r"-\s*\"?([\w-]+)\"?\s*[:=]", line)
        if line.startswith(" ") or (key is not None and key[1] not in _OURS):
            shown = re.sub(r"([:=]\s*)[^\s{\[].*$", r"\1…", shown)
        yield shown if len(shown) <= _LINE else shown[: _LINE - 1] + "…"


def _shortened(old: str, new: str) -> tuple[str, str]:
    """Shorten a changed line and the line before: long common parts become `…`."""
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
    """Return the length of the common prefix, by bisection, since the texts may be long."""
    low, high = 0, min(len(one), len(other))
    while low < high:
        middle = (low + high + 1) // 2
        if one[low:middle] == other[low:middle]:
            low = middle
        else:
            high = middle - 1
    return low


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


def _launch(options: InstallOptions) -> launching.Launch:
    return launching.running(os.environ) if options.command is None else launching.given(options.command)


def _patience(host: Host, plan: planning.Plan) -> str:
    limit, entry = host.limit, plan.entry
    if limit is None or entry is None or entry.timeout_seconds is None:
        return host.patience
    said = f"Its limit on a call is now {entry.timeout_seconds:g} seconds ({limit.key} of {NAME})."
    waits = entry.told_seconds == entry.timeout_seconds
    return f"{said} A call waits nearly as long for you ({planning.TIMEOUT})." if waits else said


def agree(path: Path, *, yes: bool) -> None:
    """Ask on the terminal whether to write a file. Raises UsageError: it may not, or no one can be asked."""
    if yes:
        return
    if not (sys.stdin is not None and sys.stdin.isatty() and sys.stdout is not None and sys.stdout.isatty()):
        raise UsageError(f"Nothing was written to {path}. Pass --yes to write it.")
    print_out("\nWrite this? [y/N] ", end="")
    if sys.stdin.readline().strip().lower() not in {"y", "yes"}:
        raise UsageError("Nothing was written.")
