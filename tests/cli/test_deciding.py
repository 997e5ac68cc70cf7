"""`handoffs answer`, `decline` and `cancel`, as they are typed: real processes, and real terminals for the prompt."""

import json
import subprocess
import sys
from pathlib import Path

import pexpect
import pytest

from handoffs.core.desk import Desk
from handoffs.core.model import State
from handoffs.os_user import current_user
from tests.acceptance.processes import HANDOFFS, Home
from tests.cli.questions import CLAUDE, asked, events, kept, with_desk

FORM = {
    "properties": {
        "name": {"type": "string"},
        "count": {"type": "integer", "minimum": 1},
        "a=b": {"type": "string", "enum": ["x", "y"]},
    },
    "required": ["name"],
}


def test_a_value_answers_a_form_of_one_field(tmp_path: Path) -> None:
    home = Home(tmp_path)
    handoff_id = asked(home)
    done = home.run("answer", handoff_id, "yes, go on")
    assert (done.returncode, done.stdout, done.stderr) == (0, f"{handoff_id} is answered.\n", "")
    answer = kept(home, handoff_id).answer
    assert answer is not None
    assert (answer.values, answer.by, answer.channel) == ({"response": "yes, go on"}, current_user(), "command line")


def test_a_value_is_understood_as_a_person_types_it(tmp_path: Path) -> None:
    home = Home(tmp_path)
    handoff_id = asked(home, options=["Ship it", "Wait"])
    done = home.run("answer", handoff_id, "2", "--note", "it is Friday", "--json")
    answered = json.loads(done.stdout)
    assert (answered["state"], answered["answer"]["values"]) == ("answered", {"response": "Wait"})
    assert (answered["answer"]["note"], answered["answer"]["by"]) == ("it is Friday", current_user())


def test_set_fills_the_fields_by_name(tmp_path: Path) -> None:
    home = Home(tmp_path)
    handoff_id = asked(home, form=FORM)
    done = home.run("answer", handoff_id, "--set", "name=a=b=c", "--set", "count=3", "--set", "a=b=Y")
    assert done.returncode == 0, done.stderr
    assert kept(home, handoff_id).values == {"name": "a=b=c", "count": 3, "a=b": "y"}


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--set", "name=x", "--set", "count=none"], "Nothing was recorded: count: must be a whole number."),
        (["--set", "count=3"], "Nothing was recorded: name: is missing."),
        (["--set", "name="], "Nothing was recorded: name: must not be empty."),
        (["--set", "nmae=x"], "--set 'nmae=x' sets no field: write NAME=VALUE; this form has name, count, a=b."),
        (["--set", "name"], "--set 'name' sets no field"),
        (["--set", "name=x", "--set", "name=y"], "--set has name twice."),
        (["x"], "This form has 3 fields, name, count, a=b: use --set NAME=VALUE for each."),
        (["x", "--set", "name=x"], "Give one of VALUE, --set NAME=VALUE, --other and --again."),
        (["x", "y"], "Got unexpected extra argument(s) (y). `handoffs answer --help` shows how."),
        (["--sett", "name=x"], "No such option: --sett"),
        (["-5"], "No such option: -5"),
    ],
)
def test_what_does_not_fit_is_refused_in_one_line_and_nothing_is_recorded(
    tmp_path: Path, arguments: list[str], told: str
) -> None:
    home = Home(tmp_path)
    handoff_id = asked(home, form=FORM)
    done = home.run("answer", handoff_id, *arguments)
    assert (done.returncode, done.stdout) == (2, "")
    [line] = done.stderr.splitlines()
    assert line.startswith(f"handoffs: {told}")
    assert events(home, handoff_id) == ["opened"]


