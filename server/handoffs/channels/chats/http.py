"""Plain HTTP for chats: short requests, and errors in words that hold no address."""

import logging
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from typing import cast

import httpx2

from handoffs.channels.chats.service import NotSent

SECONDS = 30.0
"""How long a service may take to answer."""

MAX_REPLY = 2_000_000
"""The most bytes of a reply that are read."""

_LOGS = ("httpx2", *(f"httpcore2.{part}" for part in ("connection", "http11", "http2", "proxy", "socks")))

_WORDS = {
    401: "the service refuses the token (401)",
    403: "the service does not allow it (403)",
    404: "the service does not know the address (404)",
    409: "another program reads the same account (409)",
    413: "the message is too long for the service (413)",
    429: "the service wants to be left alone for a while (429)",
}
_MOST_AFTER = 3600.0


@asynccontextmanager
async def client(
    base_url: str, headers: Mapping[str, str] | None = None, *, seconds: float = SECONDS
) -> AsyncGenerator[httpx2.AsyncClient]:
    """Yield a client that follows no redirect, keeps no cookie and logs nothing: addresses are secrets."""
    for name in _LOGS:
        logging.getLogger(name).disabled = True
    async with httpx2.AsyncClient(base_url=base_url, headers=dict(headers or {}), timeout=seconds) as made:
        yield made


async def posted(http: httpx2.AsyncClient, path: str, content: object, *, method: str = "POST") -> object:
    """Send JSON, and return the JSON that comes back; None for none. Raises NotSent."""
    try:
        response = await http.request(method, path, json=content)
    except (httpx2.HTTPError, httpx2.InvalidURL, OSError) as wrong:
        raise away(wrong) from None
    check(response)
    try:
        return cast("object", response.json())
    except ValueError:
        return None


def check(response: httpx2.Response) -> None:
    """Return if a service has agreed. Raises NotSent."""
    if response.is_success:
        return
    words = _WORDS.get(response.status_code, f"the service answers {response.status_code}")
    raise NotSent(words, after=_after(response.headers.get("retry-after", "")))


def away(wrong: Exception) -> NotSent:
    """Return the error about a service that can't be reached."""
    return NotSent(f"the service can't be reached ({type(wrong).__name__})")


def _after(written: str) -> float:
    return min(float(written), _MOST_AFTER) if written.isascii() and written.isdigit() else 0.0
