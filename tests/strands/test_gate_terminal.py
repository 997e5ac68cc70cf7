"""`HandoffGate` in a program on a real terminal: what the person does there, and how the program ends."""

import signal
import time
from pathlib import Path

import pexpect
import pytest

from tests.strands.programs import Home, screen
from tests.strands.test_terminal import CTRL_C, result

# It closes nothing by itself: a program that has done its work ends.
PROGRAM = """
import json
from strands import Agent, tool
from handoffs.strands import ScriptedModel
from handoffs.strands_gate import HandoffGate

done = []

@tool
def delete_file(name: str) -> str:
    "Deletes a file."
    done.append(name)
    return f"{name} was deleted"

model = ScriptedModel([("delete_file", {"name": "a.txt"})], "Done.")
agent = Agent(model=model, tools=[delete_file], plugins=[HandoffGate()], callback_handler=None)
stopped = None
try:
    agent("Go!")
except KeyboardInterrupt:
    stopped = True
results = [b["toolResult"] for m in agent.messages for b in m["content"] if "toolResult" in b]
texts = [" ".join(c["text"] for c in r["content"]) for r in results]
print("RESULT", json.dumps(dict(done=done, texts=texts, stopped=stopped, calls=len(model.seen))))
"""
READY = "Enter goes on"


@pytest.fixture
def program(home: Home) -> Path:
    path = home.folder / "program.py"
    path.write_text(PROGRAM)
    return path


def fields(process: "pexpect.spawn[str]", *answers: str) -> None:
    """Answer the fields of a held call, one after the other."""
    process.expect(f"1 of {len(answers)}")
    for answer in answers:
        process.expect("not now")  # the last line of a field; only what has changed above it is drawn again
        time.sleep(1)  # what is typed right after a field was drawn is not taken for it
        process.send(f"{answer}\r")


def test_a_person_changes_a_call_in_the_programs_own_terminal(home: Home, program: Path) -> None:
    with home.on_terminal(program) as process:
        fields(process, "1", '{"name": "b.txt"}', "", "", "", "")
        ended = result(process)
    assert ended["done"] == ["b.txt"]
    assert ended["texts"][0].endswith("b.txt was deleted")
    [handoff] = home.kept()
    assert handoff.end is not None
    assert handoff.end.channel == "elicitation"
    assert "result" in home.handoffs("log", handoff.id)


def test_a_refusal_in_the_terminal_is_a_denial_with_its_reason(home: Home, program: Path) -> None:
    with home.on_terminal(program) as process:
        process.expect(READY)
        process.send("/decline not today\r")
        ended = result(process)
    assert ended["done"] == []
    assert 'They said: "not today"' in ended["texts"][0]


@pytest.mark.parametrize("how", ["the key", "a signal"])
def test_one_ctrl_c_ends_the_wait_and_leaves_the_question_open(home: Home, program: Path, how: str) -> None:
    with home.on_terminal(program) as process:
        process.expect(READY)
        if how == "the key":
            process.send(CTRL_C)
        else:
            process.kill(signal.SIGINT)
        ended = result(process)
    assert (ended["done"], ended["stopped"], ended["calls"]) == ([], True, 1)
    assert "has not decided yet" in ended["texts"][0]
    assert "Traceback" not in screen(process)
    assert len(home.kept(open_only=True)) == 1


def test_a_prompt_gives_way_when_the_call_is_decided_in_another_shell(home: Home, program: Path) -> None:
    with home.on_terminal(program) as process:
        process.expect(READY)
        (handoff,) = home.kept(open_only=True)
        home.handoffs("answer", handoff.id, "--set", "decision=allow")
        ended = result(process)
    assert (ended["done"], ended["texts"]) == (["a.txt"], ["a.txt was deleted"])
