"""`handoffs people recover`, `export` and `erase`, as they are typed."""

import json
import stat
from base64 import b64decode
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import anyio
import pytest

from handoffs.core.attachment import GivenFile, attached
from handoffs.core.events import Collected
from handoffs.core.model import Handoff
from handoffs.setting_values import store_address
from handoffs.store import OpenStore, engine_of
from tests.acceptance.processes import Home
from tests.cli.test_people import INBOX, NOW, done, refused
from tests.store import postgres_server as postgres
from tests.store.samples import LONG_AGO, answered, passkey, sample, two_of
from tests.store.test_chats import chat

WORDS = "what ada thinks of it"
FILE = b"what ada attached to it"


@pytest.fixture(params=["sqlite", "postgres"])
def home(request: pytest.FixtureRequest, tmp_path: Path) -> Home:
    store = {} if request.param == "sqlite" else {"HANDOFFS_STORE": postgres.new_store(tmp_path)}
    return Home(tmp_path, store | {"HANDOFFS_INBOX_URL": INBOX})


def stored(home: Home) -> OpenStore:
    address = store_address(home.env["HANDOFFS_STORE"])
    return engine_of(address).open(address, None)


def with_key(home: Home, name: str = "ada") -> None:
    """Give a person a passkey."""

    async def work() -> None:
        key = passkey(f"key-of-{name}", at=NOW, person=name, public_key=b"\xa5\x01", label="blue")
        async with stored(home) as store:
            await store.people.add_key(key)

    anyio.run(work)


def with_answer(home: Home) -> Handoff:
    """Let ada answer a question, and its agent receive that."""

    async def work() -> Handoff:
        async with stored(home) as store:
            asked = await store.open(sample("Deploy?"), collect_after=LONG_AGO)
            files = attached([GivenFile(name="a.bin", declared="", content=FILE)], allowed=True)
            said = replace(answered(note=WORDS), attachments=(files[0].attachment,))
            return await store.record(asked.id, said, Collected(at=NOW), contents=[FILE])

    return anyio.run(work)


def lines(home: Home) -> list[dict[str, object]]:
    return [json.loads(line) for line in home.run("log", "--json").stdout.splitlines()]


def verified(home: Home, *words: str) -> str:
    ran = home.run("log", "verify", *words)
    assert ran.returncode == 0, ran.stderr
    return ran.stdout


def test_a_recovery_prints_a_link_and_when_it_works(home: Home) -> None:
    done(home, "add", "ada")
    assert "has no passkey to recover" in refused(home, 1, "recover", "ada")
    with_key(home)
    ran = home.run("people", "recover", "ada")
    assert ran.returncode == 0
    assert ran.stdout.startswith(f"{INBOX}/join/")
    assert "in place of all that ada has" in ran.stderr
    asked = lines(home)[-1]
    details = asked["details"]
    assert isinstance(details, dict)
    begins = datetime.fromisoformat(str(details["begins"]))
    at = datetime.fromisoformat(str(asked["at"]))
    assert begins - at - timedelta(hours=48) < timedelta(seconds=2)
    assert (asked["event"], "person" in asked, "handoffId" in asked) == ("recoveryasked", True, False)
    assert "is under way" in refused(home, 1, "recover", "ada")
    assert "its link works no more" in done(home, "recover", "ada", "--stop")
    assert "No recovery of ada is under way" in refused(home, 1, "recover", "ada", "--stop")
    assert [each["event"] for each in lines(home)[-2:]] == ["recoveryasked", "recoverystopped"]
    assert "and 1 person" in verified(home)


@pytest.mark.parametrize("after", ["23h", "0h", "-1h", "31d", "soon", ""])
def test_a_delay_that_is_none_or_too_short_is_refused(tmp_path: Path, after: str) -> None:
    home = Home(tmp_path, {"HANDOFFS_INBOX_URL": INBOX})
    done(home, "add", "ada")
    assert "from 24 hours to 30 days" in refused(home, 2, "recover", "ada", "--after", after)


def test_nobody_is_recovered_who_is_not_there(tmp_path: Path) -> None:
    home = Home(tmp_path, {"HANDOFFS_INBOX_URL": INBOX})
    assert "There is no person ada" in refused(home, 3, "recover", "ada")
    assert not home.store.exists()
    done(home, "add", "ada")
    with_key(home)
    done(home, "remove", "ada")
    assert "was removed" in refused(home, 1, "recover", "ada")
    assert "was removed" in refused(home, 1, "recover", "ada", "--stop")


def test_with_pinned_keys_a_recovery_is_refused(tmp_path: Path) -> None:
    done(Home(tmp_path), "add", "ada")
    home = Home(tmp_path, {"HANDOFFS_INBOX_URL": INBOX, "HANDOFFS_PINNED_KEYS": "/etc/handoffs/keys.toml"})
    assert "HANDOFFS_PINNED_KEYS is set" in refused(home, 1, "recover", "ada")