def test_something_else_than_the_options_is_said_on_purpose(tmp_path: Path) -> None:
    home = Home(tmp_path)
    handoff_id = asked(home, options=["yes", "no"])
    refused = home.run("answer", handoff_id, "after the backup")
    assert refused.returncode == 2
    hint = f'To say something else than the options: handoffs answer {handoff_id} --other "your words"'
    assert refused.stderr.rstrip().endswith(hint)
    assert kept(home, handoff_id).state is State.OPEN

    done = home.run("answer", handoff_id, "--other", "after the backup", "--json")
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)["answer"]
    assert (answer["values"], answer["other"]) == ({}, "after the backup")
    assert json.loads(home.run("show", handoff_id, "--json").stdout)["answer"]["other"] == "after the backup"
    assert "something else than the options:\n│ after the backup\n" in home.run("show", handoff_id).stdout


def test_something_else_is_no_answer_to_a_form(tmp_path: Path) -> None:
    home = Home(tmp_path)
    handoff_id = asked(home, form=FORM)
    done = home.run("answer", handoff_id, "--other", "no idea")
    assert done.returncode == 2
    assert "only a question with options can be answered by something else" in done.stderr
    assert kept(home, handoff_id).state is State.OPEN


def test_a_list_is_filled_by_as_many_sets_as_it_takes(tmp_path: Path) -> None:
    home = Home(tmp_path)
    tags = {"type": "array", "items": {"enum": ["a", "b, c", "d"]}}
    handoff_id = asked(home, form={"properties": {"tags": tags}, "required": ["tags"]})
    done = home.run("answer", handoff_id, "--set", "tags=b, c", "--set", "tags=a", "--set", "tags=a")
    assert done.returncode == 0, done.stderr
    assert kept(home, handoff_id).values == {"tags": ["b, c", "a"]}


@pytest.mark.parametrize("ended", [["answer", "no"], ["answer", "--other", "later"], ["decline", "--note", "too soon"]])
def test_the_same_answer_is_given_again_to_the_same_question(tmp_path: Path, ended: list[str]) -> None:
    home = Home(tmp_path)
    first = asked(home, options=["yes", "no"])
    command, *rest = ended
    assert home.run(command, first, *rest).returncode == 0

    async def hand_over(desk: Desk) -> None:
        await desk.collect(await desk.get(first))

    with_desk(home, hand_over)
    second = asked(home, options=["yes", "no"])
    assert second != first
    assert json.loads(home.run("show", second, "--json").stdout)["earlier"] == first
    assert f"answer {second} --again" in home.run("show", second).stdout
    done = home.run("answer", second, "--again")
    assert done.returncode == 0, done.stderr
    before, after = kept(home, first), kept(home, second)
    assert (after.state, after.values, after.other) == (before.state, before.values, before.other)
    assert before.end is not None
    assert after.end is not None
    assert after.end.note == before.end.note


def test_what_was_never_decided_can_not_be_given_again(tmp_path: Path) -> None:
    home = Home(tmp_path)
    handoff_id = asked(home)
    done = home.run("answer", handoff_id, "--again")
    assert done.returncode == 2
    assert "was not decided before" in done.stderr


def test_a_choice_is_found_however_its_letters_are_composed(tmp_path: Path) -> None:
    home = Home(tmp_path)
    handoff_id = asked(home, options=["Caf\u00e9", "Z\u00fcrich"])
    assert home.run("answer", handoff_id, "Zu\u0308rich").returncode == 0
    assert kept(home, handoff_id).values == {"response": "Z\u00fcrich"}


def test_a_time_without_a_zone_is_refused_with_what_it_would_be_here(tmp_path: Path) -> None:
    home = Home(tmp_path, {"TZ": "Europe/Berlin"})
    form = {"properties": {"at": {"type": "string", "format": "date-time"}}, "required": ["at"]}
    handoff_id = asked(home, form=form)
    done = home.run("answer", handoff_id, "2026-07-01 10:00")
    assert done.returncode == 2
    assert "has no time zone; in the one of this machine it is 2026-07-01T10:00:00+02:00" in done.stderr
    assert kept(home, handoff_id).state is State.OPEN


