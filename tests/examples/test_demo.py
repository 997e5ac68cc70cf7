"""`handoffs demo` as a newcomer runs it."""

import re
import time
from typing import Any

import pexpect
import pytest

from handoffs.extras import command_to_add
from handoffs.strands.demo import Guard
from tests.strands.programs import Home, answers, screen

DEMO = ("-m", "handoffs", "demo")
STILL_THERE, GONE = "customers-2019.csv is still there.", "customers-2019.csv is gone."


@pytest.fixture
def newcomer(home: Home) -> Home:
    """Somebody who has set nothing."""
    home.unset = ("HANDOFFS_STORE",)
    return home


def play(home: Home, stdin: str) -> str:
    done = home.run(*DEMO, stdin=stdin)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return done.stdout


def test_a_yes_lets_the_agent_delete_the_file_and_nothing_is_left_behind(newcomer: Home) -> None:
    started = time.monotonic()
    said = play(newcomer, "yes\n")
    assert time.monotonic() - started < 60
    assert said.splitlines()[-1] == GONE
    assert "Done: customers-2019.csv was deleted." in said
    assert list(newcomer.folder.glob("handoffs-demo-*")) == []
    assert newcomer.run("-m", "handoffs", "list", "--all", "--json").stdout.strip() == "[]"


@pytest.mark.parametrize("stdin", ["no\n", "/decline\n", "perhaps\n"])
def test_nothing_but_a_yes_does(newcomer: Home, stdin: str) -> None:
    said = play(newcomer, stdin)
    assert said.splitlines()[-1] == STILL_THERE
    assert "was deleted" not in said


def test_somebody_who_has_a_store_finds_the_question_there(home: Home) -> None:
    play(home, "no\n")
    assert "customers-2019.csv" in home.handoffs("list", "--all")


def test_the_question_can_be_answered_in_another_shell_by_the_shown_line(newcomer: Home) -> None:
    with newcomer.on_terminal(*DEMO) as process:
        process.expect(r"HANDOFFS_STORE=(\S+) handoffs list")
        assert isinstance(process.match, re.Match)
        other = Home(newcomer.folder, extra={"HANDOFFS_STORE": process.match.group(1)})
        process.expect("Enter answers")
        (handoff_id,) = re.findall(r'"id": "(h_\w+)"', other.handoffs("list", "--json"))
        other.handoffs("answer", handoff_id, "yes")
        process.expect("decided elsewhere")
        process.expect(GONE)
        process.expect(pexpect.EOF)
    assert process.exitstatus == 0


def test_it_is_played_on_a_terminal(newcomer: Home) -> None:
    with newcomer.on_terminal(*DEMO) as process:
        process.expect("has to ask you")
        process.expect("May I delete customers-2019.csv")
        process.expect("Enter answers")
        process.send("1\r")
        process.expect("answered: yes")
        process.expect("was deleted")
        process.expect(GONE)
        process.expect(pexpect.EOF)
    assert process.exitstatus == 0


def test_ctrl_c_stops_it_before_anything_happens(newcomer: Home) -> None:
    with newcomer.on_terminal(*DEMO) as process:
        process.expect("Enter answers")
        process.sendintr()
        process.expect("Stopped.")
        process.expect(STILL_THERE)
        process.expect(pexpect.EOF)
    assert "Traceback" not in screen(process)
    assert process.exitstatus == 130


ASK = ("handoff_to_user", {"message": "May I delete a.txt or b.txt?"})
ASK_ELSE = ("handoff_to_user", {"message": "May I tidy up?"})
ASK_LIKE = ("handoff_to_user", {"message": "May I delete data.txt and a.txt.bak?"})
DELETE_A, DELETE_B = ("delete_file", {"name": "a.txt"}), ("delete_file", {"name": "b.txt"})


