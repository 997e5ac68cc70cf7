"""Both ends of a session, as the gate uses them: what it sends, and what it asks of either side by itself."""

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Protocol

import anyio

from handoffs.gate.calls import name_of
from handoffs.gate.relay.message import Message


class Ends(Protocol):
    """Both ends of a relay."""

    async def to_client(self, line: bytes) -> None:
        """Send a line of the gate's own to the client."""
        ...

    async def to_server(self, line: bytes) -> None:
        """Send a line to the server."""
        ...


class OwnRequests:
    """The requests of ours in one session. What is asked of the one side is answered by it, and by no other."""

    def __init__(self) -> None:
        """Wait for the ends."""
        self.ends: Ends | None = None
        self.watching: set[str] = set()
        """The ids whose responses from the server the holder must see."""
        self._client: dict[str, _Waiting] = {}
        self._server: dict[str, _Waiting] = {}

    async def to_client(self, line: bytes) -> None:
        """Send a line to the client."""
        assert self.ends is not None
        await self.ends.to_client(line)

    async def to_server(self, line: bytes) -> None:
        """Send a line to the server."""
        assert self.ends is not None
        await self.ends.to_server(line)

    async def ask_client(self, name: str, line: bytes) -> Message | None:
        """Send a request of ours to the client; return its response, None where none comes."""
        return await _answer(self._client, name, partial(self.to_client, line))

    async def ask_server(self, name: str, line: bytes) -> Message | None:
        """Send a request of ours to the server; return its response, None where none comes."""
        self.watching.add(name_of(name))
        return await _answer(self._server, name, partial(self.to_server, line))

    def answered_by_client(self, message: Message) -> None:
        """Take a response of the client; one that comes too late is nobody's."""
        assert message.id is not None
        _came(self._client, message.id.text, message)

    def answered_by_server(self, message: Message) -> None:
        """Take a response of the server; one that comes too late is nobody's."""
        assert message.id is not None
        _came(self._server, message.id.text, message)

    def lost(self, id: str) -> None:  # noqa: A002 - JSON-RPC's word
        """Give up a request that the server will never answer."""
        _came(self._server, id, None)

    def end(self) -> None:
        """Give up all requests."""
        for waiting in (*self._client.values(), *self._server.values()):
            waiting.came.set()


class _Waiting:
    """A request of ours that is under way."""

    __slots__ = ("came", "response")

    def __init__(self) -> None:
        self.came = anyio.Event()
        self.response: Message | None = None


async def _answer(asked: dict[str, _Waiting], name: str, send: Callable[[], Awaitable[None]]) -> Message | None:
    waiting = asked[name_of(name)] = _Waiting()
    try:
        await send()
        await waiting.came.wait()
    finally:
        asked.pop(name_of(name), None)
    return waiting.response


def _came(asked: dict[str, _Waiting], id: str, response: Message | None) -> None:  # noqa: A002 - JSON-RPC's word
    if (waiting := asked.pop(id, None)) is not None:
        waiting.response = response
        waiting.came.set()