def test_a_value_that_is_no_text_is_refused(tmp_path: Path) -> None:
    home = Home(tmp_path)
    handoff_id = asked(home)
    done = subprocess.run([*HANDOFFS, "answer", handoff_id, b"caf\xe9"], env=home.env, capture_output=True, check=False)
    assert done.returncode == 2
    assert b"Nothing was recorded: the answer has characters that are not allowed: remove them." in done.stderr
    assert kept(home, handoff_id).state is State.OPEN


def test_a_value_may_begin_with_a_dash_after_two(tmp_path: Path) -> None:
    home = Home(tmp_path)
    handoff_id = asked(home, form={"properties": {"degrees": {"type": "number"}}, "required": ["degrees"]})
    assert home.run("answer", handoff_id, "--", "-5").returncode == 0
    assert kept(home, handoff_id).values == {"degrees": -5}


@pytest.mark.parametrize(("command", "state"), [("decline", "declined"), ("cancel", "cancelled")])
def test_a_question_is_refused_or_withdrawn_with_a_word_why(tmp_path: Path, command: str, state: str) -> None:
    home = Home(tmp_path)
    handoff_id = asked(home)
    done = home.run(command, handoff_id[:8], "--note", "not today", "--json")
    assert done.returncode == 0, done.stderr
    ended = json.loads(done.stdout)
    assert (ended["state"], ended["answer"]) == (state, None)
    assert ended["end"] == {
        "by": current_user(),
        "at": ended["end"]["at"],
        "channel": "command line",
        "note": "not today",
    }
    assert events(home, handoff_id) == ["opened", state]


@pytest.mark.parametrize(
    "arguments", [["answer", "yes"], ["answer"], ["answer", "--set", "no=such"], ["decline"], ["cancel"]]
)
def test_who_is_too_late_is_told_who_was_first_and_when(tmp_path: Path, arguments: list[str]) -> None:
    home = Home(tmp_path)
    handoff_id = asked(home)
    assert home.run("decline", handoff_id).returncode == 0
    command, *rest = arguments
    done = home.run(command, handoff_id, *rest)
    assert (done.returncode, done.stdout) == (1, "")
    [line] = done.stderr.splitlines()
    assert line.startswith(
        f"handoffs: {handoff_id} was already declined by {current_user()} through command line at 20"
    )
    assert events(home, handoff_id) == ["opened", "declined"]


@pytest.mark.parametrize("command", [["show"], ["answer"], ["decline"], ["cancel"], ["log"]])
def test_an_id_that_is_not_there_is_an_error_that_says_how_to_list(tmp_path: Path, command: list[str]) -> None:
    home = Home(tmp_path)
    asked(home)
    for unknown in ("h_nothing", "nothing", ""):
        done = home.run(*command, unknown)
        assert (done.returncode, done.stdout) == (3, "")
        [line] = done.stderr.splitlines()
        assert line == (
            f"handoffs: There is no handoff {unknown!r} here. `handoffs list --all` shows all of this store."
        )


def test_a_prefix_of_several_is_an_error_that_names_them(tmp_path: Path) -> None:
    home = Home(tmp_path)
    ids = sorted([asked(home, "One?"), asked(home, "Two?")])
    done = home.run("answer", "h_", "yes")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == (
        f"handoffs: 'h_' could be {', '.join(ids)}: write a few more characters. "
        "`handoffs list --all` shows every id.\n"
    )


# At a prompt


def prompted(home: Home, *arguments: str) -> "pexpect.spawn[str]":
    env = home.env | {"TERM": "xterm"}
    return pexpect.spawn(
        HANDOFFS[0], [*HANDOFFS[1:], *arguments], env=env, cwd=str(home.folder), encoding="utf-8", timeout=20
    )


def code_of(process: "pexpect.spawn[str]") -> int | None:
    process.expect(pexpect.EOF)
    process.close()
    return process.exitstatus


on_a_terminal = pytest.mark.skipif(sys.platform == "win32", reason="a pseudo-terminal")


