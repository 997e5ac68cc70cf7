"""A network between a store and its server that can be cut, silenced, and cut in the middle of a reply."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress

import anyio
from anyio.abc import ByteStream, SocketStream

from handoffs.core.errors import StoreUnavailable
from handoffs.store.postgres.store import PostgresStore


class Relay:
    """Hands on what each side says to the other, while it is `up`."""

    def __init__(self, to: int) -> None:
        """Take the server's port."""
        self._to = to
        self._pairs: set[tuple[ByteStream, ByteStream]] = set()
        self.port = 0
        self.up = True
        self.silent = False
        """Nothing is handed on, and nobody told: as where a cable is pulled."""
        self.connected = 0
        """How many connections there have been."""
        self.replies = 0
        """How many times the server has said something."""
        self.cut_at: int | None = None
        """The reply that is not handed on: the connections are closed instead, once."""
        self.stays_cut = False
        """Whether it is `up` no longer after that."""

    async def cut(self) -> None:
        """Close every connection, and refuse new ones."""
        self.up = False
        await self._close_all()

    async def serve(self, client: SocketStream) -> None:
        """Look after one connection."""
        async with client:
            if not self.up:
                return
            self.connected += 1
            async with await anyio.connect_tcp("127.0.0.1", self._to) as server:
                pair = client, server
                self._pairs.add(pair)
                try:
                    async with anyio.create_task_group() as tasks:
                        tasks.start_soon(self._hand_on, client, server, False)
                        await self._hand_on(server, client, True)
                        tasks.cancel_scope.cancel()
                finally:
                    self._pairs.discard(pair)

    async def _hand_on(self, source: ByteStream, sink: ByteStream, reply: bool) -> None:
        try:
            async for chunk in source:
                self.replies += reply
                if reply and self.replies == self.cut_at:
                    self.up = not self.stays_cut
                    await self._close_all()
                    return
                while self.silent:
                    await anyio.sleep(0.01)
                await sink.send(chunk)
        except (anyio.BrokenResourceError, anyio.ClosedResourceError):
            pass
        with anyio.CancelScope(shield=True):
            await sink.aclose()

    async def _close_all(self) -> None:
        for pair in tuple(self._pairs):
            for stream in pair:
                await stream.aclose()


@asynccontextmanager
async def relay(to: int) -> AsyncGenerator[Relay]:
    """Return a relay to the server on this port."""
    made = Relay(to)
    async with await anyio.create_tcp_listener(local_host="127.0.0.1") as listener:
        made.port = int(listener.extra(anyio.abc.SocketAttribute.local_port))
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(listener.serve, made.serve)
            yield made
            await made.cut()
            tasks.cancel_scope.cancel()


async def opened(store: PostgresStore) -> PostgresStore:
    """Open a store that gives up early: to connect and to make tables takes longer on a busy machine."""
    while True:
        with suppress(StoreUnavailable):
            await store.ready()
            return store
