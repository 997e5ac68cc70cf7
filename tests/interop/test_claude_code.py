"""The real Claude Code, unattended, with a scripted model: what it asks a person, and what it makes of the answer."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import anyio

from tests.acceptance.processes import HANDOFFS, Home
from tests.interop.anthropic_stub import Stub, Turn, serve_anthropic

DATABASE = {
    "question": "Which database?",
    "header": "DB",
    "multiSelect": False,
    "options": [{"label": "Postgres", "description": "runs"}, {"label": "MySQL", "description": "known"}],
}
PARTS = {
    "question": "Which parts?",
    "header": "Parts",
    "multiSelect": True,
    "options": [
        {"label": "Shop, old", "description": "a"},
        {"label": "Blog", "description": "b"},
        {"label": "Wiki", "description": "c"},
    ],
}


async def run(claude: str, home: Home, *turns: Turn, answers: Sequence[Sequence[str]]) -> tuple[Stub, list[str]]:
    """Run a prompt to its end, answer what it asks in turn, and return what the model was sent and the person shown."""
    servers = {"handoffs": {"type": "stdio", "command": HANDOFFS[0], "args": [*HANDOFFS[1:], "serve"], "env": home.env}}
    shown: list[str] = []
    with serve_anthropic(*turns) as stub, anyio.fail_after(120):
        env = home.env | {
            "ANTHROPIC_BASE_URL": stub.base,
            "ANTHROPIC_API_KEY": "none",
            "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
            "DISABLE_AUTOUPDATER": "1",
            "IS_SANDBOX": "1",
        }
        command = [claude, "-p", "go", "--strict-mcp-config", "--mcp-config", json.dumps({"mcpServers": servers})]
        permission = ["--permission-prompt-tool", "mcp__handoffs__approve_tool_use"]

        async def answer() -> None:
            left = list(answers)
            while left:
                for handoff in json.loads((await home.command("list", "--json")).stdout):
                    shown.append(handoff["message"])
                    done = await home.command("answer", handoff["id"], *left.pop(0))
                    assert done.returncode == 0, done.stderr

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(answer)
            done = await anyio.run_process([*command, *permission], env=env, cwd=home.folder, check=False)
            assert done.returncode == 0, done.stdout + done.stderr
            tasks.cancel_scope.cancel()
    return stub, shown


async def test_its_own_questions_are_answered_in_words_that_it_reads_as_answers(
    claude_code: str, tmp_path: Path
) -> None:
    ask: Any = [("AskUserQuestion", {"questions": [DATABASE, PARTS]})]
    stub, shown = await run(
        claude_code,
        Home(tmp_path),
        *[ask, ask, ask],
        "done",
        answers=[
            ["--set", "decision=allow", "--set", "answer_1=MySQL", "--set", "answer_2=1,2"],
            ["--set", "decision=allow", "--set", "words_1=SQLite", "--set", "answer_2=Blog"],
            ["--set", "decision=allow"],
        ],
    )
    chosen, own, nothing = stub.tool_results()
    # These are its words for answers that are labels: it has read several of them apart.
    assert chosen.startswith('Your questions have been answered: "Which database?"="MySQL", "Which parts?"=')
    assert own.startswith('The user answered: "Which database?"="SQLite", "Which parts?"="Blog".')
    assert "Not approved: the person sent no answer" in nothing
    assert all("- Postgres: runs" in each for each in shown)


async def test_a_file_and_an_edit_are_shown_as_such_and_the_edited_input_runs(claude_code: str, tmp_path: Path) -> None:
    home = Home(tmp_path)
    path = tmp_path / "a.py"
    edit = {"file_path": str(path), "old_string": "print(1)", "new_string": "print(4)\nprint(5)"}
    stub, shown = await run(
        claude_code,
        home,
        [("Write", {"file_path": str(path), "content": "print(1)\nprint(2)\n"})],
        [("Edit", edit | {"new_string": "print(3)"})],
        "done",
        answers=[
            ["--set", "decision=allow"],
            ["--set", "decision=allow", "--set", f"arguments={json.dumps(edit)}"],
        ],
    )
    assert len(stub.tool_results()) == 2
    assert "```py\nprint(1)\nprint(2)\n" in shown[0]
    assert "```diff\n-print(1)\n+print(3)\n```" in shown[1]
    assert path.read_text() == "print(4)\nprint(5)\nprint(2)\n"
    log = [json.loads(line) for line in home.run("log", "--json").stdout.splitlines()]
    assert [line["event"] for line in log].count("edited") == 1


async def test_a_denied_use_does_not_run_and_the_model_is_told_why(claude_code: str, tmp_path: Path) -> None:
    path = tmp_path / "a.py"
    stub, _ = await run(
        claude_code,
        Home(tmp_path),
        [("Write", {"file_path": str(path), "content": "x"})],
        "done",
        answers=[["--set", "decision=deny", "--set", "reason=not there"]],
    )
    assert 'They said: "not there"' in stub.tool_results()[0]
    assert not path.exists()
