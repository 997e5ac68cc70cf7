"""The first byte of the list with 2,000 open questions, and of a search in 1,000, beside bare pages as large."""

import socket
import time
from collections.abc import Mapping
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

from anyio import to_thread

from benchmarks import inbox_process, servers
from benchmarks.plan import Plan
from benchmarks.seed import fill, handoff
from benchmarks.table import Row, percentile
from handoffs.store.sqlite.store import SqliteStore

MEDIAN_BAR_MS = 50.0
OPEN = 2_000
SEARCHED = 1_000
_END_OF_HEAD = b"\r\n\r\n"


async def run(plan: Plan) -> list[Row]:
    """Return the medians of the list and of a search. Every request is made on a connection that is open."""
    return [await _list(plan), await _search(plan)]


async def _list(plan: Plan) -> Row:
    count = plan.pick(full=200, quick=20)
    with TemporaryDirectory(prefix="handoffs-bench-") as name:
        folder = Path(name)
        await fill(folder / "handoffs.db", OPEN)
        async with (
            inbox_process.inbox(servers.handoffs(folder)) as inbox,
            inbox_process.person(inbox) as person,
        ):
            page = await person.get("/")
            if f"of {OPEN:,}" not in page.text:
                raise RuntimeError(f"the page does not say that {OPEN:,} are open")
            (folder / "page.html").write_bytes(page.content)
            cookie = inbox_process.cookie_of(person)
            async with servers.serving(servers.page(folder / "page.html"), folder) as bare:
                ports = {"inbox": inbox.port, "bare": bare.port}
                took = await to_thread.run_sync(_alternate, ports, cookie, count)
    details = {"samples": count, "bytes": len(page.content), "p99 in ms": percentile(took["inbox"], 99)}
    return Row(
        what=f"first byte of the list, {OPEN:,} open, median, beside a bare page",
        unit="ms",
        ours=percentile(took["inbox"], 50),
        yardstick=percentile(took["bare"], 50),
        bar=MEDIAN_BAR_MS,
        details=details,
    )


async def _search(plan: Plan) -> Row:
    """Search for other words each time, while a question comes between two searches."""
    count = plan.pick(full=100, quick=10)
    with TemporaryDirectory(prefix="handoffs-bench-") as name:
        folder = Path(name)
        await fill(folder / "handoffs.db", SEARCHED)
        async with (
            SqliteStore(folder / "handoffs.db") as store,
            inbox_process.inbox(servers.handoffs(folder)) as inbox,
            inbox_process.person(inbox) as person,
        ):
            page = await person.get("/?q=tables")
            if f"{SEARCHED:,} of {SEARCHED:,}" not in page.text:
                raise RuntimeError(f"the page does not say that {SEARCHED:,} match")
            (folder / "page.html").write_bytes(page.content)
            cookie = inbox_process.cookie_of(person)
            async with servers.serving(servers.page(folder / "page.html"), folder) as bare:
                took: dict[str, list[float]] = {"many match": [], "few match": [], "bare": []}
                for number in range(count + 5):
                    asked = datetime.now(UTC)
                    await store.open(handoff(SEARCHED + number, asked), collect_after=asked - timedelta(hours=1))
                    more = ("undone", "can", "change", "it", "be")[number % 5]
                    words = {"many match": f"tables+{more}", "few match": f"{number}"}
                    paths = {name: (inbox.port, f"/?q={each}") for name, each in words.items()}
                    for name, (port, path) in {**paths, "bare": (bare.port, "/")}.items():
                        with Visitor(port, cookie, path) as visitor:
                            first = await to_thread.run_sync(visitor.visit)
                        if number >= 5:
                            took[name].append(first)
    details = {"few match": percentile(took["few match"], 50), "p99 in ms": percentile(took["many match"], 99)}
    return Row(
        what=f"first byte of a search, {SEARCHED:,} open, median, beside a bare page",
        unit="ms",
        ours=percentile(took["many match"], 50),
        yardstick=percentile(took["bare"], 50),
        bar=MEDIAN_BAR_MS,
        details=details | {"samples": count},
    )


def _alternate(ports: Mapping[str, int], cookie: str, count: int) -> dict[str, list[float]]:
    """Let both sides take turns; return the milliseconds until the first byte, each on a connection of its own."""
    with ExitStack() as stack:
        visitors = {name: stack.enter_context(Visitor(port, cookie)) for name, port in ports.items()}
        took: dict[str, list[float]] = {name: [] for name in ports}
        for number in range(count + 5):
            for name, visitor in visitors.items():
                first = visitor.visit()
                if number >= 5:
                    took[name].append(first)
        return took


class Visitor:
    """Somebody who is signed in, on one connection that stays open."""

    def __init__(self, port: int, cookie: str, path: str = "/") -> None:
        self._connection = socket.create_connection(("127.0.0.1", port), timeout=60)
        self._request = request_for(port, cookie, path)

    def __enter__(self) -> "Visitor":
        return self

    def __exit__(self, *raised: object) -> None:
        self._connection.close()

    def visit(self) -> float:
        """Ask for the page and read it; return the milliseconds until its first byte."""
        return first_byte(self._connection, self._request)


def request_for(port: int, cookie: str, path: str = "/") -> bytes:
    """Return a request for a page, of somebody who is signed in."""
    return f"GET {path} HTTP/1.1\r\nHost: localhost:{port}\r\nCookie: {cookie}\r\n\r\n".encode()


def first_byte(connection: socket.socket, request: bytes) -> float:
    """Send a request and read the whole response; return the milliseconds until its first byte."""
    begun = time.perf_counter()
    connection.sendall(request)
    received = connection.recv(1)
    took = (time.perf_counter() - begun) * 1000
    while _END_OF_HEAD not in received:
        received += _more(connection)
    head, _, body = received.partition(_END_OF_HEAD)
    status, *lines = head.decode("latin-1").split("\r\n")
    if " 200 " not in f"{status} ":
        raise RuntimeError(f"the page was answered with {status}")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    left = int(headers["content-length"]) - len(body)
    while left > 0:
        left -= len(_more(connection))
    return took


def _more(connection: socket.socket) -> bytes:
    received = connection.recv(262_144)
    if not received:
        raise RuntimeError("the connection was closed in the middle of a page")
    return received
