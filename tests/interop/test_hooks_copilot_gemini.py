"""The real Copilot CLI and Gemini CLI with scripted models: hooks as `handoffs install` writes them."""

import json
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, TypeAlias

import pytest

from handoffs.cli.installing.launching import Launch
from handoffs.cli.installing.permission_hooks import hook_file, with_hooks
from tests.acceptance.processes import HANDOFFS, Home
from tests.interop.asked import Person, beside
from tests.interop.gemini_stub import Stub as GeminiStub
from tests.interop.gemini_stub import serve_gemini
from tests.interop.openai_stub import Stub as OpenAiStub
from tests.interop.openai_stub import serve_openai

Stub: TypeAlias = GeminiStub | OpenAiStub
DEAD = "sh -c 'kill -9 $$'"
ALLOW = ("--set", "decision=allow")
DENY = ("--set", "decision=deny", "--set", "reason=not on a Friday")


@pytest.fixture
def home(tmp_path: Path) -> Home:
    (tmp_path / "shop").mkdir()
    return Home(tmp_path)


@pytest.fixture
def made(tmp_path: Path) -> Path:
    return tmp_path / "shop" / "made"


def environment(home: Home) -> dict[str, str]:
    others = ("CLAUDE", "GEMINI", "GOOGLE", "COPILOT", "GH_", "GITHUB_")
    return {name: each for name, each in home.env.items() if not name.startswith(others)}


def hooks_of(home: Home, host: str, file: str) -> dict[str, Any]:
    """Make the host's folder, and return what `handoffs install HOST --permissions` writes there."""
    (home.folder / file).parent.mkdir(parents=True)
    launch = Launch(HANDOFFS[0], tuple(HANDOFFS[1:]))
    found: dict[str, Any] = json.loads(with_hooks(hook_file(host), "", launch))
    return found


@asynccontextmanager
async def copilot_runs(
    copilot: str, home: Home, command: str, *, event: str = "", hook: str = "", seconds: int = 0
) -> AsyncGenerator[tuple[Person, Stub]]:
    """Run Copilot CLI with one tool call; `event`, `hook` and `seconds` stand in place of what is installed."""
    file = ".copilot/hooks/handoffs.json"
    found = hooks_of(home, "copilot", file)
    (entry,) = found["hooks"].pop("permissionRequest")
    if hook or seconds:
        entry |= {"bash": hook or " ".join([*HANDOFFS, f"hook copilot --timeout {seconds}"])}
        entry |= {"timeoutSec": seconds or 600}
    found["hooks"][event or "permissionRequest"] = [entry]
    (home.folder / file).write_text(json.dumps(found))
    with serve_openai([("bash", {"command": command, "description": "a file"})], "done") as stub:
        env = environment(home) | {
            "COPILOT_PROVIDER_BASE_URL": stub.base,
            "COPILOT_PROVIDER_WIRE_API": "responses",
            "COPILOT_MODEL": "gpt-5",
            "COPILOT_OFFLINE": "true",
        }
        async with beside(home, [copilot, "-p", "go"], env, home.folder / "shop") as person:
            yield person, stub


@asynccontextmanager
async def gemini_runs(
    gemini: tuple[str, str], home: Home, command: str, *, hook: str = "", seconds: int = 0
) -> AsyncGenerator[tuple[Person, Stub]]:
    """Run Gemini CLI, which lets every tool run by itself, with one tool call."""
    file = ".gemini/settings.json"
    found = hooks_of(home, "gemini", file)
    (entry,) = found["hooks"]["BeforeTool"][0]["hooks"]
    if hook or seconds:
        entry |= {"command": hook or " ".join([*HANDOFFS, f"hook gemini --timeout {seconds}"])}
        entry |= {"timeout": (seconds or 600) * 1000}
    found["security"] = {"auth": {"selectedType": "gemini-api-key"}}
    (home.folder / file).write_text(json.dumps(found))
    with serve_gemini([("run_shell_command", {"command": command, "description": "a file"})], "done") as stub:
        env = environment(home) | {
            "GOOGLE_GEMINI_BASE_URL": stub.base,
            "GEMINI_API_KEY": "none",
            "GEMINI_CLI_TRUST_WORKSPACE": "true",
        }
        async with beside(home, [*gemini, "-p", "go", "--yolo"], env, home.folder / "shop") as person:
            yield person, stub


