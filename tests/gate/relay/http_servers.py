"""Servers over HTTP: the SDK's own as processes, and one that tells what it got and answers as a test says."""

import json
import socket
import subprocess
import sys
import threading
from collections.abc import AsyncGenerator, Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from tests.waiting import until_there


def free_port() -> int:
    """A port that nobody uses."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        number: int = free.getsockname()[1]
        return number


@contextmanager
def started(*command: str) -> Generator[str]:
    """Run `python COMMAND … PORT` while the block lasts; give its URL."""
    port = free_port()
    process = subprocess.Popen([sys.executable, *command, str(port)], stderr=subprocess.DEVNULL)

    def listens() -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", port)) == 0

    try:
        until_there(listens)
        yield f"http://127.0.0.1:{port}/mcp"
    finally:
        process.kill()
        process.wait()


@dataclass
class Got:
    """One request."""

    method: str
    headers: dict[str, str]
    body: bytes

    @property
    def message(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.body)
        return found


Answer = Callable[[Got], Response]


@dataclass
class HttpRecorder:
    """Tells what it got."""

    answer: Answer
    url: str = ""
    got: list[Got] = field(default_factory=list)

    async def take(self, request: Request) -> Response:
        got = Got(request.method, dict(request.headers), await request.body())
        self.got.append(got)
        return self.answer(got)

    def of(self, method: str) -> list[Got]:
        """The POSTs of a method of JSON-RPC, or the requests of one of HTTP."""
        if method in {"GET", "DELETE"}:
            return [each for each in self.got if each.method == method]
        return [each for each in self.got if each.method == "POST" and each.message.get("method") == method]


@contextmanager
def http_recorder(answer: Answer) -> Generator[HttpRecorder]:
    """A server that answers as told, on a free port, while the block lasts."""
    recorder = HttpRecorder(answer)
    app = Starlette(routes=[Route("/mcp", recorder.take, methods=["GET", "POST", "DELETE"])])
    config = uvicorn.Config(app, port=0, log_config=None, lifespan="off", timeout_graceful_shutdown=1)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    until_there(lambda: server.started)
    recorder.url = f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}/mcp"
    try:
        yield recorder
    finally:
        server.should_exit = True
        thread.join(10)


def result_of(got: Got, result: object = None) -> JSONResponse:
    """A response to a request, in JSON."""
    return JSONResponse({"jsonrpc": "2.0", "id": got.message["id"], "result": result or {}})


def stream(*parts: bytes, cut: bool = False) -> StreamingResponse:
    """A stream of events, whose connection is cut at its end if told."""

    async def parts_of() -> AsyncGenerator[bytes]:
        for each in parts:
            yield each
        if cut:
            raise ConnectionAbortedError

    return StreamingResponse(parts_of(), media_type="text/event-stream")
