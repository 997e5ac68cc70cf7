"""A stand-in for a push service, on a real port, and a browser that has a subscription there.

It follows RFC 8030 (section 5: a message is a POST with a `TTL`, and is created with 201; sections 5.3 and 5.4:
`Urgency` and `Topic`; 404 or 410 where the subscription is no more), RFC 8292 (`Authorization: vapid t=…, k=…`: an
ES256 token with `aud`, `exp` of at most 24 hours and `sub`; section 4.2: a subscription is for one key) and RFC 8291,
which it opens with `http_ece`, as the browser would. The real services of the browsers' makers can't be had in tests.
"""

import json
import re
import secrets
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import http_ece
import httpx
import jwt
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from handoffs.channels.chats.service import Config
from handoffs.channels.vapid import derived_key, public_key
from handoffs.clock import SystemClock
from tests.waiting import until
from tests.web.serving import on_port

VAPID = derived_key("k" * 32)
_SIGNED = re.compile(r"vapid t=([^,]+), k=([-_A-Za-z0-9]+)")
_TOPIC = re.compile(r"[-_A-Za-z0-9]{1,32}")


def own_keys() -> Config:
    """What an inbox of one machine adds to the address of a browser."""
    return {"vapid": VAPID, "site": ""}


def encoded(data: bytes) -> str:
    return urlsafe_b64encode(data).decode().rstrip("=")


@dataclass
class Browser:
    """A browser: its subscription, and what its service worker was told, as `service-worker.js` shows it."""

    url: str
    private: ec.EllipticCurvePrivateKey = field(default_factory=lambda: ec.generate_private_key(ec.SECP256R1()))
    auth: bytes = field(default_factory=lambda: secrets.token_bytes(16))
    pushes: list[dict[str, Any]] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)

    @property
    def written(self) -> dict[str, str]:
        """What its page sends."""
        point = self.private.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
        keys = {"p256dh": encoded(point), "auth": encoded(self.auth), "server_key": public_key(VAPID)}
        return {"endpoint": self.url, **keys}

    def told(self, body: bytes, headers: dict[str, str]) -> None:
        opened = http_ece.decrypt(body, private_key=self.private, auth_secret=self.auth, version="aes128gcm")
        self.pushes.append(json.loads(opened))
        self.headers.append(headers)

    @property
    def shows(self) -> list[dict[str, Any]]:
        """What it shows: the newest of each tag."""
        return [*{each["tag"]: each for each in self.pushes}.values()]

    async def shown(self, text: str) -> dict[str, Any]:
        """Return the notification that it shows with this text, once it does."""

        def found() -> dict[str, Any] | None:
            return next((each for each in self.shows if text in f"{each['title']}\n{each['body']}"), None)

        return await until(found)


def code_of(push: dict[str, Any], label: str) -> str:
    """The code of a button."""
    (found,) = [each["code"] for each in push["buttons"] if each["label"] == label]
    return found


async def press(http: httpx.AsyncClient, code: str, event: str = "", **headers: str) -> httpx.Response:
    """Press a button, as the service worker does."""
    return await http.post(
        "/push/press",
        json={"code": code, "event": event or secrets.token_hex(16)},
        headers={"accept": "application/json", "sec-fetch-site": "same-origin"} | headers,
    )


class PushServer:
    """The subscriptions, and whether the service works."""

    def __init__(self) -> None:
        self.url = ""
        self.status = 201
        self.tries = 0
        self.refused: list[str] = []
        self.headers: dict[str, str] = {}
        self.browsers: dict[str, Browser] = {}
        self.clock = SystemClock()

    def subscribe(self) -> Browser:
        name = secrets.token_urlsafe(24)
        self.browsers[name] = Browser(f"{self.url}/push/{name}")
        return self.browsers[name]

    def app(self) -> Starlette:
        return Starlette(routes=[Route("/push/{name}", self.push, methods=["POST"])])

    async def push(self, request: Request) -> Response:
        self.tries += 1
        if self.status != 201:
            return Response(status_code=self.status, headers=self.headers)
        browser = self.browsers.get(request.path_params["name"])
        if browser is None:
            return Response(status_code=404)
        wrong = self._wrong(request)
        body = await request.body()
        if wrong or len(body) > 4096:
            self.refused.append(wrong or "the message is too long")
            return Response(status_code=403 if wrong else 413)
        browser.told(body, dict(request.headers))
        return Response(status_code=201, headers={"location": f"{self.url}/message/{secrets.token_hex(8)}"})

    def _wrong(self, request: Request) -> str:
        headers = request.headers
        if not headers.get("ttl", "").isdigit() or headers.get("content-encoding") != "aes128gcm":
            return "no TTL, or no aes128gcm"
        if headers.get("urgency") not in {"very-low", "low", "normal", "high"}:
            return "no such urgency"
        if not _TOPIC.fullmatch(headers.get("topic", "")):
            return "no such topic"
        signed = _SIGNED.fullmatch(headers.get("authorization", ""))
        if signed is None or signed[2] != public_key(VAPID):
            return "not the key of the subscription"
        point = urlsafe_b64decode(signed[2] + "=" * (-len(signed[2]) % 4))
        key = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), point)
        # By the clock of the sender: the samples of some days take place at another time.
        told = jwt.decode(signed[1], key, algorithms=["ES256"], audience=self.url, options={"verify_exp": False})
        ends, now = datetime.fromtimestamp(told["exp"], self.clock.now().tzinfo), self.clock.now()
        if not now < ends <= now + timedelta(hours=24):
            return "no time at which it ends, or too late"
        return "" if told["sub"].startswith(("mailto:", "https://")) else "no contact"


@asynccontextmanager
async def push_server() -> AsyncGenerator[PushServer]:
    server = PushServer()
    async with on_port(server.app()) as listening:
        server.url = f"http://127.0.0.1:{listening}"
        yield server