async def test_copilot_runs_what_a_person_has_allowed(copilot: str, home: Home, made: Path) -> None:
    async with copilot_runs(copilot, home, f"touch {made}") as (person, _):
        asked = await person.asked()
        assert "Allow `bash` of `copilot` with exactly this input?" in asked["message"]
        assert "arguments" not in asked["form"]["properties"]
        assert not made.exists()
        await person.answer(*ALLOW)
    assert made.exists()


@pytest.mark.parametrize("event", ["permissionRequest", "preToolUse"])
async def test_copilot_refuses_what_is_denied_and_the_model_hears_why(
    copilot: str, home: Home, made: Path, event: str
) -> None:
    async with copilot_runs(copilot, home, f"touch {made}", event=event) as (person, stub):
        await person.answer(*DENY)
    assert not made.exists()
    assert "not on a Friday" in stub.tool_results()[0]


async def test_copilot_runs_the_edited_arguments_before_a_tool(copilot: str, home: Home, made: Path) -> None:
    other = made.with_name("other")
    async with copilot_runs(copilot, home, f"echo > {other}", event="preToolUse") as (person, stub):
        edit = json.dumps({"command": f"echo edited > {made} && cat {made}", "description": "edited"})
        await person.answer(*ALLOW, "--set", f"arguments={edit}")
        # `allow` before the tool is the answer to its own prompt, too.
    assert not other.exists()
    assert made.read_text() == "edited\n", stub.tool_results()


async def test_copilot_refuses_where_nobody_answers_in_time(copilot: str, home: Home, made: Path) -> None:
    async with copilot_runs(copilot, home, f"touch {made}", seconds=16) as (person, stub):
        await person.asked()
    assert not made.exists()
    assert "has not decided in the time" in stub.tool_results()[0]


async def test_copilot_refuses_where_the_hook_dies(copilot: str, home: Home, made: Path) -> None:
    async with copilot_runs(copilot, home, f"touch {made}", hook=DEAD) as (_, stub):
        pass
    assert not made.exists()
    assert stub.tool_results()


async def test_gemini_runs_what_a_person_has_allowed(gemini: tuple[str, str], home: Home, made: Path) -> None:
    async with gemini_runs(gemini, home, f"touch {made}") as (person, _):
        asked = await person.asked()
        assert "Allow `run_shell_command` of `gemini` with exactly this input?" in asked["message"]
        assert not made.exists()
        await person.answer(*ALLOW)
    assert made.exists()


async def test_gemini_refuses_what_is_denied_and_the_model_hears_why(
    gemini: tuple[str, str], home: Home, made: Path
) -> None:
    async with gemini_runs(gemini, home, f"touch {made}") as (person, stub):
        await person.answer(*DENY)
    assert not made.exists()
    assert "not on a Friday" in stub.tool_results()[0]


async def test_gemini_runs_the_edited_arguments(gemini: tuple[str, str], home: Home, made: Path) -> None:
    other = made.with_name("other")
    async with gemini_runs(gemini, home, f"touch {other}") as (person, _):
        edit = json.dumps({"command": f"touch {made}", "description": "edited"})
        await person.answer(*ALLOW, "--set", f"arguments={edit}")
    assert made.exists()
    assert not other.exists()


async def test_gemini_refuses_where_nobody_answers_in_time(gemini: tuple[str, str], home: Home, made: Path) -> None:
    async with gemini_runs(gemini, home, f"touch {made}", seconds=16) as (person, stub):
        await person.asked()
    assert not made.exists()
    assert "has not decided in the time" in stub.tool_results()[0]


async def test_gemini_goes_on_where_the_hook_dies_as_the_docs_say(
    gemini: tuple[str, str], home: Home, made: Path
) -> None:
    async with gemini_runs(gemini, home, f"touch {made}", hook=DEAD):
        pass
    assert made.exists()
