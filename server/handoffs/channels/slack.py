"""Slack: messages of an app of one's own, with buttons and replies, read by Socket Mode: no inbound port.

From https://docs.slack.dev: "Using Socket Mode" (an envelope is acknowledged by its `envelope_id`; `disconnect` asks
for a new connection), "block_actions payload", "chat.postMessage", "chat.update", "Formatting message text" (escape
`&`, `<` and `>`; what is received has `<https://…>`, `<https://…|label>`, `<@U1>`, `<#C1|name>` and `<!here>`),
"message events" (the subtypes `file_share` and `thread_broadcast`), "Section block" (3,000 characters), "Button
element" (75 characters of text, 2,000 of `value`). The extra `handoffs[slack]` installs websockets.
"""

import json
import logging
import re
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from hashlib import sha256
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from handoffs.channels.chats.replies import Part, as_part, items, parsed, part, text
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

NAME = "slack"

SERVER = "https://slack.com/api"

MAX_SECTION = 2_900
"""Characters of a section, after they were escaped; Slack takes 3,000."""

_BOT, _APP = re.compile(r"xoxb-[A-Za-z0-9-]{10,250}"), re.compile(r"xapp-[A-Za-z0-9-]{10,250}")
_USER = re.compile(r"[UW][A-Z0-9]{2,30}")
_MARKED = re.compile(r"<([^<>]+)>")
_WRITTEN = (None, "file_share", "thread_broadcast")
"""The subtypes of messages that a person writes: with files, and of a thread to be seen outside of it, too."""
_MOST_FRAME = 1_000_000
_ESCAPED = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;"})
_TOKENS = {"invalid_auth", "not_authed", "account_inactive", "token_revoked", "token_expired", "no_permission"}
_GONE = {"message_not_found", "cant_update_message", "edit_window_closed", "channel_not_found"}


class _Refused(NotSent):
    """The service does not know the message any more."""


class _Slack:
    """One app."""

    def __init__(self, http: "httpx2.AsyncClient", config: Config) -> None:
        self._http, self._config = http, config

    async def send(self, config: Config, note: Note, *, key: str) -> str:
        sent = await self._call("chat.postMessage", {"channel": config["user"], **_message(note)})
        channel, ts = text(sent, "channel"), text(sent, "ts")
        if channel is None or ts is None:
            raise NotSent("the service gave the message no name")
        return f"{channel}:{ts}"

    async def change(self, config: Config, note: Note, *, key: str, ref: str) -> None:
        channel, _, ts = ref.partition(":")
        with suppress(_Refused):  # the person has deleted it
            await self._call("chat.update", {"channel": channel, "ts": ts, **_message(note)})

    async def respond(self, config: Config, press: Press, words: str) -> None:
        _, _, ts = press.ref.partition(":")
        thread = {"thread_ts": ts} if ts else {}
        note = Note(title="", body=words)
        await self._call("chat.postMessage", {"channel": config["user"], **thread, **_message(note)})

    async def presses(self, position: str) -> AsyncIterator[Press | None]:
        import websockets
        from websockets.asyncio.client import connect

        logging.getLogger("websockets.client").disabled = True  # frames hold codes
        opened = await self._call("apps.connections.open", {}, token=self._config["app"])
        url = text(opened, "url")
        if url is None:
            raise NotSent("the service gave no address to read at")
        try:
            # Slack closes a connection after some hours, and says so before.
            async with connect(url, max_size=_MOST_FRAME, open_timeout=30) as socket:
                async for frame in socket:
                    envelope = parsed(frame)
                    if envelope.get("type") == "hello":
                        yield None
                    if envelope.get("type") == "disconnect":
                        return
                    press = _press(envelope)
                    if press is not None:
                        yield press
                    # Once it was dealt with: what is not acknowledged is delivered again.
                    if (name := text(envelope, "envelope_id")) is not None:
                        await socket.send(json.dumps({"envelope_id": name}))
        except (websockets.WebSocketException, OSError, TimeoutError, EOFError) as wrong:
            raise NotSent(f"the service can't be read ({type(wrong).__name__})") from None
        raise NotSent("the service has ended the connection")

    async def _call(self, method: str, content: Mapping[str, object], *, token: str = "") -> Part:
        """Return what a method answers. Raises NotSent."""
        import httpx2

        from handoffs.channels.chats import http

        headers = {"Authorization": f"Bearer {token or self._config['bot']}"}
        try:
            response = await self._http.post(f"/{method}", json=dict(content), headers=headers)
        except (httpx2.HTTPError, httpx2.InvalidURL, OSError) as wrong:
            raise http.away(wrong) from None
        http.check(response)
        found = parsed(response.text)
        if found.get("ok") is True:
            return found
        error = str(found.get("error", ""))
        if error in _GONE and method == "chat.update":
            raise _Refused("the message is gone")
        if error in _TOKENS:
            raise NotSent("the service refuses the token of the app")
        known = re.fullmatch(r"[a-z_]{1,60}", error) is not None
        raise NotSent(f"the service refuses it ({error})" if known else "the service answers what can't be read")


