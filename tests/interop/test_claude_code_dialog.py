"""The real Claude Code at a terminal, as it comes, with a scripted model: its own dialog, and what the model gets.

At a terminal it declares tasks in the newer era and would move a call to the background at once. It is led to the
older era, where a call waits while its dialog is open.
"""

import json
import math
import os
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from handoffs.asking.judge import READING_SECONDS
from tests.acceptance.processes import HANDOFFS, Home
from tests.interop.anthropic_stub import Stub, serve_anthropic
from tests.terminals import KIND, Terminal
from tests.waiting import until_there

TOOL = "mcp__handoffs__handoff_to_user"
OPTIONS = {"message": "Deploy 2.4.1?", "options": ["approve", "reject"]}
KEY = "sk-ant-a-key-of-nobody"

OPEN = "MCP server “handoffs” requests your input"
"""The head of its dialog."""

ESCAPE, ENTER, DOWN, RIGHT = "\x1b", "\r", "\x1b[B", "\x1b[C"


PATIENCE = 60.0


@dataclass
class Sitting:
    """Somebody before Claude Code, whose model has called the tool, and whose dialog is open."""

    terminal: Terminal
    stub: Stub
    home: Home

    def does(self, keys: str, then: Callable[[], bool]) -> None:
        """Press keys, again where they were lost, until what comes of it is so.

        Claude Code draws a field a moment before it takes keys for it. A person is slower than that.
        """
        pressed = -math.inf

        def came() -> bool:
            nonlocal pressed
            if not then() and time.monotonic() > pressed + 15:
                self.terminal.types(keys)
                pressed = time.monotonic()
            return then()

        self.terminal.watches(0.5)
        self.terminal.waits_for(came, f"something to come of {keys!r}")

    def sees_after(self, keys: str, text: str) -> None:
        """Press keys, and wait until the screen shows what comes of them."""
        self.does(keys, lambda: self.terminal.shows(text))

    def ends_dialog(self, key: str) -> None:
        """Press the key that closes the dialog."""
        self.does(key, lambda: not self.terminal.shows(OPEN))

    def result(self) -> dict[str, Any]:
        """Wait until the model has its result and has spoken, and return what it was given."""
        self.terminal.waits_for(lambda: len(self.stub.requests) > 1, "the result to reach the model")
        self.terminal.sees("So be it.")
        assert not self.terminal.shows(OPEN)
        # Nothing is left that would wake the model again, and nothing warns it of the answer.
        assert len(self.stub.requests) == 2
        assert "NOT USER INPUT" not in json.dumps(self.stub.requests[-1]["messages"])
        (text,) = self.stub.tool_results()
        given: dict[str, Any] = json.loads(text)
        return given


def prepare(home: Home) -> Path:
    """Write what the first start of Claude Code asks for, with the server as a project's; return the project."""
    project = home.folder.resolve() / "shop"
    project.mkdir()
    agreed = {"hasTrustDialogAccepted": True, "enabledMcpjsonServers": ["handoffs"]}
    config = {
        "hasCompletedOnboarding": True,
        "theme": "dark",
        "customApiKeyResponses": {"approved": [KEY[-20:]], "rejected": []},
        "projects": {str(project): agreed},
    }
    (home.folder / ".claude.json").write_text(json.dumps(config))
    own = {name: home.env[name] for name in ("HANDOFFS_STORE", "HANDOFFS_INBOX", "XDG_DATA_HOME", "XDG_CONFIG_HOME")}
    server = {"type": "stdio", "command": HANDOFFS[0], "args": [*HANDOFFS[1:], "serve"], "env": own}
    (project / ".mcp.json").write_text(json.dumps({"mcpServers": {"handoffs": server}}))
    return project


