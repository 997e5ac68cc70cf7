"""Web Push: a notification of a browser in which a person has set it up, also while no page of the inbox is open.

The browser's own push service brings it (RFC 8030), encrypted for that browser alone (RFC 8291, by pywebpush) and
signed (RFC 8292, `vapid`). The service worker of the inbox shows it; a button posts its code there, see `web/push`.
The address comes from a browser, so we post only where a push service can be: by https to a public name, or on this
machine where the inbox is for this machine alone. No redirect is followed, and no reply is read.
"""

import base64
import hashlib
import json
import re
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING, cast
from urllib.parse import urlsplit

import anyio
import anyio.to_thread

from handoffs.channels.chats.service import (
    ChatRefused,
    Config,
    Gone,
    Kind,
    Limits,
    Note,
    NotSent,
    Press,
    Service,
    Setting,
    language_of,
)
from handoffs.channels.vapid import authorization, decoded, public_key
from handoffs.clock import SystemClock
from handoffs.core.sentences import say
from handoffs.languages.spoken import spoken

if TYPE_CHECKING:
    import httpx2

NAME = "webpush"

KEPT_SECONDS = 86_400
"""How long a push service keeps a message for a browser that is not running."""

MOST_BYTES = 4_096
"""What a push service has to take (RFC 8030, section 7.2)."""

AWAY = say("The inbox can't be reached. Press again, or open the question.")

NO_KEY = say("No key can be kept here that browsers could know this inbox by: let this user write its data folder.")

_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
_NAME = re.compile(r"(?:[a-z0-9_](?:[a-z0-9_-]{0,62})\.)+[a-z](?:[a-z0-9-]{0,62})")
_INSIDE = (".local", ".localhost", ".internal", ".lan", ".home", ".corp", ".home.arpa", ".intranet", ".private")
_WRITTEN = re.compile(r"[-_A-Za-z0-9]{1,200}={0,2}")
_MOST_ENDPOINT = 1_000


class _Browsers:
    """The push service of one browser."""

    def __init__(self, http: "httpx2.AsyncClient") -> None:
        self._http, self._clock = http, SystemClock()

    async def send(self, config: Config, note: Note, *, key: str) -> str:
        await self._push(config, note, key)
        return key

    async def change(self, config: Config, note: Note, *, key: str, ref: str) -> None:
        await self._push(config, note, key)

    async def presses(self, position: str) -> AsyncIterator[Press | None]:
        yield None
        await anyio.sleep_forever()  # a browser posts to the inbox: see `web/push`

    async def respond(self, config: Config, press: Press, words: str) -> None:
        """Say nothing: who presses hears it from the inbox."""

    async def _push(self, config: Config, note: Note, key: str) -> None:
        import httpx2

        from handoffs.channels.chats import http

        now, away = self._clock.now(), spoken(AWAY, await language_of(config))
        sealed, signed = await anyio.to_thread.run_sync(
            lambda: (
                _encrypted(config, payload_of(note, key, away)),
                authorization(config["vapid"], config["endpoint"], config["contact"], now=now),
            )
        )
        headers = {
            "TTL": str(KEPT_SECONDS),
            "Urgency": "normal" if note.silent else "high",
            # Of what has not reached the browser yet, the service keeps the newest message of a name.
            "Topic": _topic(key),
            "Content-Encoding": "aes128gcm",
            "Content-Type": "application/octet-stream",
            "Authorization": signed,
        }
        try:
            with anyio.fail_after(http.SECONDS):
                async with self._http.stream("POST", config["endpoint"], content=sealed, headers=headers) as reply:
                    if reply.status_code in (404, 410):
                        raise Gone(f"the browser takes no notifications any more ({reply.status_code})")
                    http.check(reply)
        except (httpx2.HTTPError, httpx2.InvalidURL, OSError) as wrong:  # TimeoutError is an OSError
            raise http.away(wrong) from None


def payload_of(note: Note, key: str, away: str) -> bytes:
    """Return what the service worker is told: see `web/static/service-worker.js`.

    `away` is what it says where the inbox can't be reached.
    """
    told: dict[str, object] = {
        "title": note.title,
        "body": note.body,
        "tag": key,
        "url": note.link or "/",
        "buttons": [{"label": each.label, "code": each.code} for each in note.buttons],
        "silent": note.silent,
        "over": note.over,
        "lang": note.language,
    }
    if note.buttons:
        told["away"] = away
    return json.dumps(told, ensure_ascii=False, separators=(",", ":")).encode(errors="replace")


