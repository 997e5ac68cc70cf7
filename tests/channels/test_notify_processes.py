"""Told once, however many processes there are and however they end; and what a process imports for it."""

import subprocess
import sys
from pathlib import Path

import anyio

from handoffs.core.desk import Desk
from handoffs.store.sqlite import SqliteStore
from tests.channels.notifying import CODEX, OtherNotifier, processes
from tests.channels.sinks import PASSWORD, TOKEN, http_sink
from tests.fakes import FakeClock

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


async def everywhere(others: list[OtherNotifier], seconds: float) -> None:
    async with anyio.create_task_group() as tasks:
        for other in others:
            tasks.start_soon(other.pass_time, seconds)


async def test_ten_processes_on_one_store_send_each_stage_once_and_after_a_restart_not_again(tmp_path: Path) -> None:
    store = tmp_path / "x.db"
    with anyio.fail_after(120):
        async with http_sink() as sink, http_sink() as boss, SqliteStore(store) as kept:
            desk = Desk(store=kept, clock=FakeClock())
            arguments = (str(store), sink.url, boss.url)
            async with processes(10, *arguments) as others:
                asked = [await desk.ask(message=f"Question {number}?", caller=CODEX) for number in range(5)]
                await everywhere(others, HOUR)
                await sink.tried(5)
                await everywhere(others, 12 * HOUR)
                await sink.tried(10)
                said = [other.said for other in others]
            async with processes(10, *arguments) as others:
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
    expected = sorted((title, f"“Question {number}?”") for number in range(5) for title in titles)
    assert sorted((each["title"], each["message"].splitlines()[0]) for each in sink.got) == expected
    assert sorted(each["message"].splitlines()[0] for each in boss.got) == [f"“Question {n}?”" for n in range(5)]
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


def test_with_addresses_what_sends_is_not_imported_before_there_is_something_to_send(tmp_path: Path) -> None:
    done = _run(PARTS, tmp_path, HANDOFFS_NOTIFY=f"json://ada:{PASSWORD}@127.0.0.1:1/{TOKEN}")
    assert (done.returncode, done.stderr) == (0, "")
    assert {"handoffs.channels.notify", "apprise", "requests"} & set(done.stdout.split()) == {
        "handoffs.channels.notify"
    }


def test_addresses_without_apprise_stop_the_start_and_say_how_to_get_it(tmp_path: Path) -> None:
    code = f"import sys; sys.modules['apprise'] = None\n{PARTS}"
    done = _run(code, tmp_path, HANDOFFS_ESCALATE=f"json://ada:{PASSWORD}@127.0.0.1:1/{TOKEN}")
    assert done.returncode == 1
    assert "SettingsError: HANDOFFS_NOTIFY and HANDOFFS_ESCALATE need apprise: pip install 'handoffs[notify]'" in (
        done.stderr
    )
    assert TOKEN not in done.stderr
    assert PASSWORD not in done.stderr
