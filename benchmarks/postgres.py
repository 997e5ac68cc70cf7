"""Handoffs on PostgreSQL: one handoff against servers that store nothing, and an answer through another server."""

from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks import handoff, servers, wakeup
from benchmarks.clients import NEWER, OLDER
from benchmarks.plan import Plan
from benchmarks.table import Row, compared
from tests.store.postgres_server import Cluster

BARS = {"stdio": 1.45, "HTTP": 1.3}
WAKE_BARS_MS = 10.0, 50.0


async def run(plan: Plan) -> list[Row]:
    """Return a row for each transport and era, and two for how soon an answer is there."""
    rounds, batch = plan.pick(full=30, quick=6), plan.pick(full=8, quick=5)
    rows: list[Row] = []
    with database() as cluster:
        for transport, bar in BARS.items():
            for era in (OLDER, NEWER):
                samples = await handoff.measure(
                    transport, era, [servers.bare()], rounds=rounds, batch=batch,
                    store=cluster.url(), database=cluster.database(),
                )  # fmt: skip
                rows += [
                    compared(
                        f"one handoff on PostgreSQL, {transport}, {era}, against {name}", "ms", samples["handoffs"],
                        samples[name], bar=bar if name == "bare" else None,
                        details={"calls": batch * len(samples[name])},
                    )
                    for name in ("bare", "stored")
                ]  # fmt: skip
        with TemporaryDirectory(prefix="handoffs-bench-") as name:
            rows += await wakeup.measure(
                plan, Path(name), cluster.url(), "answered elsewhere on PostgreSQL", bars=WAKE_BARS_MS
            )
    return rows


@contextmanager
def database() -> Generator[Cluster]:
    """Give a PostgreSQL server of one's own, as durable as PostgreSQL is, while the block lasts."""
    cluster = Cluster(durable=True)
    try:
        yield cluster
    finally:
        cluster.remove()
