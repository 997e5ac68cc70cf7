"""What a relay works with: the server behind, and what decides about calls."""

from collections.abc import Awaitable, Callable, Set
from typing import Protocol, TypeAlias

from handoffs.gate.relay.message import Message
from handoffs.wire import Data, Sink

Lost: TypeAlias = Callable[[str, str], Awaitable[None]]
"""Takes the id of a request that was sent and will not be answered, and why, in words."""


class Holder(Protocol):
    """What decides about calls."""

    @property
    def watching(self) -> Set[str]:
        """The texts of the ids whose replies are shown to the holder."""
        ...

    def from_client(self, message: Message) -> bool:
        """Take a message; False passes it on.

        Called for each `tools/call`, `initialize` and `notifications/cancelled`, for answers to requests whose id
        begins with `message.OURS`, and for requests whose `requestState` or `taskId` does.
        """
        ...

    def from_server(self, message: Message) -> bytes | None:
        """Return the line to pass on for a reply that is watched; None for none."""
        ...

    def tools_changed(self) -> None:
        """Hear that the server says that its list of tools has changed."""
        ...

    def listed(self, asked: Message, answer: Message) -> None:
        """Look at a response to a `tools/list` of the client's, which passes as it is once this returns."""
        ...

    async def lost(self, id: str, reason: str) -> None:  # noqa: A002 - JSON-RPC's word
        """Answer a request that is watched: the server goes on, but will not answer it, and why. It may have run."""
        ...

    async def behind_ended(self, reason: str) -> None:
        """Answer what is held or watched: the server behind has ended, and why."""
        ...


class Server(Protocol):
    """The server behind: a process (`process.Behind`), or what is at a URL (`http.HttpBehind`)."""

    @property
    def exit_code(self) -> int | None:
        """What the gate ends with; None while the server goes on."""
        ...

    @property
    def reason(self) -> str:
        """What became of it, in words that follow *the server behind*."""
        ...

    @property
    def idle(self) -> bool:
        """Whether nothing is lost when `feed` is cancelled."""
        ...

    async def feed(self, sink: Sink, lost: Lost) -> None:
        """Give what it says to the sink, and each request that is lost by itself, with a reason, to `lost`."""
        ...

    def write_now(self, data: bytes) -> bytes:
        """Take what can be taken without waiting; return the rest."""
        ...

    async def write_some(self, data: Data) -> Data:
        """Take a part once that is possible; return the rest. Raises ClosedResourceError: it takes no more."""
        ...

    def rest(self) -> bytes:
        """Return what it said last and nobody has read."""
        ...

    async def watch(self) -> None:
        """Return once it has ended."""
        ...

    async def stop(self, *, at_once: bool = False) -> None:
        """End it, while a task watches."""
        ...

    def close(self) -> None:
        """End what is left of it."""
        ...
