"""Other people's programs, which `make interop` installs where it can: Node, its packages, and an older mcp."""

import os
import shutil
import subprocess
from collections.abc import AsyncGenerator
from pathlib import Path

import anyio
import pytest

from tests.acceptance.processes import HANDOFFS, Home, HttpServer

HERE = Path(__file__).parent
PACKAGES = HERE / "node_modules"


def missing(what: str) -> None:
    """Skip a test for the want of something, and say so."""
    # Where everything is to be checked, a skip would hide that it could not be installed.
    (pytest.fail if os.environ.get("CI") else pytest.skip)(f"{what} is not installed: make interop")


@pytest.fixture(scope="session")
def node() -> str:
    """Where a Node of 22 or newer is, which the conformance suite needs; the packages are installed, too."""
    if not (PACKAGES / ".package-lock.json").exists():
        missing("node_modules")
    found = shutil.which("node")
    if found is not None:
        version = subprocess.run([found, "--version"], capture_output=True, text=True, check=True, timeout=120).stdout
        if int(version.removeprefix("v").partition(".")[0]) >= 22:
            return found
    packaged = next(PACKAGES.glob("node-*/bin/node"), None)
    if packaged is None:
        missing("Node 22")
    return str(packaged)


@pytest.fixture(scope="session")
def claude_code() -> str:
    """Claude Code's own program."""
    found = next(PACKAGES.glob("@anthropic-ai/claude-code-*/claude"), None)
    if found is None:
        missing("Claude Code")
    return str(found)


@pytest.fixture(scope="session")
def codex() -> str:
    """Codex's own program."""
    found = next(PACKAGES.glob("@openai/codex-*/vendor/*/bin/codex"), None)
    if found is None:
        missing("Codex")
    return str(found)


@pytest.fixture(scope="session")
def copilot() -> str:
    """Copilot CLI's own program."""
    found = next(PACKAGES.glob("@github/copilot-linux-*/copilot"), None)
    if found is None:
        missing("Copilot CLI")
    return str(found)


@pytest.fixture(scope="session")
def gemini(node: str) -> tuple[str, str]:
    """Node, and Gemini CLI's own script."""
    script = PACKAGES / "@google" / "gemini-cli" / "bundle" / "gemini.js"
    if not script.exists():
        missing("Gemini CLI")
    return node, str(script)


@pytest.fixture(scope="session")
def mcp1() -> str:
    """The Python of an environment that has mcp 1.30."""
    python = HERE / ".mcp1" / "bin" / "python"
    if not python.exists():
        missing("mcp 1.30")
    return str(python)


@pytest.fixture(scope="session")
def fastmcp() -> str:
    """The Python of an environment that has FastMCP."""
    python = HERE / ".fastmcp" / "bin" / "python"
    if not python.exists():
        missing("FastMCP")
    return str(python)


@pytest.fixture(scope="session")
def sdk_everything() -> tuple[str, str]:
    """The arguments of Python that serve what the SDK has a server for: everything."""
    source = HERE / ".everything"
    if not (source / "made").exists():
        missing("the source of mcp")
    return str(HERE / "sdk_everything.py"), str(source)


@pytest.fixture(scope="session")
def aics_tlog() -> str:
    """Another program that verifies logs of C2SP's formats."""
    program = HERE / ".tlog" / "bin" / "aics-tlog"
    if not program.exists():
        missing("aics-tlog, which needs Python 3.12 or newer,")
    return str(program)


@pytest.fixture(scope="session")
def schemathesis() -> str:
    """A program that tries an HTTP interface by its OpenAPI description."""
    program = HERE / ".schemathesis-env" / "bin" / "schemathesis"
    if not program.exists():
        missing("Schemathesis")
    return str(program)


@pytest.fixture(scope="session")
def acp_python() -> str:
    """The Python of an environment that has the SDK of the Agent Client Protocol."""
    python = HERE / ".acp" / "bin" / "python"
    if not python.exists():
        missing("the SDK of the Agent Client Protocol")
    return str(python)


@pytest.fixture(scope="session")
def claude_agent_acp(node: str) -> tuple[str, str]:
    """Node, and the script that makes an ACP agent of Claude Code."""
    script = PACKAGES / "@agentclientprotocol" / "claude-agent-acp" / "dist" / "index.js"
    if not script.exists():
        missing("claude-agent-acp")
    return node, str(script)


# Not for the session: while an async fixture is open, no test of another module can run a loop of its own.
@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    """The home of the server that the tests of one module share."""
    return Home(tmp_path_factory.mktemp("home"))


@pytest.fixture(scope="module")
async def server(home: Home, anyio_backend: str) -> AsyncGenerator[HttpServer]:
    """A server that waits as long as it finds right for a host that it does not know."""
    async with home.http() as server:
        yield server


@pytest.fixture(scope="module")
async def inbox(home: Home, anyio_backend: str) -> AsyncGenerator[None]:
    """The inbox of that store, to which a link can lead."""
    process = await anyio.open_process([*HANDOFFS, "inbox", "--no-browser"], env=home.env, cwd=home.folder)
    assert process.stdout is not None
    said = ""
    with anyio.fail_after(120):
        while "The inbox is at" not in said:
            said += (await process.stdout.receive()).decode()
    try:
        yield
    finally:
        process.terminate()
        with anyio.fail_after(120):
            await process.wait()
        await process.aclose()


async def output(*command: str | Path, cwd: Path, env: dict[str, str], seconds: float = 60) -> tuple[int, str, str]:
    """Run a program to its end and return its exit code, what it wrote, and what it said on standard error."""
    with anyio.fail_after(seconds):
        done = await anyio.run_process([str(word) for word in command], check=False, cwd=cwd, env=env)
    return done.returncode, done.stdout.decode(), done.stderr.decode()
