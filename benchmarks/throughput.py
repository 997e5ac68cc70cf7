"""Throughput of two servers on one PostgreSQL: questions opened and answered, against the bare driver.

The bare driver is given the very statements and parameters, one after another on a connection of its own.

    python -m benchmarks.throughput handoffs|driver URL SECONDS

is one of two processes: it waits for a line, works for so long, and prints how many it has done.
"""

import sys
import time
from datetime import UTC, datetime
from pathlib import Path

import anyio
from anyio.streams.buffered import BufferedByteReceiveStream

from benchmarks import seed
from benchmarks.plan import Plan
from benchmarks.postgres import database
from benchmarks.table import Row, compared
from handoffs.core.events import Answered, Opened
from handoffs.core.lifecycle import advance
from handoffs.core.model import Handoff
from handoffs.store import rows
from handoffs.store.postgres.address import parse
from handoffs.store.postgres.statements import statements
from handoffs.store.postgres.store import PostgresStore

BAR = 2.0
"""Of the time for each, ours against the driver's: at least half its throughput."""

SERVERS, AT_ONCE = 2, 8


async def run(plan: Plan) -> list[Row]:
    """Return one row: milliseconds of the whole for one handoff, opened and answered."""
    rounds, seconds = plan.pick(full=5, quick=2), plan.pick(full=4, quick=1)
    samples: dict[str, list[list[float]]] = {"handoffs": [], "driver": []}
    with database() as cluster:
        url = cluster.url()
        async with PostgresStore(url) as store:
            await store.ids("")
        for _ in range(rounds):
            for kind, took in samples.items():
                took.append([1000 * seconds / await _done(kind, url, seconds)])
    what = f"opened and answered, {SERVERS} servers on one PostgreSQL, against the bare driver"
    return [compared(what, "ms", samples["handoffs"], samples["driver"], bar=BAR)]


async def _done(kind: str, url: str, seconds: int) -> int:
    """Return how many the servers have done together."""
    command = [sys.executable, "-m", "benchmarks.throughput", kind, url, str(seconds)]
    root, total = Path(__file__).parents[1], 0
    processes = [await anyio.open_process(command, cwd=root, stderr=None) for _ in range(SERVERS)]
    try:
        with anyio.fail_after(60 + seconds):
            said: list[BufferedByteReceiveStream] = []
            for process in processes:
                assert process.stdout is not None
                said.append(BufferedByteReceiveStream(process.stdout))
                await said[-1].receive_until(b"\n", 100)  # it is ready
            for process in processes:
                assert process.stdin is not None
                await process.stdin.send(b"go\n")
            for each in said:
                total += int(await each.receive_until(b"\n", 100))
    finally:
        for process in processes:
            if process.returncode is None:
                process.kill()
            await process.aclose()
    return total


async def _ours(store: PostgresStore) -> None:
    asked, new, answer = _next()
    await store.open(new, collect_after=asked)
    await store.record(new.id, answer)


def _next() -> tuple[datetime, Handoff, Answered]:
    asked = datetime.now(UTC)
    new = seed.handoff(time.monotonic_ns(), asked)
    values = {field.name: "yes" for field in new.question.form.fields}
    return asked, new, Answered(at=asked, by="ada", channel="benchmark", values=values)


async def _work(kind: str, url: str, seconds: float) -> int:
    import asyncpg  # the driver alone, as anybody would use it

    done = 0
    address = parse(url)
    sql = statements(address.schema)
    async with PostgresStore(url) as store:
        await store.ids("")
        connections = [await asyncpg.connect(address.dsn) for _ in range(AT_ONCE)]
        print("ready", flush=True)
        await anyio.to_thread.run_sync(sys.stdin.readline)
        end = time.monotonic() + seconds

        async def bare(connection: asyncpg.Connection) -> None:
            nonlocal done
            while time.monotonic() < end:
                asked, new, answer = _next()
                row, write = rows.encode(new), time.monotonic_ns()
                then = advance(new, answer)
                opened = [[cell] for cell in rows.encode_event(new, Opened(at=asked))]
                answered = [[cell] for cell in rows.encode_event(then, answer)]
                await connection.fetch(sql.open, *row, rows.micros(asked), *opened, write)
                await connection.fetch(sql.find, new.id)
                after = rows.encode_changing(then)
                await connection.fetch(sql.change, *after, new.id, new.version, *answered, write + 1)
                done += 1

        async def ours() -> None:
            nonlocal done
            while time.monotonic() < end:
                await _ours(store)
                done += 1

        async with anyio.create_task_group() as workers:
            for connection in connections:
                if kind == "handoffs":
                    workers.start_soon(ours)
                else:
                    workers.start_soon(bare, connection)
        for connection in connections:
            await connection.close()
    return done


if __name__ == "__main__":
    print(anyio.run(_work, sys.argv[1], sys.argv[2], float(sys.argv[3])), flush=True)
