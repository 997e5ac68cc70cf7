"""`from handoffs.strands import handoff_to_user`: the tutorial with that one line changed, and nothing else set up."""

import re
import signal
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from strands import Agent

from handoffs.strands import HandoffClient, ScriptedModel
from handoffs.strands.drop_in import HandoffToUser
from tests.strands.openai_stub import OpenAiStub
from tests.strands.programs import ROOT, Home, nobody, results, text_of
from tests.strands.test_breakout import DELETE, HAND_OVER, Deletions

TUTORIAL = Path(__file__).with_name("tutorial.py")


@pytest.mark.parametrize(
    ("stdin", "status", "answer"),
    [("yes\n", "SUCCESS", "yes"), ("", "PENDING", "")],
)
def test_the_tutorial_runs_with_its_import_changed(home: Home, stdin: str, status: str, answer: str) -> None:
    done = home.run(TUTORIAL, stdin=stdin)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    said = done.stdout[done.stdout.index("--- Approval Handoff ---") :]
    reference = r"tooluse_handoff_to_user_\d+"
    assert re.fullmatch(
        "--- Approval Handoff ---\n"
        r'Agent Message: "I am about to format the drive /dev/sdb\. Do you approve\? \(yes/no\)"' + "\n"
        f"Status       : {status}\nReference ID : {reference}\n"
        f'User Response: "{answer}"\n'
        "--- Completion Handoff ---\n"
        r'Agent Message: "The task is complete\. Please review the results\."' + "\n"
        f"Status       : SUCCESS\nReference ID : {reference}\n"
        'User Response: ""\n',
        said,
    )


def test_the_tutorials_model_asks_by_itself_too(home: Home) -> None:
    program = home.folder / "asks.py"
    program.write_text(TUTORIAL.read_text().replace("    main()", "    print(create_interactive_agent()('Go on'))"))
    with OpenAiStub([("handoff_to_user", {"message": "Which region?"})], "Deploying to eu-north1.") as stub:
        home.extra |= {"NEBIUS_API_KEY": "a-key-for-tests", "NEBIUS_API_BASE": stub.url}
        done = home.run(program, stdin="eu-north1\n")
    assert done.returncode == 0, done.stderr
    assert "Deploying to eu-north1." in done.stdout
    assert "eu-north1" in str(stub.requests[1]["messages"][-1]["content"])


def test_the_readme_shows_a_program_that_runs_as_it_is_printed(home: Home) -> None:
    section = (ROOT / "README.md").read_text().split("## Use it in a Strands agent")[1]
    found = re.search(r"```python\n(.*?)```", section, re.DOTALL)
    assert found is not None
    program = home.folder / "readme.py"
    program.write_text(found[1])
    with OpenAiStub([("handoff_to_user", {"message": "May I drop `staging`?"})], "I left it.") as stub:
        home.extra |= {"NEBIUS_API_KEY": "a-key-for-tests", "NEBIUS_API_BASE": stub.url}
        done = home.run(program, stdin="no\n")
    assert done.returncode == 0, done.stderr
    assert "I left it." in done.stdout
    assert [dict(h.answer.values) for h in home.kept() if h.answer] == [{"response": "no"}]


@pytest.mark.parametrize("bracketed", [True, False])
@pytest.mark.parametrize("calls", [[HAND_OVER, DELETE], [DELETE, HAND_OVER]])
def test_the_hooks_come_with_the_tool(home: Home, calls: Sequence[Any], bracketed: bool) -> None:
    deletions = Deletions()
    client = HandoffClient(env=home.env, elicitation_callback=nobody)
    tools: Any = [client, deletions.delete_file] if bracketed else client
    agent = Agent(model=ScriptedModel(calls, "I was called again"), tools=tools, callback_handler=None)
    try:
        result = agent("Finish!")
        assert result.stop_reason == "cancelled"
        assert result.state["handoff"]["userInput"] == [{"text": ""}]
        response = agent.tool.handoff_to_user(message="All done.", breakout_of_loop=True)
        assert (response["status"], response["userInput"][0]["text"]) == ("SUCCESS", "")
        history = results(agent)
    finally:
        agent.cleanup()
    assert deletions.done == []
    assert [r["status"] for r in history[:2]] == ["success" if call is HAND_OVER else "error" for call in calls]
    assert "Not run" in text_of(history[calls.index(DELETE)]) or not bracketed
    # The history of the direct call is legal.
    assert set(history[2]) == {"toolUseId", "status", "content"}


def test_agents_share_one_server_which_ends_with_the_last_and_starts_again(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in home.env.items():
        monkeypatch.setenv(name, value)
    ask = HandoffToUser()
    given: list[Any] = [[ask], ask, [ask]]
    for tools in (given[:2], given[2:]):
        agents = [Agent(model=ScriptedModel(), tools=each, callback_handler=None) for each in tools]
        for agent in agents:
            assert agent.tool_names == ["handoff_to_user", "check_handoff"]
            told = agent.tool.handoff_to_user(message="All done.", breakout_of_loop=True)
            assert told["status"] == "SUCCESS"
            agent.cleanup()


ALARM = """
import signal, sys
from handoffs.strands import ScriptedModel, handoff_to_user
from strands import Agent

class TimeUp(Exception):
    pass

def stop(*_):
    raise TimeUp

agent = Agent(model=ScriptedModel([("handoff_to_user", {"message": "Deploy?"})]), tools=[handoff_to_user],
              callback_handler=None)
signal.signal(signal.SIGUSR1, stop)
try:
    agent("Go!") if sys.argv[1] == "loop" else agent.tool.handoff_to_user(message="Deploy?")
except TimeUp:
    print("\\nthe program goes on")
    sys.stdin.readline()
agent.cleanup()
"""


@pytest.mark.parametrize("how", ["direct", "loop"])
def test_an_exception_out_of_the_wait_ends_it_and_leaves_the_question_open(home: Home, how: str) -> None:
    program = home.folder / "alarm.py"
    program.write_text(ALARM)
    with home.on_terminal(program, how) as process:
        process.expect("Enter answers")
        began = time.monotonic()
        process.kill(signal.SIGUSR1)
        process.expect("the program goes on")
        assert time.monotonic() - began < 5
        # The prompt is gone: what is typed now is the program's.
        process.sendline("yes")
        process.expect_exact("yes")
        process.wait()
    [kept] = home.kept()
    assert (kept.state.value, kept.answer) == ("open", None)
