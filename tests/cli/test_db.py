"""`handoffs db`, as it is typed; and every other command, on PostgreSQL."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import anyio
import pexpect
import pytest

from benchmarks.seed import fill_at_once
from handoffs.assembly import open_desk
from handoffs.cli import db
from handoffs.core.errors import StoreTooNew
from handoffs.core.events import Collected
from handoffs.core.model import Caller
from handoffs.setting_values import store_address
from handoffs.settings import Settings
from handoffs.store import StoreAddress
from handoffs.store.postgres import layout
from handoffs.store.postgres.address import Address
from handoffs.store.postgres.store import PostgresStore
from tests.acceptance.processes import HANDOFFS, Home
from tests.cli.questions import asked, kept
from tests.store import postgres_server as postgres
from tests.store.samples import LONG_AGO, answered, sample
from tests.store.sqlite.test_migrations import of_the_first_version
from tests.store.test_copy import dump

CALLER = Caller(subject="ada")


def test_a_store_moves_to_postgresql_and_every_command_goes_on_there(tmp_path: Path) -> None:
    home = Home(tmp_path)
    handoff_id = asked(home, "Deploy?")
    url = postgres.cluster().url(secret=True)
    moved = home.run("db", "copy", str(home.store), url)
    assert (moved.returncode, moved.stdout.splitlines()[0].partition(",")[0]) == (
        0,
        f"{store_address(url)} has all that {home.store} has: 1 handoffs",
    ), moved.stderr
    assert moved.stderr.split() == ["Copying", "Comparing"]
    there = Home(tmp_path, {"HANDOFFS_STORE": url})
    answered = there.run("answer", handoff_id, "yes")
    assert (answered.returncode, answered.stdout) == (0, f"{handoff_id} is answered.\n"), answered.stderr
    assert "Deploy?" in there.run("list", "--all").stdout
    token = there.run("token", "add", "ci-runner")
    assert token.returncode == 0
    status = there.run("inbox", "--status")
    assert (status.returncode, status.stdout) == (3, f"No inbox runs for {store_address(url)}; 0 open.\n")
    again = home.run("db", "copy", str(home.store), url)
    assert (again.returncode, len(again.stderr.splitlines())) == (4, 1)
    assert "never mixed" in again.stderr
    said = [done.stdout + done.stderr for done in (moved, answered, token, status, again)]
    assert not [words for words in said if postgres.PASSWORD in words or "pa%2F" in words]
    assert kept(home, handoff_id).state == "open"  # where it came from, nothing changed


def test_on_a_terminal_a_bar_shows_how_far_it_is(tmp_path: Path) -> None:
    home = Home(tmp_path)
    asked(home)
    child = pexpect.spawn(
        HANDOFFS[0], [*HANDOFFS[1:], "db", "copy", str(home.store), str(tmp_path / "there.db")],
        env=home.env, timeout=20, encoding="utf-8",
    )  # fmt: skip
    child.expect(r"Copying.*100%.*Comparing.*100%.*has all that")
    child.expect(pexpect.EOF)
    child.close()
    assert child.exitstatus == 0


def test_a_copy_that_is_stopped_with_ctrl_c_says_how_it_goes_on_and_does(tmp_path: Path) -> None:
    home, there = Home(tmp_path), tmp_path / "there.db"
    fill_at_once(home.store, 8_000)
    for _ in range(10):
        there.unlink(missing_ok=True)
        command = [*HANDOFFS[1:], "db", "copy", str(home.store), str(there)]
        child = pexpect.spawn(HANDOFFS[0], command, env=home.env, timeout=20, encoding="utf-8")
        child.expect(r"Copying.* [1-9]\d?%")
        child.sendintr()
        # A copy may be done before a busy machine has read the key.
        if child.expect(["same command again to continue", pexpect.EOF]) == 0:
            break
    child.expect(pexpect.EOF)
    child.close()
    assert child.exitstatus == 130
    half = Home(tmp_path, {"HANDOFFS_STORE": str(there)}).run("list")
    assert (half.returncode, "is half a copy" in half.stderr) == (4, True)
    assert home.run("db", "copy", str(home.store), str(there)).returncode == 0
    assert anyio.run(dump, str(there)) == anyio.run(dump, str(home.store))


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["copy", "missing.db", "there.db"], "There is no store"),
        (["copy", "postgresql://ada:hush/@db/x", "there.db"], "percent-encoded"),
        (["copy", "mysql://ada:hush@db", "there.db"], "there is no store for mysql://"),
        (["prune", "--older-than", "ever"], "90d, 12h or 45m"),
        (["prune", "--older-than", "0d"], "90d, 12h or 45m"),
        (["prune"], "--older-than"),
    ],
)
def test_what_can_not_be_done_is_said_in_a_line_without_a_password(
    tmp_path: Path, arguments: list[str], words: str
) -> None:
    done = Home(tmp_path).run("db", *arguments)
    assert (done.returncode in {2, 4}, done.stdout, len(done.stderr.splitlines())) == (True, "", 1)
    assert words in done.stderr
    assert "hush" not in done.stderr
    assert not (tmp_path / "there.db").exists()


async def test_without_the_driver_what_to_install_is_said_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None if name == "asyncpg" else name)
    settings = Settings(store=store_address("postgresql://ada:hush@db/x"))
    with pytest.raises(Exception, match=r"needs the extra postgres: .*\[postgres\b") as told:
        async with open_desk(settings):
            pass
    assert "hush" not in str(told.value)


# Migrations


async def _first_postgres(folder: Path) -> StoreAddress:
    server = postgres.cluster()
    url = server.url()
    address = store_address(url)
    assert isinstance(address, Address)
    first = min(layout.MIGRATIONS.glob("*.sql")).read_text()
    server.sql(f'CREATE SCHEMA "{address.schema}"; SET search_path = "{address.schema}"; {first}')
    server.sql(f'UPDATE "{address.schema}".handoffs_layout SET version = 1')
    return address


async def _first_sqlite(folder: Path) -> StoreAddress:
    of_the_first_version(folder / "data" / "handoffs.db", sample())
    return folder / "data" / "handoffs.db"


@pytest.mark.parametrize("make", [_first_postgres, _first_sqlite])
async def test_ten_that_migrate_an_old_store_at_once_all_find_it_up_to_date(
    make: Callable[[Path], StoreAddress], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    address = await make(tmp_path)  # type: ignore[misc]
    settings = Settings(store=address)
    with anyio.fail_after(120):
        async with anyio.create_task_group() as tasks:
            for _ in range(10):
                tasks.start_soon(db.migrated, settings)
    said = capsys.readouterr().out.splitlines()
    assert len(said) == 10
    latest = said[0].rpartition("layout ")[2].removesuffix(" now.").removesuffix(".")
    assert {line.replace("and has", "").partition(" is up")[0].partition(" had")[0] for line in said} == {
        f"The store {address}"
    }
    assert any("had layout 1, and has layout" in line for line in said)
    assert all(f"layout {latest}" in line for line in said)
    async with open_desk(settings) as desk:
        await desk.ask(message="New?", caller=CALLER)
        assert len(await desk.newest(open_only=True)) >= 1


def test_a_store_that_is_too_new_is_refused_with_both_versions(tmp_path: Path) -> None:
    home = Home(tmp_path)
    asked(home)
    with closing(sqlite3.connect(home.store)) as store:
        store.execute("PRAGMA user_version = 999")
    refused = home.run("db", "migrate")
    assert (refused.returncode, refused.stdout, len(refused.stderr.splitlines())) == (4, "", 1)
    assert "layout 999" in refused.stderr
    server = postgres.cluster()
    url = server.url()
    first = Home(tmp_path, {"HANDOFFS_STORE": url}).run("db", "migrate")
    assert first.stdout == f"The store {store_address(url)} was made, with layout 15.\n"
    schema = url.rpartition("=")[2]
    server.sql(f'UPDATE "{schema}".handoffs_layout SET version = 999')
    with pytest.raises(StoreTooNew, match="layout 999"):
        anyio.run(db.migrated, Settings(store=store_address(url)))


# Retention


def _old(home: Home) -> tuple[str, str]:
    """Return one that ended a hundred days ago, and one that is open since."""
    ended, still_open, last = (asked(home, message) for message in ("Ended?", "Open?", "Last?"))
    assert home.run("answer", ended, "yes").returncode == 0
    assert home.run("decline", last).returncode == 0
    with closing(sqlite3.connect(home.store)) as store, store:
        back = int(timedelta(days=100).total_seconds() * 1e6)
        store.execute("UPDATE handoffs SET created_at = created_at - ?, ended_at = ended_at - ?", (back, back))
    return ended, still_open


def test_pruning_asks_on_a_terminal_and_removes_nothing_without_a_yes(tmp_path: Path) -> None:
    home = Home(tmp_path)
    ended, still_open = _old(home)
    dry = home.run("db", "prune", "--older-than", "90d", "--dry-run")
    assert (dry.returncode, dry.stdout) == (
        0, f"1 handoff of {home.store} that ended more than 90d ago.\n",
    )  # fmt: skip
    unasked = home.run("db", "prune", "--older-than", "90d")
    assert (unasked.returncode, unasked.stdout) == (2, "")
    assert "--yes" in unasked.stderr
    for said, code in (("n", 2), ("", 2), ("y", 0)):
        assert kept(home, ended).state == "answered"
        child = pexpect.spawn(
            HANDOFFS[0], [*HANDOFFS[1:], "db", "prune", "--older-than", "90d"],
            env=home.env, timeout=20, encoding="utf-8",
        )  # fmt: skip
        child.expect(r"for good\? \[y/N\]")
        child.sendline(said)
        child.expect("1 removed" if code == 0 else "Nothing was removed")
        child.expect(pexpect.EOF)
        child.close()
        assert child.exitstatus == code
    assert home.run("show", ended).returncode == 3
    assert kept(home, still_open).state == "open"
    assert home.run("db", "prune", "--older-than", "90d", "--yes").stdout.startswith("0 handoffs")


async def test_on_postgresql_what_is_old_goes_and_what_is_open_stays(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    url = postgres.new_store(tmp_path)
    settings = Settings(store=store_address(url))
    long_ago = datetime.now(UTC) - timedelta(days=2)  # the command goes by the machine's clock
    async with PostgresStore(url) as store:
        for message in ("Ended?", "Collected?", "Open?"):
            asked_then = sample(message, at=long_ago, stays_open=timedelta(days=30))
            await store.open(asked_then, collect_after=LONG_AGO)
            if message != "Open?":
                await store.record(asked_then.id, answered(at=long_ago), Collected(at=long_ago))
        still_open = [each.id for each in await store.newest(open_only=True)]
    await db.pruned(settings, "1d", dry_run=True, yes=False)
    await db.pruned(settings, "1d", dry_run=False, yes=True)
    dry, removed = capsys.readouterr().out.splitlines()
    assert (dry, removed) == (f"2 handoffs of {settings.store} that ended more than 1d ago.", "2 removed.")
    async with open_desk(settings) as desk:
        assert [each.id for each in await desk.newest(open_only=False)] == still_open
