"""The events of a `text/event-stream`, as bytes: what a server wrote in one is passed on as it is.

A line ends with a line feed, a carriage return or both, and may be cut anywhere.
"""

import re
from collections.abc import Iterator

_END = re.compile(rb"\r\n|\n|\r")
_BOM = b"\xef\xbb\xbf"


class Events:
    """The events of one stream."""

    def __init__(self) -> None:
        """Start at the beginning of a stream."""
        self.last_id = ""
        """Where the stream is resumed; empty where the server named no place."""
        self.id = ""
        """The id of the event that was yielded last; empty where it has none of its own."""
        self.retry: float | None = None
        """Seconds that the server wants to pass before somebody comes back."""
        self._kept: list[bytes] = []  # an unfinished line, in the chunks that it came in
        self._returned = False  # whether the last chunk ended with a carriage return
        self._begun = False
        self._data: list[bytes] = []
        self._id, self._kind = "", b""

    def take(self, chunk: bytes) -> Iterator[bytes]:
        """Yield the data of each event that a chunk completes; empty for one that only names a place."""
        if self._returned and chunk.startswith(b"\n"):
            chunk = chunk[1:]
        elif not chunk:
            return
        self._returned = chunk.endswith(b"\r")
        first, *others = _END.split(chunk)
        self._kept.append(first)
        for each in others:
            line = b"".join(self._kept)
            self._kept = [each]
            if not self._begun:
                self._begun, line = True, line.removeprefix(_BOM)
            if line:
                self._read(line)
            elif (data := self._dispatched()) is not None:
                yield data

    def resumed(self) -> None:
        """Drop what was cut: the stream goes on behind the last event, on a connection of its own."""
        self._kept, self._data, self._returned, self._begun = [], [], False, False
        self._id, self._kind = self.last_id, b""

    def _read(self, line: bytes) -> None:
        name, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        match name:
            case b"data":
                self._data.append(value)
            case b"event":
                self._kind = value
            case b"id" if b"\0" not in value:
                self._id = value.decode("utf-8", "replace")
            case b"retry" if value.isdigit() and len(value) < 10:
                self.retry = int(value) / 1000
            case _:
                pass

    def _dispatched(self) -> bytes | None:
        named = self._id != self.last_id
        self.last_id = self._id
        self.id = self._id if named else ""
        data, kind = self._data, self._kind
        self._data, self._kind = [], b""
        if kind not in {b"", b"message"} or not (data or named):
            return None
        return b"\n".join(data)
