"""One session through the gate: the relay between client and server, and what holds calls, over the store."""

from collections.abc import Callable
from pathlib import Path

from handoffs.assembly import current_user, seal_keys, store_at
from handoffs.clock import SystemClock
from handoffs.gate.holding import Holding
from handoffs.gate.policy import Policy
from handoffs.gate.relay.process import Behind
from handoffs.gate.relay.stdio import Server, StdioRelay, client_wire
from handoffs.serving.desk import serving_desk
from handoffs.serving.gate_url import RemoteServer
from handoffs.serving.invited import InboxWhenNeeded
from handoffs.settings import Settings


async def relay(settings: Settings, server: str, policy: Callable[[], Policy], behind: Behind | RemoteServer) -> int:
    """Relay between standard input and output and the server behind; return the server's exit code."""
    if isinstance(behind, RemoteServer):
        from handoffs.gate.relay.http import HttpBehind  # an HTTP client is a tenth of a second

        server_behind: Server = HttpBehind(behind.url, behind.headers)
    else:
        server_behind = behind
    with client_wire() as front:
        clock = SystemClock()
        async with (
            store_at(settings.store, clock) as store,
            serving_desk(settings, terminal=settings.terminal == "on", device=True, store=store, clock=clock) as desk,
        ):
            holding = Holding(
                desk,
                server=server,
                policy=policy,
                permissions=store.permissions,
                subject=current_user(),
                project=str(Path.cwd()),
                keys=seal_keys(settings),
                inbox=InboxWhenNeeded(settings.store, start=settings.inbox != "off", url=settings.inbox_url),
                hold_seconds=settings.hold_seconds,
            )
            through = StdioRelay(front, server_behind, holding)
            async with holding.serving(through):
                return await through.run()
