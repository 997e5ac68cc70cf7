"""`handoffs ask` against the start of a bare Python that imports `sqlite3`: what a script pays for a question."""

import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

from anyio import to_thread

from benchmarks import environment
from benchmarks.plan import Plan
from benchmarks.servers import Server
from benchmarks.table import Row, compared

BAR = 6.0


async def run(plan: Plan) -> list[Row]:
    """Return the rows: until a question is stored and the person is told where; and until its answer is printed."""
    return await to_thread.run_sync(_run, plan)


def _run(plan: Plan) -> list[Row]:
    environment.compile_bytecode()
    runs = plan.pick(full=21, quick=3)
    with TemporaryDirectory(prefix="handoffs-bench-") as name:
        script = _Script(Path(name))
        script.asked()  # makes the store
        rows: list[Row] = []
        for what, ours in (
            ("handoffs ask until the question is stored and told", script.asked),
            ("handoffs ask, run again, until the answer is printed", script.answered),
        ):
            took: dict[Callable[[], float], list[list[float]]] = {ours: [], script.bare: []}
            sides = [ours, script.bare]
            for _ in range(runs):
                for side in sides:
                    took[side].append([side()])
                sides.reverse()
            rows.append(
                compared(
                    f"{what}, against Python with sqlite3", "ms", took[ours], took[script.bare], bar=BAR,
                    details={"runs": runs},
                )
            )  # fmt: skip
        return rows


class _Script:
    """A script in a folder of its own."""

    def __init__(self, folder: Path) -> None:
        settings = {
            "HANDOFFS_STORE": str(folder / "handoffs.db"),
            "HANDOFFS_INBOX": "off",
            "XDG_DATA_HOME": str(folder),
            "XDG_CONFIG_HOME": str(folder),
        }
        self._folder, self._number = folder, 0
        self._environ = Server(name="script", command=(), http="", settings=settings).environ
        self._handoffs = str(Path(sys.executable).with_name("handoffs"))

    def bare(self) -> float:
        return self._run([sys.executable, "-c", "import sqlite3"])

    def asked(self) -> float:
        """Return how long it takes until the person is told; it is killed then."""
        self._number += 1
        start = time.perf_counter()
        process = subprocess.Popen(
            self._ask(), env=self._environ, cwd=self._folder, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
        )
        assert process.stderr is not None
        told = process.stderr.readline()
        took = time.perf_counter() - start
        process.kill()
        process.communicate()
        if b"handoffs answer h_" not in told:
            raise RuntimeError(f"it was told {told!r}")
        self._id = told.split()[-1].decode()
        return took * 1000

    def answered(self) -> float:
        self.asked()
        self._run([self._handoffs, "answer", self._id, "yes"])
        return self._run(self._ask())

    def _ask(self) -> list[str]:
        return [self._handoffs, "ask", f"Deploy {self._number}?", "--options", "yes,no"]

    def _run(self, command: list[str]) -> float:
        start = time.perf_counter()
        subprocess.run(command, env=self._environ, cwd=self._folder, check=True, capture_output=True)
        return (time.perf_counter() - start) * 1000
