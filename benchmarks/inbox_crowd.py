"""The list while hundreds of people have it open and hundreds of questions come at once."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

from anyio import to_thread

from benchmarks import inbox_process, servers
from benchmarks.inbox_list import Visitor
from benchmarks.plan import Plan
from benchmarks.seed import handoff
from benchmarks.table import Row
from handoffs.store.sqlite.store import SqliteStore

RATIO_BAR = 8.0
AT_ONCE = 200
FEW = 5


async def run(plan: Plan) -> list[Row]:
    """Return the slowest list of a burst that hundreds of pages hear of, beside that of a burst that a few hear of.

    A page that listens reads what it is told and fetches nothing.
    """
    many = plan.pick(full=500, quick=50)
    with TemporaryDirectory(prefix="handoffs-bench-") as name:
        folder = Path(name)
        async with (
            SqliteStore(folder / "handoffs.db") as store,
            inbox_process.inbox(servers.handoffs(folder)) as inbox,
            inbox_process.person(inbox) as person,
        ):
            burst = _Burst(store, inbox.port, inbox_process.cookie_of(person))
            few, _ = await burst.watched_by(FEW)
            slowest, seconds = await burst.watched_by(many)
    return [
        Row(
            what=f"slowest list while {many} pages hear of {AT_ONCE} questions, beside {FEW} pages",
            unit="ms",
            ours=slowest,
            yardstick=few,
            ratio=slowest / few,
            bar=RATIO_BAR,
            details={"all were told in s": seconds},
        )
    ]


class _Burst:
    def __init__(self, store: SqliteStore, port: int, cookie: str) -> None:
        self._store, self._port, self._cookie = store, port, cookie
        self._asked = 0

    async def watched_by(self, listeners: int) -> tuple[float, float]:
        """Ask; return the slowest list until all are told, in milliseconds, and the seconds until then."""
        now = asyncio.get_running_loop().time
        with Visitor(self._port, self._cookie) as visitor:
            await to_thread.run_sync(visitor.visit)
            async with _listening(self._port, self._cookie, listeners, AT_ONCE) as told:
                begun, took = now(), [0.0]
                asking = asyncio.create_task(_ask(self._store, AT_ONCE, first=self._asked))
                while not told.is_set():
                    took.append(await to_thread.run_sync(visitor.visit))
                seconds = now() - begun
                await asking
        self._asked += AT_ONCE
        return max(took), seconds


async def _ask(store: SqliteStore, count: int, *, first: int) -> None:
    for number in range(first, first + count):
        asked = datetime.now(UTC)
        await store.open(handoff(number, asked), collect_after=asked - timedelta(hours=1))


@asynccontextmanager
async def _listening(port: int, cookie: str, count: int, until: int) -> AsyncGenerator[asyncio.Event]:
    """Keep so many pages listening; the event is set when each was told of `until` questions."""
    left, done, ready = count, asyncio.Event(), asyncio.Semaphore(0)

    async def listen() -> None:
        nonlocal left
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        try:
            writer.write(f"GET /events HTTP/1.1\r\nHost: localhost:{port}\r\nCookie: {cookie}\r\n\r\n".encode())
            await reader.readuntil(b"\r\n\r\n")
            ready.release()
            told = 0
            while told < until:
                line = await reader.readline()
                if not line:
                    raise RuntimeError("the inbox has closed a page's stream")
                told += line.startswith(b"event: handoff")
            left -= 1
            if not left:
                done.set()
            await asyncio.Event().wait()
        finally:
            writer.close()

    async with asyncio.TaskGroup() as tasks:
        pages = [tasks.create_task(listen()) for _ in range(count)]
        for _ in pages:
            await ready.acquire()
        try:
            async with asyncio.timeout(120):
                yield done
        finally:
            for page in pages:
                page.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.gather(*pages, return_exceptions=True)
