"""`handoffs people`, as it is typed."""

import json
import os
import re
import socket
import sqlite3
import tomllib
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import anyio
import pytest

from handoffs.access.tokens import digest_of
from handoffs.core.passkey import Passkey
from handoffs.inbox_process.record import InboxRecord, Running
from handoffs.proof.passkeys import decoded
from handoffs.store.postgres.store import PostgresStore
from handoffs.store.sqlite.store import SqliteStore
from tests.acceptance.processes import Home
from tests.store import postgres_server as postgres

NOW = datetime.now(UTC)
INBOX = "https://inbox.example.com"


def day(number: int) -> str:
    """A date, so many days from now."""
    return (NOW + timedelta(days=number)).strftime("%Y-%m-%d")


def done(home: Home, *words: str) -> str:
    """What a command says that works."""
    ran = home.run("people", *words)
    assert (ran.returncode, ran.stderr) == (0, ""), ran.stderr
    return ran.stdout


def refused(home: Home, code: int, *words: str) -> str:
    """What a command says that does not."""
    ran = home.run("people", *words)
    assert (ran.returncode, ran.stdout, len(ran.stderr.splitlines())) == (code, "", 1), ran.stderr
    return ran.stderr


def everybody(home: Home) -> dict[str, dict[str, object]]:
    return {each["name"]: each for each in json.loads(done(home, "list", "--all", "--json"))}


@pytest.fixture(params=["sqlite", "postgres"])
def home(request: pytest.FixtureRequest, tmp_path: Path) -> Home:
    store = {} if request.param == "sqlite" else {"HANDOFFS_STORE": postgres.new_store(tmp_path)}
    return Home(tmp_path, store)


@pytest.fixture
def local(tmp_path: Path) -> Home:
    return Home(tmp_path)


def test_people_are_added_changed_listed_and_removed(home: Home) -> None:
    assert "`handoffs people add NAME` adds the first" in done(home, "list")
    said = done(home, "add", "ada", "--email", "ada@example.com", "--group", "dba", "--group", "ops")
    assert "handoffs people invite ada" in said
    assert "handoffs people invite 'Bob B'" in done(home, "add", "Bob B", "--group", "dba")
    assert "There is ada already" in refused(home, 1, "add", "Ada")
    assert done(home, "groups") == "dba: Bob B, ada\nops: ada\n"
    assert done(home, "set", "ada", "--email", "", "--group", "web", "--no-group", "ops") == (
        "ada is in dba, web; no email address.\n"
    )
    assert json.loads(done(home, "groups", "--json")) == {"dba": ["Bob B", "ada"], "web": ["ada"]}
    listed = done(home, "list")
    assert re.search(r"^ada +- +dba, web +\S+Z +here$", listed, re.MULTILINE)
    assert "removed" not in listed
    assert "decides nothing from now on" in done(home, "remove", "ada")
    assert "ada" not in done(home, "list")
    assert re.search(r"^ada .* removed \S+Z$", done(home, "list", "--all"), re.MULTILINE)
    assert "given once" in refused(home, 1, "add", "ADA")
    for words in (["remove", "ada"], ["set", "ada", "--group", "x"], ["back", "ada"], ["invite", "ada"]):
        assert "ada was removed" in refused(home, 1, *words)
    [ada, bob] = [everybody(home)[name] for name in ("ada", "Bob B")]
    assert (ada["groups"], ada["email"], bob["removedAt"]) == (["dba", "web"], "", None)
    assert str(ada["removedAt"]) >= str(ada["addedAt"])


def test_who_is_away_has_a_deputy_until_they_are_back(home: Home) -> None:
    for name in ("ada", "bob", "cyd"):
        done(home, "add", name)
    said = done(home, "away", "ada", "--until", f"{day(9)}T18:30:00+02:00", "--deputy", "bob")
    assert f"until {day(9)}T16:30:00Z; bob decides in their place" in said
    away = everybody(home)["ada"]["away"]
    assert isinstance(away, dict)
    assert (away["deputy"], away["until"]) == ("bob", f"{day(9)}T16:30:00Z")
    assert re.search(rf"^ada .* away until {day(9)}T16:30:00Z, deputy bob$", done(home, "list"), re.MULTILINE)
    assert "bob by ada, ada by bob" in refused(home, 1, "away", "bob", "--until", day(3), "--deputy", "ada")
    # While bob is away, ada is back.
    done(home, "away", "bob", "--since", day(20), "--until", day(30), "--deputy", "ada")
    assert re.search(rf"^bob .* away from {day(20)}\S+ until", done(home, "list"), re.MULTILINE)
    # The one who is gone was somebody's deputy.
    assert "name another one with `handoffs people away ada" in done(home, "remove", "bob")
    assert "bob was removed" in refused(home, 1, "away", "ada", "--until", day(3), "--deputy", "bob")
    done(home, "away", "ada", "--until", day(3), "--deputy", "cyd")
    assert "is back" in done(home, "back", "ada")
    assert "ada is not away" in refused(home, 1, "back", "ada")


