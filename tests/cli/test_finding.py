"""How a person finds their way: what to do first, what a setting is and where from, and a store that is not there."""

import json
import os
import subprocess
from pathlib import Path

import pexpect
import pytest

from handoffs import __version__
from tests.acceptance.processes import HANDOFFS, Home
from tests.cli.questions import asked

KEY = "0123456789abcdef0123456789abcdef"


def on_terminal(home: Home, *arguments: str) -> str:
    process = pexpect.spawn(
        HANDOFFS[0], [*HANDOFFS[1:], *arguments], env=home.env, cwd=str(home.folder), encoding="utf-8", timeout=120
    )
    process.expect(pexpect.EOF)
    process.close()
    assert process.exitstatus == 0
    return process.before or ""


@pytest.mark.skipif(os.name == "nt", reason="a pseudo-terminal")
def test_bare_on_a_terminal_it_says_the_first_steps_and_later_what_is_open(tmp_path: Path) -> None:
    home = Home(tmp_path)
    first = on_terminal(home)
    for command in ("handoffs demo", "handoffs install HOST", "handoffs doctor HOST", "handoffs inbox"):
        assert command in first
    asked(home, "Deploy?")
    later = on_terminal(home)
    assert "Deploy?" in later
    assert "handoffs install HOST" not in later


@pytest.mark.parametrize("arguments", [["version"], ["--version"]])
def test_the_version_is_printed(tmp_path: Path, arguments: list[str]) -> None:
    assert Home(tmp_path).run(*arguments).stdout == f"{__version__}\n"


@pytest.mark.parametrize(
    ("typed", "told", "never"),
    [
        (["uninstall", "claude-code"], "`handoffs install HOST --remove`", "Did you mean"),
        (["unistall"], "`handoffs install HOST --remove`", "Did you mean"),
        (["open"], "`handoffs inbox`", ""),
        (["export", "--json"], "`handoffs list --all --json`", ""),
        (["completion", "bash"], "`handoffs --install-completion`", ""),
        (["settings"], "`handoffs config`", ""),
        (["lsit"], "Did you mean 'list'?", ""),
    ],
)
def test_a_command_looked_for_under_another_name_is_answered_with_ours(
    tmp_path: Path, typed: list[str], told: str, never: str
) -> None:
    done = Home(tmp_path).run(*typed)
    assert (done.returncode, done.stdout) == (2, "")
    assert told in done.stderr
    assert not never or never not in done.stderr


def test_a_shell_completes_commands_before_any_typing_and_off_a_terminal(tmp_path: Path) -> None:
    home = Home(tmp_path)
    for words, expected in (("handoffs ", "answer"), ("handoffs decl", "decline")):
        home.extra = {"_HANDOFFS_COMPLETE": "complete_bash", "COMP_WORDS": words, "COMP_CWORD": "1"}
        assert expected in home.run().stdout.split()


# Settings


def test_config_tells_each_setting_where_it_comes_from_and_no_secret(tmp_path: Path) -> None:
    notify = "ntfys://user:hunter2@ntfy.example/topic"
    home = Home(tmp_path, {"HANDOFFS_KEYS": KEY, "HANDOFFS_INBOX_PASSWORD": "correct horse battery"})
    folder = tmp_path / "config" / "handoffs"
    folder.mkdir(parents=True)
    (folder / "config.toml").write_text(f'notify = ["{notify}", "{notify}2"]\njoin_seconds = 60\ninbox = "auto"\n')
    done = home.run("config", "--json")
    assert done.returncode == 0, done.stderr
    told = {row["name"]: (row["value"], row["from"]) for row in json.loads(done.stdout)}
    assert told["HANDOFFS_JOIN_SECONDS"] == ("60", str(folder / "config.toml"))
    assert told["HANDOFFS_INBOX"] == ("off", "the environment")  # which goes before the file
    assert told["HANDOFFS_STORE"] == (str(home.store), "the environment")
    assert told["HANDOFFS_URL"] == ("(not set)", "default")
    assert told["HANDOFFS_NOTIFY"][0] == "(set, 2 of them)"
    assert told["HANDOFFS_KEYS"][0] == "(set, 1 of them)"
    assert told["HANDOFFS_INBOX_PASSWORD"][0] == "(set)"
    for text in (done.stdout, home.run("config").stdout):
        assert not [secret for secret in ("hunter2", KEY, "correct horse") if secret in text]
    assert "HANDOFFS_JOIN_SECONDS" in home.run("config").stdout


def test_a_password_in_the_address_of_a_store_is_not_told(tmp_path: Path) -> None:
    home = Home(tmp_path, {"HANDOFFS_STORE": "postgresql://ada:hunter2@db.example/shop"})
    told = home.run("config").stdout
    assert "hunter2" not in told
    assert "db.example" in told


def test_config_path_is_one_line_whether_or_not_the_file_is_there(tmp_path: Path) -> None:
    assert Home(tmp_path).run("config", "path").stdout == f"{tmp_path / 'config' / 'handoffs' / 'config.toml'}\n"


# A store that is not there

READING = [
    (["list"], 0),
    (["list", "--all", "--json"], 0),
    (["log"], 0),
    (["show", "h_x"], 3),
    (["log", "h_x"], 3),
    (["answer", "h_x", "yes"], 3),
    (["decline", "h_x"], 3),
    (["cancel", "h_x"], 3),
]


@pytest.mark.parametrize(("command", "code"), READING)
def test_looking_makes_no_store_at_a_mistyped_path_and_says_there_is_none(
    tmp_path: Path, command: list[str], code: int
) -> None:
    mistyped = tmp_path / "somewhere" / "handofs.db"
    done = Home(tmp_path, {"HANDOFFS_STORE": str(mistyped)}).run(*command)
    assert done.returncode == code
    assert f"handoffs: There is no store at {mistyped} yet: see that HANDOFFS_STORE is right." in done.stderr
    assert not mistyped.parent.exists()


def test_nobody_is_warned_of_the_usual_store_before_the_first_question(tmp_path: Path) -> None:
    home = Home(tmp_path, {"HANDOFFS_STORE": ""})
    done = home.run("list")
    assert (done.returncode, done.stdout, done.stderr) == (0, "Nothing is open.\n", "")
    assert not (tmp_path / "data").exists()


def test_a_followed_log_waits_for_the_first_question(tmp_path: Path) -> None:
    home = Home(tmp_path)
    with subprocess.Popen(
        [*HANDOFFS, "log", "--follow"], env=home.env, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        text=True,
    ) as process:  # fmt: skip
        try:
            assert process.stderr is not None
            assert process.stdout is not None
            assert "There is no store" in process.stderr.readline()
            handoff_id = asked(home, "First?")
            assert handoff_id in process.stdout.readline()
        finally:
            process.kill()
