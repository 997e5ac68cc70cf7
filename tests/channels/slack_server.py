"""A stand-in for Slack, on real ports: its Web API, and Socket Mode over a real websocket.

It follows https://docs.slack.dev field by field: "Using Socket Mode" (`hello`, `disconnect`, envelopes that are
delivered again until they are acknowledged by `envelope_id`), "block_actions payload", "message.im event",
"chat.postMessage", "chat.update", "apps.connections.open", "Section block" (3,000 characters), "Button element" (75
characters of text, 2,000 of `value`).
"""

import html
import json
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from typing import Any

import websockets
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from websockets.asyncio.server import ServerConnection, serve

from tests.waiting import until
from tests.web.serving import on_port

BOT, APP = "xoxb-s3cret-0123456789", "xapp-s3cret-0123456789"


class SlackServer:
    def __init__(self) -> None:
        self.url = self.socket_url = ""
        self.bot, self.app_token = BOT, APP
        self.messages: dict[str, dict[str, dict[str, Any]]] = {}
        """Messages by channel and `ts`, as they are now."""
        self.unchangeable = ""
        """The error with which it refuses to change a message; empty where it changes them."""
        self.acked: list[str] = []
        self.pending: dict[str, dict[str, Any]] = {}
        self.sockets: set[ServerConnection] = set()
        self._number = 0

    def app(self) -> Starlette:
        return Starlette(routes=[Route("/{method}", self.call, methods=["POST"])])

    async def call(self, request: Request) -> Response:
        method = request.path_params["method"]
        wanted = self.app_token if method == "apps.connections.open" else self.bot
        if request.headers.get("authorization") != f"Bearer {wanted}":
            return JSONResponse({"ok": False, "error": "invalid_auth"})
        if method == "apps.connections.open":
            return JSONResponse({"ok": True, "url": self.socket_url})
        sent = json.loads(await request.body())
        for block in sent["blocks"]:
            if block["type"] == "section":
                assert 1 <= len(block["text"]["text"]) <= 3_000
                assert not any(bad in block["text"]["text"] for bad in "<>")
            for element in block.get("elements", []):
                assert len(element["text"]["text"]) <= 75
                assert len(element.get("value", "")) <= 2_000
        if method == "chat.update" and self.unchangeable:
            return JSONResponse({"ok": False, "error": self.unchangeable})
        if method == "chat.update":
            there = self.messages.get(sent["channel"], {})
            if sent["ts"] not in there:
                return JSONResponse({"ok": False, "error": "message_not_found"})
            there[sent["ts"]] = sent
            return JSONResponse({"ok": True, "channel": sent["channel"], "ts": sent["ts"]})
        self._number += 1
        channel, ts = f"D{sent['channel'][1:]}", f"1700000000.{self._number:06}"
        self.messages.setdefault(channel, {})[ts] = sent
        return JSONResponse({"ok": True, "channel": channel, "ts": ts, "message": sent})

    async def socket(self, socket: ServerConnection) -> None:
        await socket.send(json.dumps({"type": "hello", "num_connections": 1, "connection_info": {"app_id": "A1"}}))
        self.sockets.add(socket)
        for envelope in [*self.pending.values()]:
            await socket.send(json.dumps(envelope))
        with suppress(websockets.WebSocketException):
            async for frame in socket:
                name = json.loads(frame)["envelope_id"]
                self.acked.append(name)
                self.pending.pop(name, None)
        self.sockets.discard(socket)

    async def deliver(self, kind: str, payload: dict[str, Any]) -> str:
        self._number += 1
        name = f"e{self._number}"
        envelope = {"envelope_id": name, "type": kind, "payload": payload, "accepts_response_payload": False}
        self.pending[name] = envelope
        for socket in self.sockets:
            await socket.send(json.dumps(envelope))
        return name

    async def disconnect(self) -> None:
        for socket in [*self.sockets]:
            await socket.send(json.dumps({"type": "disconnect", "reason": "refresh_requested"}))


class Member:
    """A member of the workspace, in their direct messages with the app."""

    def __init__(self, server: SlackServer, user: str = "UADA") -> None:
        self.server, self.user, self.channel = server, user, f"D{user[1:]}"

    @property
    def shows(self) -> list[tuple[str, str, dict[str, Any]]]:
        """The `ts` of each message, its text, and the message."""
        return [(ts, text_of(sent), sent) for ts, sent in self.server.messages.get(self.channel, {}).items()]

    async def shown(self, text: str) -> tuple[str, str, dict[str, Any]]:
        return await until(lambda: next((each for each in self.shows if text in each[1]), None))

    async def press(self, message: tuple[str, str, dict[str, Any]], label: str, *, at: str = "1.1") -> None:
        (value,) = [each["value"] for each in buttons(message[2]) if each["text"]["text"] == label]
        await self.send(value, message[0], at=at)

    async def send(self, value: str, ts: str, *, at: str = "1.1") -> str:
        action = {"type": "button", "action_id": "answer_0", "value": value, "action_ts": at}
        payload = {
            "type": "block_actions",
            "user": {"id": self.user, "team_id": "T1"},
            "channel": {"id": self.channel},
            "message": {"ts": ts},
            "actions": [action],
        }
        return await self.server.deliver("interactive", payload)

    async def write(self, text: str, *, thread: str | None = None, event_id: str = "Ev1", **more: Any) -> None:
        event = {"type": "message", "channel": self.channel, "channel_type": "im", "user": self.user, "text": text}
        about = {} if thread is None else {"thread_ts": thread}
        await self.server.deliver("events_api", {"event_id": event_id, "event": event | about | more})


def text_of(sent: dict[str, Any]) -> str:
    return html.unescape("\n".join(each["text"]["text"] for each in sent["blocks"] if each["type"] == "section"))


def buttons(sent: dict[str, Any]) -> list[dict[str, Any]]:
    elements = [element for block in sent["blocks"] for element in block.get("elements", [])]
    return [each for each in elements if "value" in each]


@asynccontextmanager
async def slack_server() -> AsyncGenerator[SlackServer]:
    server = SlackServer()
    async with serve(server.socket, "127.0.0.1", 0) as listening, on_port(server.app()) as port:
        server.url = f"http://127.0.0.1:{port}"
        server.socket_url = f"ws://127.0.0.1:{next(iter(listening.sockets)).getsockname()[1]}/link"
        yield server
