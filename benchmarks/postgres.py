"""Handoffs on PostgreSQL: one handoff as in `handoff`, and an answer through another server."""

from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks import environment, handoff, servers, wakeup
from benchmarks.clients import NEWER, OLDER
from benchmarks.plan import Plan
from benchmarks.table import Row, compared
from tests.store.postgres_server import Cluster

BARS = {"stored": 1.15, environment.BEFORE: 0.85, servers.WITHOUT_LOG: 1.05}
WAKE_BARS_MS = 10.0, 50.0


async def run(plan: Plan) -> list[Row]:
    """Return a row for each transport and era, and two for how soon an answer is there."""
    rounds, batch = plan.pick(full=30, quick=6), plan.pick(full=8, quick=5)
    rows: list[Row] = []
    with database() as cluster:
        earlier = handoff.has_earlier(plan)
        for transport in ("stdio", "HTTP"):
            for era in (OLDER, NEWER):
                samples = await handoff.measure(
                    transport, era, [servers.bare()], rounds=rounds, batch=batch,
                    store=cluster.url(), database=cluster.database(), earlier=earlier, earlier_store=cluster.url(),
                    unlogged_store=cluster.url(),
                )  # fmt: skip
                rows += [
                    compared(
                        f"one handoff on PostgreSQL, {transport}, {era}, against {name}", "ms", samples["handoffs"],
                        samples[name], bar=BARS.get(name),
                        details={"calls": batch * len(samples[name])},
                    )
                    for name in samples if name != "handoffs"
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
