"""Other people's editors and agents of the Agent Client Protocol, with `handoffs acp` between them.

The editors are made with the two SDKs; the agents are one of the Python SDK's, Gemini CLI, and Claude Code.
"""

import json
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import pytest

from tests.acceptance.processes import HANDOFFS, Home
from tests.interop.anthropic_stub import serve_anthropic
from tests.interop.asked import Person
from tests.interop.conftest import HERE
from tests.interop.gemini_stub import serve_gemini
from tests.waiting import until

ALLOW = ("--set", "decision=allow")
DENY = ("--set", "decision=deny")
EDITORS = ("python", "typescript")


@pytest.fixture
def home(tmp_path: Path) -> Home:
    (tmp_path / "shop").mkdir()
    return Home(tmp_path)


@pytest.fixture
def made(home: Home) -> Path:
    return home.folder / "shop" / "made"


@pytest.fixture(params=EDITORS)
def editor(request: pytest.FixtureRequest) -> Sequence[str]:
    """The command of an editor; the kind of its dialog follows, and its agent's command."""
    if request.param == "python":
        return request.getfixturevalue("acp_python"), str(HERE / "acp_client.py")
    return request.getfixturevalue("node"), str(HERE / "acp.mjs")


class Session(Person):
    """A person at a shell, and what the editor saw meanwhile."""

    def __init__(self, home: Home) -> None:
        super().__init__(home)
        self.saw: list[dict[str, Any]] = []

    async def sees(self, **fields: Any) -> None:
        """Wait until the editor has seen this."""
        await until(lambda: any(each.items() >= fields.items() for each in self.saw), seconds=90)


@asynccontextmanager
async def running(
    home: Home,
    editor: Sequence[str],
    dialog: str,
    agent: Sequence[str],
    *options: str,
    more: Mapping[str, str] | None = None,
) -> AsyncGenerator[Session]:
    """Run one prompt to its end beside the block."""
    others = ("ANTHROPIC", "CLAUDE", "GEMINI", "GOOGLE", "COPILOT", "GH_", "GITHUB_")
    kept = {name: each for name, each in home.env.items() if not name.startswith(others)}
    env = {**kept, **(more or {})}
    command = [*editor, dialog, *HANDOFFS, "acp", "--name", "helper", *options, "--", *agent]
    session = Session(home)
    with (home.folder / "stderr.txt").open("a") as log, anyio.fail_after(180):
        async with await anyio.open_process(command, env=env, cwd=home.folder / "shop", stderr=log) as process:
            assert process.stdout is not None
            async with anyio.create_task_group() as tasks:

                async def look() -> None:
                    assert process.stdout is not None
                    kept = b""
                    async for part in process.stdout:
                        *lines, kept = (kept + part).split(b"\n")
                        session.saw += [json.loads(each) for each in lines]

                tasks.start_soon(look)
                yield session
                assert await process.wait() == 0, (home.folder / "stderr.txt").read_text()


@pytest.fixture
def asking(acp_python: str) -> Sequence[str]:
    """The agent of the Python SDK."""
    return acp_python, str(HERE / "acp_agent.py")


async def test_what_the_desk_says_first_is_what_the_agent_hears(
    home: Home, editor: Sequence[str], asking: Sequence[str]
) -> None:
    async with running(home, editor, "wait", asking) as session:
        asked = await session.answer(*ALLOW)
        assert "Remove the build" in asked["message"]
        assert "rm -rf build" in asked["message"]
        assert asked["caller"]["project"] == str(home.folder / "shop")
        await session.sees(text="chosen b")
        form = await session.answer("--set", "count=3")
        assert "How many?" in form["message"]
        await session.sees(text="accept {'count': 3}")
        await session.sees(ended="end_turn")


async def test_an_agent_gets_the_reason_for_a_denial(home: Home, acp_python: str, asking: Sequence[str]) -> None:
    async with running(home, (acp_python, str(HERE / "acp_client.py")), "wait", asking, "--desk-only") as session:
        await session.answer(*DENY, "--set", "reason=not on Fridays")
        await session.sees(text="chosen c because not on Fridays")
        await session.answer("--set", "count=3")


async def test_an_editor_that_knows_withdrawals_closes_its_dialog(home: Home, node: str, asking: Sequence[str]) -> None:
    async with running(home, (node, str(HERE / "acp.mjs")), "wait", asking) as session:
        await session.answer(*DENY)
        await session.sees(withdrawn=None)  # this agent names its call by the id alone
        await session.sees(text="chosen c")
        await session.answer("--set", "count=3")


@pytest.mark.parametrize(("dialog", "chosen"), [("allow_always", "a"), ("reject_once", "c"), ("nothing", "cancelled")])
async def test_what_the_editor_says_first_is_what_the_agent_hears(
    home: Home, editor: Sequence[str], asking: Sequence[str], dialog: str, chosen: str
) -> None:
    async with running(home, editor, dialog, asking) as session:
        await session.sees(text=f"chosen {chosen}")
        await session.answer("--set", "count=1")  # of both questions the one that is open
    ended = json.loads(home.run("list", "--all", "--json").stdout)
    assert sorted(each["state"] for each in ended) == ["answered", "cancelled"]


# Agents that people use


@pytest.mark.parametrize(("given", "runs"), [(ALLOW, True), (DENY, False)])
async def test_gemini_cli_does_what_the_desk_says(
    home: Home, editor: Sequence[str], gemini: tuple[str, str], made: Path, given: Sequence[str], runs: bool
) -> None:
    (home.folder / ".gemini").mkdir()
    settings = {"security": {"auth": {"selectedType": "gemini-api-key"}}}
    (home.folder / ".gemini" / "settings.json").write_text(json.dumps(settings))
    with serve_gemini([("run_shell_command", {"command": f"touch {made}", "description": "a file"})], "done") as stub:
        more = {"GOOGLE_GEMINI_BASE_URL": stub.base, "GEMINI_API_KEY": "none", "GEMINI_CLI_TRUST_WORKSPACE": "true"}
        async with running(home, editor, "wait", [*gemini, "--acp"], more=more) as session:
            asked = await session.asked()
            assert "Allow `execute` of `helper`" in asked["message"]
            assert f"touch {made}" in asked["message"]
            assert not made.exists()
            await session.answer(*given)
    assert made.exists() == runs


@pytest.mark.parametrize(("given", "runs"), [(ALLOW, True), (DENY, False)])
async def test_claude_code_does_what_the_desk_says(
    home: Home,
    editor: Sequence[str],
    claude_agent_acp: tuple[str, str],
    claude_code: str,
    made: Path,
    given: Sequence[str],
    runs: bool,
) -> None:
    (home.folder / ".claude").mkdir()
    # Its auto mode would ask the model, and not the person.
    settings = {"permissions": {"defaultMode": "default"}}
    (home.folder / ".claude" / "settings.json").write_text(json.dumps(settings))
    with serve_anthropic([("Bash", {"command": f"touch {made}", "description": "a file"})], "done") as stub:
        more = {
            "ANTHROPIC_BASE_URL": stub.base,
            "ANTHROPIC_API_KEY": "none",
            "CLAUDE_CODE_EXECUTABLE": claude_code,
            "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
            "DISABLE_AUTOUPDATER": "1",
            "IS_SANDBOX": "1",
        }
        async with running(home, editor, "wait", claude_agent_acp, "--desk-only", more=more) as session:
            asked = await session.asked()
            assert f'"command": "touch {made}"' in asked["message"]
            assert not made.exists()
            await session.answer(*given)
        assert not [each for each in session.saw if "asked" in each]
    assert made.exists() == runs
