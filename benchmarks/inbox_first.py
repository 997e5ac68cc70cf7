"""The first page of an inbox after its start, over 100,000 open questions: the list, or the figures."""

from pathlib import Path
from tempfile import TemporaryDirectory

from anyio import to_thread

from benchmarks import inbox_process, servers
from benchmarks.inbox_list import Visitor
from benchmarks.plan import Plan
from benchmarks.seed import fill_at_once
from benchmarks.table import Row, percentile

MEDIAN_BAR_MS = 400.0
OPEN = 100_000
PAGES = {"list": "/", "figures": "/figures"}


async def run(plan: Plan) -> list[Row]:
    """Return a row for each page. Every sample is the first page of an inbox that was started for it."""
    count = plan.pick(full=15, quick=2)
    with TemporaryDirectory(prefix="handoffs-bench-") as name:
        folder = Path(name)
        await to_thread.run_sync(fill_at_once, folder / "handoffs.db", OPEN)
        return [await _row(folder, what, path, count) for what, path in PAGES.items()]


async def _row(folder: Path, what: str, path: str, count: int) -> Row:
    file = folder / f"{what}.html"
    file.write_bytes(await _page(folder, path))
    first: list[float] = []
    second: list[float] = []
    bare: list[float] = []
    async with servers.serving(servers.page(file), folder) as running:
        for _ in range(count):
            async with (
                inbox_process.inbox(servers.handoffs(folder)) as inbox,
                inbox_process.person(inbox) as person,
            ):
                with Visitor(inbox.port, inbox_process.cookie_of(person), path) as visitor:
                    first.append(await to_thread.run_sync(visitor.visit))
                    second.append(await to_thread.run_sync(visitor.visit))
            # A connection of its own each time: none is kept open for as long as an inbox takes to start and to end.
            with Visitor(running.port, "") as passer_by:
                bare.append(await to_thread.run_sync(passer_by.visit))
    return Row(
        what=f"the {what} as the first page after a start, {OPEN:,} open, median, beside a bare page",
        unit="ms",
        ours=percentile(first, 50),
        yardstick=percentile(bare, 50),
        bar=MEDIAN_BAR_MS,
        details={
            "samples": count,
            "bytes": file.stat().st_size,
            "slowest in ms": max(first),
            "the same page again in ms": percentile(second, 50),
        },
    )


async def _page(folder: Path, path: str) -> bytes:
    """Return the page; it shows that the inbox knows how many are open."""
    async with inbox_process.inbox(servers.handoffs(folder)) as inbox, inbox_process.person(inbox) as person:
        page = await person.get(path)
    if f"{OPEN:,}" not in page.text:
        raise RuntimeError(f"{path} does not say that {OPEN:,} are open")
    return page.content
