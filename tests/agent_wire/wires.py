"""An editor and an agent that a test plays itself, byte by byte, on both sides of a real `handoffs acp`."""

import json
import sys
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

import anyio
from anyio.abc import Process, SocketStream

from tests.acceptance.processes import HANDOFFS, Home
from tests.waiting import until

PUPPET = """\
import os, socket, sys, threading
end = socket.socket(socket.AF_UNIX)
end.connect(sys.argv[1])
def up():
    while data := os.read(0, 65536):
        end.sendall(data)
    end.shutdown(socket.SHUT_WR)
threading.Thread(target=up, daemon=True).start()
while data := end.recv(65536):
    while data:
        data = data[os.write(1, data):]
os._exit(7)
"""
"""The agent: what the test writes to its socket is its output, what it reads goes there, and its exit code is 7."""

SESSION = "s-1"
OPTIONS: Sequence[Mapping[str, str]] = (
    {"optionId": "always", "name": "Always", "kind": "allow_always"},
    {"optionId": "yes", "name": "Yes", "kind": "allow_once"},
    {"optionId": "no", "name": "No", "kind": "reject_once"},
    {"optionId": "never", "name": "Never", "kind": "reject_always"},
)
CALL: Mapping[str, Any] = {
    "toolCallId": "t-1",
    "title": "Remove the build",
    "kind": "execute",
    "rawInput": {"command": "rm -rf build"},
}
ALLOWED: Mapping[str, Any] = {"outcome": {"outcome": "selected", "optionId": "yes"}}
DENIED: Mapping[str, Any] = {"outcome": {"outcome": "selected", "optionId": "no"}}
CANCELLED: Mapping[str, Any] = {"outcome": {"outcome": "cancelled"}}
ALLOW = ("--set", "decision=allow")
DENY = ("--set", "decision=deny")


def line(**fields: Any) -> bytes:
    return json.dumps({"jsonrpc": "2.0", **fields}).encode() + b"\n"


def permission(id: Any = 1, *, options: Any = OPTIONS, session: str = SESSION, **call: Any) -> bytes:  # noqa: A002
    """What an agent sends that asks for permission."""
    params = {"sessionId": session, "toolCall": {**CALL, **call}, "options": list(options)}
    return line(id=id, method="session/request_permission", params=params)


def answered(id: Any, result: Any) -> dict[str, Any]:  # noqa: A002 - JSON-RPC's word
    return {"jsonrpc": "2.0", "id": id, "result": dict(result)}


def taken_back(id: Any = 1) -> dict[str, Any]:  # noqa: A002 - JSON-RPC's word
    return {"jsonrpc": "2.0", "method": "$/cancel_request", "params": {"requestId": id}}


class Side:
    """One side, as the test plays it."""

    def __init__(self, reads: Any, writes: Any) -> None:
        self._reads, self._writes, self._kept = reads, writes, b""

    async def send(self, data: bytes) -> None:
        await self._writes.send(data)

    async def raw(self) -> bytes:
        """Wait for a line, and return it as it came; nothing where no more comes."""
        while b"\n" not in self._kept:
            try:
                self._kept += await self._reads.receive()
            except (anyio.EndOfStream, anyio.BrokenResourceError):
                return b""
        found, _, self._kept = self._kept.partition(b"\n")
        return found + b"\n"

    async def reads(self) -> dict[str, Any]:
        return json.loads(await self.raw())

    async def reads_nothing(self, seconds: float = 0.5) -> None:
        with anyio.move_on_after(seconds):
            raise AssertionError(await self.raw())


class Between:
    """`handoffs acp` at work, with both of its sides."""

    def __init__(self, home: Home, process: Process, agent: SocketStream) -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        self.home, self.process, self._socket = home, process, agent
        self.editor, self.agent = Side(process.stdout, process.stdin), Side(agent, agent)

    async def said(self) -> str:
        """What is in the editor's log."""
        return (self.home.folder / "stderr.txt").read_text()

    async def asked(self, number: int = 1) -> list[dict[str, Any]]:
        """Wait until so many questions are open, and return them, the newest first."""

        async def there() -> list[dict[str, Any]] | None:
            found = await self.listed()
            return found if len(found) == number else None

        return await until(there, lambda found: found is not None, seconds=60) or []

    async def listed(self, *more: str) -> list[dict[str, Any]]:
        return json.loads((await self.home.command("list", "--json", *more)).stdout or b"[]")

    async def answer(self, *given: str, handoff: str = "") -> None:
        done = await self.home.command("answer", handoff or (await self.asked())[0]["id"], *given)
        assert done.returncode == 0, done.stderr

    async def history(self) -> list[dict[str, Any]]:
        return await self.listed("--all")

    async def agent_ends(self) -> int:
        await self._socket.aclose()
        return await self.process.wait()

    async def editor_ends(self) -> int:
        assert self.process.stdin is not None
        await self.process.stdin.aclose()
        return await self.process.wait()


@asynccontextmanager
async def between(home: Home, *options: str, wire: str = "acp") -> AsyncGenerator[Between]:
    """Start it, and play the agent that it starts."""
    path = home.folder / "agent.socket"
    puppet = home.folder / "puppet.py"
    puppet.write_text(PUPPET)
    listener = await anyio.create_unix_listener(path)
    command = [*HANDOFFS, wire, *options, "--", sys.executable, str(puppet), str(path)]
    with (home.folder / "stderr.txt").open("a") as log, anyio.fail_after(120):
        process = await anyio.open_process(command, env=home.env, cwd=home.folder, stderr=log)
        try:
            async with await listener.accept() as agent:
                yield Between(home, process, agent)
        finally:
            if process.returncode is None:
                process.kill()
            await process.aclose()
            await listener.aclose()
            path.unlink(missing_ok=True)
