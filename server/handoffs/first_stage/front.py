"""The front of the pipe: the messages of a client on stdio, their framing, and the session each belongs to.

It stands before the SDK, whose server chooses an era of the protocol by the first request, and refuses the other era
afterwards. The rules:

- While only `server/discover` has been served, `initialize` begins an older session (up to 2025-11-25). Clients probe,
  get no reply for a second from a server that is still starting, and fall back to `initialize` on the same pipe.
- The clients of `OLDER_ERA` are led to the older era: their `server/discover` is refused with the error on which every
  client falls back. -32022 is not that error: `@ai-sdk/mcp` gives up on it.
- A second `initialize` in a session means that several clients share this pipe. They look like one caller, and can't be
  told apart: see `Front.shared`.
- A message is one line, as MCP defines it, or has a header with a `Content-Length`, as in Cline's second attempt.
  Replies go out in the framing of the last message.

Pure, with the standard library alone: a process uses it before it has imported anything else.
"""

import json
import re
from collections.abc import Iterator, Mapping
from enum import Enum, auto
from typing import TypeAlias, cast

OLDER_ERA = re.compile(r"claude-code", re.IGNORECASE)
"""Clients that work better in the older era, by the whole of `clientInfo.name`.

Claude Code (2.1.330 to 2.1.332 tried): in the newer era it moves a task to the background at once, and gives the model
the answer in a reminder that must not be treated as approval; and it has no way to withdraw a dialog.
"""

MAX_MESSAGE = 64 * 1024 * 1024
"""The most bytes of a message with a header. A longer one is refused: announcing a length costs the sender nothing."""

MAX_HEADER = 4_096
"""The most bytes of a header."""

VERSION_META = "io.modelcontextprotocol/protocolVersion"
CLIENT_META = "io.modelcontextprotocol/clientInfo"
"""Keys in the `_meta` of a request of 2026-07-28."""

METHOD_NOT_FOUND = -32601
INVALID_REQUEST = -32600

_HEADERS = (b"content-length:", b"content-type:")
_LENGTH = re.compile(rb"^content-length:[ \t]*(\d{1,18})[ \t]*$", re.IGNORECASE | re.MULTILINE)
_ANSWER = re.compile(r'\s*\{"jsonrpc":\s?"2\.0",\s?"id":\s?("(?:[^"\\]|\\.)*"|-?\d+),\s?"result":')


class _Message:
    """A message as one line. Not a dataclass: importing `dataclasses` costs as much as the rest of this module."""

    __slots__ = ("probes", "text")

    def __init__(self, text: str, *, probes: bool = False) -> None:
        self.text, self.probes = text, probes

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Message) and (type(self), self.text, self.probes) == (
            type(other),
            other.text,
            other.probes,
        )

    def __hash__(self) -> int:
        return hash((self.text, self.probes))

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.text!r}, probes={self.probes})"


class Pass(_Message):
    """A message for the server of the session; `probes` if it is a request that does not choose an era."""

    __slots__ = ()


class Begin(_Message):
    """The first message of a new session: the one before has ended."""

    __slots__ = ()


class Reply(_Message):
    """A reply of the front itself."""

    __slots__ = ()


Step: TypeAlias = Pass | Begin | Reply


class Era(Enum):
    """The era of the protocol that a pipe has used."""

    NONE = auto()
    PROBED = auto()
    """Only `server/discover` was served."""
    NEWER = auto()
    OLDER = auto()