def with_chat(home: Home) -> None:
    """Give ada a chat."""

    async def work() -> None:
        async with stored(home) as store:
            await store.chats.keep(replace(chat(at=NOW), sealed="the sealed address", hint="on ntfy.sh"))

    anyio.run(work)


def test_an_export_has_all_that_is_kept_about_a_person(home: Home) -> None:
    done(home, "add", "ada", "--email", "ada@example.com", "--group", "dba", "--identity", "https://id.example#1")
    with_chat(home)
    done(home, "add", "bob")
    done(home, "away", "ada", "--until", "2099-01-01", "--deputy", "bob")
    with_key(home)
    handoff = with_answer(home)
    told = json.loads(done(home, "export", "ada"))
    assert (told["person"]["email"], told["person"]["groups"]) == ("ada@example.com", ["dba"])
    assert told["person"]["identities"] == ["oauth:1@id.example"]
    assert [(each["channel"], each["hint"]) for each in told["chats"]] == [("ntfy", "on ntfy.sh")]
    assert "the sealed address" not in json.dumps(told)
    assert told["absences"][0]["deputy"] == "bob"
    assert (told["passkeys"][0]["label"], told["passkeys"][0]["publicKey"]) == ("blue", "a501")
    assert [each["event"] for each in told["log"]] == ["personadded", "personaway", "keyadded"]
    [decided] = told["handoffs"]
    assert (decided["id"], decided["ended"]["note"], decided["ended"]["values"]) == (
        handoff.id, WORDS, {"response": "yes"},
    )  # fmt: skip
    [file] = decided["ended"]["attachments"]
    assert (file["name"], file["size"], b64decode(file["base64"])) == ("a.bin", len(FILE), FILE)
    assert json.loads(done(home, "export", "bob"))["handoffs"] == []
    there = home.folder / "ada.json"
    assert done(home, "export", "ada", "--to", str(there)) == f"Written to {there}.\n"
    assert json.loads(there.read_text()) == told
    assert stat.S_IMODE(there.stat().st_mode) == 0o600
    assert "can't be written" in refused(home, 2, "export", "ada", "--to", str(there / "below a file"))
    assert "There is no person eve" in refused(home, 3, "export", "eve")


def test_an_erased_person_leaves_a_log_that_is_still_right(home: Home) -> None:
    done(home, "add", "ada", "--email", "ada@example.com")
    done(home, "add", "bob")
    with_key(home)
    handoff = with_answer(home)
    head = home.folder / "head"
    head.write_text(home.run("log", "head").stdout)
    folder = str(home.folder / "audit")
    assert home.run("log", "export", folder).returncode == 0
    assert "give --yes" in refused(home, 2, "erase", "ada")
    assert json.loads(done(home, "export", "ada"))["person"]["name"] == "ada"
    said = done(home, "erase", "ada", "--yes")
    assert "In 1 handoff and " in said
    assert "Not erased: copies" in said
    said = verified(home, "--since", str(head))
    assert "1 person was erased: so the words of line" in said
    assert "It continues the checkpoint" in said
    assert home.run("log", "export", folder).returncode == 0
    for place in (folder, str(home.folder / "new")):
        if place != folder:
            assert home.run("log", "export", place).returncode == 0
        assert "In 1 of them words were erased" in verified(home, place, "--since", str(head))
    shown = home.run("show", handoff.id).stdout + home.run("show", handoff.id, "--json").stdout
    shown += home.run("log", "--json").stdout + home.run("show", handoff.id, "--aais").stdout
    assert WORDS not in shown
    assert "a.bin" not in shown
    assert "ada@" not in shown
    assert "erased: p_" in shown
    assert "There is no person ada" in refused(home, 3, "erase", "ada", "--yes")
    assert "who was erased" in refused(home, 1, "add", "Ada")
    everybody = json.loads(done(home, "list", "--all", "--json"))
    assert sorted(each["erased"] for each in everybody) == [False, True]
    assert "erased" in done(home, "list", "--all")
    number = next(each["id"] for each in everybody if each["erased"])
    assert "was erased before" in refused(home, 1, "erase", number, "--yes")


def test_what_is_open_and_names_the_person_is_named(home: Home) -> None:
    done(home, "add", "ada")
    done(home, "add", "bob")

    async def work() -> Handoff:
        async with stored(home) as store:
            asked = sample("Drop?", at=NOW, deciders=two_of("ada", "bob"))
            return await store.open(asked, collect_after=LONG_AGO)

    asked = anyio.run(work)
    assert f"{asked.id} is open and names ada" in refused(home, 1, "erase", "ada", "--yes")
    assert home.run("cancel", asked.id).returncode == 0
    done(home, "erase", "ada", "--yes")
    verified(home)


def test_a_store_that_is_not_there_is_not_made(tmp_path: Path) -> None:
    home = Home(tmp_path)
    for words in (("export", "ada"), ("erase", "ada", "--yes")):
        assert "There is no person ada" in refused(home, 3, *words)
    assert not home.store.exists()
