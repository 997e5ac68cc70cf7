"""`handoffs gate -- COMMAND`: the gate in front of one server on stdio.

The server behind is started first, and imports what it needs while the gate does.
"""

import argparse
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from handoffs.console import UsageError
from handoffs.gate.policy import Policy, PolicyError, policy_of_flags
from handoffs.gate.policy_file import PolicyFile
from handoffs.gate.relay.process import Behind
from handoffs.settings import Settings, SettingsError, config_file

POLICY = "gate.toml"
"""The policy that is used where none is named, in the folder of the configuration."""

_LAUNCHERS = frozenset(
    {"uv", "uvx", "run", "npx", "bunx", "pipx", "node", "deno", "docker", "env", "python", "python3"}
)


@dataclass(frozen=True, kw_only=True)
class Options:
    """What was typed."""

    command: Sequence[str]
    name: str = ""
    policy: Path | None = None
    ask: Sequence[str] = ()
    allow: Sequence[str] = ()
    deny: Sequence[str] = ()
    trust_hints: bool = False

    @property
    def server(self) -> str:
        """The name by which rules and people know the server."""
        return self.name or name_of(self.command)


def read_options(arguments: Sequence[str]) -> Options:
    """Return what was typed after `handoffs gate`. Raises UsageError."""
    parser = _Parser(prog="handoffs gate", add_help=False)
    parser.add_argument("--name", default="")
    parser.add_argument("--policy", type=Path)
    parser.add_argument("--ask", action="append", default=[])
    parser.add_argument("--allow", action="append", default=[])
    parser.add_argument("--deny", action="append", default=[])
    parser.add_argument("--trust-hints", action="store_true")
    before, command = list(arguments), list[str]()
    if "--" in before:
        at = before.index("--")
        before, command = before[:at], before[at + 1 :]
    return Options(command=command, **vars(parser.parse_args(before)))


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
    if not options.command:
        raise UsageError("Say which server to stand before: handoffs gate [OPTIONS] -- COMMAND …")
    policy = policy_of(options)
    settings = read_settings()
    behind = Behind(options.command)
    # Only now: this takes as long as many a server takes to start.
    import anyio

    from handoffs.serving.gate_session import relay

    return anyio.run(relay, settings, options.server, policy, behind)


def name_of(command: Sequence[str]) -> str:
    """Return what people call the server that a command starts: `mcp-server-git` of `uvx mcp-server-git -r .`.

    It is the first word that is neither an option nor what only starts others.
    """
    for word in command:
        name = word.replace("\\", "/").rstrip("/").rpartition("/")[2]
        stem = name.rpartition("@")[0] or name
        if not word.startswith("-") and stem not in _LAUNCHERS and not stem.startswith("python"):
            return stem
    return "server"


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise UsageError(f"{message[:1].upper()}{message[1:]}. `handoffs gate --help` shows the options.")
