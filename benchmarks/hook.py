"""Time that a host's tool waits for `handoffs hook` where a remembered permission answers, from start to end."""

import json
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

from anyio import to_thread

from benchmarks import environment, servers
from benchmarks.plan import Plan
from benchmarks.table import Row, compared
from handoffs.clock import SystemClock
from handoffs.core.action import Action, Asker
from handoffs.core.grant import Grant, Reach, new_grant_id
from handoffs.os_user import current_user
from handoffs.store.sqlite.store import SqliteStore

MOST_MS = 150.0
BARE = [sys.executable, "-c", "import sqlite3"]
OURS = [sys.executable, "-m", "handoffs", "hook", "claude-code"]
PROJECT = "/srv/shop"
EVENT = {
    "session_id": "one",
    "cwd": PROJECT,
    "hook_event_name": "PermissionRequest",
    "tool_name": "Bash",
    "tool_input": {"command": "make test", "description": "runs the tests"},
}


async def run(plan: Plan) -> list[Row]:
    """Return the figure of a hook, and its ratio to the start of a bare Python."""
    environment.compile_bytecode()
    with TemporaryDirectory(prefix="handoffs-bench-") as name:
        environ = {**servers.handoffs(Path(name)).environ, "CLAUDE_PROJECT_DIR": PROJECT}
        await _permit(Path(environ["HANDOFFS_STORE"]))
        return await to_thread.run_sync(_measured, environ, plan.pick(full=51, quick=3))


async def _permit(path: Path) -> None:
    action = Action(asker=Asker.HOST, server="claude-code", tool="Bash", arguments="{}")
    grant = Grant(
        id=new_grant_id(),
        subject=current_user(),
        project=PROJECT,
        server=action.server,
        tool=action.tool,
        definition=action.known_by,
        reach=Reach.TOOL,
        created_at=datetime.now(UTC),
        by="ada",
        channel="inbox",
        handoff_id="h_bench",
    )
    async with SqliteStore(path, clock=SystemClock()) as store:
        await store.ready()
        await store.permissions.grant(grant)


def _measured(environ: dict[str, str], runs: int) -> list[Row]:
    ours: list[list[float]] = []
    bare: list[list[float]] = []
    _took(OURS, environ)
    for _ in range(runs):
        ours.append([_took(OURS, environ)])
        bare.append([_took(BARE, environ)])
    details = {"runs": runs}
    median = statistics.median(sample for batch in ours for sample in batch)
    what = "a host's hook, answered by a permission"
    return [
        Row(what=what, unit="ms", ours=median, bar=MOST_MS, details=details),
        compared(f"{what}, against a bare Python that imports sqlite3", "ms", ours, bare, bar=None, details=details),
    ]


def _took(command: Sequence[str], environ: dict[str, str]) -> float:
    began = time.perf_counter()
    done = subprocess.run(
        command, input=json.dumps(EVENT).encode(), env=environ, capture_output=True, check=True, timeout=60
    )
    took = (time.perf_counter() - began) * 1000
    if command is OURS and b'"allow"' not in done.stdout:
        raise RuntimeError(f"the hook said {done.stdout!r}")
    return took