def _message(note: Note) -> dict[str, object]:
    whole = "\n\n".join(filter(None, (note.title, note.body)))
    blocks: list[object] = [
        {"type": "section", "text": {"type": "plain_text", "text": each, "emoji": False}} for each in sections(whole)
    ]
    elements: list[object] = [
        {
            "type": "button",
            "action_id": f"answer_{number}",
            "text": {"type": "plain_text", "text": button.label.translate(_ESCAPED)[:75] or "-", "emoji": False},
            "value": button.code,
        }
        for number, button in enumerate(note.buttons)
    ]
    if note.link:
        elements.append(
            {
                "type": "button",
                "action_id": "inbox",
                "text": {"type": "plain_text", "text": note.open, "emoji": False},
                "url": note.link,
            }
        )
    if elements:
        blocks.append({"type": "actions", "elements": elements})
    # `text` is what a notification shows.
    first = (note.title or note.body)[:150].translate(_ESCAPED)
    return {"text": first, "blocks": blocks, "unfurl_links": False, "unfurl_media": False, "mrkdwn": False}


def sections(whole: str) -> list[str]:
    """Return a text in pieces that fit into a section each, escaped."""
    pieces, current = list[str](), ""
    for line in whole.split("\n"):
        for piece in [line[at : at + 500] for at in range(0, len(line), 500)] or [""]:
            escaped = piece.translate(_ESCAPED)
            if current and len(current) + 1 + len(escaped) > MAX_SECTION:
                pieces.append(current)
                current = escaped
            else:
                current = f"{current}\n{escaped}" if current else escaped
    return [each for each in (*pieces, current) if each.strip()]


def _press(envelope: Part) -> Press | None:
    payload, name = part(envelope, "payload"), text(envelope, "envelope_id")
    if envelope.get("type") == "interactive" and payload.get("type") == "block_actions":
        sender, message = text(part(payload, "user"), "id"), text(part(payload, "message"), "ts")
        action = as_part(next(iter(items(payload.get("actions"))), None))
        value, at = text(action, "value"), text(action, "action_ts")
        if sender is not None and value is not None:
            ref = f"{text(part(payload, 'channel'), 'id')}:{message}" if message else ""
            # The same press has the same time, also in another envelope.
            return Press(event=f"{sender} {at or name}", position="", sender=sender, code=value or "-", ref=ref)
    if envelope.get("type") == "events_api":
        event = part(payload, "event")
        sender, said, thread = text(event, "user"), text(event, "text"), text(event, "thread_ts")
        own = "bot_id" in event or event.get("subtype") not in _WRITTEN  # of our own, or a change of another
        direct = event.get("type") == "message" and event.get("channel_type") == "im" and not own
        if direct and sender is not None and said is not None:
            ref = f"{text(event, 'channel')}:{thread}" if thread else ""
            name = text(payload, "event_id") or name
            refused = NO_FILES if event.get("files") else ""
            return Press(event=f"{name}", position="", sender=sender, text=_unescaped(said), ref=ref, refused=refused)
    return None


def _unescaped(written: str) -> str:
    """Return a text as it was written: the service puts links and mentions in `<` and `>`, and escapes these."""
    plain = _MARKED.sub(lambda found: _as_written(found[1]), written)
    return plain.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")


def _as_written(marked: str) -> str:
    target, _, label = marked.partition("|")
    if target[:1] in ("#", "@", "!"):
        return f"{'#' if target[0] == '#' else '@'}{(label or target[1:]).lstrip('@#')}"
    if not label or label == target:
        return target
    # A word that the service has made a link, or one that the person has given a link.
    return label if target.partition(":")[2].lstrip("/").rstrip("/") == label.rstrip("/") else f"{label} ({target})"


def _read(written: Config) -> Config:
    config = {name: written.get(name, "") for name in ("bot", "app", "user")}
    server = written.get("server", "").rstrip("/") or SERVER
    if not _BOT.fullmatch(config["bot"]):
        raise ChatRefused(say("The bot token begins with xoxb-: it is under OAuth & Permissions of your app."))
    if not _APP.fullmatch(config["app"]):
        raise ChatRefused(say("The app-level token begins with xapp-: it is under Basic Information of your app."))
    if not _USER.fullmatch(config["user"]):
        raise ChatRefused(say("Your member id begins with U or W: it is in your profile, under Copy member ID."))
    parts = urlsplit(server)
    local = parts.scheme == "http" and parts.hostname in ("localhost", "127.0.0.1", "::1")
    if not (local or parts.scheme == "https") or not parts.hostname or parts.username or parts.query:
        raise ChatRefused(say("The server must be reached by https: the tokens would travel in the clear."))
    return {**config, "server": server}


@asynccontextmanager
async def opened(configs: Sequence[Config]) -> AsyncGenerator[Service]:
    """Yield the connection of one app."""
    from handoffs.channels.chats import http

    async with http.client(configs[0]["server"]) as made:
        yield _Slack(made, configs[0])


KIND = Kind(
    name=NAME,
    title="Slack",
    about=say(
        "Make an app at api.slack.com/apps with Socket Mode, the bot scopes chat:write and im:history, and the event "
        "message.im. Use the app for nothing else."
    ),
    settings=(
        Setting(name="bot", title=say("Bot token"), hint=say("It begins with xoxb-."), secret=True),
        Setting(
            name="app",
            title=say("App-level token"),
            hint=say("It begins with xapp-, with connections:write."),
            secret=True,
        ),
        Setting(
            name="user", title=say("Your member id"), hint=say("It begins with U: in your profile, Copy member ID.")
        ),
        Setting(name="server", title=say("Server"), hint=say("Only behind a proxy of your own."), optional=True),
    ),
    limits=Limits(text=9_000, buttons=20, label=60, replies=True),
    read=_read,
    hint=lambda config: f"member …{config['user'][-3:]}, app …{sha256(config['app'].encode()).hexdigest()[:6]}",
    account=lambda config: f"slack {sha256(config['app'].encode()).hexdigest()[:32]}",
    sender=lambda config: config["user"],
    open=opened,
)
