"""Strands programs on a real terminal: what the person does there, and what Ctrl-C ends."""

import json
import re
import signal
import time
from pathlib import Path
from typing import Any

import pexpect
import pyte
import pytest

from tests.strands.programs import Home, screen

# Prints what came of it as one line of JSON, and goes on to its end after Ctrl-C.
PROGRAM = """
import asyncio, json, sys
from handoffs.strands import HandoffClient, HandoffPlugin, ScriptedModel
from strands import Agent

QUESTIONS = [("handoff_to_user", {"message": f"Question {n}?"}) for n in range(1, int(sys.argv[2]) + 1)]
model = ScriptedModel(QUESTIONS, "I was called again")
plugins = [HandoffPlugin()] if "plugin" in sys.argv else []
agent = Agent(model=model, tools=[HandoffClient()], plugins=plugins, callback_handler=None)
response = stopped = None
try:
    if sys.argv[1] == "direct":
        response = agent.tool.handoff_to_user(message="Question 1?")
    elif sys.argv[1] == "async":
        asyncio.run(agent.invoke_async("Ask!"))
    else:
        agent("Ask!")
except KeyboardInterrupt:
    stopped = True
results = [b["toolResult"] for m in agent.messages for b in m["content"] if "toolResult" in b]
texts = [" ".join(c["text"] for c in r["content"]) for r in results]
after = str(agent("Go on")).strip() if "again" in sys.argv else ""
agent.cleanup()
print("RESULT", json.dumps(dict(response=response, stopped=stopped, calls=len(model.seen), texts=texts, after=after)))
"""
READY = "Enter answers"
CTRL_C = "\x03"


@pytest.fixture
def program(home: Home) -> Path:
    path = home.folder / "program.py"
    path.write_text(PROGRAM)
    return path


def result(process: "pexpect.spawn[str]") -> dict[str, Any]:
    process.expect(r"RESULT (\{.*\})\r\n")
    assert isinstance(process.match, re.Match)
    found: dict[str, Any] = json.loads(process.match.group(1))
    process.expect(pexpect.EOF)
    assert not process.isalive()
    assert process.exitstatus == 0
    return found


def sees(process: "pexpect.spawn[str]", text: str) -> None:
    """Wait until the screen shows `text`: of a line that changes, only what is new is written."""
    terminal = pyte.Screen(120, 50)
    stream, fed, end = pyte.Stream(terminal), 0, time.monotonic() + 30
    while True:
        written = screen(process)
        stream.feed(written[fed:])
        fed = len(written)
        if any(text in line for line in terminal.display):
            return
        process.expect(r"(?s).+", timeout=max(end - time.monotonic(), 0))


def press(process: "pexpect.spawn[str]", how: str) -> None:
    if how == "the key":
        process.send(CTRL_C)
    else:
        process.kill(signal.SIGINT)


def open_questions(home: Home) -> list[str]:
    return [handoff.question.message for handoff in home.kept(open_only=True)]


def test_the_person_answers_in_the_programs_own_terminal(home: Home, program: Path) -> None:
    with home.on_terminal(program, "direct", "1", "plugin") as process:
        process.expect("Question 1")
        process.expect(READY)
        process.send("forty-two\r")
        response = result(process)["response"]
    assert (response["status"], response["values"]) == ("SUCCESS", {"response": "forty-two"})


@pytest.mark.parametrize("how", ["the key", "a signal"])
@pytest.mark.parametrize("plugin", ["plugin", "no-plugin"])
@pytest.mark.parametrize("kind", ["direct", "loop"])
def test_one_ctrl_c_ends_the_wait_and_leaves_the_question_open(
    home: Home, program: Path, kind: str, plugin: str, how: str
) -> None:
    with home.on_terminal(program, kind, "1", plugin) as process:
        process.expect(READY)
        pressed = time.monotonic()
        press(process, how)
        ended = result(process)
        took = time.monotonic() - pressed
    assert ended["stopped"]
    assert ended["calls"] == (0 if kind == "direct" else 1)
    assert ["stays open" in text for text in ended["texts"]] == [True]
    assert took < 3
    assert "Traceback" not in screen(process)
    assert open_questions(home) == ["Question 1?"]