def test_a_date_is_its_first_moment_in_the_local_time_zone(tmp_path: Path) -> None:
    home = Home(tmp_path, {"TZ": "Asia/Tokyo"})
    for name in ("ada", "bob"):
        done(home, "add", name)
    done(home, "away", "ada", "--since", day(5), "--until", f"{day(9)} 12:00", "--deputy", "bob")
    assert everybody(home)["ada"]["away"] == {
        "deputy": "bob", "since": f"{day(4)}T15:00:00Z", "until": f"{day(9)}T03:00:00Z",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--until", day(3), "--deputy", "ada"], "their own deputy"),
        (["--until", day(-3), "--deputy", "bob"], "later than now"),
        (["--since", day(5), "--until", day(5), "--deputy", "bob"], "later than --since"),
        (["--until", "tomorrow", "--deputy", "bob"], "--until must be a date and time"),
        (["--since", "24.12.", "--until", day(3), "--deputy", "bob"], "--since must be a date and time"),
        (["--until", "9999-12-31T23:59:59-12:00", "--deputy", "bob"], "--until must lie between the years 1 and 9999"),
        (["--until", "9999-12-31", "--deputy", "bob"], "--until must lie between the years 1 and 9999"),
        (["--until", "0001-01-01T00:00:00+12:00", "--deputy", "bob"], "--until must lie between the years 1 and 9999"),
        (["--until", f"{day(3)[:-2]}99", "--deputy", "bob"], "a date, like"),
        (["--deputy", "bob"], "--until"),
        (["--until", day(3)], "--deputy"),
    ],
)
def test_what_is_no_absence_is_wrong_usage(local: Home, words: list[str], says: str) -> None:
    for name in ("ada", "bob"):
        done(local, "add", name)
    assert says in refused(local, 2, "away", "ada", *words)
    assert everybody(local)["ada"]["away"] is None


def test_people_who_are_not_there_are_not_found(local: Home) -> None:
    everything = [
        ["remove", "eve"], ["set", "eve", "--group", "x"], ["invite", "eve"], ["back", "eve"], ["sessions", "eve"],
        ["away", "eve", "--until", day(3), "--deputy", "ada"], ["sessions", "eve", "--end", "s_1"],
    ]  # fmt: skip
    for words in everything:
        assert "There is no person eve" in refused(local, 3, *words)
    assert "There is no session s_1" in refused(local, 3, "sessions", "--end", "s_1")
    assert [done(local, *words) for words in (["list", "--json"], ["sessions", "--json"])] == ["[]\n"] * 2
    assert "Nobody is in a group" in done(local, "groups")
    assert "Nobody is signed in" in done(local, "sessions")
    # What only reads makes no store, nor does what is about a person of one that is not there.
    assert not local.store.exists()
    done(local, "add", "ada")
    for words in (*everything, ["away", "ada", "--until", day(3), "--deputy", "eve"]):
        assert "There is no person eve" in refused(local, 3, *words)
    assert "The name is written ada" in refused(local, 3, "remove", "ADA")


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["add", ""], "1 to 64 characters"),
        (["add", "token:ci"], "no : in it"),
        (["add", "\u202eada"], "no invisible characters"),
        (["add", "ada", "--email", "ada"], "no email address"),
        (["add", "ada", "--group", "@dba"], "A group's name does not begin with @"),
        (["add", "ada", "--group", "a,b"], "A group's name has no ,"),
        (["set", "ada"], "Say what to change"),
        (["set", "ada", "--group", "x", "--no-group", "x"], "not both"),
        (["set", "ada", "--email", "x"], "no email address"),
        (["invite", "ada", "--hours", "0"], "--hours takes"),
        (["invite", "ada", "--hours", "nan"], "--hours takes"),
        (["invite", "ada", "--hours", "soon"], "--hours"),
    ],
)
def test_what_can_not_be_meant_is_said_and_makes_no_store(local: Home, words: list[str], says: str) -> None:
    said = refused(local, 2, *words)
    assert says in said
    assert "\u202e" not in said
    assert not local.store.exists()