@contextmanager
def at_dialog(claude: str, folder: Path, arguments: dict[str, Any]) -> Generator[Sitting]:
    """Start Claude Code, have its model ask, and wait for the dialog; end all of it afterwards."""
    home = Home(folder)
    project = prepare(home)
    with serve_anthropic([(TOOL, arguments)], "So be it.") as stub:
        env = {name: value for name, value in home.env.items() if not name.startswith(("CLAUDE", "ANTHROPIC_"))}
        # Nothing of how it treats a server: only where its model is, and that it calls nobody else.
        env |= {
            "ANTHROPIC_BASE_URL": stub.base,
            "ANTHROPIC_API_KEY": KEY,
            "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
            "DISABLE_AUTOUPDATER": "1",
        }
        command = [claude, "--allowedTools", TOOL]
        terminal = Terminal(command, env | KIND, cwd=project, rows=40, columns=110, patience=PATIENCE)
        sitting = Sitting(terminal, stub, home)
        try:
            terminal.sees("❯")
            sitting.sees_after("/mcp", "Manage MCP servers")
            sitting.sees_after(ENTER, "✔ handoffs")  # connected: until then a call may find no such tool
            sitting.does(ESCAPE, lambda: not terminal.shows("✔ handoffs"))
            sitting.sees_after("go", "❯\N{NO-BREAK SPACE}go")
            sitting.sees_after(ENTER, OPEN)
            terminal.sees(arguments["message"])
            terminal.watches(READING_SECONDS + 0.5)  # what is decided sooner, nobody has read
            yield sitting
        finally:
            terminal.stop()
            left = leave_nothing(home)
    assert not left, "processes outlived Claude Code"


def leave_nothing(home: Home) -> list[str]:
    """Wait until no process works on the store of this home, and end those that still do; return which."""
    with suppress(TimeoutError):
        until_there(lambda: not working_on(home), seconds=60)
    left = working_on(home)
    for number in left:
        os.kill(int(number), 9)
    return left


def working_on(home: Home) -> list[str]:
    """Return the ids of the processes that were started with the store of this home, as far as the system tells."""
    mark, found = f"HANDOFFS_STORE={home.store}\0".encode(), list[str]()
    for process in Path("/proc").glob("[0-9]*"):
        try:
            found += [process.name] if mark in (process / "environ").read_bytes() + b"\0" else []
        except OSError:
            continue  # it has ended, or is another user's
    return found


def test_the_model_waits_on_an_open_dialog_and_the_choice_is_its_result(claude_code: str, tmp_path: Path) -> None:
    with at_dialog(claude_code, tmp_path, OPTIONS) as sitting:
        sitting.terminal.watches(4)
        assert sitting.terminal.shows(OPEN)
        assert len(sitting.stub.requests) == 1
        sitting.sees_after(RIGHT, "◯ approve")
        sitting.sees_after(ENTER, "✔ Response: approve")
        sitting.terminal.sees("❯ Accept")
        sitting.ends_dialog(ENTER)
        given = sitting.result()
    assert given["status"] == "SUCCESS"
    assert given["values"] == {"response": "approve"}
    assert given["userInput"] == [{"text": "approve"}]
    assert given["channel"] == "elicitation"


def test_what_is_typed_in_its_dialog_is_the_result(claude_code: str, tmp_path: Path) -> None:
    with at_dialog(claude_code, tmp_path, {"message": "Which branch?"}) as sitting:
        sitting.sees_after("release 2.4", "Response: release 2.4")
        sitting.sees_after(DOWN, "❯ Accept")
        sitting.ends_dialog(ENTER)
        given = sitting.result()
    assert (given["status"], given["userInput"]) == ("SUCCESS", [{"text": "release 2.4"}])


def test_an_answer_from_elsewhere_is_the_result_and_closes_its_dialog(claude_code: str, tmp_path: Path) -> None:
    with at_dialog(claude_code, tmp_path, OPTIONS) as sitting:
        (handoff,) = json.loads(sitting.home.run("list", "--json").stdout)
        assert (handoff["caller"]["client"], handoff["state"]) == ("claude-code", "open")
        done = sitting.home.run("answer", handoff["id"], "reject")
        assert done.returncode == 0, done.stderr
        sitting.terminal.no_longer_sees(OPEN)
        given = sitting.result()
    assert given["handoffId"] == handoff["id"]
    assert (given["status"], given["values"]) == ("SUCCESS", {"response": "reject"})
    assert given["channel"] == "command line"


@pytest.mark.parametrize("status", ["PENDING", "DECLINED"])
def test_a_dialog_that_is_closed_or_declined_approves_nothing(claude_code: str, tmp_path: Path, status: str) -> None:
    with at_dialog(claude_code, tmp_path, OPTIONS) as sitting:
        if status == "PENDING":
            sitting.ends_dialog(ESCAPE)
        else:
            sitting.sees_after(DOWN, "❯ Accept")
            sitting.sees_after(RIGHT, "❯ Decline")
            sitting.ends_dialog(ENTER)
        given = sitting.result()
        (handoff,) = json.loads(sitting.home.run("list", "--all", "--json").stdout)
    assert given["status"] == status
    assert "values" not in given
    assert handoff["state"] == ("open" if status == "PENDING" else "declined")
