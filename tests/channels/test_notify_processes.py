"""Told once, however many processes there are and however they end; and what a process imports for it.

`python -m tests.channels.test_notify_processes STORE NOTIFY ESCALATE` is one of the processes: it says `ready`, then
moves its clock on by each number of seconds that it reads, and says so when it has looked.
"""

import subprocess
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
import pytest

from handoffs.assembly import store_at
from handoffs.channels.notify import Notifier
from handoffs.core.desk import Desk
from handoffs.setting_values import store_address
from tests.channels.notifying import CODEX, ROOT, OtherNotifier, Running, SeenDesk
from tests.channels.sinks import PASSWORD, TOKEN, HttpSink, http_sink
from tests.fakes import FakeClock
from tests.store.postgres_server import new_store

HOUR = 3600
PARTS = (
    "import sys, anyio\n"
    "from handoffs.assembly import notifying, open_desk\n"
    "from handoffs.settings import read_settings\n"
    "async def main():\n"
    "    settings = read_settings()\n"
    "    async with open_desk(settings) as desk, notifying(settings, desk):\n"
    "        await desk.newest(open_only=True)\n"
    "anyio.run(main); print(*sorted(sys.modules))\n"
)


HOW_MANY = {"sqlite": 10, "postgresql": 5}
"""Processes on one store; those on PostgreSQL have its driver to import, too."""


@asynccontextmanager
async def processes(count: int, *arguments: str) -> AsyncGenerator[list[OtherNotifier]]:
    """So many of them, ready; killed at the end, as `kill -9` does."""
    words = [sys.executable, "-m", "tests.channels.test_notify_processes", *arguments]
    started = [
        await anyio.open_process(words, cwd=ROOT, stdin=subprocess.PIPE, stderr=subprocess.STDOUT) for _ in range(count)
    ]
    try:
        others = [OtherNotifier(process) for process in started]
        for other in others:
            await other.says("ready")
        yield others
    finally:
        for process in started:
            process.kill()
            await process.aclose()


async def everywhere(others: list[OtherNotifier], seconds: float) -> None:
    async with anyio.create_task_group() as tasks:
        for other in others:
            tasks.start_soon(other.pass_time, seconds)


def first_lines(sink: HttpSink) -> list[tuple[str, str]]:
    """The title and the question of each message that came, sorted."""
    return sorted((each["title"], each["message"].splitlines()[0]) for each in sink.got)


@pytest.mark.parametrize("engine", HOW_MANY)
async def test_many_processes_on_one_store_send_each_stage_once_and_not_again(engine: str, tmp_path: Path) -> None:
    count, store = HOW_MANY[engine], str(tmp_path / "x.db") if engine == "sqlite" else new_store(tmp_path)
    with anyio.fail_after(120):
        async with http_sink() as sink, http_sink() as boss, store_at(store_address(store)) as kept:
            desk = Desk(store=kept, clock=FakeClock())
            arguments = (store, sink.url, boss.url)
            async with processes(count, *arguments) as others:
                asked = [await desk.ask(message=f"Question {number}?", caller=CODEX) for number in range(5)]
                await everywhere(others, HOUR)
                await sink.tried(5)
                await everywhere(others, 12 * HOUR)
                await sink.tried(10)
                said = [other.said for other in others]
            async with processes(count, *arguments) as others:
                await everywhere(others, 13 * HOUR)
                await everywhere(others, 6 * HOUR)
                await boss.tried(5)
                await everywhere(others, 3 * HOUR)
                await sink.tried(15)
                await everywhere(others, HOUR / 2)
                said += [other.said for other in others]
            log = [(line.handoff_id, line.details["stage"]) for line in await desk.log() if line.name == "reminded"]
    stages = ("opened", "half", "escalated", "last")
    assert sorted(log) == sorted((each.id, stage) for each in asked for stage in stages)
    # Each question's words once at each stage, and nothing else.
    titles = [f"{opening}codex · /srv/shop asks you" for opening in ("", "Still open: ", "Last reminder: ")]
    assert first_lines(sink) == sorted((title, f"“Question {number}?”") for number in range(5) for title in titles)
    escalated = "Nobody has answered yet: codex · /srv/shop asks you"
    assert first_lines(boss) == [(escalated, f"“Question {number}?”") for number in range(5)]
    # What they said is all that was written on their screens.
    assert set("".join(said).splitlines()) == {"ready", "looked"}


def _run(code: str, folder: Path, **settings: str) -> subprocess.CompletedProcess[str]:
    from tests.acceptance.processes import Home

    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60,
        env=Home(folder, settings).env, cwd=folder, check=False,
    )  # fmt: skip


def test_without_addresses_nothing_is_imported_to_tell_anybody(tmp_path: Path) -> None:
    done = _run(PARTS, tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert {"handoffs.channels.notify", "apprise", "requests"} & set(done.stdout.split()) == set()


def test_the_sender_is_not_imported_before_there_is_something_to_send(tmp_path: Path) -> None:
    done = _run(PARTS, tmp_path, HANDOFFS_NOTIFY=f"json://ada:{PASSWORD}@127.0.0.1:1/{TOKEN}")
    assert (done.returncode, done.stderr) == (0, "")
    assert {"handoffs.channels.notify", "apprise", "requests"} & set(done.stdout.split()) == {
        "handoffs.channels.notify"
    }


def test_addresses_without_apprise_stop_the_start_and_say_how_to_get_it(tmp_path: Path) -> None:
    code = f"import sys; sys.modules['apprise'] = None\n{PARTS}"
    done = _run(code, tmp_path, HANDOFFS_ESCALATE=f"json://ada:{PASSWORD}@127.0.0.1:1/{TOKEN}")
    assert done.returncode == 1
    assert "SettingsError: HANDOFFS_NOTIFY and HANDOFFS_ESCALATE need the extra notify. Unset them, or: " in done.stderr
    assert "notify" in done.stderr.split("Unset them, or: ")[1]
    assert TOKEN not in done.stderr
    assert PASSWORD not in done.stderr


async def _main(store: str, notify: str, escalate: str) -> None:
    clock = FakeClock()
    async with store_at(store_address(store)) as kept, anyio.create_task_group() as tasks:
        desk = SeenDesk(store=kept, clock=clock)
        tasks.start_soon(Notifier(desk, [notify], [escalate]).run)
        one = Running(desk, clock)
        _say("ready")
        while line := await anyio.to_thread.run_sync(sys.stdin.readline):
            await one.pass_time(float(line))
            _say("looked")
        tasks.cancel_scope.cancel()


def _say(word: str) -> None:
    sys.stdout.write(f"{word}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    anyio.run(_main, sys.argv[1], sys.argv[2], sys.argv[3])
