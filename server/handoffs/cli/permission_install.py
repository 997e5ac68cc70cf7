"""`handoffs install HOST --permissions`: the host's own permission prompts come to the desk, by its hooks."""

import os
import sys
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from handoffs.cli.install import agree, difference
from handoffs.cli.installing import launching, writing
from handoffs.cli.installing.permission_hooks import FILES, HookFile, hook_file, is_written, with_hooks, without_hooks
from handoffs.cli.installing.texts import Unreadable
from handoffs.console import UsageError, print_out
from handoffs.core.untrusted import inert_line


@dataclass(frozen=True, kw_only=True, slots=True)
class PermissionOptions:
    """The options on the command line."""

    host: str
    project: bool = False
    remove: bool = False
    print_only: bool = False
    yes: bool = False
    command: str | None = None


def run(options: PermissionOptions) -> None:
    """Write our hooks into one host's file, or remove them. Raises UsageError when nothing was changed."""
    if options.remove and (options.print_only or options.command is not None):
        raise UsageError("--remove goes without --print and --command.")
    file = hook_file(options.host)
    path = file.file(os.environ, sys.platform, project=Path.cwd() if options.project else None)
    if options.print_only:
        print_out(with_hooks(file, "", _launch(options)), end="")
        return
    config = writing.read(path, within=Path.cwd() if options.project else None)
    title = file.host.title
    try:
        after = without_hooks(file, config.text) if options.remove else with_hooks(file, config.text, _launch(options))
    except Unreadable as wrong:
        raise UsageError(f"{path}: {inert_line(str(wrong))}. It was left as it is.") from None
    if after == config.text:
        print_out(f"{title} has no hooks of handoffs in {path}." if options.remove else f"{title} has them: {path}")
        return
    for line in difference(str(path), config.text, after):
        print_out(line)
    agree(path, yes=options.yes)
    if not after:  # a file of our own
        config.file.unlink()
        print_out(f"\nRemoved: {path}")
    else:
        backup = writing.write(config, after, datetime.now(UTC))
        print_out(f"\nWritten: {path}" + (f"\nAs it was: {backup}" if backup is not None else ""))
    if options.remove:
        print_out(f"Start {title} again, so that it forgets the hooks.")
        return
    if options.project and options.command is None:
        print_out("The command in it is one of this machine. For a file that others use, give --command handoffs.")
    print_out(file.fails)
    print_out(file.then)


def told() -> list[str]:
    """Return a line for each host whose permission prompts come to the desk, for `handoffs doctor`."""
    lines: list[str] = []
    for file in FILES.values():
        state = _state(file)
        if state:
            lines.append(f"  {file.host.title}: {state}")
    return lines


def told_of(name: str) -> str:
    """Return what `handoffs doctor` says of one host; empty where it has no hooks for permissions."""
    file = FILES.get(name)
    if file is None:
        return ""
    stay = f"stay in the host; `handoffs install {name} --permissions` brings them here."
    return f"Permission prompts: {_state(file) or stay}"


def _state(file: HookFile) -> str:
    """Return whether our hook is there; empty where it is not."""
    try:
        path = file.file(os.environ, sys.platform)
        if not is_written(file, writing.read(path).text):
            return ""
    except (UsageError, Unreadable):
        return ""
    trust = " Codex runs it only once you have trusted it in `/hooks`." if file.host.name == "codex" else ""
    return f"come to the desk, by {path}.{trust} {file.fails}"


def _launch(options: PermissionOptions) -> launching.Launch:
    launch = launching.running(os.environ) if options.command is None else launching.given(options.command)
    if not launching.is_ours(launch.command, launch.args):
        raise UsageError("--command has to start handoffs: by this the hooks are known again, and taken away again.")
    return launch
