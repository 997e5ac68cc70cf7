"""The requests of one session with a server over streamable HTTP: the headers that all have, and who carries them.

Connections of our own do, unless the way leads through a proxy, the URL names a user, or the server sets a cookie:
then it is httpx2's client.
"""

from collections.abc import AsyncGenerator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Final
from urllib.request import getproxies

import anyio
import httpx2

from handoffs.gate.relay.headers import (
    LAST_EVENT_HEADER,
    MODERN,
    SESSION_HEADER,
    VERSION_HEADER,
    is_plain,
    version_of,
)
from handoffs.gate.relay.http_connections import KEPT_SECONDS, MAX_KEPT, WRITE_SECONDS, Connections, Headers, alive
from handoffs.gate.relay.http_replies import CONNECT_SECONDS, Response
from handoffs.gate.relay.message import Message

DELETE_SECONDS: Final = 0.5
"""How long the end of a session may take."""

_ALWAYS = {"accept": "application/json, text/event-stream", "accept-encoding": "gzip, deflate"}


class HttpSession:
    """Where a server is, and what it calls the session."""

    def __init__(self, url: str, headers: Mapping[str, str]) -> None:
        """Take the URL, and the headers that the user named. Nothing is sent yet."""
        self.id = ""
        """The server's name of the session; empty where it has none."""
        self.version = ""
        """The version of MCP; empty before it is agreed on."""
        self._url = url
        self._named = {"user-agent": "handoffs-gate", **{name.lower(): value for name, value in headers.items()}}
        self._client: httpx2.AsyncClient | None = None
        self._direct: Connections | None = None
        if getproxies() or httpx2.URL(url).userinfo:
            self._client = _client(self._named)
        else:
            self._direct = Connections(url, self._has_cookies)
        self._secrets = [word for value in headers.values() for word in (value, *value.split()[1:])]  # not `Bearer`

    @property
    def modern(self) -> bool:
        """Whether there are no sessions."""
        return self.version >= MODERN

    @asynccontextmanager
    async def open(self) -> AsyncGenerator[None]:
        """Keep connections while the block lasts."""
        try:
            yield
        finally:
            if self._direct is not None:
                self._direct.close()
            if self._client is not None:
                await self._client.aclose()

    def post(self, line: bytes, headers: Mapping[str, str] | None = None) -> AbstractAsyncContextManager[Response]:
        """Send a message."""
        return self._send("POST", {"content-type": "application/json", **(headers or {})}, line)

    def listen(self, last_id: str) -> AbstractAsyncContextManager[Response]:
        """Have the server say what it says unasked, or go on with a stream that was cut behind this event."""
        return self._send("GET", {LAST_EVENT_HEADER: last_id} if is_plain(last_id) else {})

    def asked(self, request: Message) -> None:
        """Take what a request says of the session."""
        if request.method == "initialize":
            self.id = self.version = ""
        elif version := version_of(request):
            self.version = version

    def agreed(self, response: Message) -> None:
        """Take the version of MCP from the response to `initialize`."""
        result = response.body.get("result")
        version = result.get("protocolVersion") if isinstance(result, dict) else None
        self.version = version if isinstance(version, str) and is_plain(version) else ""

    def begun(self, response: Response) -> None:
        """Take the name of the session from the response to `initialize`."""
        named = response.headers.get(SESSION_HEADER, "")
        self.id = named if is_plain(named) else ""

    async def end(self) -> None:
        """Say that nothing more comes."""
        if self.id:
            try:
                with anyio.move_on_after(DELETE_SECONDS):
                    async with self._send("DELETE", {}):
                        pass
            except (httpx2.HTTPError, OSError):
                pass  # the server ends it by itself some time

    def quotes_secret(self, text: str) -> bool:
        """Say whether a server's words hold what a header of the user's says."""
        return any(secret in text for secret in self._secrets)

    def _send(
        self, method: str, headers: Mapping[str, str], body: bytes = b""
    ) -> AbstractAsyncContextManager[Response]:
        made = {**_ALWAYS, **headers}
        if self.id:
            made[SESSION_HEADER] = self.id
        if self.version:
            made[VERSION_HEADER] = self.version
        if self._client is not None:
            return self._client.stream(method, self._url, content=body or None, headers=made)
        assert self._direct is not None
        return self._direct.send(method, [("host", self._direct.host), *self._named.items(), *made.items()], body)

    def _has_cookies(self, headers: Headers) -> None:
        client = _client(self._named)
        client.cookies.extract_cookies(httpx2.Response(200, headers=headers, request=httpx2.Request("GET", self._url)))
        if self._client is None and len(client.cookies):
            self._client = client


def _client(headers: Mapping[str, str]) -> httpx2.AsyncClient:
    limits = httpx2.Limits(max_connections=None, max_keepalive_connections=MAX_KEPT, keepalive_expiry=KEPT_SECONDS)
    # A call may take hours; a peer that has vanished is noticed by TCP.
    timeout = httpx2.Timeout(connect=CONNECT_SECONDS, read=None, write=WRITE_SECONDS, pool=None)
    transport = None
    if not getproxies():  # a transport of our own would pass a proxy by
        transport = httpx2.AsyncHTTPTransport(limits=limits, socket_options=alive())
    # Redirects are not followed: another server would get the headers that are meant for this one.
    return httpx2.AsyncClient(headers=headers, limits=limits, timeout=timeout, transport=transport)
