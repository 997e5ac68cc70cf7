"""Where the servers' packages are: fastmcp's own environment, made when it is first needed, and compiled bytecode."""

import compileall
import importlib.util
import shutil
import subprocess
import sys
import tarfile
from functools import cache
from pathlib import Path

ENVIRONMENTS = Path(__file__).parent / ".envs"
COMPILED = ("handoffs", "mcp", "mcp_types", "pydantic", "anyio", "starlette", "uvicorn")


BEFORE = "de31573"
"""The build that today's is compared with: the last one that started in one stage and stored with `aiosqlite`."""


class Unavailable(Exception):
    """An environment that a yardstick needs can't be made."""


@cache
def fastmcp() -> Path:
    """Return the Python of an environment with fastmcp 4, compiled; the first call makes it, with uv."""
    folder = ENVIRONMENTS / "fastmcp"
    python = folder / "bin" / "python"
    ready = folder / "ready"
    if not ready.exists():
        _run("uv", "venv", "--quiet", "--clear", "--python", sys.executable, str(folder))
        _run("uv", "pip", "install", "--quiet", "--compile-bytecode", "--python", str(python), "fastmcp>=4,<5")
        ready.touch()
    return python


@cache
def aics_tlog() -> Path:
    """Return the program aics-tlog, in the environment in which the tests have it, too.

    Raises:
        Unavailable: It can't be installed: it needs Python 3.12 or newer.
    """
    root = ENVIRONMENTS.parents[1]
    made = Path("tests/interop/.tlog/made")
    _run("make", "--silent", "--directory", str(root), "--old-file", "setup", str(made))
    program = root / made.parent / "bin" / "aics-tlog"
    if not program.exists():
        raise Unavailable("aics-tlog, which needs Python 3.12 or newer")
    return program


@cache
def before(commit: str) -> Path:
    """Return the `handoffs` command of an earlier commit, with what it had locked; the first call installs it, with uv.

    Raises:
        Unavailable: It can't be installed, or this is no checkout with that commit.
    """
    folder = ENVIRONMENTS / f"at-{commit}"
    ready = folder / "ready"
    if not ready.exists():
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        archive = folder / "source.tar"
        _run("git", "-C", str(ENVIRONMENTS.parents[1]), "archive", f"--output={archive}", f"{commit}^{{tree}}")
        with tarfile.open(archive) as source:
            source.extractall(folder / "source", filter="data")
        _run(
            "uv", "sync", "--quiet", "--locked", "--no-dev", "--all-extras", "--compile-bytecode",
            "--python", sys.executable, "--project", str(folder / "source"),
        )  # fmt: skip
        ready.touch()
    return folder / "source" / ".venv" / "bin" / "handoffs"


@cache
def compile_bytecode() -> None:
    """Compile what our server and the bare one import, which installers leave to the first start."""
    for package in COMPILED:
        spec = importlib.util.find_spec(package)
        for folder in (spec.submodule_search_locations or ()) if spec else ():
            compileall.compile_dir(folder, quiet=2)


def _run(*command: str) -> None:
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Unavailable(f"{' '.join(command)}: {error}") from error
    if done.returncode != 0:
        raise Unavailable(f"{' '.join(command)}: {done.stderr.strip()[-500:]}")
