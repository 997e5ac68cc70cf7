"""The servers that are measured: how each is started, over stdio and over HTTP, and ended."""

import os
import secrets
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

import anyio
import anyio.abc
from mcp.client.stdio import StdioServerParameters

from benchmarks import environment

YARDSTICKS = Path(__file__).parent / "yardsticks"


OPEN_GATE = (sys.executable, str(YARDSTICKS / "open_gate.py"))
"""Goes before the command of a server over stdio: a gate that holds nothing."""

WITHOUT_LOG = "without the log"

TOKEN = "ho_local_" + secrets.token_urlsafe(32)
"""The local user's token, which our server accepts."""


@dataclass(frozen=True, kw_only=True)
class Server:
    """One server that can be measured."""

    name: str
    command: tuple[str, ...]
    http: str
    """What follows `--http`, with `{port}` in it."""
    settings: Mapping[str, str] = field(default_factory=dict)

    @property
    def environ(self) -> dict[str, str]:
        """This process's environment with the server's settings, and free to write and read compiled bytecode."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "HANDOFFS_"))}
        return {**kept, **self.settings}

    def stdio(self) -> StdioServerParameters:
        """Return what the SDK's client starts it with."""
        return StdioServerParameters(command=self.command[0], args=list(self.command[1:]), env=dict(self.settings))


def handoffs(folder: Path, *, store: Path | str | None = None) -> Server:
    """Return our server with all its files in `folder`; only the host's dialog asks."""
    settings = {
        "HANDOFFS_STORE": str(store or folder / "handoffs.db"),
        "HANDOFFS_TERMINAL": "off",
        "HANDOFFS_INBOX": "off",
        "HANDOFFS_QUOTA_OPEN": "1000000",  # what is measured is how fast it is, not how patient
        "HANDOFFS_QUOTA_PER_MINUTE": "1000000",
        "HANDOFFS_QUOTA_BYTES": "1000000000",
        "XDG_DATA_HOME": str(folder),
        "XDG_CONFIG_HOME": str(folder),
        "XDG_RUNTIME_DIR": str(folder),
    }
    kept = folder / "handoffs" / "local-token"
    kept.parent.mkdir(parents=True, exist_ok=True)
    kept.write_text(TOKEN)
    command = (str(Path(sys.executable).with_name("handoffs")), "serve")
    return Server(name="handoffs", command=command, http="127.0.0.1:{port}", settings=settings)


def before(folder: Path, *, store: Path | str | None = None) -> Server:
    """Return our server as it was built at `environment.BEFORE`, with everything that it keeps in `folder`.

    Raises:
        environment.Unavailable: It can't be installed, or this is no checkout with that commit.
    """
    command = (str(environment.before(environment.BEFORE)), "serve")
    return replace(handoffs(folder, store=store), name=environment.BEFORE, command=command)


def without_log(folder: Path, *, store: Path | str | None = None) -> Server:
    """Return our server, whose events get no leaf for the verifiable log, with everything that it keeps in `folder`."""
    command = (sys.executable, str(YARDSTICKS / "without_log.py"), "serve")
    return replace(handoffs(folder, store=store), name=WITHOUT_LOG, command=command)


def bare() -> Server:
    """Return the official SDK's server that asks and stores nothing."""
    return Server(name="bare", command=(sys.executable, str(YARDSTICKS / "bare.py")), http="{port}")


def guarded() -> Server:
    """Return the bare server that asks its callers for a token, as ours always does over HTTP; over HTTP only."""
    return Server(name="guarded", command=(*bare().command, "--guarded"), http="{port}")


def plain(folder: Path | None = None) -> Server:
    """Return the official SDK's server with tools that ask nobody; over stdio, one of them commits to `folder`."""
    kept = () if folder is None else (str(folder / "plain.db"),)
    return Server(name="plain", command=(sys.executable, str(YARDSTICKS / "plain.py"), *kept), http="{port}")


