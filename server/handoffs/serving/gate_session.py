"""Sessions through the gate: the relay between a client and its server, and what holds calls, over one store."""

import logging
from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

from handoffs.assembly import seal_keys, store_at
from handoffs.clock import SystemClock
from handoffs.core.desk import Desk
from handoffs.core.ports import Permissions
from handoffs.core.untrusted import inert_line
from handoffs.gate.holding import Holding
from handoffs.gate.policy import Policy
from handoffs.gate.relay.origin import Streams
from handoffs.gate.relay.peers import Server
from handoffs.gate.relay.process import Behind
from handoffs.gate.relay.stdio import StdioRelay, client_wire
from handoffs.gate.waiting import Inbox
from handoffs.os_user import current_user
from handoffs.serving.desk import serving_desk
from handoffs.serving.gate_url import RemoteServer
from handoffs.serving.invited import InboxWhenNeeded
from handoffs.settings import Settings
from handoffs.wire import Wire

logger = logging.getLogger(__name__)

MakeBehind: TypeAlias = Callable[[], Behind | RemoteServer]
"""Starts a server, or says where it is."""


class Gate:
    """What all sessions before one server have in common."""

    def __init__(
        self,
        settings: Settings,
        desk: Desk,
        permissions: Permissions,
        *,
        server: str,
        policy: Callable[[], Policy],
        inbox: Inbox,
    ) -> None:
        """Take the parts; `server` is the name by which rules and people know the server."""
        self._desk, self._permissions, self._inbox = desk, permissions, inbox
        self._server, self._policy = server, policy
        self._keys, self._hold_seconds = seal_keys(settings), settings.hold_seconds

    async def relay(
        self,
        front: Wire,
        behind: Behind | RemoteServer,
        *,
        subject: str,
        transport: str,
        streams: Streams | None = None,
    ) -> int:
        """Relay between a client, who is `subject`, and a server until either ends; return the server's exit code.

        `streams` hears what a server over HTTP says of its streams.
        """
        if isinstance(behind, RemoteServer):
            from handoffs.gate.relay.http import HttpBehind  # an HTTP client is a tenth of a second

            server_behind: Server = HttpBehind(behind.url, behind.headers, streams=streams)
        else:
            server_behind = behind
        on_stdio = transport == "stdio"
        holding = Holding(
            self._desk,
            server=self._server,
            policy=self._policy,
            permissions=self._permissions,
            subject=subject,
            # Over HTTP the folder is the gate's own, and says nothing of who calls.
            project=str(Path.cwd()) if on_stdio else "",
            keys=self._keys,
            inbox=self._inbox,
            hold_seconds=self._hold_seconds,
            transport=transport,
            new_server=self._tell_new,
            directory=self._desk.directory,
        )
        through = StdioRelay(front, server_behind, holding, signals=on_stdio, through=on_stdio)
        async with holding.serving(through):
            return await through.run()

    def _tell_new(self, tools: int) -> None:
        name = inert_line(self._server, 100)
        said = "%s is new here: its tools are pinned as they are (%d; the inbox shows them under Permissions)"
        logger.warning(said, name, tools)


async def relay(settings: Settings, server: str, policy: Callable[[], Policy], behind: Behind | RemoteServer) -> int:
    """Relay between standard input and output and the server behind; return the server's exit code."""
    with client_wire() as front:
        clock = SystemClock()
        async with (
            store_at(settings.store, clock) as store,
            serving_desk(settings, terminal=settings.terminal == "on", device=True, store=store, clock=clock) as desk,
        ):
            inbox = InboxWhenNeeded(settings.store, start=settings.inbox != "off", url=settings.inbox_url)
            gate = Gate(settings, desk, store.permissions, server=server, policy=policy, inbox=inbox)
            return await gate.relay(front, behind, subject=current_user(), transport="stdio")
