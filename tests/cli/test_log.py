"""The verifiable log, as it is typed: real processes on a store in a folder of their own."""

import json
import os
import sqlite3
from contextlib import closing
from pathlib import Path

from tests.acceptance.processes import Home
from tests.cli.questions import asked


def decided(home: Home, message: str = "Deploy?") -> str:
    handoff = asked(home, message)
    assert home.run("answer", handoff, "yes", "--note", "but slowly").returncode == 0
    return handoff


def store(home: Home) -> Path:
    [path] = home.folder.rglob("handoffs.db")
    return path


def test_the_lines_are_printed_as_before_with_or_without_an_id(tmp_path: Path) -> None:
    home = Home(tmp_path)
    first, second = decided(home), decided(home, "Again?")
    for command in (("log",), ("log", "lines")):
        assert [line.split()[1] for line in home.run(*command).stdout.splitlines()] == [first, first, second, second]
    assert len(home.run("log", second, "--json").stdout.splitlines()) == 2
    assert home.run("log", "--json").stdout.count("\n") == 4
    assert home.run("log", "h_none").returncode == 3
    assert home.run("log", "head", "x").returncode == 2


def test_a_log_is_exported_and_verified_and_a_change_is_found(tmp_path: Path) -> None:
    home = Home(tmp_path)
    handoff = decided(home)
    old = tmp_path / "old"
    old.write_text(home.run("log", "head").stdout)
    assert "2 entries of 1 handoff, 1 compared word by word." in home.run("log", "verify").stdout
    decided(home, "Again?")
    assert home.run("log", "export", str(tmp_path / "out")).returncode == 0
    vkey = tmp_path / "log.vkey"
    vkey.write_text(home.run("log", "head", "--vkey").stdout)
    (tmp_path / "elsewhere").mkdir()
    elsewhere = Home(tmp_path / "elsewhere")  # with nothing but the public key
    verified = elsewhere.run("log", "verify", str(tmp_path / "out"), "--vkey", str(vkey), "--since", str(old))
    assert (verified.returncode, verified.stderr) == (0, "")
    assert (
        "4 entries of 2 handoffs, 2 compared word by word. It continues the checkpoint of 2 entries." in verified.stdout
    )
    bundle = tmp_path / "out/tile/entries/000.p/4"
    bundle.write_bytes(bundle.read_bytes().replace(b'"answered"', b'"declined"'))
    broken = elsewhere.run("log", "verify", str(tmp_path / "out"), "--vkey", str(vkey), "--json")
    assert broken.returncode == 1
    assert not json.loads(broken.stdout)["ok"]
    proved = tmp_path / "decision.json"
    proved.write_text(home.run("show", handoff, "--proof").stdout)
    alone = elsewhere.run("log", "verify", str(proved), "--vkey", str(vkey))
    assert (alone.stdout, alone.returncode) == (f"{handoff}: all 2 events are in the log.\n", 0)
    proved.write_text(proved.read_text().replace('\\"yes\\"', '\\"no\\"'))
    changed = elsewhere.run("log", "verify", str(proved), "--vkey", str(vkey))
    assert (changed.returncode, "`values` is not what the leaf commits to" in changed.stderr) == (1, True)


def test_a_store_that_was_changed_by_hand_is_found(tmp_path: Path) -> None:
    home = Home(tmp_path)
    handoff = decided(home)
    assert home.run("log", "verify").returncode == 0
    with closing(sqlite3.connect(store(home))) as connection, connection:
        connection.execute("UPDATE handoffs SET answer = ?", ('{"response":"no"}',))
    found = home.run("log", "verify")
    assert found.returncode == 1
    assert f"{handoff}: line 2 (answered): values is not what the log has." in found.stderr


def test_what_cant_be_done_is_said_in_words(tmp_path: Path) -> None:
    home = Home(tmp_path)
    for command in (("log", "head"), ("log", "export", str(tmp_path / "out")), ("log", "verify")):
        nothing = home.run(*command)
        assert (nothing.returncode, "There is no store yet" in nothing.stderr) == (2, True), command
    decided(home)
    missing = home.run("log", "verify", "--since", str(tmp_path / "missing"))
    assert (missing.returncode, "can't be read" in missing.stderr) == (2, True)
    (tmp_path / "no.vkey").write_text("no key")
    wrong = home.run("log", "verify", str(tmp_path), "--vkey", str(tmp_path / "no.vkey"))
    assert (wrong.returncode, "holds no public key of a log" in wrong.stderr) == (2, True)
    nothing_there = home.run("log", "verify", str(tmp_path / "no-log"))
    assert (nothing_there.returncode, nothing_there.stderr) == (1, "handoffs: checkpoint: there is none.\n")
    key = next(home.folder.rglob("log.key"))
    assert key.stat().st_mode & 0o777 == 0o600
    inside = home.run("log", "export", str(key.parent))
    assert (inside.returncode, "holds the log's private key" in inside.stderr) == (4, True)
    os.truncate(key, 0)
    assert "The key of the log can't be used" in home.run("log", "head").stderr
