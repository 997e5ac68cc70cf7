"""How a waiter hears of a change in a PostgreSQL store: by NOTIFY, over one connection for all watches of a process.

The lines of the log become visible in the order of their numbers, so after a broken connection it is enough to read
what came after the last one that was heard of, where it is still the same log. So a waiter is not told of an outage: it
waits on, and is woken when it is over, to look for itself.
"""

import asyncio
import secrets
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress

import anyio

from handoffs.core.errors import StoreError
from handoffs.core.retry import growing_pauses
from handoffs.store.postgres.connections import FIRST_PAUSE, LONGEST_PAUSE, Connections, Outage
from handoffs.store.postgres.driver import Connection, Listener, leave
from handoffs.store.postgres.errors import POOLER, passing
from handoffs.store.watches import Line, Watch, Watches

MAX_OWN = 1_000
"""How many lines of this process's own are remembered until the server tells of them; of the others is heard twice."""


class Listening:
    """The watches of one store, and how they hear."""

    def __init__(
        self,
        connections: Connections,
        *,
        last: Callable[[], Awaitable[int]],
        news: Callable[[int], Awaitable[Sequence[Line]]],
    ) -> None:
        """Take how to read: `last` gives the number of the newest line, `news` the lines after a number."""
        self._connections = connections
        self._last = last
        self._news = news
        self._watches = Watches()
        self._heard_to: int | None = None
        """The number of the last line up to which nothing has gone unheard."""
        self._in_step = False  # whether whatever comes after it is told of
        self._own: dict[int, None] = {}  # lines that this process wrote, of which the server has not told yet
        self._listening: asyncio.Task[None] | None = None
        self._begun = asyncio.Event()
        self._failure: Exception | None = None
        self._proved = False  # whether what is said on one connection was heard on another
        self._word, self._word_heard = "", asyncio.Event()
        self._outage = Outage(
            "Changes by other servers are heard of late: no connection to listen on", connections.address
        )

    @asynccontextmanager
    async def watch(self, handoff_id: str | None) -> AsyncGenerator[Watch]:
        """Return a watch on one handoff or on all, which has been listening since before it is returned."""
        with self._watches.watch(handoff_id) as watch:
            await self._listen()
            yield watch

    def told(self, lines: Sequence[Line]) -> None:
        """Wake whoever watches the handoffs of these lines; the server will tell of them, too, but later."""
        for number, handoff_id, version in lines:
            self._watches.wake(handoff_id, version)
            if self._in_step:
                self._own[number] = None
                if len(self._own) > MAX_OWN:
                    del self._own[next(iter(self._own))]

    async def aclose(self) -> None:
        """Stop listening."""
        if self._listening is not None:
            self._listening.cancel()
            await asyncio.wait({self._listening})

    def wake_all(self) -> None:
        """Wake everybody: whoever then reads hears that the store is closed."""
        self._watches.wake_all()

    async def _listen(self) -> None:
        if self._listening is None:
            self._heard_to, self._failure, self._begun = None, None, asyncio.Event()
            # Not in the caller's task group: it outlives the watch that was first.
            self._listening = asyncio.create_task(self._stay(), name="handoffs: listen to the store")
        with anyio.move_on_after(self._connections.patience.call):
            await self._begun.wait()
        if self._failure is not None:
            raise self._failure
        if not self._begun.is_set():
            raise self._connections.unreachable()

    async def _stay(self) -> None:
        """Listen until nobody watches, through every break of the connection."""
        waits = growing_pauses(FIRST_PAUSE, LONGEST_PAUSE)
        while True:
            try:
                connection = await self._connections.listener()
                try:
                    waits = growing_pauses(FIRST_PAUSE, LONGEST_PAUSE)
                    await self._hear(connection)
                    return
                finally:
                    await leave(connection)
            except Exception as error:  # noqa: BLE001 - whatever it is, who waits must not wait for ever for nobody
                if self._heard_to is None and not passing(error):
                    self._listening, self._failure = None, error
                    self._begun.set()
                    return
                if not self._connections.outage.why:
                    self._outage.goes_on(error)
            await anyio.sleep(next(waits))
            await self._catch_up_otherwise()

    async def _hear(self, connection: Listener) -> None:
        """Wake the waiters until nobody watches. Raises OSError where the connection breaks."""
        lost = asyncio.Event()
        self._own.clear()
        connection.add_termination_listener(lambda _: lost.set())
        with anyio.fail_after(self._connections.patience.reply):
            # First listen, then read: what is committed in between comes twice, and nothing never.
            await connection.add_listener(self._connections.address.schema, self._received)
        if not self._proved:
            await self._prove()
        again = self._heard_to is not None
        await self._catch_up()
        self._in_step = True
        if again:
            # A standby that had not everything counts on from where it was: one line may stand for another by now.
            self._watches.wake_all()
        self._outage.over()
        while self._watches:
            with anyio.move_on_after(self._connections.patience.check):
                await lost.wait()
                raise ConnectionResetError("the connection was closed")
            with anyio.fail_after(self._connections.patience.reply):
                await connection.fetch("SELECT")
            await self._catch_up()
            self._in_step = True
        # Before anything else can run: the next watch begins anew.
        self._listening = None

    async def _prove(self) -> None:
        """Hear one word that another connection says. Raises StoreError where a pooler stands between.

        LISTEN gives no error on a connection that is somebody else's a moment later; it only hears nothing.
        """
        schema, word = self._connections.address.schema, f"proof {secrets.token_hex(8)}"
        self._word, self._word_heard = word, asyncio.Event()

        async def say(connection: Connection) -> None:
            await connection.fetch("SELECT pg_notify($1, $2)", schema, word)

        await self._connections.run(say)
        with anyio.move_on_after(self._connections.patience.reply):
            await self._word_heard.wait()
            self._proved = True
            return
        shown = self._connections.address.shown
        raise StoreError(f"The store {shown} does not tell of changes by other servers: {POOLER}.")

    async def _catch_up(self) -> None:
        """Wake the waiters of whatever happened since the last line that was heard of."""
        # What is told of meanwhile has a higher number than what went unheard, so only the end of this moves it on.
        heard_to, self._in_step = self._heard_to, False
        last = await self._last()
        if heard_to is not None and last < heard_to:
            # The database is another one than it was: a backup, or a standby that had not everything.
            self._watches.wake_all()
        elif heard_to is not None and last > heard_to:
            for number, handoff_id, _ in await self._news(heard_to):
                last = max(last, number)
                self._watches.wake(handoff_id)
        self._heard_to = last
        self._begun.set()

    async def _catch_up_otherwise(self) -> None:
        # There may be connections for statements and none to listen on: their number is limited.
        with suppress(Exception):  # the next try says what is wrong; to end here would leave the waiters deaf
            await self._catch_up()

    def _received(self, connection: object, pid: int, channel: str, payload: str) -> None:
        if payload == self._word:
            self._word_heard.set()
        number, _, handoff_id = payload.partition(" ")
        if number.isdigit():
            if self._in_step and self._heard_to is not None:
                self._heard_to = max(self._heard_to, int(number))
            if int(number) in self._own:
                del self._own[int(number)]  # those who wait heard of it when it was written
            else:
                self._watches.wake(handoff_id)
