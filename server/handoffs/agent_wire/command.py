"""`handoffs acp [OPTIONS] -- AGENT …`, and `handoffs codex`: the agent is started first, then what relays."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

from handoffs.gate.relay.process import Behind
from handoffs.gate.server_name import marked, name_of, says_all
from handoffs.printing import Exit, failed

if TYPE_CHECKING:
    from handoffs.agent_wire.asked import Table

Wire: TypeAlias = Literal["acp", "codex"]


@dataclass(frozen=True, kw_only=True)
class Options:
    """What was typed."""

    wire: Wire
    command: Sequence[str]
    name: str = ""
    desk_only: bool = False

    @property
    def client(self) -> str:
        """The agent's name, as people and rules know it."""
        return self.name or name_of(self.command)

    @property
    def agent(self) -> str:
        """The agent's name, as permissions know it: with a mark where it does not say how the agent is started."""
        if self.name or says_all(name := name_of(self.command), self.command):
            return self.client
        return marked(name, self.command).replace(" [", ":").removesuffix("]")


def read_options(wire: Wire, arguments: Sequence[str]) -> Options | None:
    """Return what was typed; None where it is not plain: then it is for the command line of people, with its help."""
    if "--" not in arguments:
        return None
    at = [*arguments].index("--")
    before, command = [*arguments[:at]], [*arguments[at + 1 :]]
    name, desk_only = "", False
    while before:
        match before:
            case ["--desk-only", *before]:
                desk_only = True
            case ["--name", str(name), *before] if name:
                pass
            case _:
                return None
    return Options(wire=wire, command=command, name=name, desk_only=desk_only) if command else None


def run(options: Options) -> int:
    """Relay until the agent has ended; return its exit code."""
    behind = Behind(options.command)
    if behind.exit_code is not None:
        failed(f"The agent {behind.reason}.", Exit.USAGE)
        return behind.exit_code
    # Only now: this takes as long as many an agent takes to start.
    import anyio

    return anyio.run(_relayed, behind, options)


async def _relayed(behind: Behind, options: Options) -> int:
    from handoffs.agent_wire.relay import AgentRelay
    from handoffs.agent_wire.when_needed import answering
    from handoffs.gate.relay.stdio import client_wire

    with client_wire() as front:
        async with answering(agent=options.agent, client=options.client) as answers:
            relay = AgentRelay(front, behind, _table(options.wire), answers, desk_only=options.desk_only)
            return await relay.run()


def _table(wire: Wire) -> "Table":
    if wire == "acp":
        from handoffs.agent_wire.acp import Acp

        return Acp()
    from handoffs.agent_wire.codex import Codex

    return Codex()