def gate(folder: Path, behind: Server, *flags: str) -> Server:
    """Return our gate with these flags before a server over stdio, with all its files in `folder`."""
    ours = handoffs(folder)
    command = (ours.command[0], "gate", *flags, "--", *behind.command)
    return replace(ours, name="gate", command=command)


def gate_before_url(folder: Path, url: str, *flags: str) -> Server:
    """Return our gate with these flags before a server over HTTP, over HTTP only, with all its files in `folder`."""
    ours = handoffs(folder)
    return replace(ours, name="gate", command=(ours.command[0], "gate", *flags, "--url", url))


def fastmcp_proxy_before_url(url: str) -> Server:
    """Return fastmcp 4's proxy before a server over HTTP, over HTTP only; makes its environment the first time.

    Raises:
        environment.Unavailable: The environment can't be made, for instance without a network.
    """
    command = (str(environment.fastmcp()), str(YARDSTICKS / "fast_proxy.py"), "--url", url)
    return Server(name="proxy", command=command, http="{port}")


def fastmcp_proxy(behind: Server) -> Server:
    """Return fastmcp 4's proxy before a server over stdio; makes its environment the first time.

    Raises:
        environment.Unavailable: The environment can't be made, for instance without a network.
    """
    python = environment.fastmcp()
    return Server(name="proxy", command=(str(python), str(YARDSTICKS / "fast_proxy.py"), *behind.command), http="")


def stored(folder: Path, *, database: str | None = None) -> Server:
    """Return the bare server that makes two durable commits, into `folder` or a database: what these alone cost."""
    command = (sys.executable, str(YARDSTICKS / "stored.py"), database or str(folder / "stored.db"))
    return Server(name="stored", command=command, http="{port}")


def page(file: Path) -> Server:
    """Return a bare Starlette server of one page, over HTTP only."""
    return Server(name="page", command=(sys.executable, str(YARDSTICKS / "page.py"), str(file)), http="{port}")


def fastmcp() -> Server:
    """Return the fastmcp 4 server that asks and stores nothing; makes its environment the first time.

    Raises:
        environment.Unavailable: The environment can't be made, for instance without a network.
    """
    python = environment.fastmcp()
    return Server(name="fastmcp", command=(str(python), str(YARDSTICKS / "fast.py")), http="{port}")


@dataclass(frozen=True, kw_only=True)
class Running:
    """A server that answers on HTTP."""

    url: str
    pid: int
    port: int
    headers: Mapping[str, str]
    """What a caller of ours must show; the others look at none of it."""


@asynccontextmanager
async def serving(server: Server, folder: Path, *, seconds: float = 30) -> AsyncIterator[Running]:
    """Run a server over HTTP while the block lasts; its words on stderr are in `folder`.

    Raises:
        RuntimeError: It ended, or did not answer within `seconds`.
    """
    port = _free_port()
    command = [*server.command, "--http", server.http.format(port=port)]
    log = folder / f"{server.name}-{port}.log"
    with log.open("wb") as errors:
        process = await anyio.open_process(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=errors, env=server.environ, cwd=folder
        )
        try:
            with anyio.move_on_after(seconds):
                while process.returncode is None and not await _answers(port):
                    await anyio.sleep(0.02)
            if process.returncode is not None or not await _answers(port):
                raise RuntimeError(f"{' '.join(command)} does not answer: {log.read_text()[-2000:] or 'no word'}")
            shown = {"authorization": f"Bearer {TOKEN}"}
            yield Running(url=f"http://127.0.0.1:{port}/mcp", pid=process.pid, port=port, headers=shown)
        finally:
            await _end(process)


async def _end(process: anyio.abc.Process) -> None:
    with anyio.CancelScope(shield=True):
        with suppress(ProcessLookupError):
            process.terminate()
        with anyio.move_on_after(5):
            await process.wait()
        if process.returncode is None:
            process.kill()
            await process.wait()


async def _answers(port: int) -> bool:
    try:
        stream = await anyio.connect_tcp("127.0.0.1", port)
    except OSError:
        return False
    await stream.aclose()
    return True


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
