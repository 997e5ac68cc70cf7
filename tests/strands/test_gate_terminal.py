"""`HandoffGate` in a program on a real terminal: what the person does there, and how the program ends."""

import signal
import time
from pathlib import Path

import pexpect
import pytest

from tests.strands.programs import Home, screen
from tests.strands.test_terminal import CTRL_C, result, sees

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


def steps(process: "pexpect.spawn[str]", *answers: tuple[str, str]) -> None:
    """Answer each step, with what the person sees of it, one after the other."""
    for seen, answer in answers:
        sees(process, seen)
        time.sleep(1)  # what is typed right after a field was drawn is not taken for it
        process.send(answer)


def test_a_person_allows_a_call_in_two_steps(home: Home, program: Path) -> None:
    with home.on_terminal(program) as process:
        steps(process, ("Decision", "\r"), ("Decision is needed", "1\r"), ("Enter: just this once", "\r"))
        ended = result(process)
    assert (ended["done"], ended["texts"]) == (["a.txt"], ["a.txt was deleted"])
    assert "1 of" not in screen(process)
    assert "exact-hour" not in screen(process)
    [handoff] = home.kept()
    assert handoff.values == {"decision": "allow"}


def test_a_person_changes_a_call_in_the_programs_own_terminal(home: Home, program: Path) -> None:
    back = "\x7f" * len('a.txt"}')
    with home.on_terminal(program) as process:
        edited = ("Edited arguments", f'\t{back}b.txt"}}\r')  # Tab takes up what it would run with
        steps(process, ("Decision", "1\r"), ("Anything else?", "1\r"), edited)
        ended = result(process)
    assert ended["done"] == ["b.txt"]
    assert ended["texts"][0].endswith("b.txt was deleted")
    [handoff] = home.kept()
    assert handoff.end is not None
    assert handoff.end.channel == "elicitation"
    assert "result" in home.handoffs("log", handoff.id)


def test_a_person_denies_a_call_with_a_reason(home: Home, program: Path) -> None:
    with home.on_terminal(program) as process:
        steps(process, ("Decision", "2\r"), ("What the agent is told when you deny.", "not on Fridays\r"))
        ended = result(process)
    assert ended["done"] == []
    assert 'They said: "not on Fridays"' in ended["texts"][0]


def test_a_refusal_in_the_terminal_is_a_denial_with_its_reason(home: Home, program: Path) -> None:
    with home.on_terminal(program) as process:
        process.expect(READY)
        process.send("/decline not today\r")
        ended = result(process)
    assert ended["done"] == []
    assert 'They said: "not today"' in ended["texts"][0]


@pytest.mark.parametrize("thinking", [0, 2])
@pytest.mark.parametrize("how", ["the key", "a signal"])
def test_one_ctrl_c_ends_the_wait_and_leaves_the_question_open(
    home: Home, program: Path, how: str, thinking: float
) -> None:
    with home.on_terminal(program) as process:
        process.expect(READY)
        time.sleep(thinking)  # an answer that is given later is taken at once
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
