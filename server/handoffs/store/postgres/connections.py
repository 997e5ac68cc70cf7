"""The connections of a PostgreSQL store: made at first use, and made again, with growing pauses, after they broke.

`run` gives a piece of work a connection. If the connection breaks, the work runs again on another one, until it is done
or ten seconds have passed. So a restart or fail-over of the database delays callers, without an error. The work itself
has to find out what it had written before.
"""

import asyncio
import logging
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, NoReturn, TypeVar, cast

import anyio

from handoffs.clock import TOLERATED, SystemClock
from handoffs.core.errors import HandoffError, StoreCorrupt, StoreError, StoreUnavailable
from handoffs.core.retry import growing_pauses
from handoffs.store.postgres.address import Address
from handoffs.store.postgres.driver import AT_ONCE, Connection, Listener, Pool, connect, make_pool
from handoffs.store.postgres.errors import gone, meaning, passing, words
from handoffs.store.postgres.layout import bring_up_to_date
from handoffs.store.values import Unreadable


@dataclass(frozen=True, kw_only=True)
class Patience:
    """How long a store waits for its database, in seconds."""

    call: float = 10.0
    """How long a call tries to reach the database before it raises."""
    attempt: float = 5.0
    """How long one try may take without a sign of the server, which may be behind a network that was cut."""
    check: float = 15.0
    """How often a silent connection is asked for news, so that one that was cut is found out."""
    reply: float = 5.0
    """How long the connection that listens may take to reply."""


PATIENCE = Patience()
"""What a store has that is given none."""

LONGEST_PAUSE = 5.0
"""The longest pause between tries without a time limit, in seconds."""

FIRST_PAUSE = 0.05
"""The pause before the second try, in seconds; each later pause is about twice as long."""

_LONGEST_PAUSE_OF_A_CALL = 0.5
_SAID_AGAIN_SECONDS = 60.0

T = TypeVar("T")
log = logging.getLogger(__name__)


class Outage:
    """A failure that lasts: logged when it begins, once a minute, and when it is over."""

    def __init__(self, what: str, address: Address) -> None:
        """Take the message, a sentence without its full stop."""
        self._what = what
        self._address = address
        self._said_at = 0.0
        self.why = ""
        """The last error; empty if there is none."""

    def goes_on(self, error: BaseException) -> None:
        """Record the error of the last try."""
        begins, self.why = not self.why, self._address.hide(words(error))
        if begins or anyio.current_time() > self._said_at + _SAID_AGAIN_SECONDS:
            self._said_at = anyio.current_time()
            log.warning("%s (%s); trying again.", self._what, self.why)

    def over(self) -> None:
        """Record that it works again."""
        if self.why:
            self.why = ""
            log.warning("%s: that is over.", self._what)


