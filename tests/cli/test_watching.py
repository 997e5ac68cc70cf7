"""`handoffs answer --watch`: one terminal at which every question is asked as it comes."""

import sys
from pathlib import Path

import pexpect
import pytest

from handoffs.core.model import State
from handoffs.os_user import current_user
from tests.acceptance.processes import HANDOFFS, Home
from tests.cli.questions import asked, events, kept

on_a_terminal = pytest.mark.skipif(sys.platform == "win32", reason="a pseudo-terminal")


def watching(home: Home) -> "pexpect.spawn[str]":
    process: pexpect.spawn[str] = pexpect.spawn(
        HANDOFFS[0], [*HANDOFFS[1:], "answer", "--watch"], env=home.env | {"TERM": "xterm"},
        cwd=str(home.folder), encoding="utf-8", timeout=20, dimensions=(40, 120),
    )  # fmt: skip
    process.expect("asked here as it comes")
    return process


def code_of(process: "pexpect.spawn[str]") -> int | None:
    process.expect(pexpect.EOF)
    process.close()
    assert "Traceback" not in (process.before or "")
    return process.exitstatus


@on_a_terminal
def test_what_is_open_is_asked_the_oldest_first_and_then_what_comes(tmp_path: Path) -> None:
    home = Home(tmp_path)
    ids = [asked(home, "Older?"), asked(home, "Newer?")]
    process = watching(home)
    for message, answer in (("Older", "one"), ("Newer", "two"), ("Later", "three")):
        if message == "Later":
            ids.append(asked(home, "Later?"))
        process.expect(message)
        process.expect("Enter answers")
        process.send(f"{answer}\r")
        process.expect(f"answered: {answer}")
    process.sendintr()
    assert code_of(process) == 130
    assert [kept(home, each).values for each in ids] == [
        {"response": "one"},
        {"response": "two"},
        {"response": "three"},
    ]
    answer = kept(home, ids[0]).answer
    assert answer is not None
    assert (answer.by, answer.channel) == (current_user(), "terminal")


@on_a_terminal
def test_ctrl_c_at_a_question_leaves_and_it_stays_open(tmp_path: Path) -> None:
    home = Home(tmp_path)
    ids = [asked(home, "One?"), asked(home, "Two?")]
    process = watching(home)
    process.expect("Enter answers")
    process.send("half an answ\x03")
    assert code_of(process) == 130
    assert [kept(home, each).state for each in ids] == [State.OPEN, State.OPEN]


@on_a_terminal
def test_ctrl_c_while_nothing_is_open_leaves_too(tmp_path: Path) -> None:
    process = watching(Home(tmp_path))
    process.sendintr()
    assert code_of(process) == 130


@on_a_terminal
def test_what_is_put_off_stays_open_and_the_next_is_asked(tmp_path: Path) -> None:
    home = Home(tmp_path)
    first, second = asked(home, "First?"), asked(home, "Second?")
    process = watching(home)
    process.expect("First")
    process.expect("Enter answers")
    process.send("\x04")
    process.expect("Second")
    process.expect("Enter answers")
    process.send("yes\r")
    process.expect("answered: yes")
    third = asked(home, "Third?")
    process.expect("Third")
    process.expect("Enter answers")
    assert "First" not in (process.before or "")
    process.send("\x03")
    assert code_of(process) == 130
    assert [kept(home, each).state for each in (first, second, third)] == [State.OPEN, State.ANSWERED, State.OPEN]
    assert events(home, first) == ["opened", "reached", "dismissed"]


@on_a_terminal
def test_what_is_decided_elsewhere_is_no_longer_asked(tmp_path: Path) -> None:
    home = Home(tmp_path)
    first = asked(home, "First?")
    process = watching(home)
    process.expect("Enter answers")
    assert home.run("answer", first, "from elsewhere").returncode == 0
    second = asked(home, "Second?")
    process.expect("Second")
    process.expect("Enter answers")
    process.send("yes\r")
    process.expect("answered: yes")
    process.sendintr()
    assert code_of(process) == 130
    assert kept(home, first).values == {"response": "from elsewhere"}
    assert kept(home, second).values == {"response": "yes"}


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--watch"], "handoffs: --watch asks a person at a terminal, and standard input is none"),
        (["--watch", "h_x"], "handoffs: --watch takes no other argument"),
        (["--watch", "--json"], "handoffs: --watch takes no other argument"),
    ],
)
def test_what_it_can_not_do_is_one_line_and_code_2(tmp_path: Path, arguments: list[str], told: str) -> None:
    home = Home(tmp_path)
    handoff_id = asked(home)
    done = home.run("answer", *arguments, stdin="yes\n")
    assert (done.returncode, done.stdout) == (2, "")
    [line] = done.stderr.splitlines()
    assert line.startswith(told)
    assert kept(home, handoff_id).state is State.OPEN
