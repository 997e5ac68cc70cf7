"""Telegram: messages of a bot of one's own, with buttons and replies, read by long polling.

A chat is paired once: the person sends `/start CODE` to the bot, and from then on their numeric id alone counts. Groups
and strangers are told nothing. From https://core.telegram.org/bots/api ("Getting updates", "sendMessage",
"editMessageText", "answerCallbackQuery", "InlineKeyboardButton": `callback_data` has 64 bytes at most, "Making
requests"). A message with a forced reply can't be edited, so a reply is asked for in words.
"""

import re
import secrets
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from hashlib import sha256
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from handoffs.channels.chats.replies import Part, as_part, items, number, parsed, part, text
from handoffs.channels.chats.service import (
    NO_FILES,
    ChatRefused,
    Config,
    Kind,
    Limits,
    Note,
    NotSent,
    Press,
    Service,
    Setting,
)  # fmt: skip
from handoffs.core.sentences import say

if TYPE_CHECKING:
    import httpx2

NAME = "telegram"

SERVER = "https://api.telegram.org"

POLL_SECONDS = 50
"""How long the service holds a question for updates that has no answer yet."""

_TOKEN = re.compile(r"[0-9]{3,20}:[A-Za-z0-9_-]{20,100}")
_NO_TEXT = frozenset(
    {"animation", "audio", "contact", "dice", "document", "location", "photo", "poll", "sticker", "story", "venue"}
    | {"video", "video_note", "voice"}
)
"""What a person may send instead of a text ("Message")."""
_MOST_TOLD = 200  # characters that an answer to a press has at most
_CONFLICT = "another program reads the updates of this bot (409): make a bot for Handoffs alone"


class _Telegram:
    """One bot."""

    def __init__(self, http: "httpx2.AsyncClient", configs: Sequence[Config], poll: int) -> None:
        self._http, self._configs, self._poll = http, configs, poll

    async def send(self, config: Config, note: Note, *, key: str) -> str:
        sent = await self._call("sendMessage", _message(config, note) | {"disable_notification": note.silent})
        name = number(as_part(sent), "message_id")
        if name is None:
            raise NotSent("the service gave the message no name")
        return str(name)

    async def change(self, config: Config, note: Note, *, key: str, ref: str) -> None:
        with suppress(_Refused):  # it says so already, or the person has deleted it
            await self._call("editMessageText", _message(config, note) | {"message_id": int(ref)})

    async def respond(self, config: Config, press: Press, words: str) -> None:
        if press.handle:
            told = {"callback_query_id": press.handle, "text": words[:_MOST_TOLD], "show_alert": True}
            try:
                await self._call("answerCallbackQuery", told)
            except _Refused:
                pass  # it is too old: the message says how the question stands
            else:
                return
        await self._call("sendMessage", _message(config, Note(title="", body=words)))

    async def presses(self, position: str) -> AsyncIterator[Press | None]:
        offset = int(position) + 1 if position.isascii() and position.isdigit() else None
        while True:
            wanted: dict[str, object] = {"timeout": self._poll, "allowed_updates": ["message", "callback_query"]}
            if offset is not None:
                wanted["offset"] = offset
            updates = await self._call("getUpdates", wanted)
            yield None
            for update in map(as_part, items(updates)):
                at = number(update, "update_id")
                if at is None:
                    continue
                offset = max(offset or 0, at + 1)
                press = self._press(update, str(at))
                if press is not None:
                    yield press

    def _press(self, update: Part, at: str) -> Press | None:
        pressed = part(update, "callback_query")
        message = part(pressed, "message") if pressed else part(update, "message")
        who = number(part(pressed or message, "from"), "id")
        chat = part(message, "chat")
        # In a private chat both ids are the person's. All else is a group, a channel or a forgery.
        if who is None or chat.get("type") != "private" or chat.get("id") != who:
            return None
        base = Press(event=at, position=at, sender=str(who))
        if pressed:
            return replace(base, code=text(pressed, "data") or "-", handle=text(pressed, "id") or "")
        said = text(message, "text")
        if said is None:
            # All else is what the service says of a chat, such as that a message was pinned.
            return replace(base, refused=NO_FILES) if _NO_TEXT & message.keys() else None
        word, _, rest = said.partition(" ")
        if word == "/start":
            return self._paired(rest.strip(), base)
        about = number(part(message, "reply_to_message"), "message_id")
        return replace(base, text=said, ref="" if about is None else str(about))

    def _paired(self, code: str, base: Press) -> Press | None:
        for config in self._configs:
            if config["pair"] and secrets.compare_digest(config["pair"].encode(), code.encode(errors="replace")):
                return replace(base, code=code, paired={**config, "pair": "", "user": base.sender})
        return None

    async def _call(self, method: str, content: Mapping[str, object]) -> object:
        """Return the `result` of a method. Raises NotSent."""
        import httpx2

        from handoffs.channels.chats import http

        try:
            timeout = http.SECONDS + (self._poll if method == "getUpdates" else 0)
            response = await self._http.post(method, json=dict(content), timeout=timeout)
        except (httpx2.HTTPError, httpx2.InvalidURL, OSError) as wrong:
            raise http.away(wrong) from None
        if response.is_success:
            return parsed(response.text).get("result")
        if response.status_code == 409:
            raise NotSent(_CONFLICT)
        if response.status_code == 400:
            raise _Refused("the service refuses the message (400)")
        raise NotSent(
            f"the service answers {response.status_code}"
            if response.status_code not in (401, 403, 404)
            else f"the service refuses the bot's token, or the person has blocked the bot ({response.status_code})",
            after=_after(response),
        )


