"""Time from the start of the process to a host's first answers, over pipes, without a client in between.

A start has two stages (`handoffs.first_stage`): the rows tell how much the first saves, and that a start which can't
use it, for want of a snapshot or because the client is a new version, takes no longer for it.
"""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Generator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from select import select
from tempfile import TemporaryDirectory
from typing import Any

from anyio import to_thread

from benchmarks import environment, servers
from benchmarks.plan import Plan
from benchmarks.table import Row, compared

PATIENCE_SECONDS = 30.0
KEPT_SECONDS = 10.0

INFO = {"name": "benchmark", "version": "1"}
INITIALIZE = {"protocolVersion": "2025-11-25", "capabilities": {"elicitation": {}}, "clientInfo": INFO}
META = {
    "io.modelcontextprotocol/protocolVersion": "2026-07-28",
    "io.modelcontextprotocol/clientInfo": INFO,
    "io.modelcontextprotocol/clientCapabilities": {"elicitation": {}},
}
CALL = {"name": "handoff_to_user", "arguments": {"message": "Deploy?"}}
ACCEPT = {"action": "accept", "content": {"response": "yes"}, "_meta": {"handoffs/script": True}}


class Host:
    """The other end of a server's pipe."""

    def __init__(self, process: "subprocess.Popen[bytes]") -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        self._stdin, self._stdout = process.stdin, process.stdout.fileno()
        self._unread = b""
        self.client = INFO

    def initialized(self) -> None:
        self.ask("initialize", {**INITIALIZE, "clientInfo": self.client})

    def discovered(self) -> None:
        self.ask("server/discover", {"_meta": META})

    def listed(self) -> None:
        self.initialized()
        self._send({"method": "notifications/initialized"})
        self.ask("tools/list", None)

    def called(self) -> None:
        self.listed()
        self.ask("tools/call", CALL)

    def ask(self, method: str, params: Mapping[str, Any] | None) -> None:
        """Return once a request is answered; a dialog is, at once."""
        self._send({"id": method, "method": method, **({} if params is None else {"params": params})})
        while (message := self._next()).get("id") != method:
            if message.get("method") == "elicitation/create":
                self._send({"id": message["id"], "result": ACCEPT})
        if "result" not in message:
            raise RuntimeError(f"{method} was answered with {message}")

    def _send(self, message: Mapping[str, Any]) -> None:
        self._stdin.write(json.dumps({"jsonrpc": "2.0", **message}).encode() + b"\n")

    def _next(self) -> dict[str, Any]:
        while b"\n" not in self._unread:
            ready, _, _ = select([self._stdout], [], [], PATIENCE_SECONDS)
            chunk = os.read(self._stdout, 65_536) if ready else b""
            if not chunk:
                raise RuntimeError("a server did not answer")
            self._unread += chunk
        line, _, self._unread = self._unread.partition(b"\n")
        return json.loads(line)


async def run(plan: Plan) -> list[Row]:
    """Return the rows, each against the bare server, or on a busy machine against an earlier build."""
    return await to_thread.run_sync(_run, plan)


def _run(plan: Plan) -> list[Row]:
    environment.compile_bytecode()
    runs = plan.pick(full=21, quick=3)
    with TemporaryDirectory(prefix="handoffs-bench-") as name:
        folder = Path(name)
        ours, bare = servers.handoffs(folder), servers.bare()
        rows = [
            compare_starts("start until initialize is answered", Host.initialized, ours, bare, folder, runs, 0.10),
            compare_starts("start until server/discover is answered", Host.discovered, ours, bare, folder, runs, 0.10),
            compare_starts("start until tools/list is answered", Host.listed, ours, bare, folder, runs, 0.15),
            compare_starts("start until the first call is answered", Host.called, ours, bare, folder, runs, 0.95),
            compare_starts(
                "start until initialize is answered, no snapshot", Host.initialized, ours, bare, folder, runs, 1.0,
                prepare=lambda host: _forget(folder),
            ),
            compare_starts(
                "start until initialize is answered, the client is new", Host.initialized, ours, bare, folder, runs,
                1.0, prepare=_renew,
            ),
        ]  # fmt: skip
        before = replace(ours, name="before", command=(str(environment.before(environment.BEFORE)), "serve"))
        what = f"start until tools/list is answered, all cores busy, against {environment.BEFORE}"
        with _busy():
            rows.append(compare_starts(what, Host.listed, ours, before, folder, plan.pick(full=9, quick=2), 0.9))
        return rows


def compare_starts(
    what: str,
    until: Callable[[Host], None],
    ours: servers.Server,
    yardstick: servers.Server,
    folder: Path,
    runs: int,
    bar: float,
    *,
    prepare: Callable[[Host], None] | None = None,
) -> Row:
    sides = [ours, yardstick]
    for server in sides:
        # The rest of the bytecode is written, the files are in the page cache, and what is kept of a start is.
        _start(server, folder, until, None, linger=server is ours)
    took: dict[str, list[list[float]]] = {server.name: [] for server in sides}
    for _ in range(runs):
        for server in sides:
            took[server.name].append([_start(server, folder, until, prepare)])
        sides.reverse()
    what = what if yardstick.name == "before" else f"{what}, against bare"
    return compared(what, "ms", took[ours.name], took[yardstick.name], bar=bar, details={"runs": runs})


def _start(
    server: servers.Server,
    folder: Path,
    until: Callable[[Host], None],
    prepare: Callable[[Host], None] | None,
    *,
    linger: bool = False,
) -> float:
    """Start a server, and return after how many milliseconds it has answered."""
    with ExitStack() as stack:
        begin = time.perf_counter()
        process = stack.enter_context(
            subprocess.Popen(
                server.command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, bufsize=0,
                env=server.environ, cwd=folder,
            )
        )  # fmt: skip
        stack.callback(process.kill)
        host = Host(process)
        if prepare is not None:
            prepare(host)
        until(host)
        took = time.perf_counter() - begin
        if linger:
            _wait_until_kept(folder)
        return took * 1000


def _wait_until_kept(folder: Path) -> None:
    """Return once something is kept of a start, which takes long in a new checkout, and nothing was added lately."""
    before, since = {}, time.monotonic()
    while time.monotonic() - since < (KEPT_SECONDS / 5 if before else PATIENCE_SECONDS):
        time.sleep(0.1)
        now = {path: path.stat().st_mtime_ns for path in _snapshots(folder)}
        if now != before:
            before, since = now, time.monotonic()


def _snapshots(folder: Path) -> list[Path]:
    return list((folder / "handoffs" / "first-answers").glob("*.json"))


def _forget(folder: Path) -> None:
    for path in _snapshots(folder):
        path.unlink(missing_ok=True)


def _renew(host: Host) -> None:
    host.client = {**INFO, "version": str(time.time_ns())}


@contextmanager
def _busy() -> Generator[None]:
    """Keep every core busy while the block lasts."""
    with ExitStack() as stack:
        for _ in range(os.cpu_count() or 1):
            process = stack.enter_context(subprocess.Popen([sys.executable, "-c", "while True: pass"]))
            stack.callback(process.kill)
        yield
