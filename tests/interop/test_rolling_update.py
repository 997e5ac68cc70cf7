"""One of several servers on a store is updated: the others go on; a new start of the earlier one refuses in words."""

import subprocess
from collections.abc import AsyncGenerator, Generator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from pathlib import Path

import anyio
import pytest
from mcp import Client, StdioServerParameters
from mcp.client.stdio import stdio_client
from mcp.types import CallToolResult, Implementation, TextContent

from benchmarks import environment
from tests.acceptance.processes import Home
from tests.store.postgres_server import cluster


@pytest.fixture(scope="module")
def earlier() -> str:
    """The command of an earlier build, in an environment of its own."""
    try:
        return str(environment.before(environment.BEFORE))
    except environment.Unavailable as error:
        pytest.skip(f"the earlier build can't be installed: {error}")


@contextmanager
def a_home(engine: str, folder: Path) -> Generator[Home]:
    extra = {"HANDOFFS_TERMINAL": "off", "HANDOFFS_HOLD_SECONDS": "40"}
    yield Home(folder, extra | ({"HANDOFFS_STORE": cluster().url()} if engine == "postgres" else {}))


@asynccontextmanager
async def served(command: str, home: Home) -> AsyncGenerator[Client]:
    """A client of a server on stdio that has no dialog, so that people answer elsewhere."""
    async with AsyncExitStack() as stack:
        log = stack.enter_context((home.folder / "stderr.txt").open("a"))
        params = StdioServerParameters(command=command, args=["serve"], env=home.env, cwd=home.folder)
        info = Implementation(name="test-host", version="1")
        yield await stack.enter_async_context(Client(stdio_client(params, errlog=log), mode="legacy", client_info=info))


def text_of(result: CallToolResult) -> str:
    return "\n".join(part.text for part in result.content if isinstance(part, TextContent))


def open_ids(home: Home) -> list[str]:
    done = home.run("list", "--json")
    assert done.returncode == 0, done.stderr
    return [line.split('"')[3] for line in done.stdout.splitlines() if line.strip().startswith('"id"')]


@pytest.mark.parametrize("engine", ["sqlite", "postgres"])
async def test_a_server_of_the_earlier_version_goes_on_after_the_update(
    engine: str, earlier: str, tmp_path: Path
) -> None:
    with a_home(engine, tmp_path) as home, anyio.fail_after(120):
        async with served(earlier, home) as client, anyio.create_task_group() as tasks:
            results: dict[str, CallToolResult] = {}

            async def ask(message: str) -> None:
                results[message] = await client.call_tool("handoff_to_user", {"message": message})

            for message in ("Before the update?", "After the update?"):
                tasks.start_soon(ask, message)
                ids: list[str] = []
                while not ids:  # the first look is by this version, which brings the store up to date
                    await anyio.sleep(0.1)
                    ids = await anyio.to_thread.run_sync(open_ids, home)
                done = await home.command("answer", ids[0], "yes")
                assert done.returncode == 0, done.stderr
                while message not in results:
                    await anyio.sleep(0.05)
        assert all("yes" in text_of(result) for result in results.values()), results


@pytest.mark.parametrize("engine", ["sqlite", "postgres"])
def test_a_new_start_of_the_earlier_version_refuses_in_words(engine: str, earlier: str, tmp_path: Path) -> None:
    with a_home(engine, tmp_path) as home:
        assert home.run("db", "migrate").returncode == 0
        done = subprocess.run(
            [earlier, "list"], env=home.env, cwd=tmp_path, capture_output=True, text=True, check=False
        )
        assert done.returncode == 4
        assert "newer version" in done.stderr
        assert "Traceback" not in done.stderr
