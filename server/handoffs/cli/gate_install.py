"""`handoffs gate install`: puts the gate before servers that a host has, in the host's own configuration.

Nothing of a server is started. A person is shown the difference and says whether it may be written, as for `install`.
"""

import os
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from handoffs.cli.install import agree, difference
from handoffs.cli.installing import gating, launching, planning, writing
from handoffs.cli.installing.gating import Server
from handoffs.cli.installing.hosts import Host, find
from handoffs.cli.installing.texts import Unreadable
from handoffs.console import UsageError, print_out
from handoffs.core.untrusted import inert_line
from handoffs.serving.gate import Options, policy_of
from handoffs.settings import POLICY, config_file

_HIDDEN = "…"


@dataclass(frozen=True, kw_only=True, slots=True)
class GateOptions:
    """What was asked for on the command line."""

    host: str
    servers: Sequence[str] = ()
    """Those that are named; else all."""
    policy: Path | None = None
    ask: Sequence[str] = ()
    allow: Sequence[str] = ()
    deny: Sequence[str] = ()
    trust_hints: bool = False
    project: bool = False
    remove: bool = False
    yes: bool = False
    command: str | None = None

    @property
    def has_rules(self) -> bool:
        """Whether anything says what becomes of calls."""
        return bool(self.policy or self.ask or self.allow or self.deny or self.trust_hints)


def run(wish: GateOptions) -> None:
    """Put the gate before servers, or take it away. Raises UsageError and SettingsError for what was not done."""
    if wish.remove and (wish.has_rules or wish.command is not None):
        raise UsageError("--remove goes without --policy, --ask, --allow, --deny, --trust-hints and --command.")
    host = find(wish.host)
    path = host.file(os.environ, sys.platform, project=Path.cwd() if wish.project else None)
    kept = writing.read(path, within=Path.cwd() if wish.project else None)
    try:
        servers = gating.servers_of(host, kept.text)
        chosen = _chosen(host, path, servers, wish.servers)
        after, changed = (
            _removed(host, kept.text, chosen, wish) if wish.remove else _installed(host, kept.text, chosen, wish)
        )
    except Unreadable as wrong:
        raise UsageError(f"{path}: {inert_line(str(wrong))}. It was left as it is.") from None
    if not changed:
        print_out("Nothing is to be changed." if wish.servers else _nothing(host, path, servers, wish))
        return
    print_out("")
    for line in difference(str(path), _masked(host, kept.text), _masked(host, after)):
        print_out(line)
    agree(path, yes=wish.yes)
    backup = writing.write(kept, after, datetime.now(UTC))
    print_out(f"\nWritten: {path}" + (f"\nAs it was: {backup}" if backup is not None else ""))
    if not wish.remove:
        _tell_of_rules(wish)
    print_out(host.then)


def _nothing(host: Host, path: Path, servers: Sequence[Server], wish: GateOptions) -> str:
    if wish.remove:
        return f"{host.title} has no server behind the gate in {path}."
    if any(each.gate is not None for each in servers):
        return f"{host.title} has no other server in {path} that the gate could be put before."
    return f"{host.title} has no server in {path} that the gate could be put before."


def _chosen(host: Host, path: Path, servers: Sequence[Server], names: Sequence[str]) -> Sequence[Server]:
    if not names:
        return servers
    known = {server.name: server for server in servers}
    for name in names:
        if name not in known:
            has = ", ".join(inert_line(each, 60) for each in known) or "none"
            raise UsageError(f"{host.title} has no server {inert_line(repr(name), 80)} in {path}. It has: {has}.")
    return [known[name] for name in dict.fromkeys(names)]


