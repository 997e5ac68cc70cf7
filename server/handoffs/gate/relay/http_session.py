"""The requests of one session with a server over streamable HTTP: the connections, and the headers that all have."""

import socket
from collections.abc import AsyncGenerator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Final, cast
from urllib.request import getproxies

import anyio
import httpx2

from handoffs.gate.relay.headers import LAST_EVENT_HEADER, MODERN, SESSION_HEADER, VERSION_HEADER, is_plain
from handoffs.gate.relay.http_replies import CONNECT_SECONDS

DELETE_SECONDS: Final = 0.5
"""How long the end of a session may take."""

_WRITE_SECONDS = 60.0
_KEPT_SECONDS = 3.0  # servers close an idle connection after five; a call on one that is being closed would be lost


class HttpSession:
    """Where a server is, and what it calls the session."""

    def __init__(self, url: str, headers: Mapping[str, str]) -> None:
        """Take the URL, and the headers that the user named. Nothing is sent yet."""
        self.id = ""
        """The server's name of the session; empty where it has none."""
        self.version = ""
        """The version of MCP; empty before it is agreed on."""
        self._url, self._client = url, _client(headers)
        self._secrets = [word for value in headers.values() for word in (value, *value.split()[1:])]  # not `Bearer`

    @property
    def modern(self) -> bool:
        """Whether there are no sessions."""
        return self.version >= MODERN

    @asynccontextmanager
    async def open(self) -> AsyncGenerator[None]:
        """Keep connections while the block lasts."""
        async with self._client:
            yield

    def post(
        self, line: bytes, headers: Mapping[str, str] | None = None
    ) -> AbstractAsyncContextManager[httpx2.Response]:
        """Send a message."""
        all_headers = self._headers() | {"content-type": "application/json"} | dict(headers or {})
        return self._client.stream("POST", self._url, content=line, headers=all_headers)

    def listen(self, last_id: str) -> AbstractAsyncContextManager[httpx2.Response]:
        """Have the server say what it says unasked, or go on with a stream that was cut behind this event."""
        resumed = {LAST_EVENT_HEADER: last_id} if is_plain(last_id) else {}
        return self._client.stream("GET", self._url, headers=self._headers() | resumed)

    def begun(self, response: httpx2.Response) -> None:
        """Take the name of the session from the response to `initialize`."""
        named = response.headers.get(SESSION_HEADER, "")
        self.id = named if is_plain(named) else ""

    async def end(self) -> None:
        """Say that nothing more comes."""
        if self.id:
            try:
                with anyio.move_on_after(DELETE_SECONDS):
                    await self._client.delete(self._url, headers=self._headers())
            except (httpx2.HTTPError, OSError):
                pass  # the server ends it by itself some time

    def quotes_secret(self, text: str) -> bool:
        """Say whether a server's words hold what a header of the user's says."""
        return any(secret in text for secret in self._secrets)

    def _headers(self) -> dict[str, str]:
        headers = {"accept": "application/json, text/event-stream"}
        if self.id:
            headers[SESSION_HEADER] = self.id
        if self.version:
            headers[VERSION_HEADER] = self.version
        return headers


def _client(headers: Mapping[str, str]) -> httpx2.AsyncClient:
    limits = httpx2.Limits(max_connections=None, max_keepalive_connections=32, keepalive_expiry=_KEPT_SECONDS)
    # A call may take hours; a peer that has vanished is noticed by TCP.
    timeout = httpx2.Timeout(connect=CONNECT_SECONDS, read=None, write=_WRITE_SECONDS, pool=None)
    transport = None
    if not getproxies():  # a transport of our own would pass a proxy by
        transport = httpx2.AsyncHTTPTransport(limits=limits, socket_options=_alive())
    # Redirects are not followed: another server would get the headers that are meant for this one.
    return httpx2.AsyncClient(
        headers={"user-agent": "handoffs-gate", **headers}, limits=limits, timeout=timeout, transport=transport
    )


def _alive() -> list[tuple[int, int, int]]:
    options = [(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)]
    for name, value in (("TCP_KEEPIDLE", 30), ("TCP_KEEPINTVL", 10), ("TCP_KEEPCNT", 3)):
        if (option := cast("int | None", getattr(socket, name, None))) is not None:
            options.append((socket.IPPROTO_TCP, option, value))
    return options