@pytest.mark.parametrize("how", ["the key", "a signal"])
def test_one_ctrl_c_ends_the_wait_of_an_async_program(home: Home, program: Path, how: str) -> None:
    with home.on_terminal(program, "async", "1", "plugin") as process:
        process.expect(READY)
        press(process, how)
        ended = result(process)
    assert (ended["stopped"], ended["calls"]) == (True, 1)
    assert "Traceback" not in screen(process)
    assert open_questions(home) == ["Question 1?"]


def test_one_ctrl_c_ends_every_question_that_waits(home: Home, program: Path) -> None:
    with home.on_terminal(program, "loop", "3") as process:
        sees(process, "2 more waiting")
        process.send(CTRL_C)
        ended = result(process)
    assert (ended["stopped"], ended["calls"]) == (True, 1)
    assert len(open_questions(home)) == 3


def test_an_agent_can_be_called_again_after_ctrl_c(home: Home, program: Path) -> None:
    for kind in ("direct", "loop"):
        with home.on_terminal(program, kind, "1", "plugin", "again") as process:
            process.expect(READY)
            process.send(CTRL_C)
            ended = result(process) if kind == "loop" else None
            if ended is None:  # its first turn is a question of its own
                process.expect(READY)
                process.send("go\r")
                ended = result(process)
        assert ended["after"] == "I was called again"


def test_questions_asked_at_once_are_shown_one_after_the_other(home: Home, program: Path) -> None:
    with home.on_terminal(program, "loop", "2") as process:
        process.expect(READY)
        process.send("first\r")
        process.expect("answered: first")
        process.expect(READY)
        process.send("second\r")
        ended = result(process)
    assert sorted(ended["texts"]) == ["The person answered: first", "The person answered: second"]


@pytest.mark.parametrize("thinking", [0, 1.5])
def test_a_refusal_is_a_decline_however_fast_it_was_typed(home: Home, program: Path, thinking: float) -> None:
    with home.on_terminal(program, "direct", "1", "plugin") as process:
        process.expect(READY)
        time.sleep(thinking)  # what a person does, not a wait for the program
        process.send("/decline\r")
        response = result(process)["response"]
    assert (response["status"], response["userInput"]) == ("DECLINED", [{"text": ""}])
    assert open_questions(home) == []


@pytest.mark.parametrize("thinking", [0, 1.5])
def test_not_now_is_pending_and_the_question_stays_open(home: Home, program: Path, thinking: float) -> None:
    with home.on_terminal(program, "direct", "1", "plugin") as process:
        process.expect(READY)
        time.sleep(thinking)  # what a person does, not a wait for the program
        process.sendeof()
        response = result(process)["response"]
    assert (response["status"], response["userInput"]) == ("PENDING", [{"text": ""}])
    assert open_questions(home) == ["Question 1?"]


def test_a_prompt_gives_way_when_it_is_answered_from_another_shell(home: Home, program: Path) -> None:
    with home.on_terminal(program, "direct", "1", "plugin") as process:
        process.expect(READY)
        (handoff,) = home.kept(open_only=True)
        home.handoffs("answer", handoff.id, "from elsewhere")
        process.expect("decided elsewhere")
        response = result(process)["response"]
    assert (response["status"], response["userInput"]) == ("SUCCESS", [{"text": "from elsewhere"}])


def test_a_refusal_and_the_end_of_piped_answers_are_believed_too(home: Home, program: Path) -> None:
    refused = home.run(program, "direct", "1", "plugin", stdin="/decline not on a Friday\n")
    assert '"status": "DECLINED"' in refused.stdout
    assert "not on a Friday" in refused.stdout  # the agent hears why
    ended = home.run(program, "direct", "1", "plugin", stdin="")
    assert '"status": "PENDING"' in ended.stdout
    assert open_questions(home) == ["Question 1?"]