def _installed(host: Host, text: str, chosen: Sequence[Server], wish: GateOptions) -> tuple[str, bool]:
    """Return the text with the gate before each server that is chosen, and say what becomes of each."""
    policy = None if wish.policy is None else wish.policy.absolute()  # the host starts the gate in another folder
    policy_of(
        Options(command=(), policy=policy, ask=wish.ask, allow=wish.allow, deny=wish.deny, trust_hints=wish.trust_hints)
    )  # fmt: skip - it refuses what would stop the gate from starting
    launch = launching.running(os.environ) if wish.command is None else launching.given(wish.command)
    if not launching.is_ours(launch.command, launch.args):
        raise UsageError("--command has to start handoffs: by this it is known again, and taken away again.")
    options = list(_written(wish, policy))
    changed = False
    for server in chosen:
        why = gating.refusal(server)
        if why is None and server.signs_in and not wish.servers:
            why = f"it sends no header. {_sign_in(host)} Name it to put it behind the gate all the same"
        if why is None:
            try:
                text = gating.put_behind(host, text, server, launch, options)
            except Unreadable as wrong:
                why = inert_line(str(wrong))
        if why is not None:
            _leave(server, why, named=bool(wish.servers))
            continue
        changed = True
        print_out(f"{_shown(server)}: goes behind the gate")
        if server.signs_in:
            print_out(f"  It sends no header. {_sign_in(host)} A server that wants one then refuses every call (401).")
        for each in gating.approvals(host, server):
            print_out(
                f"  `{inert_line(each, 100)}` in its entry lets {host.title} run its calls without asking you. That is "
                "the host's own permission: the gate asks by its own rules all the same."
            )
    return text, changed


def _sign_in(host: Host) -> str:
    return f"If {host.title} signs in to it (OAuth), that sign-in reaches it no longer: the gate signs in nowhere."


def _leave(server: Server, why: str, *, named: bool) -> None:
    if named and server.gate is None:
        raise UsageError(f"{_shown(server)} is left as it is: {why}. Nothing was written.")
    if named or not server.ours:
        print_out(f"{_shown(server)}: is left as it is: {why}")


def _removed(host: Host, text: str, chosen: Sequence[Server], wish: GateOptions) -> tuple[str, bool]:
    changed = False
    for server in chosen:
        if server.gate is not None:
            try:
                text = gating.take_out(host, text, server)
            except Unreadable as wrong:
                if wish.servers:
                    raise
                print_out(f"{_shown(server)}: is left behind the gate: {inert_line(str(wrong))}")
                continue
            print_out(f"{_shown(server)}: the gate before it goes")
            changed = True
        elif wish.servers:
            print_out(f"{_shown(server)}: is not behind the gate")
    return text, changed


def _written(wish: GateOptions, policy: Path | None) -> Iterator[str]:
    """Yield the options as the gate reads them."""
    each = [("--ask", glob) for glob in wish.ask]
    each += [("--allow", glob) for glob in wish.allow]
    each += [("--deny", glob) for glob in wish.deny]
    if policy is not None:
        each.insert(0, ("--policy", str(policy)))
    for option, value in each:
        if value.startswith("-"):
            yield f"{option}={value}"
        else:
            yield from (option, value)
    if wish.trust_hints:
        yield "--trust-hints"


def _masked(host: Host, text: str) -> str:
    """Return the text without the values of servers' entries that we did not write: tokens stand in them."""
    edit = planning.text_of(host.format)
    places: list[tuple[int, int]] = []
    for server in gating.servers_of(host, text):
        count = 0 if server.gate is None else server.gate + (not server.at_url)
        for path in _leaves(server.entry, (host.servers, server.name)):
            value = None if path == server.slots.command else edit.find(text, path)
            if value is not None:
                shown = count if path == server.slots.args else 0
                places += value.items[shown:] if value.items else [(value.start, value.end)]
    for start, end in sorted(places, reverse=True):
        rest = len(text[start:end].rstrip())  # a block of YAML ends on the next line
        text = text[:start] + _HIDDEN + text[start + rest :]
    return text


def _leaves(value: object, path: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    if isinstance(value, dict) and value:
        for key, each in value.items():  # pyright: ignore[reportUnknownVariableType]
            yield from _leaves(each, (*path, str(key)))  # pyright: ignore[reportUnknownArgumentType]
    else:
        yield path


def _tell_of_rules(wish: GateOptions) -> None:
    if not wish.has_rules and not config_file().with_name(POLICY).exists():
        print_out("There are no rules yet, so every call will be asked about. --allow 'read_*' is one; docs/gate.md.")
    if wish.project and (wish.command is None or wish.policy is not None):
        print_out("What is written is of this machine. For a file that others use, give --command handoffs and globs.")


def _shown(server: Server) -> str:
    return inert_line(server.name, 60) or "(no name)"