class Front:
    """The messages of one pipe so far."""

    def __init__(self) -> None:
        """Begin with a pipe that has not been read."""
        self.era = Era.NONE
        self.shared = False
        """Whether several clients have begun a session on this pipe. Then the person behind a call is not known."""
        self.framed = False
        """Whether the last message came with a header."""
        self._initialized = False
        self._unread = bytearray()
        self._scanned = 0  # bytes of it that hold no line feed

    def take(self, chunk: bytes) -> Iterator[Step]:
        """Yield the steps for the messages that this piece of the input completes, in order."""
        self._unread += chunk
        while (message := self._next()) is not None:
            if isinstance(message, Reply):
                yield message
            elif message.strip():
                yield self._judge(message)

    def end(self) -> Iterator[Step]:
        """Yield the steps for a last line without a line feed."""
        rest = bytes(self._unread)
        self._unread.clear()
        if rest.strip() and not self.framed:
            yield self._judge(rest)

    def wrap(self, text: str) -> bytes:
        """Return a message framed for output."""
        if not self.framed:
            return text.encode() + b"\n"
        # In ASCII: Cline counts characters, although the header counts bytes.
        body = (text if text.isascii() else re.sub(r"[^\x00-\x7f]", _escaped, text)).encode()
        return b"Content-Length: %d\r\n\r\n%b" % (len(body), body)

    # Framing

    def _next(self) -> bytes | Reply | None:
        """Remove and return the next whole message; None if it is incomplete."""
        unread = self._unread
        if unread and unread[0] in b"cC\r\n":
            blank = len(unread) - len(unread.lstrip(b"\r\n"))
            del unread[:blank]
            self._scanned = 0 if blank else self._scanned
            if not unread:
                return None
            if _begins_header(unread):
                return self._next_framed()
        end = unread.find(b"\n", self._scanned)
        if end < 0:
            self._scanned = len(unread)
            return None
        line = bytes(unread[:end])
        del unread[: end + 1]
        self._scanned, self.framed = 0, False
        return line

    def _next_framed(self) -> bytes | Reply | None:
        unread = self._unread
        ends = [(at, len(mark)) for mark in (b"\r\n\r\n", b"\n\n") if (at := unread.find(mark, 0, MAX_HEADER)) >= 0]
        if not ends:
            if len(unread) < MAX_HEADER:
                return None
            unread.clear()
            return self._refused("a header must end with an empty line, and have at most 4,096 bytes")
        at, mark = min(ends)
        header, start = bytes(unread[:at]).replace(b"\r\n", b"\n"), at + mark
        said = _LENGTH.search(header)
        length = int(said[1]) if said is not None else None
        if length is None or length > MAX_MESSAGE:
            del unread[:start]
            return self._refused(f"a header must say `Content-Length: N`, with N of at most {MAX_MESSAGE:,} bytes")
        if len(unread) < start + length:
            return None
        body = bytes(unread[start : start + length])
        del unread[: start + length]
        self.framed = True
        # In JSON, a line feed between tokens is a blank. The server reads by lines.
        return body.replace(b"\r", b" ").replace(b"\n", b" ")

    def _refused(self, why: str) -> Reply:
        self.framed = True
        return Reply(_error(None, INVALID_REQUEST, f"This message can't be read: {why}. Or send each as one line."))

    # Eras

    def _judge(self, message: bytes) -> Step:
        # As in the SDK: a message that is not UTF-8 may still be JSON.
        text = message.decode("utf-8", "replace")
        if self.era is Era.NEWER or (self.era is Era.OLDER and not _may_initialize(message)):
            return Pass(text)  # the era is chosen: no need to parse a long message twice
        request = _request(text)
        if request is None:
            return Pass(text)
        method, newer = request["method"], _is_newer(request)
        if method == "initialize":
            return self._initialize(text)
        if self.era is Era.OLDER:
            return Pass(text)
        if not newer:
            # In a session of the newer era the server refuses it, so it was not served.
            self.era = Era.OLDER if self.era is Era.NONE else self.era
        elif method != "server/discover":
            self.era = Era.NEWER
        elif OLDER_ERA.fullmatch(_client(request)):
            why = "Method not found: to this client, this server speaks 2025-11-25 and older; send `initialize`."
            return Reply(_error(request["id"], METHOD_NOT_FOUND, why))
        else:
            self.era = Era.PROBED
        return Pass(text, probes=self.era is Era.PROBED)

    def _initialize(self, text: str) -> Step:
        self.shared = self.shared or self._initialized
        self._initialized = True
        before, self.era = self.era, Era.OLDER
        return Begin(text) if before is Era.PROBED else Pass(text)


def answered(text: str) -> str | int | None:
    """Return the id of the request that our message answers with a result; None for any other message."""
    found = _ANSWER.match(text)
    return None if found is None else cast("str | int", json.loads(found[1]))


def _begins_header(unread: bytearray) -> bool:
    """Return whether the unread bytes are a header, or the first bytes of one."""
    there = bytes(unread[: max(map(len, _HEADERS))]).lower()
    return any(there.startswith(name) or name.startswith(there) for name in _HEADERS)


def _may_initialize(message: bytes) -> bool:
    # The second test: letters can be written as escapes.
    return b'"initialize"' in message or b"\\u00" in message


def _request(text: str) -> Mapping[str, object] | None:
    """Return a message as a request with an id and a method; None if it is not one."""
    try:
        message = cast("object", json.loads(text))
    except (ValueError, RecursionError):
        return None  # the server reports the error
    if not isinstance(message, dict):
        return None
    request = cast("dict[str, object]", message)
    is_one = isinstance(request.get("method"), str) and isinstance(request.get("id"), str | int)
    return request if is_one else None


def _meta(request: Mapping[str, object]) -> Mapping[str, object]:
    params = request.get("params")
    meta = cast("Mapping[str, object]", params).get("_meta") if isinstance(params, Mapping) else None
    return cast("Mapping[str, object]", meta) if isinstance(meta, Mapping) else {}


def _is_newer(request: Mapping[str, object]) -> bool:
    return VERSION_META in _meta(request)


def _client(request: Mapping[str, object]) -> str:
    info = _meta(request).get(CLIENT_META)
    name = cast("Mapping[str, object]", info).get("name") if isinstance(info, Mapping) else None
    return name if isinstance(name, str) else ""


def _error(request_id: object, code: int, message: str) -> str:
    return json.dumps({"jsonrpc": "2.0", "id": request_id, "error": {"code": code, "message": message}})


def _escaped(char: re.Match[str]) -> str:
    return json.dumps(char[0])[1:-1]
