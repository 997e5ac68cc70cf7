"""A stand-in for the Bot API of Telegram, on a real port, and the people who write to the bot.

It follows https://core.telegram.org/bots/api field by field: "Making requests" (`ok`, `result`, `error_code`,
`description`, `parameters`), "Getting updates" (an update is gone once a higher `offset` was asked for; the older of
two pollers gets 409), "sendMessage", "editMessageText" (only messages without a reply keyboard; an unchanged text is
refused), "answerCallbackQuery" (once), "InlineKeyboardButton" (`callback_data` has 1 to 64 bytes).
"""

import json
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import anyio
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from tests.waiting import until
from tests.web.serving import on_port

CONFLICT = "Conflict: terminated by other getUpdates request; make sure that only one bot instance is running"
TOKEN = "123456:AAH_s3cret-token-of-a-bot_0123456789"


class TelegramServer:
    def __init__(self) -> None:
        self.url = ""
        self.token = TOKEN
        self.messages: dict[int, dict[int, dict[str, Any]]] = {}
        """The messages of the bot, by chat and number, as they are now."""
        self.answered: dict[str, str] = {}
        """What was told to a press, by its id."""
        self.updates: list[dict[str, Any]] = []
        self.sent = 0
        self.status = 200
        self.polls = 0
        self._next, self.asked_to = 100, 0
        self._changed = anyio.Event()
        self.poller = 0
        self.conflicts = False

    def app(self) -> Starlette:
        return Starlette(routes=[Route("/bot{token}/{method}", self.call, methods=["POST"])])

    async def call(self, request: Request) -> Response:
        if request.path_params["token"] != self.token:
            return refused(401, "Unauthorized")
        if self.status != 200:
            return refused(self.status, "Too Many Requests: retry after 1", {"retry_after": 0})
        sent = json.loads(await request.body())
        return await getattr(self, f"on_{request.path_params['method']}")(sent)

    async def on_getUpdates(self, sent: dict[str, Any]) -> Response:
        assert set(sent) <= {"offset", "timeout", "allowed_updates"}
        self.polls += 1
        if self.conflicts:
            return refused(409, CONFLICT)
        self.asked_to = max(self.asked_to, sent.get("offset", 0))
        self.updates = [each for each in self.updates if each["update_id"] >= self.asked_to]
        self.poller += 1
        own = self.poller
        if not self.updates:
            self.wake_pollers()
            changed = self._changed
            with anyio.move_on_after(min(sent["timeout"], 0.5)):
                await changed.wait()
        if self.poller != own:
            return refused(409, CONFLICT)  # of two, the newer one goes on
        return agreed(self.updates)

    async def on_sendMessage(self, sent: dict[str, Any]) -> Response:
        self.sent += 1
        if (wrong := self.checked(sent)) is not None:
            return wrong
        number, self._next = self._next, self._next + 1
        self.messages.setdefault(sent["chat_id"], {})[number] = sent
        return agreed({"message_id": number, "chat": {"id": sent["chat_id"], "type": "private"}, "text": sent["text"]})

    async def on_editMessageText(self, sent: dict[str, Any]) -> Response:
        if (wrong := self.checked(sent)) is not None:
            return wrong
        there = self.messages.get(sent["chat_id"], {})
        before = there.get(sent["message_id"])
        if before is None:
            return refused(400, "Bad Request: message to edit not found")
        if (before["text"], before["reply_markup"]) == (sent["text"], sent["reply_markup"]):
            return refused(400, "Bad Request: message is not modified")
        there[sent["message_id"]] = sent
        return agreed({"message_id": sent["message_id"]})

    async def on_answerCallbackQuery(self, sent: dict[str, Any]) -> Response:
        assert len(sent["text"]) <= 200
        if sent["callback_query_id"] in self.answered:
            return refused(400, "Bad Request: query is too old and response timeout expired or query ID is invalid")
        self.answered[sent["callback_query_id"]] = sent["text"]
        return agreed(True)

    def checked(self, sent: dict[str, Any]) -> Response | None:
        known = {"chat_id", "message_id", "text", "link_preview_options", "reply_markup", "disable_notification"}
        assert set(sent) <= known
        assert set(sent["reply_markup"]) == {"inline_keyboard"}
        if len(sent["text"].encode("utf-16-le")) // 2 > 4096:
            return refused(400, "Bad Request: message is too long")
        for row in sent["reply_markup"]["inline_keyboard"]:
            for button in row:
                if not 1 <= len(button.get("callback_data", "-").encode()) <= 64:
                    return refused(400, "Bad Request: BUTTON_DATA_INVALID")
        return None

    def wake_pollers(self) -> None:
        self._changed.set()
        self._changed = anyio.Event()

    def update(self, **what: Any) -> None:
        self.updates.append({"update_id": 1000 + len(self.updates) + self.asked_to, **what})
        self.wake_pollers()


class Person:
    """Somebody with Telegram, in their private chat with the bot."""

    def __init__(self, server: TelegramServer, number: int) -> None:
        self.server, self.number, self.presses = server, number, 0

    @property
    def shows(self) -> list[tuple[int, dict[str, Any]]]:
        return [*self.server.messages.get(self.number, {}).items()]

    async def shown(self, text: str) -> tuple[int, dict[str, Any]]:
        def found() -> tuple[int, dict[str, Any]] | None:
            return next((each for each in self.shows if text in each[1]["text"]), None)

        return await until(found)

    async def press(self, message: dict[str, Any], label: str) -> str:
        """Press a button; return what is told."""
        buttons = [each for row in message["reply_markup"]["inline_keyboard"] for each in row]
        (data,) = [each["callback_data"] for each in buttons if each["text"] == label]
        return await self.send_data(data)

    async def send_data(self, data: str, *, kind: str = "private", chat: int | None = None) -> str:
        self.presses += 1
        name = f"{self.number}-{self.presses}"
        about = {"message_id": 1, "chat": {"id": self.number if chat is None else chat, "type": kind}}
        user = {"id": self.number, "is_bot": False, "first_name": "Ada"}
        query = {"id": name, "from": user, "message": about, "chat_instance": "1", "data": data}
        self.server.update(callback_query=query)
        return await until(lambda: self.server.answered.get(name)) if kind == "private" else ""

    def write(self, text: str, *, reply_to: int | None = None, kind: str = "private") -> None:
        user = {"id": self.number, "is_bot": False, "first_name": "Ada"}
        chat = {"id": self.number if kind == "private" else -100, "type": kind}
        message: dict[str, Any] = {"message_id": 7, "from": user, "chat": chat, "date": 0, "text": text}
        if reply_to is not None:
            message["reply_to_message"] = {"message_id": reply_to, "chat": chat}
        self.server.update(message=message)


def agreed(result: object) -> Response:
    return JSONResponse({"ok": True, "result": result})


def refused(code: int, description: str, parameters: object = None) -> Response:
    more = {} if parameters is None else {"parameters": parameters}
    return JSONResponse({"ok": False, "error_code": code, "description": description} | more, code)


@asynccontextmanager
async def telegram_server() -> AsyncGenerator[TelegramServer]:
    server = TelegramServer()
    async with on_port(server.app()) as port:
        server.url = f"http://127.0.0.1:{port}"
        yield server