def _encrypted(config: Config, payload: bytes) -> bytes:
    from pywebpush import WebPusher

    keys = {"p256dh": config["p256dh"], "auth": config["auth"]}
    found = cast("Mapping[str, object]", WebPusher({"endpoint": config["endpoint"], "keys": keys}).encode(payload))
    body = found["body"]
    if not isinstance(body, bytes) or len(body) > MOST_BYTES:
        raise NotSent("the message is too long for the service")
    return body


def _topic(key: str) -> str:
    """Return the name of a message for the push service: 32 characters of base64url at most."""
    return base64.urlsafe_b64encode(hashlib.sha256(key.encode()).digest()[:24]).decode()


def _read(written: Config) -> Config:
    if not written.get("vapid"):
        raise ChatRefused(NO_KEY)
    if written["server_key"] != public_key(written["vapid"]):
        raise ChatRefused(say("The inbox has another key than when this page was loaded: load it again."))
    site = written.get("site", "")
    endpoint = _endpoint(written["endpoint"], alone=not (site or written.get("shared")))
    p256dh, auth = _bytes(written["p256dh"]), _bytes(written["auth"])
    if len(auth) != 16 or not _is_point(p256dh):
        raise ChatRefused(say("The keys of this browser can't be read. Nothing was set up."))
    return {
        "endpoint": endpoint,
        "p256dh": written["p256dh"].rstrip("="),
        "auth": written["auth"].rstrip("="),
        "vapid": written["vapid"],
        "contact": site if site.startswith("https://") else "mailto:handoffs@localhost",
        "label": " ".join(written.get("label", "").split())[:60],
    }


def _endpoint(written: str, *, alone: bool) -> str:
    """Return where a browser's messages go. Raises ChatRefused: no push service can be there."""
    try:
        parts = urlsplit(written)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        raise ChatRefused(say("The address of this browser can't be read. Nothing was set up.")) from None
    if not written.isascii() or not written.isprintable() or " " in written or len(written) > _MOST_ENDPOINT:
        raise ChatRefused(say("The address of this browser can't be read. Nothing was set up."))
    if parts.username is not None or parts.password is not None or parts.fragment:
        raise ChatRefused(say("The address of a browser has no name, no password and no fragment."))
    if parts.scheme == "http" and host in _LOOPBACK:
        if not alone:
            raise ChatRefused(say("A push service on this machine is for an inbox that only this machine reaches."))
        return written
    if parts.scheme != "https":
        raise ChatRefused(say("A push service is reached by https."))
    if port not in (None, 443) or not _NAME.fullmatch(host) or host.endswith(_INSIDE):
        raise ChatRefused(
            say("A push service has a public name, and the usual port: this address is no push service's.")
        )
    return written


def _bytes(written: str) -> bytes:
    try:
        return decoded(written.rstrip("=")) if _WRITTEN.fullmatch(written) else b""
    except ValueError:
        return b""


def _is_point(data: bytes) -> bool:
    from cryptography.hazmat.primitives.asymmetric import ec

    try:
        ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), data)
    except ValueError:
        return False
    return len(data) == 65


def account_of(config: Config) -> str:
    """Return the name of a browser's address, which its page can work out, too."""
    whole = "\n".join((config["endpoint"], config["p256dh"], config["auth"]))
    return f"{NAME} {hashlib.sha256(whole.encode()).hexdigest()[:32]}"


def _hint(config: Config) -> str:
    return f"{config['label'] or 'A browser'}, by {urlsplit(config['endpoint']).hostname}"


@asynccontextmanager
async def opened(configs: Sequence[Config]) -> AsyncGenerator[Service]:
    """Yield the connection of one browser."""
    from handoffs.channels.chats import http

    async with http.client("") as made:
        yield _Browsers(made)


_secret = partial(Setting, secret=True)

KIND = Kind(
    name=NAME,
    title=say("This browser"),
    about=say(
        "Questions for you come as notifications, also while no page of the inbox is open. "
        "The push service of the browser's maker brings them, and can't read them."
    ),
    settings=(
        Setting(name="label", title=say("A word for this browser"), optional=True),
        _secret(name="endpoint", title=say("Address of the browser")),
        _secret(name="p256dh", title=say("Key of the browser")),
        _secret(name="auth", title=say("Secret of the browser")),
        _secret(name="server_key", title=say("Key of the inbox")),
    ),
    # JSON may double a text; a message has 4096 bytes with all else. Desktops show four lines of a notification.
    limits=Limits(text=1_400, buttons=2, label=30, lines=4, brief=True),
    read=_read,
    hint=_hint,
    account=account_of,
    sender=lambda _: "",
    keyed=True,
    open=opened,
    next=lambda _: say("Press {button}.", button=say("Send a test")),
    browser=True,
)