@pytest.mark.parametrize(
    ("turns", "said", "left"),
    [
        pytest.param([[ASK], [DELETE_A]], ["yes"], ["b.txt"], id="asked, and approved"),
        pytest.param([[DELETE_A]], [], ["a.txt", "b.txt"], id="did not ask"),
        pytest.param([[ASK], [DELETE_A]], ["no"], ["a.txt", "b.txt"], id="did not listen"),
        pytest.param([[ASK_LIKE], [DELETE_A]], ["yes"], ["a.txt", "b.txt"], id="asked about another file"),
        pytest.param([[ASK_ELSE], [DELETE_A]], ["yes"], ["a.txt", "b.txt"], id="asked something else"),
        pytest.param([[ASK], [DELETE_A], [DELETE_B]], ["yes"], ["b.txt"], id="used one yes twice"),
        pytest.param([[ASK], [ASK], [DELETE_A]], ["yes", "no"], ["a.txt", "b.txt"], id="took the first answer"),
        pytest.param([[ASK, DELETE_A]], ["yes"], ["a.txt", "b.txt"], id="did not wait for the answer"),
    ],
)
def test_whatever_a_model_does_a_file_goes_only_after_a_yes_that_names_it(
    home: Home, turns: list[Any], said: list[str], left: list[str]
) -> None:
    folder = home.folder / "files"
    folder.mkdir()
    for name in ("a.txt", "b.txt"):
        (folder / name).touch()
    guard = Guard(folder)
    hooks = [guard.note_answer, guard.check_approval]
    with home.agent(*turns, "Done.", person=answers(*said), tools=[guard.delete_file], hooks=hooks) as agent:
        agent("Go!")
    assert sorted(path.name for path in folder.iterdir()) == left


def test_a_wrong_setting_is_told_without_a_traceback(newcomer: Home) -> None:
    newcomer.extra["HANDOFFS_JOIN_SECONDS"] = "soon"
    done = newcomer.run(*DEMO)
    assert done.returncode == 1
    assert "HANDOFFS_JOIN_SECONDS" in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout.splitlines()[-1] == STILL_THERE


def test_a_model_that_can_not_be_reached_is_told_without_a_traceback(newcomer: Home) -> None:
    newcomer.extra |= {"NEBIUS_API_KEY": "a-key-for-tests", "NEBIUS_API_BASE": "http://127.0.0.1:9/v1"}
    done = newcomer.run(*DEMO, stdin="yes\n")
    assert done.returncode == 1
    assert "The agent failed" in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout.splitlines()[-1] == STILL_THERE


@pytest.fixture
def without_strands(newcomer: Home) -> Home:
    """Somebody whose installation has no extras."""
    (newcomer.folder / "sitecustomize.py").write_text("import sys; sys.modules['strands'] = None")
    newcomer.extra["PYTHONPATH"] = str(newcomer.folder)
    return newcomer


@pytest.mark.parametrize(
    ("stdin", "end"), [("yes\n", GONE), ("no\n", STILL_THERE), ("/decline\n", STILL_THERE), ("\n", STILL_THERE)]
)
def test_without_strands_a_script_plays_the_agent(without_strands: Home, stdin: str, end: str) -> None:
    said = play(without_strands, stdin)
    assert f"A real Strands agent comes with: {command_to_add('strands')}" in said
    assert said.splitlines()[-1] == end
    assert list(without_strands.folder.glob("handoffs-demo-*")) == []


def test_without_strands_it_is_played_on_a_terminal_and_ctrl_c_stops_it(without_strands: Home) -> None:
    with without_strands.on_terminal(*DEMO) as process:
        process.expect("May I delete customers-2019.csv")
        process.expect("Enter answers")
        process.sendintr()
        process.expect(STILL_THERE)
        process.expect(pexpect.EOF)
    assert "Traceback" not in screen(process)
    assert process.exitstatus == 130


def test_without_strands_the_question_can_be_answered_from_another_shell(without_strands: Home) -> None:
    with without_strands.on_terminal(*DEMO) as process:
        process.expect(r"HANDOFFS_STORE=(\S+) handoffs list")
        assert isinstance(process.match, re.Match)
        other = Home(without_strands.folder, extra={"HANDOFFS_STORE": process.match.group(1)})
        process.expect("Enter answers")
        (handoff_id,) = re.findall(r'"id": "(h_\w+)"', other.handoffs("list", "--json"))
        other.handoffs("answer", handoff_id, "yes")
        process.expect("decided elsewhere")
        process.expect(GONE)
        process.expect(pexpect.EOF)
    assert process.exitstatus == 0
