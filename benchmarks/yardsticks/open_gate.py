"""A gate that holds nothing: `python open_gate.py COMMAND …`, or `… --url URL [NAME=VALUE …]`.

A server that is a command is started first.
"""

import sys

from handoffs.gate.relay.process import Behind

url = sys.argv[2] if sys.argv[1] == "--url" else ""
behind = None if url else Behind(sys.argv[1:])

import anyio  # noqa: E402

from handoffs.gate.relay.message import Message  # noqa: E402
from handoffs.gate.relay.peers import Server  # noqa: E402
from handoffs.gate.relay.stdio import StdioRelay, client_wire  # noqa: E402


class Nothing:
    """Takes no message and watches none."""

    watching: frozenset[str] = frozenset()

    def from_client(self, message: Message) -> bool:
        """Pass it."""
        return False

    def from_server(self, message: Message) -> bytes | None:
        """Pass it."""
        return message.raw

    def tools_changed(self) -> None:
        """Nothing is known of tools."""

    def listed(self, asked: Message, answer: Message) -> None:
        """Nor is anything compared."""

    async def lost(self, id: str, reason: str) -> None:  # noqa: A002 - JSON-RPC's word
        """Nothing is watched."""

    async def behind_ended(self, reason: str) -> None:
        """Nothing is held."""


async def main() -> int:
    """Relay until either side ends."""
    server: Server | None = behind
    if server is None:
        from handoffs.gate.relay.http import HttpBehind

        server = HttpBehind(url, dict(each.split("=", 1) for each in sys.argv[3:]))
    with client_wire() as wire:
        return await StdioRelay(wire, server, Nothing()).run()


sys.exit(anyio.run(main))
