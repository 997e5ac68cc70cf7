"""`handoffs gate -- COMMAND` and `handoffs gate --url URL`: the gate in front of one server, on stdio or HTTP.

On stdio a server behind that is a command is started first, and imports what it needs while the gate does. With
`--http` each client has a server of its own, which is started when the client comes.
"""

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NoReturn
from urllib.parse import urlsplit

from handoffs.console import UsageError
from handoffs.gate.policy import Policy, PolicyError, policy_of_flags
from handoffs.gate.policy_file import PolicyFile
from handoffs.gate.relay.process import Behind
from handoffs.gate.server_name import marked, name_of, says_all
from handoffs.serving.gate_url import RemoteServer, remote_server, server_name
from handoffs.settings import POLICY, Settings, SettingsError, config_file, data_folder


@dataclass(frozen=True, kw_only=True)
class Options:
    """What was typed."""

    command: Sequence[str] = ()
    http: str = ""
    url: str = field(default="", repr=False)
    header: Sequence[str] = field(default=(), repr=False)
    header_from_env: Sequence[str] = field(default=(), repr=False)
    name: str = ""
    policy: Path | None = None
    ask: Sequence[str] = ()
    allow: Sequence[str] = ()
    deny: Sequence[str] = ()
    trust_hints: bool = False
    watch_only: bool = False

    @property
    def server(self) -> str:
        """The name of the server: the one that was given, else with a mark where it does not say all."""
        if self.name:
            return self.name
        if self.url:
            name, alone = server_name(self.url), urlsplit(self.url).path in {"", "/", "/mcp"} and "?" not in self.url
            return name if alone else marked(name, [self.url])
        name = name_of(self.command)
        return name if says_all(name, self.command) else marked(name, self.command)

    @property
    def remote(self) -> RemoteServer | None:
        """The server at `--url`; None where a command starts it, or none is named. Raises UsageError."""
        if self.url and self.command:
            raise UsageError("Give --url URL or -- COMMAND, not both: the gate stands before one server.")
        if self.url:
            return remote_server(self.url, self.header, self.header_from_env, os.environ)
        if self.header or self.header_from_env:
            raise UsageError("--header and --header-from-env are for a server at --url URL.")
        return None


def read_options(arguments: Sequence[str]) -> Options:
    """Return what was typed after `handoffs gate`. Raises UsageError."""
    parser = _Parser(prog="handoffs gate", add_help=False, allow_abbrev=False)
    parser.add_argument("--http", default="")
    parser.add_argument("--url", default="")
    parser.add_argument("--header", action="append", default=[])
    parser.add_argument("--header-from-env", action="append", default=[])
    parser.add_argument("--name", default="")
    parser.add_argument("--policy", type=Path)
    parser.add_argument("--ask", action="append", default=[])
    parser.add_argument("--allow", action="append", default=[])
    parser.add_argument("--deny", action="append", default=[])
    parser.add_argument("--trust-hints", action="store_true")
    parser.add_argument("--watch-only", action="store_true")
    before, command = list(arguments), list[str]()
    if "--" in before:
        at = before.index("--")
        before, command = before[:at], before[at + 1 :]
    known, others = parser.parse_known_args(before)
    if others:
        # Not quoted: it may be half of a header's value, which was typed without quotes.
        raise UsageError("A word is no option of `handoffs gate`: write values with spaces in quotes, and see --help.")
    return Options(command=command, **vars(known))


def policy_of(options: Options) -> Callable[[], Policy]:
    """Return what gives the policy in force. Raises SettingsError: it can't be used."""
    flags = bool(options.ask or options.allow or options.deny or options.trust_hints)
    if flags and options.policy is not None:
        raise UsageError("Give --policy, or --ask, --allow, --deny and --trust-hints, not both: a file says it, too.")
    try:
        if flags:
            policy = policy_of_flags(
                ask=options.ask, allow=options.allow, deny=options.deny, trust_hints=options.trust_hints
            )
            return lambda: policy
        path = options.policy or config_file().with_name(POLICY)
        if options.policy is None and not path.exists():
            everything_asks = Policy()
            return lambda: everything_asks
        return PolicyFile(path).current
    except PolicyError as wrong:
        raise SettingsError(str(wrong)) from None


def serve(options: Options, read_settings: Callable[[], Settings]) -> int:
    """Serve until the client or the server ends; return the server's exit code."""
    remote = options.remote
    if remote is None and not options.command:
        raise UsageError("Say which server to stand before: handoffs gate [OPTIONS] -- COMMAND …, or --url URL.")
    policy = policy_of(options)
    if options.watch_only:
        policy = _watching(policy)
    settings = read_settings()
    if options.http:
        from handoffs.serving.gate_http import serve_gate  # the web stack

        def start() -> Behind | RemoteServer:
            return Behind(options.command) if remote is None else remote

        serve_gate(settings, options.http, server=options.server, policy=policy, behind=start)
        return 0
    behind = Behind(options.command) if remote is None else remote
    # Only now: this takes as long as many a server takes to start.
    import anyio

    from handoffs.serving.gate_session import relay

    return anyio.run(relay, settings, options.server, policy, behind)


def _watching(policy: Callable[[], Policy]) -> Callable[[], Policy]:
    from handoffs.gate.watching import FILE, WatchingPolicy  # only where it is asked for

    file = data_folder() / FILE
    told = f"The gate only watches: nothing is asked, what no rule denies passes, and {file} notes it."
    print(told, file=sys.stderr, flush=True)  # noqa: T201
    watching = WatchingPolicy(policy, file)
    return lambda: watching


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise UsageError(f"{message[:1].upper()}{message[1:]}. `handoffs gate --help` shows the options.")
