"""What a hundred thousand open handoffs cost: to ask, to answer and to look, against a thousand, on either engine."""

import socket
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TypeAlias

from anyio import to_thread

from benchmarks import inbox_list, inbox_process, seed, servers
from benchmarks.plan import Plan
from benchmarks.postgres import database
from benchmarks.table import Row, compared
from handoffs.assembly import store_at
from handoffs.core.events import Answered
from handoffs.setting_values import store_address
from handoffs.store import OpenStore
from handoffs.store.copying import copy
from handoffs.store.postgres.address import parse
from handoffs.store.postgres.copying import PostgresEndpoint
from handoffs.store.sqlite.copying import SqliteEndpoint

BAR = 1.5
FEW, MANY = 1_000, 100_000

Page: TypeAlias = Callable[[], Awaitable[float]]
"""Gets a page; returns the milliseconds until its first byte."""
Samples: TypeAlias = dict[str, list[list[float]]]


async def run(plan: Plan) -> list[Row]:
    """Return a row for each engine and each of open, answer, and one page of the inbox."""
    rounds, batch = plan.pick(full=30, quick=8), 10
    rows: list[Row] = []
    with TemporaryDirectory(prefix="handoffs-bench-") as name, database() as cluster:
        files = {count: Path(name) / f"{count}.db" for count in (FEW, plan.pick(full=MANY, quick=MANY // 10))}
        urls = {count: cluster.url() for count in files}
        for count, file in files.items():
            plan.say(f"making two stores with {count} open handoffs …")
            seed.fill_at_once(file, count)
            async with (
                SqliteEndpoint(file, now=0) as source,
                PostgresEndpoint(parse(urls[count]), now=0, target=True) as target,
            ):
                await copy(source, target, told=lambda phase, done, of: None)
        cluster.sql("VACUUM ANALYZE")  # as autovacuum will have
        for engine, addresses in (("SQLite", list(map(str, files.values()))), ("PostgreSQL", list(urls.values()))):
            few, many = await _take_turns(addresses, rounds=rounds, batch=batch)
            rows += [
                compared(f"{what}, {max(files):,} open against {FEW:,}, {engine}", "ms", many[what], few[what], bar=BAR)
                for what in few
            ]
    return rows


async def _take_turns(addresses: Sequence[str], *, rounds: int, batch: int) -> tuple[Samples, Samples]:
    samples: tuple[Samples, Samples] = ({}, {})
    async with AsyncExitStack() as stack:
        sides = [await stack.enter_async_context(_side(address)) for address in addresses]
        for number in range(rounds + 1):
            for (store, page), into in zip(sides, samples, strict=True):
                found = await _round(store, page, batch)
                for what, took in found.items():
                    if number:  # the first warms up
                        into.setdefault(what, []).append(took)
    return samples


@asynccontextmanager
async def _side(address: str) -> AsyncGenerator[tuple[OpenStore, Page]]:
    """Give a store, and what asks its inbox, a process of its own, for the first page over HTTP."""
    with TemporaryDirectory(prefix="handoffs-bench-") as name:
        server = servers.handoffs(Path(name), store=address)
        async with (
            store_at(store_address(address)) as store,
            inbox_process.inbox(server) as inbox,
            inbox_process.person(inbox) as person,
        ):
            await person.get("/")  # the first one reads all that is open
            request = inbox_list.request_for(inbox.port, inbox_process.cookie_of(person))
            with socket.create_connection(("127.0.0.1", inbox.port), timeout=30) as connection:
                yield store, lambda: to_thread.run_sync(inbox_list.first_byte, connection, request)


async def _round(store: OpenStore, page: Page, batch: int) -> dict[str, list[float]]:
    took: dict[str, list[float]] = {"open": [], "answer": [], "a page of the inbox": []}
    for _ in range(batch):
        asked = datetime.now(UTC)
        new = seed.handoff(time.monotonic_ns(), asked)
        await _timed(took["open"], store.open(new, collect_after=asked - timedelta(hours=1)))
        values = {field.name: "yes" for field in new.question.form.fields}
        answer = Answered(at=asked, by="ada", channel="benchmark", values=values)
        took["a page of the inbox"].append(await page())
        await _timed(took["answer"], store.record(new.id, answer))
    return took


async def _timed(into: list[float], work: Awaitable[object]) -> None:
    start = time.perf_counter()
    await work
    into.append((time.perf_counter() - start) * 1000)