@on_a_terminal
def test_a_person_is_asked_again_until_the_answer_fits(tmp_path: Path) -> None:
    home = Home(tmp_path)
    form = {"properties": {"count": {"type": "integer", "maximum": 5}}, "required": ["count"]}
    handoff_id = asked(home, "How many?", form=form)
    process = prompted(home, "answer", handoff_id)
    process.expect("How many")
    process.expect("Enter answers")
    process.send("nine\r")
    process.expect("must be a whole number")
    process.expect("Enter answers")  # cleared, and ready again
    process.send("3\r")
    process.expect("answered: 3")
    assert code_of(process) == 0
    answer = kept(home, handoff_id).answer
    assert answer is not None
    assert (answer.values, answer.by, answer.channel) == ({"count": 3}, current_user(), "command line")
    assert events(home, handoff_id) == ["opened", "reached", "answered"]


@on_a_terminal
def test_a_person_can_refuse_at_the_prompt(tmp_path: Path) -> None:
    home = Home(tmp_path)
    handoff_id = asked(home)
    process = prompted(home, "answer", handoff_id, "--note", "as agreed")
    process.expect("Enter answers")
    process.send("/decline\r")
    assert code_of(process) == 0
    after = kept(home, handoff_id)
    assert after.state is State.DECLINED
    assert after.end is not None
    assert after.end.note == "as agreed"


@on_a_terminal
@pytest.mark.parametrize(("key", "code"), [("\x03", 130), ("\x04", 2)])
def test_who_leaves_the_prompt_has_decided_nothing(tmp_path: Path, key: str, code: int) -> None:
    home = Home(tmp_path)
    handoff_id = asked(home)
    process = prompted(home, "answer", handoff_id)
    process.expect("Enter answers")
    process.send(key)
    assert code_of(process) == code
    assert kept(home, handoff_id).state is State.OPEN
    assert "Traceback" not in (process.before or "")


@on_a_terminal
def test_a_prompt_goes_away_when_the_question_is_answered_elsewhere(tmp_path: Path) -> None:
    home = Home(tmp_path)
    handoff_id = asked(home)
    process = prompted(home, "answer", handoff_id)
    process.expect("Enter answers")
    assert home.run("answer", handoff_id, "from elsewhere").returncode == 0
    process.expect("was already answered by")
    assert code_of(process) == 1
    assert kept(home, handoff_id).values == {"response": "from elsewhere"}


def test_lines_from_a_pipe_answer_like_a_person(tmp_path: Path) -> None:
    home = Home(tmp_path)
    handoff_id = asked(home, options=["a", "b"])
    done = home.run("answer", handoff_id, "--json", stdin="c\n2\n")
    assert done.returncode == 0, done.stderr
    assert "not one of the choices" in done.stderr
    assert json.loads(done.stdout)["answer"]["values"] == {"response": "b"}
    assert kept(home, handoff_id).values == {"response": "b"}


@pytest.mark.parametrize("lines", [None, "", "c\n"])
def test_an_answer_that_nobody_gives_is_none(tmp_path: Path, lines: str | None) -> None:
    home = Home(tmp_path)
    handoff_id = asked(home, options=["a", "b"])
    done = home.run("answer", handoff_id, stdin=lines)
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.splitlines()[-1] == f"handoffs: No answer was given; {handoff_id} stays open."
    assert kept(home, handoff_id).state is State.OPEN


def test_a_question_whose_time_is_up_can_not_be_answered(tmp_path: Path) -> None:
    home = Home(tmp_path)

    async def ask_long_ago(desk: Desk) -> str:
        handoff = await desk.ask(message="Deploy?", caller=CLAUDE, timeout_seconds=30)
        return handoff.id

    handoff_id = with_desk(home, ask_long_ago)
    subprocess.run(
        [sys.executable, "-c", "import sqlite3, sys; db = sqlite3.connect(sys.argv[1]); "
         "db.execute('UPDATE handoffs SET deadline = created_at - 1'); db.commit()", str(tmp_path / "handoffs.db")],
        check=True,
    )  # fmt: skip
    done = home.run("answer", handoff_id, "yes")
    assert done.returncode == 1
    assert "was already expired" in done.stderr
    assert events(home, handoff_id) == ["opened", "expired"]
