"""Start what was packaged, as a host would: by its command, in an environment of a test's own."""

import os
import subprocess
import sys
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
from mcp import Client, StdioServerParameters
from mcp.client.stdio import stdio_client
from mcp.types import Implementation

ROOT = Path(__file__).parent.parent.parent
UV = os.environ.get("UV", "uv")
"""The one that runs the tests, which says so; a shim in the PATH may need more of the environment."""
SLOW = 120
"""Seconds. Where nothing has been fetched yet, uv and npx do it first."""


def environment(folder: Path, **own: str) -> dict[str, str]:
    """This process's, without what steers uv and Python to our own checkout; with data in the folder."""
    steering = ("HANDOFFS_", "UV_PROJECT", "VIRTUAL_ENV", "PYTHONPATH", "PYTHONHOME")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(steering)}
    return kept | {
        "UV_PYTHON": sys.executable,
        "UV_NO_PROGRESS": "1",
        "XDG_DATA_HOME": str(folder / "data"),
        "XDG_CONFIG_HOME": str(folder / "config"),
        **own,
    }


def run(*command: str, env: Mapping[str, str] | None = None, cwd: Path | None = None) -> str:
    """Run it to its end, and return what it says on standard output."""
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=SLOW, env=env, cwd=cwd, check=False, stdin=subprocess.DEVNULL
    )
    assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
    return done.stdout


@asynccontextmanager
async def served(folder: Path, command: str, args: Sequence[str], env: Mapping[str, str]) -> AsyncGenerator[Client]:
    """A client of the server that the command starts; what it says on standard error is in `stderr.txt`."""
    params = StdioServerParameters(command=command, args=list(args), env=dict(env), cwd=folder)
    with (folder / "stderr.txt").open("a") as log, anyio.fail_after(SLOW):
        info = Implementation(name="test-host", version="1")
        async with Client(stdio_client(params, errlog=log), client_info=info) as client:
            yield client


async def tool_names(client: Client) -> list[str]:
    return [tool.name for tool in (await client.list_tools()).tools]
