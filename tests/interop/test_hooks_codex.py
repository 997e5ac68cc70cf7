"""The real Codex with a scripted model: its approvals come to the desk by `handoffs hook codex`."""

import json
import shlex
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.processes import HANDOFFS, Home
from tests.interop.openai_stub import Stub, Turn, serve_openai
from tests.terminals import KIND, Terminal
from tests.waiting import until_there

CONFIG = """\
model = "gpt-5"
model_provider = "script"
approval_policy = "on-request"
sandbox_mode = "read-only"

[model_providers.script]
name = "script"
base_url = {base}
wire_api = "responses"

[projects.{folder}]
trust_level = "trusted"

[[hooks.{event}]]
[[hooks.{event}.hooks]]
type = "command"
command = {command}
timeout = {seconds}
"""
OURS = shlex.join([*HANDOFFS, "hook", "codex", "--timeout"])
PATIENCE = 90.0


class Session:
    """Codex at work on one prompt."""

    def __init__(self, home: Home, stub: Stub, terminal: Terminal) -> None:
        self.home, self.stub, self.terminal = home, stub, terminal

    def asked(self) -> dict[str, Any]:
        """Wait for an open question, and return it."""

        def read() -> list[dict[str, Any]]:
            self.terminal.watches(0.2)
            return json.loads(self.home.run("list", "--json").stdout or "[]")

        return until_there(read, seconds=PATIENCE)[0]

    def answer(self, *given: str) -> None:
        done = self.home.run("answer", self.asked()["id"], *given)
        assert done.returncode == 0, done.stderr

    def result(self) -> str:
        """Wait until the model has its result, and return that."""
        self.terminal.waits_for(lambda: len(self.stub.requests) > 1, "the result to reach the model")
        return self.stub.tool_results()[-1]


def touch(path: Path) -> Turn:
    """Codex's own tool, which wants more than the sandbox allows."""
    command = {"cmd": f"touch {path}", "sandbox_permissions": "require_escalated", "justification": "a file"}
    return [("exec_command", command)]


@contextmanager
def running(codex: str, folder: Path, *turns: Turn, event: str, command: str, seconds: int) -> Generator[Session]:
    home = Home(folder)
    own, project = folder / "codex", folder / "project"
    own.mkdir()
    project.mkdir()
    with serve_openai(*turns) as stub:
        (own / "config.toml").write_text(
            CONFIG.format(
                base=json.dumps(stub.base),
                folder=json.dumps(str(project)),
                event=event,
                command=json.dumps(command),
                seconds=seconds,
            )
        )
        env = {name: each for name, each in home.env.items() if not name.startswith("CLAUDE")}
        terminal = Terminal(
            # A person trusts a hook by hand; its background server would outlive the test.
            [codex, "--dangerously-bypass-hook-trust", "--no-daemon", "go"],
            env | KIND | {"CODEX_HOME": str(own)},
            cwd=project,
            rows=40,
            columns=110,
            patience=PATIENCE,
            replies=True,
        )
        try:
            yield Session(home, stub, terminal)
        finally:
            terminal.stop()


Starts = Callable[..., Any]


@pytest.fixture
def made(tmp_path: Path) -> Path:
    return tmp_path / "made"


@pytest.mark.parametrize("event", ["PermissionRequest", "PreToolUse"])
def test_what_a_person_allows_runs(codex: str, tmp_path: Path, made: Path, event: str) -> None:
    with running(codex, tmp_path, touch(made), "Done.", event=event, command=f"{OURS} 600", seconds=600) as session:
        asked = session.asked()
        assert "Allow `Bash` of `codex` with exactly this input?" in asked["message"]
        assert f"touch {made}" in asked["message"]
        assert asked["caller"]["project"] == str(tmp_path / "project")
        assert not made.exists()
        session.answer("--set", "decision=allow")
        if event == "PermissionRequest":
            session.result()
            assert made.exists()
        else:  # what it would ask about itself, it still does
            session.terminal.sees("Would you like to run")
            assert not made.exists()


@pytest.mark.parametrize("event", ["PermissionRequest", "PreToolUse"])
def test_what_a_person_denies_does_not_run_and_the_model_hears_why(
    codex: str, tmp_path: Path, made: Path, event: str
) -> None:
    with running(codex, tmp_path, touch(made), "Done.", event=event, command=f"{OURS} 600", seconds=600) as session:
        session.answer("--set", "decision=deny", "--set", "reason=not on a Friday")
        assert "not on a Friday" in session.result()
    assert not made.exists()


@pytest.mark.parametrize("event", ["PermissionRequest", "PreToolUse"])
def test_where_nobody_answers_in_time_it_is_refused(codex: str, tmp_path: Path, made: Path, event: str) -> None:
    with running(codex, tmp_path, touch(made), "Done.", event=event, command=f"{OURS} 16", seconds=16) as session:
        session.asked()
        assert "has not decided in the time" in session.result()
    assert not made.exists()


def test_where_the_hook_dies_codex_asks_by_itself(codex: str, tmp_path: Path, made: Path) -> None:
    dead = "sh -c 'kill -9 $$'"
    with running(codex, tmp_path, touch(made), "Done.", event="PermissionRequest", command=dead, seconds=60) as session:
        session.terminal.sees("Would you like to run")
        time.sleep(1)
        assert not made.exists()