class _Refused(NotSent):
    """The service does not want this message, now or later."""


def _message(config: Config, note: Note) -> dict[str, object]:
    rows = [[{"text": button.label, "callback_data": button.code}] for button in note.buttons]
    if note.link.startswith("https://"):  # it refuses others, such as localhost
        rows.append([{"text": note.open, "url": note.link}])
    return {
        "chat_id": int(config["user"]),
        "text": "\n\n".join(filter(None, (note.title, note.body))),
        # No parse_mode: agents' words stay as they are.
        "link_preview_options": {"is_disabled": True},
        "reply_markup": {"inline_keyboard": rows},
    }


def _after(response: "httpx2.Response") -> float:
    return min(float(number(part(parsed(response.text), "parameters"), "retry_after") or 0), 3600.0)


def _read(written: Config) -> Config:
    token, server = written.get("token", ""), written.get("server", "").rstrip("/") or SERVER
    if not _TOKEN.fullmatch(token):
        raise ChatRefused(say("The token of a bot has a number, a colon, and letters: @BotFather gives it."))
    parts = urlsplit(server)
    local = parts.scheme == "http" and parts.hostname in ("localhost", "127.0.0.1", "::1")
    if not (local or parts.scheme == "https") or not parts.hostname or parts.username or parts.query:
        raise ChatRefused(say("The server must be reached by https: the token would travel in the clear."))
    return {"token": token, "server": server, "user": "", "pair": secrets.token_urlsafe(12)}


def _pair(config: Config) -> str:
    return "" if config["user"] else say("Now send this to your bot: /start {code}", code=config["pair"])


@asynccontextmanager
async def opened(configs: Sequence[Config], *, poll: int = POLL_SECONDS) -> AsyncGenerator[Service]:
    """Yield the connection of one bot."""
    from handoffs.channels.chats import http

    config = configs[0]
    async with http.client(f"{config['server']}/bot{config['token']}/") as made:
        yield _Telegram(made, configs, poll)


KIND = Kind(
    name=NAME,
    title="Telegram",
    about=say(
        "Send /newbot to @BotFather in Telegram, and put the token here that it gives you. "
        "Use the bot for nothing else."
    ),
    settings=(
        Setting(name="token", title=say("Token of the bot"), secret=True),
        Setting(name="server", title=say("Server"), hint=say("Only for a Bot API server of your own."), optional=True),
    ),
    limits=Limits(text=3_800, buttons=12, label=60, replies=True),
    read=_read,
    hint=lambda config: (
        f"bot {config['token'].partition(':')[0]}, "
        + (f"user …{config['user'][-3:]}" if config["user"] else "not paired yet")
    ),
    account=lambda config: f"telegram {sha256(config['token'].encode()).hexdigest()[:32]}",
    sender=lambda config: config["user"],
    open=opened,
    ready=lambda config: bool(config["user"]),
    next=_pair,
)
