"""ntfy: a push message with buttons, by ntfy.sh or a server of one's own, without an account and an inbound port.

A message goes to one topic, which the phone subscribes to. Its buttons post a code into a second topic, which we read
as a stream. Who reads the first topic sees the questions; who knows the second one can do nothing without a code.
From https://docs.ntfy.sh/publish/ ("Publish as JSON", "Action buttons", "Updating + deleting notifications") and
https://docs.ntfy.sh/subscribe/api/ ("Subscribe as JSON stream", "Fetching cached messages").
"""

import json
import re
import secrets
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, cast
from urllib.parse import urlsplit

import anyio

from handoffs.channels.chats.codes import is_code
from handoffs.channels.chats.service import ChatRefused, Config, Kind, Limits, Note, NotSent, Press, Service, Setting
from handoffs.core.sentences import say

if TYPE_CHECKING:
    import httpx2

NAME = "ntfy"

SILENCE_SECONDS = 120.0
"""A stream without a line for so long is read anew: the server sends one each 45 seconds."""

MOST_WORDS = 10
"""The most replies to presses in a minute: who knows the second topic can't fill the phone."""

_MINUTE = 60.0
_TOPIC = re.compile(r"[-_A-Za-z0-9]{1,64}")
_ID = re.compile(r"[-_A-Za-z0-9]{1,64}")
_MOST_LINE = 64_000


class _Ntfy:
    """One pair of topics."""

    def __init__(self, http: "httpx2.AsyncClient", config: Config, silence: float) -> None:
        self._http, self._config, self._silence = http, config, silence
        self._words: list[float] = []

    async def send(self, config: Config, note: Note, *, key: str) -> str:
        await self._publish(note, key=key)
        return key

    async def change(self, config: Config, note: Note, *, key: str, ref: str) -> None:
        await self._publish(note, key=key)

    async def respond(self, config: Config, press: Press, words: str) -> None:
        now = anyio.current_time()
        self._words = [at for at in self._words if now - at < _MINUTE]
        if len(self._words) >= MOST_WORDS:
            return
        self._words.append(now)
        await self._publish(Note(title="Handoffs", body=words, silent=True), key="")

    async def presses(self, position: str) -> AsyncIterator[Press | None]:
        from handoffs.channels.chats import http

        # Of a position that the server has forgotten, it sends all it has.
        since = position if _ID.fullmatch(position) else "all"
        path = f"/{self._config['answers']}/json"
        import httpx2

        try:
            timeout = httpx2.Timeout(http.SECONDS, read=self._silence)
            async with self._http.stream("GET", path, params={"since": since}, timeout=timeout) as stream:
                http.check(stream)
                yield None
                async for line in stream.aiter_lines():
                    press = _press(line)
                    if press is not None:
                        yield press
        except (httpx2.HTTPError, httpx2.StreamError, OSError) as wrong:
            raise http.away(wrong) from None
        raise NotSent("the service has ended the stream")

    async def _publish(self, note: Note, *, key: str) -> None:
        from handoffs.channels.chats import http

        answers = f"{self._config['server']}/{self._config['answers']}"
        message: dict[str, object] = {
            "topic": self._config["topic"],
            "title": note.title,
            "message": note.body,
            # No button carries a token: the second topic must let everybody write.
            "actions": [
                {
                    "action": "http",
                    "label": button.label,
                    "url": answers,
                    "method": "POST",
                    "body": button.code,
                    "clear": False,
                }
                for button in note.buttons
            ],
        }
        if note.link:
            message["click"] = note.link
        if note.silent:
            message["priority"] = 2
        if key:
            message["sequence_id"] = key
        await http.posted(self._http, "/", message)


def _press(line: str) -> Press | None:
    """Return what a line of the stream says was pressed; None for any other line."""
    try:
        found = cast("object", json.loads(line[:_MOST_LINE]))
    except ValueError:
        return None
    if not isinstance(found, dict):
        return None
    message = cast("Mapping[str, object]", found)
    event, text = message.get("id"), message.get("message")
    if message.get("event") != "message" or not isinstance(event, str) or not _ID.fullmatch(event):
        return None
    # What is no code is nobody's button: without an answer to it, nobody can make us fill the phone.
    return Press(event=event, position=event, code=text) if isinstance(text, str) and is_code(text) else None


def _read(written: Config) -> Config:
    server = written.get("server", "").rstrip("/") or "https://ntfy.sh"
    topic = written.get("topic", "") or f"handoffs-{secrets.token_hex(12)}"
    answers = written.get("answers", "") or f"handoffs-{secrets.token_hex(12)}"
    parts = urlsplit(server)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.username or parts.query or parts.fragment:
        raise ChatRefused(say("The server is an address such as https://ntfy.sh, without a name or a password in it."))
    if parts.scheme == "http" and parts.hostname not in ("localhost", "127.0.0.1", "::1"):
        raise ChatRefused(say("The server must be reached by https: questions and codes would travel in the clear."))
    if not (_TOPIC.fullmatch(topic) and _TOPIC.fullmatch(answers)):
        raise ChatRefused(say("A topic has letters, digits, - and _, and 64 characters at most."))
    if topic == answers:
        raise ChatRefused(say("Use two topics: who reads the questions must not find the answers there."))
    token = written.get("token", "")
    if not token.isascii() or not token.isprintable() or " " in token:
        raise ChatRefused(say("The token has characters that no token has."))
    return {"server": server, "topic": topic, "answers": answers, "token": token}


def _hint(config: Config) -> str:
    topic = config["topic"]
    return f"{config['server']}, topic …{topic[-3:]}" if len(topic) >= 16 else config["server"]


def _subscribe(config: Config) -> str:
    return say(
        "Subscribe to the topic {topic} of {server} in the ntfy app. Keep its name to yourself.",
        topic=config["topic"],
        server=config["server"],
    )


@asynccontextmanager
async def opened(configs: Sequence[Config], *, silence: float = SILENCE_SECONDS) -> AsyncGenerator[Service]:
    """Yield the connection of one chat."""
    from handoffs.channels.chats import http

    config = configs[0]
    headers = {"Authorization": f"Bearer {config['token']}"} if config["token"] else {}
    async with http.client(config["server"], headers) as made:
        yield _Ntfy(made, config, silence)


KIND = Kind(
    name=NAME,
    title="ntfy",
    about=say("Install the ntfy app. Leave the topics empty, and they get names that can't be guessed."),
    settings=(
        Setting(name="server", title=say("Server"), default="https://ntfy.sh"),
        Setting(name="topic", title=say("Topic of the questions"), secret=True, optional=True),
        Setting(name="answers", title=say("Topic of the answers"), secret=True, optional=True),
        Setting(
            name="token",
            title=say("Access token"),
            hint=say("For a server of your own that wants one."),
            secret=True,
            optional=True,
        ),
    ),
    limits=Limits(text=3_800, buttons=3, label=40),
    read=_read,
    hint=_hint,
    account=lambda _: "",
    sender=lambda _: "",
    keyed=True,
    open=opened,
    next=_subscribe,
)