class Connections:
    """The connections of one store in one process."""

    def __init__(self, address: Address, clock: SystemClock | None = None, patience: Patience = PATIENCE) -> None:
        """Take where the store is; nothing is connected yet. The `clock` is told by how much the server's differs."""
        self.address = address
        self.patience = patience
        self._clock = clock
        self._pool: Pool | None = None
        self._opening: asyncio.Task[None] | None = None
        self._begun: set[asyncio.Task[Any]] = set()
        self._turns = asyncio.Semaphore(AT_ONCE)
        self._closed = False
        self.outage = Outage(f"The store {address.shown} can't be reached", address)

    async def run(self, work: Callable[[Connection], Awaitable[T]]) -> T:
        """Return what `work` returns, on a store that is up to date. `work` may be called several times.

        It runs to its end even if the caller is cancelled: otherwise the connection would have to be thrown away, and
        it would not be known whether the change was committed.

        Raises:
            StoreError: The store can't be used, or the database can't be reached.
        """
        begun = asyncio.create_task(self._run(work))
        self._begun.add(begun)
        begun.add_done_callback(self._ended)
        return await asyncio.shield(begun)

    async def ready(self) -> None:
        """Bring the store up to date, if that was not done before. Raises StoreError."""
        if self._pool is None:
            await self._ready(anyio.current_time() + self.patience.call)

    async def listener(self) -> Listener:
        """Return a connection of one's own to a store that is up to date. Raises StoreError, or the driver's own."""
        await self._ready(anyio.current_time() + self.patience.call)
        return await connect(self.address)

    async def aclose(self) -> None:
        """Finish running work, and disconnect."""
        self._closed = True
        if self._begun:
            await asyncio.wait(self._begun)  # no longer than a call tries
        if self._opening is not None:
            self._opening.cancel()
            await asyncio.wait({self._opening})
        if self._pool is not None:
            with anyio.move_on_after(self.patience.call):
                await self._pool.close()
            self._pool.terminate()

    def unreachable(self) -> StoreUnavailable:
        """Return the error of a call that has run out of time."""
        why = self.outage.why or "no reply in time"
        return StoreUnavailable(
            f"The store {self.address.shown} can't be reached ({why}). Earlier changes are safe; whether the last one "
            "was stored shows when the store can be reached again. Check that the database runs and can be reached "
            "from here, then try again."
        )

    async def _run(self, work: Callable[[Connection], Awaitable[T]]) -> T:
        give_up = anyio.current_time() + self.patience.call
        async with self._turns:
            if not self.outage.why:
                give_up = anyio.current_time() + self.patience.call  # waiting for a turn is no sign of trouble
            for pause in growing_pauses(FIRST_PAUSE, _LONGEST_PAUSE_OF_A_CALL):
                pool = await self._ready(give_up)
                try:
                    with anyio.fail_after(self.patience.attempt):
                        async with _lent(pool) as connection:
                            result = await work(connection)
                except Unreadable as error:
                    raise StoreCorrupt(
                        f"The store {self.address.shown} is damaged ({error}). Restore a backup, or ask who changed it."
                    ) from error
                except Exception as error:  # noqa: BLE001 - `_after` raises it unless the connection failed
                    await self._after(error, pool)
                    if anyio.current_time() + pause > give_up:
                        raise self.unreachable() from None
                else:
                    self.outage.over()
                    return result
                await anyio.sleep(pause)
        raise AssertionError("pauses never end")

    async def _after(self, error: Exception, pool: Pool) -> None:
        """Return if the same work can be tried again; else raise the error's meaning."""
        if gone(error):
            # The tables were dropped. Make them again, so that later calls work.
            if self._pool is pool:
                self._pool = None
                pool.terminate()
        elif not passing(error):
            self._raise(error)
        self.outage.goes_on(error)
        if self._pool is pool:
            # The idle connections are broken, too, and each would cost another try.
            await pool.expire_connections()

    async def _ready(self, give_up: float) -> Pool:
        while self._pool is None:
            if self._closed:
                break
            # A task of its own: many calls may wait for it, and a cancelled one must not stop the others.
            if self._opening is None or self._opening.done():
                self._opening = asyncio.create_task(self._open(), name="handoffs: open the store")
                self._opening.add_done_callback(self._ended)
            opening = self._opening
            await asyncio.wait({opening}, timeout=max(0, give_up - anyio.current_time()))
            if opening.done() and not opening.cancelled() and (error := opening.exception()):
                raise error
            if not opening.done():
                raise self.unreachable()
        if self._closed or self._pool is None:
            raise StoreError(
                f"The store {self.address.shown} is closed: this process is shutting down. Start it again."
            )
        return self._pool

    async def _open(self) -> None:
        """Bring the store up to date, without a time limit. Raises StoreError if trying again won't help."""
        for pause in growing_pauses(FIRST_PAUSE, LONGEST_PAUSE):
            pool = await make_pool(self.address)
            try:
                async with _lent(pool) as connection:
                    await bring_up_to_date(connection, self.address)
                    await self._settle(connection)
            except StoreError:
                pool.terminate()
                raise
            except Exception as error:  # noqa: BLE001 - raised below unless the connection failed
                pool.terminate()
                if not passing(error):
                    self._raise(error)
                self.outage.goes_on(error)
            else:
                self._pool = pool
                self.outage.over()
                return
            await anyio.sleep(pause)

    async def _settle(self, connection: Connection) -> None:
        reading = None if self._clock is None else self._clock.read()
        if self._clock is None or reading is None:
            return
        sql = "SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint"
        ((there,),) = await connection.fetch(sql)
        ahead = timedelta(microseconds=cast("int", there)) - reading.since_boot - reading.offset
        # The time of the round trip does not count as a difference.
        self._clock.settle(reading.offset if abs(ahead) <= TOLERATED else reading.offset + ahead)

    def _ended(self, task: "asyncio.Task[Any]") -> None:
        self._begun.discard(task)
        # All callers may have given up; asyncio would print that the error was never retrieved.
        if not task.cancelled():
            task.exception()

    def _raise(self, error: Exception) -> NoReturn:
        explained = meaning(error, self.address)
        if explained is None:
            raise error
        # Without the driver's error as cause: PostgreSQL quotes whole rows in its details, and tracebacks are logged.
        raise explained from None


@asynccontextmanager
async def _lent(pool: Pool) -> AsyncGenerator[Connection]:
    connection = await pool.acquire()
    try:
        yield connection
    except (HandoffError, ValueError):
        raise  # ours, between two statements: the connection is clean
    except BaseException:  # raised again: a cancelled or broken connection may be mid-statement
        with suppress(Exception):  # the pool may have removed a broken one already
            connection.terminate()
        raise
    finally:
        with anyio.CancelScope(shield=True):
            await pool.release(connection)
