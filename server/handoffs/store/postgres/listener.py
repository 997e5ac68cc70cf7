"""Waking waiters when a PostgreSQL store changes: by NOTIFY, over one connection for all watches of a process.

Lines of the log become visible in the order of their numbers. So after a broken connection it is enough to read the
lines after the last known one, if it is still the same log. Waiters are not told of an outage: they go on waiting,
and are woken when it is over, to read again.
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
"""The most lines of this process that are remembered until the server reports them; others wake waiters twice."""


class Listening:
    """The watches of one store, and the connection that wakes them."""

    def __init__(
        self,
        connections: Connections,
        *,
        last: Callable[[], Awaitable[int]],
        news: Callable[[int], Awaitable[Sequence[Line]]],
    ) -> None:
        """Take two readers: `last` returns the number of the newest line, `news` the lines after a number."""
        self._connections = connections
        self._last = last
        self._news = news
        self._watches = Watches()
        self._heard_to: int | None = None
        """The number of the last line up to which no line was missed."""
        self._in_step = False  # whether later lines arrive by notification
        self._own: dict[int, None] = {}  # lines of this process that the server has not reported yet
        self._listening: asyncio.Task[None] | None = None
        self._begun = asyncio.Event()
        self._failure: Exception | None = None
        self._proved = False  # whether a notification of one connection reached another
        self._word, self._word_heard = "", asyncio.Event()
        self._outage = Outage("Changes by other servers arrive late: no connection to listen on", connections.address)

    @asynccontextmanager
    async def watch(self, handoff_id: str | None) -> AsyncGenerator[Watch]:
        """Yield a watch on one handoff or on all, which already listens."""
        with self._watches.watch(handoff_id) as watch:
            await self._listen()
            yield watch

    def wake(self, lines: Sequence[Line]) -> None:
        """Wake the watches of these lines' handoffs. The server reports the lines, too, but later."""
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
        """Wake all watches. When they read, they get the error that the store is closed."""
        self._watches.wake_all()

    async def _listen(self) -> None:
        if self._listening is None:
            self._heard_to, self._failure, self._begun = None, None, asyncio.Event()
            # Not in the caller's task group: it outlives the first watch.
            self._listening = asyncio.create_task(self._stay(), name="handoffs: listen to the store")
        with anyio.move_on_after(self._connections.patience.call):
            await self._begun.wait()
        if self._failure is not None:
            raise self._failure
        if not self._begun.is_set():
            raise self._connections.unreachable()

    async def _stay(self) -> None:
        """Listen until there are no watches, reconnecting as needed."""
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
            except Exception as error:  # noqa: BLE001 - after any error, waiters must not wait for ever
                if self._heard_to is None and not passing(error):
                    self._listening, self._failure = None, error
                    self._begun.set()
                    return
                if not self._connections.outage.why:
                    self._outage.goes_on(error)
            await anyio.sleep(next(waits))
            await self._catch_up_otherwise()

    async def _hear(self, connection: Listener) -> None:
        """Wake waiters until there are no watches. Raises OSError if the connection breaks."""
        lost = asyncio.Event()
        self._own.clear()
        connection.add_termination_listener(lambda _: lost.set())
        with anyio.fail_after(self._connections.patience.reply):
            # First listen, then read: what is committed in between comes twice, and nothing never.
            await connection.add_listener(self._connections.address.schema, self._received)
        if not self._proved:
            await self._prove(connection, lost)
        again = self._heard_to is not None
        await self._catch_up()
        self._in_step = True
        if again:
            # A standby that lacked the last lines uses their numbers again, for other lines.
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
        # Before other code can run: the next watch starts anew.
        self._listening = None

    async def _prove(self, connection: Listener, lost: asyncio.Event) -> None:
        """Receive a notification that another connection sends.

        LISTEN on a pooled connection raises no error; it only receives nothing.

        Raises:
            StoreError: A pooler stands between: the connection is fine, and heard nothing.
            OSError: The connection is not fine.
        """
        schema, word = self._connections.address.schema, f"proof {secrets.token_hex(8)}"
        self._word, self._word_heard = word, asyncio.Event()

        async def say(connection: Connection) -> None:
            await connection.fetch("SELECT pg_notify($1, $2)", schema, word)

        await self._connections.run(say)
        with anyio.move_on_after(self._connections.patience.reply):
            ends = [asyncio.create_task(each.wait()) for each in (self._word_heard, lost)]
            try:
                await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for each in ends:
                    each.cancel()
        if lost.is_set():
            raise ConnectionResetError("the connection was closed")
        if not self._word_heard.is_set():
            # What was said before the reply to this has come by now, where anything comes.
            with anyio.fail_after(self._connections.patience.reply):
                await connection.fetch("SELECT")
        if self._word_heard.is_set():
            self._proved = True
            return
        shown = self._connections.address.shown
        raise StoreError(f"The store {shown} does not report changes by other servers: {POOLER}.")

    async def _catch_up(self) -> None:
        """Wake the waiters of all handoffs with lines after the last known one."""
        # Lines that are reported meanwhile have higher numbers than the missed ones, so only the end of this moves it
        # on.
        heard_to, self._in_step = self._heard_to, False
        last = await self._last()
        if heard_to is not None and last < heard_to:
            # The database was replaced: by a backup, or a standby that lacked lines.
            self._watches.wake_all()
        elif heard_to is not None and last > heard_to:
            for number, handoff_id, _ in await self._news(heard_to):
                last = max(last, number)
                self._watches.wake(handoff_id)
        self._heard_to = last
        self._begun.set()

    async def _catch_up_otherwise(self) -> None:
        # There may be connections for statements but none to listen on: their number is limited.
        with suppress(Exception):  # the next try reports the error; ending here would leave the waiters asleep
            await self._catch_up()

    def _received(self, connection: object, pid: int, channel: str, payload: str) -> None:
        if payload == self._word:
            self._word_heard.set()
        number, _, handoff_id = payload.partition(" ")
        if number.isdigit():
            if self._in_step and self._heard_to is not None:
                self._heard_to = max(self._heard_to, int(number))
            if int(number) in self._own:
                del self._own[int(number)]  # its waiters were woken when it was written
            else:
                self._watches.wake(handoff_id)