def test_an_invitation_is_a_link_of_which_the_digest_is_kept(tmp_path: Path) -> None:
    home = Home(tmp_path, {"HANDOFFS_INBOX_URL": INBOX})
    done(home, "add", "ada")
    ran = home.run("people", "invite", "ada", "--hours", "2")
    assert ran.returncode == 0, ran.stderr
    link = ran.stdout.removesuffix("\n")
    token = link.removeprefix(f"{INBOX}/join/")
    assert re.fullmatch(r"[\w-]{43}", token)
    assert "once, until" in ran.stderr
    assert token not in ran.stderr
    assert "this machine only" not in ran.stderr
    later = home.run("people", "invite", "ada").stdout.strip().removeprefix(f"{INBOX}/join/")
    with closing(sqlite3.connect(home.store)) as store:
        kept = "\n".join(store.iterdump())
    assert token not in kept
    assert later not in kept

    async def redeem() -> list[str | None]:
        now = datetime.now(UTC)
        async with SqliteStore(home.store) as store:
            tries = [(token, 0), (later, 24.1), (later, 23.9), (later, 0)]
            return [await store.people.redeem(digest_of(each), at=now + timedelta(hours=h)) for each, h in tries]

    assert anyio.run(redeem) == [None, None, "ada", None]


def test_an_invitation_leads_to_the_inbox_that_runs_here(local: Home) -> None:
    done(local, "add", "ada")
    assert "start it with `handoffs inbox`" in refused(local, 2, "invite", "ada")
    record = InboxRecord(store=local.store, data=local.folder / "data" / "handoffs")
    record.make()
    lock = record.claim()
    assert lock is not None
    with lock, socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}/"
        record.announce(Running(url=url, pid=os.getpid()))
        ran = local.run("people", "invite", "ada")
    assert ran.stdout.startswith(f"{url}join/")
    assert "this machine only" in ran.stderr


def test_sessions_are_listed_and_ended(home: Home) -> None:
    for name in ("ada", "bob"):
        done(home, "add", name)

    async def begin() -> list[str]:
        written = home.env["HANDOFFS_STORE"]
        opened = PostgresStore(written) if "postgresql" in written else SqliteStore(Path(written))
        async with opened as store:
            made = [
                await store.people.begin(f"c{number}", name, at=NOW, agent="Fire\x1bfox")
                for number, name in enumerate(["ada", "ada", "bob"])
            ]
        return [each.id for each in made if each is not None]

    first, second, third = anyio.run(begin)
    assert {(each["id"], each["person"]) for each in json.loads(done(home, "sessions", "--json"))} == {
        (first, "ada"), (second, "ada"), (third, "bob"),
    }  # fmt: skip
    shown = done(home, "sessions", "bob")
    assert third in shown
    assert "Fire␛fox" in shown
    assert first not in shown
    assert "give more of the id" in refused(home, 2, "sessions", "--end", "s_")
    assert "There is no session" in refused(home, 3, "sessions", "bob", "--end", first)
    assert "ada is signed out there" in done(home, "sessions", "ada", "--end", first[2:8])
    assert "There is no session" in refused(home, 3, "sessions", "--end", first)
    done(home, "remove", "bob")
    assert [each["id"] for each in json.loads(done(home, "sessions", "--json"))] == [second]


def test_a_store_that_can_not_be_used_is_said(local: Home) -> None:
    local.store.write_text("not a store")
    for words in (["list"], ["add", "ada"], ["sessions"], ["groups"]):
        assert "is not a store of handoffs" in refused(local, 4, *words)


async def test_public_keys_are_printed_as_they_are_pinned(local: Home) -> None:
    assert done(local, "keys") == ""
    done(local, "add", "ada")
    done(local, "add", "Zoë of ops")
    async with SqliteStore(local.store) as store:
        for name, key in (("ada", b"one"), ("ada", b"\xff\xfe"), ("Zoë of ops", b"three")):
            made = Passkey(credential_id=f"c-{key.hex()}", person=name, public_key=key, added_at=NOW, active_from=NOW)
            await store.people.add_key(made)
        await store.people.remove_key("c-" + b"one".hex(), at=datetime.now(UTC))
    printed = tomllib.loads(done(local, "keys"))
    assert {name: [decoded(each) for each in keys] for name, keys in printed.items()} == {
        "ada": [b"\xff\xfe"],
        "Zoë of ops": [b"three"],
    }
    assert list(tomllib.loads(done(local, "keys", "ada"))) == ["ada"]
    assert "eve" in refused(local, 3, "keys", "eve")


def test_an_identity_is_kept_changed_and_checked(tmp_path: Path) -> None:
    home = Home(tmp_path)
    ours, other = "https://id.example.com#248289", "https://id.example.com/#AB|c"
    assert home.run("people", "add", "ada", "--identity", ours).returncode == 0
    assert home.run("people", "set", "ada", "--identity", other, "--no-identity", ours).returncode == 0
    [ada] = json.loads(home.run("people", "list", "--json").stdout)
    assert ada["identities"] == ["oauth:ab|c@id.example.com"]
    for wrong in ("248289", "https://id.example.com", "#1"):
        refused = home.run("people", "set", "ada", "--identity", wrong)
        assert (refused.returncode, "An identity is the issuer's address" in refused.stderr) == (2, True)
    both = home.run("people", "set", "ada", "--identity", ours, "--no-identity", ours)
    assert "not both" in both.stderr
