"""A TCP proxy that cuts the connections through it."""

import socket
import struct
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import anyio
from anyio.abc import SocketAttribute, SocketStream


class Cutting:
    """Passes bytes on, until it cuts."""

    def __init__(self, port: int) -> None:
        self._to = port
        self.port = 0
        self._open: set[tuple[SocketStream, SocketStream]] = set()

    async def cut(self) -> None:
        """Cut all connections, as a network does: what is on its way is lost."""
        for pair in tuple(self._open):
            for end in pair:
                found = end.extra(SocketAttribute.raw_socket)
                found.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                await end.aclose()

    async def pass_on(self, client: SocketStream) -> None:
        """Serve one connection."""
        async with client, await anyio.connect_tcp("127.0.0.1", self._to) as server:
            self._open.add((client, server))
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(self._pump, client, server, tasks.cancel_scope)
                tasks.start_soon(self._pump, server, client, tasks.cancel_scope)
            self._open.discard((client, server))

    async def _pump(self, one: SocketStream, other: SocketStream, ended: anyio.CancelScope) -> None:
        try:
            async for data in one:
                await other.send(data)
        except (anyio.ClosedResourceError, anyio.BrokenResourceError):
            pass
        ended.cancel()


@asynccontextmanager
async def cutting(port: int) -> AsyncGenerator[Cutting]:
    """A proxy before a port of this machine, while the block lasts."""
    proxy = Cutting(port)
    async with await anyio.create_tcp_listener(local_host="127.0.0.1") as listener:
        proxy.port = listener.extra(SocketAttribute.local_port)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(listener.serve, proxy.pass_on)
            yield proxy
            tasks.cancel_scope.cancel()
