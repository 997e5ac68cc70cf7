"""The connections of a PostgreSQL store: made when first needed, and again, with growing pauses, after they broke.

A piece of work is given a connection, and is run again on another one where the connection broke under it, until it is
done or ten seconds are over. So a restart or a fail-over of the database is a delay to a caller, and no error. What the
work has written by then, the work must find out by itself.
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
from handoffs.store.rows import Unreadable


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
"""Between two tries, in seconds, of those who try for as long as it takes."""

FIRST_PAUSE = 0.05
"""Before the second try, in seconds; each pause after it is about twice as long."""

_LONGEST_PAUSE_OF_A_CALL = 0.5
_SAID_AGAIN_SECONDS = 60.0

T = TypeVar("T")
log = logging.getLogger(__name__)


class Outage:
    """That something does not work for a while: said when it begins, once a minute, and when it is over."""

    def __init__(self, what: str, address: Address) -> None:
        """Take what to say, a sentence without its end."""
        self._what = what
        self._address = address
        self._said_at = 0.0
        self.why = ""
        """What is wrong; empty where nothing is."""

    def goes_on(self, error: BaseException) -> None:
        """Note what was wrong at the last try."""
        begins, self.why = not self.why, self._address.hide(words(error))
        if begins or anyio.current_time() > self._said_at + _SAID_AGAIN_SECONDS:
            self._said_at = anyio.current_time()
            log.warning("%s (%s); trying again.", self._what, self.why)

    def over(self) -> None:
        """Note that it works."""
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
        """Return what `work` returns, on a store that is up to date. It may be called several times.

        It runs to its end, whatever becomes of the caller: a connection that is left in the middle of something must be
        thrown away, and whether it was kept would be a matter of luck.

        Raises:
            StoreError: One of its kinds; or the database can't be reached.
        """
        begun = asyncio.create_task(self._run(work))
        self._begun.add(begun)
        begun.add_done_callback(self._ended)
        return await asyncio.shield(begun)

    async def ready(self) -> None:
        """Bring the store up to date, where nothing has yet. Raises StoreError."""
        if self._pool is None:
            await self._ready(anyio.current_time() + self.patience.call)

    async def listener(self) -> Listener:
        """Return a connection of one's own to a store that is up to date. Raises StoreError, or the driver's own."""
        await self._ready(anyio.current_time() + self.patience.call)
        return await connect(self.address)

    async def aclose(self) -> None:
        """Finish what was begun, and disconnect."""
        self._closed = True
        if self._begun:
            await asyncio.wait(self._begun)  # for as long as a call tries
        if self._opening is not None:
            self._opening.cancel()
            await asyncio.wait({self._opening})
        if self._pool is not None:
            with anyio.move_on_after(self.patience.call):
                await self._pool.close()
            self._pool.terminate()

    def unreachable(self) -> StoreUnavailable:
        """Return the error of a call that has tried for long enough."""
        why = self.outage.why or "no reply in time"
        return StoreUnavailable(
            f"The store {self.address.shown} can't be reached ({why}). Nothing is lost that was kept before; whether "
            "the last change was kept shows when it can be reached again. See that the database runs and can be "
            "reached from here, then try again."
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
                except Exception as error:  # noqa: BLE001 - sorted there, and raised where it is not the connection's
                    await self._after(error, pool)
                    if anyio.current_time() + pause > give_up:
                        raise self.unreachable() from None
                else:
                    self.outage.over()
                    return result
                await anyio.sleep(pause)
        raise AssertionError("pauses never end")

    async def _after(self, error: Exception, pool: Pool) -> None:
        """Return where the same may be tried again; else raise what the error means."""
        if gone(error):
            # Somebody dropped the tables. What is asked from now on must be kept all the same.
            if self._pool is pool:
                self._pool = None
                pool.terminate()
        elif not passing(error):
            self._raise(error)
        self.outage.goes_on(error)
        if self._pool is pool:
            # Those that are idle go the way of the one that broke, and each would cost another try.
            await pool.expire_connections()

    async def _ready(self, give_up: float) -> Pool:
        while self._pool is None:
            if self._closed:
                break
            # In a task of its own: many may be first at once, and the one that gives up stops no other.
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
        """Bring the store up to date, trying for as long as it takes. Raises StoreError where trying won't help."""
        for pause in growing_pauses(FIRST_PAUSE, LONGEST_PAUSE):
            pool = await make_pool(self.address)
            try:
                async with _lent(pool) as connection:
                    await bring_up_to_date(connection, self.address)
                    await self._settle(connection)
            except StoreError:
                pool.terminate()
                raise
            except Exception as error:  # noqa: BLE001 - raised where it is not the connection's
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
        # What the way to the server took is no difference.
        self._clock.settle(reading.offset if abs(ahead) <= TOLERATED else reading.offset + ahead)

    def _ended(self, task: "asyncio.Task[Any]") -> None:
        self._begun.discard(task)
        # Whoever waited may have given up; asyncio would say on the screen that nobody heard of the error.
        if not task.cancelled():
            task.exception()

    def _raise(self, error: Exception) -> NoReturn:
        explained = meaning(error, self.address)
        if explained is None:
            raise error
        # Without the driver's own error: in its details PostgreSQL quotes whole rows, and tracebacks are logged.
        raise explained from None


@asynccontextmanager
async def _lent(pool: Pool) -> AsyncGenerator[Connection]:
    connection = await pool.acquire()
    try:
        yield connection
    except (HandoffError, ValueError):
        raise  # our own, between two statements: the connection is as it was
    except BaseException:  # and raised again: cancelled or broken, it may be in the middle of something
        with suppress(Exception):  # the pool may have taken it away already, when it broke
            connection.terminate()
        raise
    finally:
        with anyio.CancelScope(shield=True):
            await pool.release(connection)
