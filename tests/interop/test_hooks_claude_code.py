"""The real Claude Code with a scripted model: its permission prompts come to the desk by `handoffs hook`."""

import json
import sys
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import pytest

from tests.acceptance.processes import HANDOFFS, Home
from tests.interop.anthropic_stub import Stub, Turn, serve_anthropic
from tests.waiting import until

HOOK = [*HANDOFFS, "hook", "claude-code"]


def entry(command: str, *, seconds: int = 600, block: bool = True) -> list[dict[str, Any]]:
    """Return an event's list in the settings, as `handoffs install claude-code --permissions` writes it."""
    hook: dict[str, Any] = {"type": "command", "command": command, "timeout": seconds}
    return [{"matcher": "*", "hooks": [hook | ({"onFailure": "block"} if block else {})]}]


def hooks(*events: str, seconds: int = 600) -> dict[str, Any]:
    """Return settings in which our command is the hook of these events."""
    return {each: entry(" ".join([*HOOK, f"--timeout {seconds}"]), seconds=seconds) for each in events}


class Session:
    """One run of Claude Code, and what its model was sent."""

    def __init__(self, home: Home, stub: Stub) -> None:
        self.home, self.stub = home, stub
        self.said = b""

    async def asked(self) -> dict[str, Any]:
        """Wait for an open question, and return it."""
        found: list[dict[str, Any]] = []

        async def there() -> bool:
            found[:] = json.loads((await self.home.command("list", "--json")).stdout)
            return bool(found)

        await until(there, seconds=60)
        return found[0]

    async def answer(self, *given: str) -> dict[str, Any]:
        """Answer the question that is open, or the next, and return it as it was."""
        handoff = await self.asked()
        done = await self.home.command("answer", handoff["id"], *given)
        assert done.returncode == 0, done.stderr
        return handoff


@asynccontextmanager
async def running(
    claude: str, folder: Path, settings: dict[str, Any], *turns: Turn, more: Sequence[str] = ()
) -> AsyncGenerator[Session]:
    """Run a prompt to its end, in a project of its own, with hooks in the person's settings."""
    home = Home(folder)
    (folder / ".claude").mkdir()
    (folder / ".claude" / "settings.json").write_text(json.dumps({"hooks": settings}))
    project = folder / "shop"
    project.mkdir()
    with serve_anthropic(*turns) as stub:
        env = {name: value for name, value in home.env.items() if not name.startswith(("CLAUDE", "ANTHROPIC_"))}
        env |= {
            "ANTHROPIC_BASE_URL": stub.base,
            "ANTHROPIC_API_KEY": "none",
            "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
            "DISABLE_AUTOUPDATER": "1",
            "IS_SANDBOX": "1",
        }
        session = Session(home, stub)
        with anyio.fail_after(180):
            async with anyio.create_task_group() as tasks:

                async def run() -> None:
                    done = await anyio.run_process(
                        [claude, "-p", "go", "--output-format", "json", *more], env=env, cwd=project, check=False
                    )
                    session.said = done.stdout + done.stderr
                    assert done.returncode == 0, session.said

                tasks.start_soon(run)
                yield session


def touch(path: Path) -> Turn:
    return [("Bash", {"command": f"touch {path}", "description": "makes a file"})]


@pytest.mark.parametrize("event", ["PermissionRequest", "PreToolUse"])
async def test_a_tool_runs_once_a_person_has_allowed_it(claude_code: str, tmp_path: Path, event: str) -> None:
    made = tmp_path / "shop" / "made"
    async with running(claude_code, tmp_path, hooks(event), touch(made), "done") as session:
        asked = await session.asked()
        assert "Allow `Bash` of `claude-code` with exactly this input?" in asked["message"]
        assert f"touch {made}" in asked["message"]
        assert asked["caller"]["client"] == "claude-code"
        assert asked["caller"]["project"] == str(tmp_path / "shop")
        assert not made.exists()
        await session.answer("--set", "decision=allow")
    assert made.exists()


@pytest.mark.parametrize("event", ["PermissionRequest", "PreToolUse"])
async def test_a_denied_tool_does_not_run_and_the_model_is_told(claude_code: str, tmp_path: Path, event: str) -> None:
    made = tmp_path / "shop" / "made"
    async with running(claude_code, tmp_path, hooks(event), touch(made), "done") as session:
        await session.answer("--set", "decision=deny", "--set", "reason=not on a Friday")
    assert not made.exists()
    assert 'They said: "not on a Friday"' in session.stub.tool_results()[0]


@pytest.mark.parametrize("event", ["PermissionRequest", "PreToolUse"])
async def test_what_the_person_made_of_the_arguments_is_what_runs(claude_code: str, tmp_path: Path, event: str) -> None:
    wanted, made = tmp_path / "shop" / "wanted", tmp_path / "shop" / "made"
    async with running(claude_code, tmp_path, hooks(event), touch(wanted), "done") as session:
        edit = json.dumps({"command": f"touch {made}", "description": "as the person said"})
        await session.answer("--set", "decision=allow", "--set", f"arguments={edit}")
    assert made.exists()
    assert not wanted.exists()


@pytest.mark.parametrize("event", ["PermissionRequest", "PreToolUse"])
async def test_where_nobody_answers_in_time_the_tool_is_refused(claude_code: str, tmp_path: Path, event: str) -> None:
    made = tmp_path / "shop" / "made"
    settings = hooks(event, seconds=16)
    async with running(
        claude_code, tmp_path, settings, touch(made), "done", more=["--allowedTools", "Read"]
    ) as session:
        await session.asked()
    assert not made.exists()
    assert "has not decided in the time that the host gives" in session.stub.tool_results()[0]


@pytest.mark.parametrize(("event", "rule"), [("PermissionRequest", "Read"), ("PreToolUse", "Bash")])
async def test_a_hook_that_dies_refuses_the_tool(claude_code: str, tmp_path: Path, event: str, rule: str) -> None:
    made = tmp_path / "shop" / "made"
    dead = {event: entry(f"{sys.executable} -c 'import os; os.kill(os.getpid(), 9)'")}
    async with running(claude_code, tmp_path, dead, touch(made), "done", more=["--allowedTools", rule]) as session:
        pass
    assert not made.exists()
    assert session.stub.tool_results()[0]
