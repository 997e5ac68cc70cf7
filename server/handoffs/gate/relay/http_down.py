"""What a server over HTTP says, on its way to the relay: whole lines, from the tasks of many requests."""

from collections.abc import Callable

import anyio

from handoffs.gate.relay.lines import Lines, frame
from handoffs.gate.relay.origin import ORIGIN, Origin
from handoffs.wire import Sink


class Down:
    """Writes lines to the relay, framed as its client frames its own."""

    def __init__(self, sink: Sink, lines: Lines, closed: Callable[[], None]) -> None:
        """Take the relay's sink, the lines that its client sends, and what hears that nobody reads any more."""
        self._sink, self._lines, self._closed = sink, lines, closed
        self._writing: set[anyio.CancelScope] = set()

    async def write(self, line: bytes, origin: Origin | None) -> None:
        """Write one line, which came from there."""
        line += b"\n"
        ORIGIN.set(origin)
        # A line that was begun is ended, though its request be cancelled meanwhile.
        with anyio.CancelScope(shield=True) as writing:
            self._writing.add(writing)
            try:
                if (rest := self._sink(frame(line) if self._lines.framed else line)) is not None:
                    await rest
            except anyio.ClosedResourceError:
                self._closed()
            finally:
                self._writing.discard(writing)

    def unshield(self) -> None:
        """Let lines that nobody reads be cancelled."""
        for each in self._writing:
            each.shield = False
