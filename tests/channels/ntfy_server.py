"""A stand-in for an ntfy server, on a real port, and a phone that shows what it sends.

It follows https://docs.ntfy.sh/publish/ ("Publish as JSON", "Action buttons": at most three, each with a label and a
url; "Updating + deleting notifications": a message of a known `sequence_id` takes the place of the earlier one) and
https://docs.ntfy.sh/subscribe/api/ ("Subscribe as JSON stream", "Fetching cached messages": `since` is an id, a number
of seconds, or `all`, which an id that it does not know is, too).
"""

import json
import secrets
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import anyio
import httpx
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from tests.waiting import until
from tests.web.serving import on_port


class NtfyServer:
    """The topics, and whether the server works."""

    def __init__(self) -> None:
        self.url = ""
        self.topics: dict[str, list[dict[str, Any]]] = {}
        self.status = 200
        """What it answers to whoever publishes; 200 where it works."""
        self.reads = True
        self.tries = 0
        self.hangs = False
        self.tokens: list[str] = []
        self._changed = anyio.Event()

    def app(self) -> Starlette:
        return Starlette(
            routes=[
                Route("/", self.publish_json, methods=["POST"]),
                Route("/{topic}", self.publish, methods=["POST"]),
                Route("/{topic}/json", self.stream),
            ]
        )

    async def publish_json(self, request: Request) -> Response:
        self.tries += 1
        self.tokens.append(request.headers.get("authorization", ""))
        if self.hangs:
            await anyio.sleep_forever()
        if self.status != 200:
            return JSONResponse({"code": self.status * 100, "http": self.status}, self.status)
        sent = json.loads(await request.body())
        known = {
            "topic", "message", "title", "tags", "priority", "actions", "click", "attach", "markdown", "icon",
            "filename", "delay", "email", "call", "sequence_id",
        }  # fmt: skip
        assert set(sent) <= known
        actions = sent.get("actions", [])
        if len(actions) > 3 or not all(each.get("label") and each.get("url") for each in actions):
            return JSONResponse({"code": 40018, "http": 400, "error": "invalid request: actions invalid"}, 400)
        if len(sent["message"].encode()) > 4096:
            return JSONResponse({"code": 41301, "http": 413}, 413)
        return JSONResponse(self.add(**sent))

    async def publish(self, request: Request) -> Response:
        return JSONResponse(self.add(request.path_params["topic"], message=(await request.body()).decode()))

    def add(self, topic: str, **message: Any) -> dict[str, Any]:
        kept = {"id": secrets.token_hex(6), "time": int(time.time()), "event": "message", "topic": topic} | message
        self.topics.setdefault(topic, []).append(kept)
        self.wake()
        return kept

    def wake(self) -> None:
        self._changed.set()
        self._changed = anyio.Event()

    async def stream(self, request: Request) -> Response:
        if not self.reads:
            return JSONResponse({"code": 50001, "http": 503}, 503)
        topic, since = request.path_params["topic"], request.query_params.get("since", "")

        async def lines() -> AsyncGenerator[str]:
            yield json.dumps({"id": "open", "time": int(time.time()), "event": "open", "topic": topic}) + "\n"
            there = self.topics.setdefault(topic, [])
            ids = [each["id"] for each in there]
            at = ids.index(since) + 1 if since in ids else 0
            while self.reads:
                changed = self._changed
                for message in there[at:]:
                    yield json.dumps(message) + "\n"
                at = len(there)
                await changed.wait()

        return StreamingResponse(lines(), media_type="application/x-ndjson")


@dataclass
class Phone:
    """A phone that subscribes to a topic: it shows the newest message of each sequence, and presses buttons."""

    server: NtfyServer
    topic: str
    pressed: list[str] = field(default_factory=list)

    @property
    def shows(self) -> list[dict[str, Any]]:
        """What it shows, the newest last."""
        shown: dict[str, dict[str, Any]] = {}
        for message in self.server.topics.get(self.topic, []):
            name = message.get("sequence_id") or message["id"]
            shown.pop(name, None)
            shown[name] = message
        return [*shown.values()]

    async def shown(self, text: str) -> dict[str, Any]:
        """Return the message that it shows with this text, once it does."""

        def found() -> dict[str, Any] | None:
            return next((each for each in self.shows if text in f"{each['title']}\n{each['message']}"), None)

        return await until(found)

    async def press(self, message: dict[str, Any], label: str) -> None:
        """Press a button, as the app does: it sends what the action says."""
        (action,) = [each for each in message["actions"] if each["label"] == label]
        self.pressed.append(action["body"])
        async with httpx.AsyncClient() as http:
            sent = await http.request(action["method"], action["url"], content=action["body"])
        assert sent.status_code == 200, sent.text


@asynccontextmanager
async def ntfy_server(port: int = 0) -> AsyncGenerator[NtfyServer]:
    server = NtfyServer()
    async with on_port(server.app(), port) as listening:
        server.url = f"http://127.0.0.1:{listening}"
        try:
            yield server
        finally:
            server.reads = False
            server.wake()
