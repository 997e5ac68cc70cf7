r"""Splits a stream of bytes into the pieces that are passed on: lines, or frames with a `Content-Length`.

A line has any length, is cut anywhere, and keeps its end (`\n`, `\r\n`); a last line that nothing ends is a piece, too.
A chunk is searched once and joined once, so a line of 64 MiB costs what it weighs.

Cline's second attempt, and language servers, put `Content-Length: N` before each message. A frame passes as it came,
header and all, and its body is read like a line, so no call gets past the gate in one. As a server behind may read the
same bytes by lines, a body must be one line of JSON by itself: else half a call at the end of a frame and the other
half behind it would be whole for such a server, and for the gate neither. Other frames are refused (`Piece.odd`).
"""

import json
import re
from collections.abc import Iterator
from typing import Final, NamedTuple

MAX_FRAME: Final = 64 * 1024 * 1024
"""Bytes of a body with a header. A longer one is refused: a header is a promise that costs nothing."""

MAX_HEADER: Final = 4_096

_NAMES = (b"content-length:", b"content-type:")
_LENGTH = re.compile(rb"^content-length:[ \t]*(\d{1,18})[ \t]*\r?$", re.IGNORECASE | re.MULTILINE)
_BLANK = re.compile(rb"\r?\n\r?\n")


class Piece(NamedTuple):
    """What is passed on, or not, as a whole."""

    raw: bytes
    body: bytes
    """What is read of it: a line as it is, a frame without its header."""
    odd: str | None = None
    """Why it must not be passed on."""


class Lines:
    """The pieces of one stream."""

    def __init__(self, *, frames: bool) -> None:
        """Tell whether a header begins a frame, or is noise like any other line."""
        self.frames = frames
        self.framed = False
        """Whether the last piece was a frame."""
        self._kept: list[bytes] = []  # an unfinished line, or frame, in the chunks that it came in
        self._size = 0
        self._needed = 0  # bytes of an unfinished frame before which it is no use to look again

    def take(self, chunk: bytes) -> Iterator[Piece]:
        """Yield the pieces that a chunk completes."""
        if self._needed > self._size + len(chunk) or (self._kept and not self._needed and b"\n" not in chunk):
            self._keep(chunk)
            return
        if self._kept:
            if not self._needed:
                # The rest of a line: the chunk's other lines are no reason to copy it.
                end = chunk.find(b"\n") + 1
                yield self._line(b"".join([*self._kept, chunk[:end]]))
                self._forget()
                chunk = chunk[end:]
            else:
                chunk = b"".join([*self._kept, chunk])
                self._forget()
        yield from self._split(chunk)

    def end(self) -> Iterator[Piece]:
        """Yield what nothing ended."""
        rest, in_frame = b"".join(self._kept), self._needed > 0
        self._forget()
        if rest:
            yield Piece(rest, rest, "a frame has ended before its `Content-Length`") if in_frame else self._line(rest)

    @property
    def unfinished(self) -> int:
        """How many bytes of a line are there, and not its end; none of a frame."""
        return 0 if self._needed else self._size

    def head(self, size: int) -> bytes:
        """Return how what is unfinished begins."""
        head = b""
        for each in self._kept:
            head += each[: size - len(head)]
            if len(head) == size:
                break
        return head

    def handed_over(self) -> bytes:
        """Return what is unfinished, and forget it: who takes it takes the rest up to its end, too."""
        begun = b"".join(self._kept)
        self._forget()
        self.framed = False
        return begun

    def _split(self, data: bytes) -> Iterator[Piece]:
        start = 0
        while start < len(data):
            if self._may_be_header(data[start : start + 32]):
                piece = self._frame(data, start)
            else:
                end = data.find(b"\n", start) + 1
                piece = self._line(data[start:end]) if end else None
            if piece is None:
                self._keep(data[start:])
                return
            start += len(piece.raw)
            yield piece

    def _line(self, line: bytes) -> Piece:
        if line.strip():  # an empty line between frames tells nothing
            self.framed = False
        return Piece(line, line)

    def _frame(self, data: bytes, start: int) -> Piece | None:
        ends = _BLANK.search(data, start, start + MAX_HEADER)
        if ends is None:
            if len(data) - start < MAX_HEADER:
                self._needed = len(data) - start + 1
                return None
            end = data.find(b"\n", start) + 1
            raw = data[start : end or len(data)]
            return Piece(raw, raw, "a header must end with an empty line, and have at most 4,096 bytes")
        self.framed = True
        found = _LENGTH.findall(data[start : ends.start()])
        if len(found) != 1 or (length := int(found[0])) > MAX_FRAME:
            raw = data[start : ends.end()]
            return Piece(raw, raw, f"a header must say `Content-Length: N` once, with N of at most {MAX_FRAME:,} bytes")
        if len(data) - ends.end() < length:
            self._needed = ends.end() - start + length
            return None
        raw, body = data[start : ends.end() + length], data[ends.end() : ends.end() + length]
        return Piece(raw, body, _why_odd(body))

    def _may_be_header(self, begins: bytes) -> bool:
        """Say whether a header is there, or the first bytes of what may be one."""
        if not self.frames or begins[:1] not in b"cC":
            return False
        low = begins.lower()
        return any(low.startswith(name) or name.startswith(low) for name in _NAMES)

    def _keep(self, chunk: bytes) -> None:
        self._kept.append(chunk)
        self._size += len(chunk)

    def _forget(self) -> None:
        self._kept, self._size, self._needed = [], 0, 0


def one_line(text: bytes) -> bytes:
    """Return JSON on one line. In its strings no line ends."""
    return re.sub(rb"[\r\n]", b" ", text.strip())


def frame(message: bytes) -> bytes:
    """Return a line as a frame."""
    # In ASCII: Cline counts characters where the header says bytes.
    text = message.decode("utf-8", "replace").rstrip("\r\n")
    body = re.sub(r"[^\x00-\x7f]+", lambda found: json.dumps(found[0])[1:-1], text).encode()
    return b"Content-Length: %d\r\n\r\n%b" % (len(body), body)


def _why_odd(body: bytes) -> str | None:
    text = body.strip()
    if b"\n" in text or b"\r" in text:
        return "a message in a frame must be written on one line"
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return "a frame must hold JSON that can be read"
    return None
