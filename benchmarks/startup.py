"""From the start of the process until `initialize` is answered, as a host sees it: pipes, and no client in between."""

import json
import os
import select
import subprocess
import time
from pathlib import Path
from tempfile import TemporaryDirectory

from anyio import to_thread

from benchmarks import environment, servers
from benchmarks.plan import Plan
from benchmarks.table import Row, compared

BAR = 1.0
PATIENCE_SECONDS = 30.0

INITIALIZE = {
    "jsonrpc": "2.0",
    "id": 0,
    "method": "initialize",
    "params": {
        "protocolVersion": "2025-11-25",
        "capabilities": {"elicitation": {}},
        "clientInfo": {"name": "benchmark", "version": "1"},
    },
}


async def run(plan: Plan) -> list[Row]:
    """Return the one row, against the bare server."""
    return await to_thread.run_sync(_compare, plan.pick(full=21, quick=5))


def _compare(runs: int) -> list[Row]:
    environment.compile_bytecode()
    with TemporaryDirectory(prefix="handoffs-bench-") as name:
        folder = Path(name)
        sides = [servers.handoffs(folder), servers.bare()]
        for server in sides:
            _start(server, folder)  # the rest of the bytecode is written, the files are in the page cache
        took: dict[str, list[list[float]]] = {server.name: [] for server in sides}
        for _ in range(runs):
            for server in sides:
                took[server.name].append([_start(server, folder)])
            sides.reverse()
    what = "start until initialize is answered, against bare"
    return [compared(what, "ms", took["handoffs"], took["bare"], bar=BAR, details={"runs": runs})]


def _start(server: servers.Server, folder: Path) -> float:
    """Start a server, and return after how many milliseconds the first byte of its answer came."""
    line = json.dumps(INITIALIZE).encode() + b"\n"
    begin = time.perf_counter()
    with subprocess.Popen(
        server.command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, bufsize=0,
        env=server.environ, cwd=folder,
    ) as process:  # fmt: skip
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            process.stdin.write(line)
            ready, _, _ = select.select([process.stdout], [], [], PATIENCE_SECONDS)
            first = os.read(process.stdout.fileno(), 1) if ready else b""
            took = time.perf_counter() - begin
            if first != b"{":
                raise RuntimeError(f"{' '.join(server.command)} did not answer initialize")
        finally:
            process.kill()
    return took * 1000
