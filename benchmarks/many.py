"""What a hundred thousand open handoffs cost: to ask, to answer and to look, against a thousand, on either engine."""

import time
from collections.abc import Awaitable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TypeAlias

from benchmarks import seed
from benchmarks.plan import Plan
from benchmarks.postgres import database
from benchmarks.table import Row, compared
from handoffs.assembly import store_at
from handoffs.core.events import Answered
from handoffs.settings import store_address
from handoffs.store.copying import copy
from handoffs.store.copying_postgres import PostgresSide
from handoffs.store.copying_sqlite import SqliteSide
from handoffs.store.postgres import PostgresStore
from handoffs.store.postgres_address import parse
from handoffs.store.sqlite import SqliteStore

BAR = 1.5
FEW, MANY = 1_000, 100_000
PAGE = 50

Store: TypeAlias = SqliteStore | PostgresStore
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
                SqliteSide(file, now=0) as source,
                PostgresSide(parse(urls[count]), now=0, target=True) as target,
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
    few, many = (store_at(store_address(address)) for address in addresses)
    samples: tuple[Samples, Samples] = ({}, {})
    async with few, many:
        for number in range(rounds + 1):
            for store, into in zip((few, many), samples, strict=True):
                found = await _round(store, batch)
                for what, took in found.items():
                    if number:  # the first warms up
                        into.setdefault(what, []).append(took)
    return samples


async def _round(store: Store, batch: int) -> dict[str, list[float]]:
    took: dict[str, list[float]] = {"open": [], "answer": [], "a page": []}
    for _ in range(batch):
        asked = datetime.now(UTC)
        new = seed.handoff(time.monotonic_ns(), asked)
        await _timed(took["open"], store.open(new, collect_after=asked - timedelta(hours=1)))
        values = {field.name: "yes" for field in new.question.form.fields}
        answer = Answered(at=asked, by="ada", channel="benchmark", values=values)
        await _timed(took["a page"], store.newest(open_only=True, limit=PAGE))
        await _timed(took["answer"], store.record(new.id, answer))
    return took


async def _timed(into: list[float], work: Awaitable[object]) -> None:
    start = time.perf_counter()
    await work
    into.append((time.perf_counter() - start) * 1000)
