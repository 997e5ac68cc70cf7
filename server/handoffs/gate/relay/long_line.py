"""Long responses of a server on a pipe, which pass while they come: to wait for their end would double their time.

Only a line that says at once which request it answers, and only where nobody is to see it first. While one is under
way, all else for the client waits for its end.
"""

from collections.abc import Callable, Coroutine
from typing import Any, Final

from handoffs.gate.relay.lines import Lines
from handoffs.gate.relay.outlet import Outlet
from handoffs.gate.relay.outline import begins_response

LONG: Final = 65_536
"""Bytes that are there of a line before it passes without its end. Shorter ones gain nothing."""

_HEAD = 512
_SEAM = 64  # more than each mark has


class LongLines:
    """The long lines of one direction."""

    def __init__(
        self, lines: Lines, outlet: Outlet, passes: Callable[[str], bool], looks: Callable[[bytes], None]
    ) -> None:
        """Take what splits the stream and what writes; what says if the response to an id passes, and what looks."""
        self._lines, self._outlet, self._passes, self._looks = lines, outlet, passes, looks
        self._under_way = ""
        self._seam = b""

    def begin(self) -> Coroutine[Any, Any, None] | None:
        """Pass what is there of an unfinished line, where it may be; return what must be awaited."""
        if self._lines.unfinished < LONG:
            return None
        name = begins_response(self._lines.head(_HEAD))
        if name is None or not self._passes(name) or not self._outlet.begin():
            return None
        self._under_way = name
        return self._pass(self._lines.handed_over())

    def take(self, chunk: bytes) -> "tuple[str, bytes, Coroutine[Any, Any, None] | None]":
        """Pass what belongs to a line that is under way.

        Return the id of the request that is now answered, if one is, the bytes that follow, and what must be awaited.
        """
        if not self._under_way or not chunk:
            return "", chunk, None
        end = chunk.find(b"\n") + 1
        if not end:
            return "", b"", self._pass(chunk)
        answered, self._under_way = self._under_way, ""
        rest = self._pass(chunk[:end], last=True)
        self._seam = b""
        return answered, chunk[end:], rest

    def end(self) -> None:
        """Let others write, as nothing more comes: a line that is under way was broken off."""
        self._under_way = ""
        self._outlet.break_off()

    def _pass(self, part: bytes, *, last: bool = False) -> Coroutine[Any, Any, None] | None:
        self._looks(self._seam + part[:_SEAM])
        self._looks(part)
        self._seam = (self._seam + part[-_SEAM:])[-_SEAM:]
        return self._outlet.part(part, last=last)
