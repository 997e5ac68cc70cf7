"""What a server's response over HTTP is: an answer, or words for a status and for a connection that broke."""

import json
import os
import ssl
from collections.abc import AsyncIterator, Iterator, Mapping
from http import HTTPStatus
from typing import Final, Protocol, cast

import httpx2

from handoffs.gate.relay.outline import is_whole, outline

CONNECT_SECONDS: Final = 10.0
"""How long a connection may take."""

NOT_SENT: Final = (
    httpx2.ConnectError,
    httpx2.ConnectTimeout,
    httpx2.PoolTimeout,
    httpx2.ProxyError,
    httpx2.UnsupportedProtocol,
)
"""What is raised before anything was sent."""

CUT: Final = (httpx2.HTTPError, httpx2.StreamError, OSError)
"""What a connection may raise."""


class Response(Protocol):
    """How a server answers; an `httpx2.Response` is one."""

    @property
    def status_code(self) -> int:
        """See HTTP."""
        ...

    @property
    def headers(self) -> Mapping[str, str]:
        """By their names in lower case."""
        ...

    async def aread(self) -> bytes:
        """Return the whole body."""
        ...

    def aiter_bytes(self) -> AsyncIterator[bytes]:
        """Yield the body as it comes."""
        ...


def kind_of(response: Response) -> str:
    """Return the media type, without its parameters."""
    return response.headers.get("content-type", "").partition(";")[0].strip().lower()


def is_stream(response: Response) -> bool:
    """Say whether events come."""
    return response.status_code == 200 and kind_of(response) == "text/event-stream"


def fitting(response: Response, line: bytes, request_id: str) -> bytes | None:
    """Return a response to this request; an error that names no request of ours gets its id. None for all else."""
    told = "content-length" in response.headers or "transfer-encoding" in response.headers
    if not told and not is_whole(line):
        return None  # where no length is told, a connection that breaks off looks like an end
    found = outline(line)
    if found is not None and found.is_response and found.id == request_id:
        return line
    try:
        body = cast("object", json.loads(line))
    except (ValueError, RecursionError):
        return None
    error = cast("dict[str, object]", body).get("error") if isinstance(body, dict) else None
    if not isinstance(error, dict) or not isinstance(cast("dict[str, object]", error).get("code"), int):
        return None
    return b'{"jsonrpc":"2.0","id":%b,"error":%b}' % (request_id.encode(), json.dumps(error).encode())


def refusal(status: int, gone: bool) -> str:
    """Say in words what a status means, after *the server behind*."""
    if gone:
        return "has ended the session"
    if status < 400:
        return f"redirects to another address ({status_of(status)}): give that to --url"
    if status in {401, 403}:
        return f"refuses the gate ({status_of(status)}): give it what it wants with --header or --header-from-env"
    return f"has refused the message ({status_of(status)})"


def status_of(status: int) -> str:
    """Return a status with the words that belong to it, not those of the server."""
    try:
        return f"{status} {HTTPStatus(status).phrase}"
    except ValueError:
        return str(status)


def words_of(error: Exception) -> str:
    """Say what broke, after *the server behind*. Never in the words of an exception, which may quote a header."""
    match error:
        case httpx2.ConnectTimeout():
            return f"can't be reached within {CONNECT_SECONDS:.0f} seconds"
        case httpx2.ConnectError() | httpx2.ProxyError():
            found = [_of_system(each) for each in _causes(error) if isinstance(each, OSError)]
            why = next(filter(None, found), "")
            return f"can't be reached{f': {why}' if why else ''}"
        case httpx2.LocalProtocolError() | httpx2.UnsupportedProtocol():
            return "can't be sent this"
        case httpx2.DecodingError():
            return "has answered in an encoding that can't be read"
        case _:
            return "has closed the connection before it answered"


def _of_system(error: OSError) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not good ({error.verify_message})"
    if isinstance(error, ssl.SSLError):
        return "no connection with TLS can be made"
    # A positive number is the system's own; resolving a name has others.
    return (os.strerror(error.errno) if error.errno and error.errno > 0 else error.strerror or "").lower()


def _causes(error: BaseException) -> Iterator[BaseException]:
    left: list[BaseException] = [error]
    while left:
        each = left.pop()
        yield each
        if isinstance(each, BaseExceptionGroup):
            left += cast("BaseExceptionGroup[BaseException]", each).exceptions
        left += [more for more in (each.__cause__, each.__context__) if more is not None]
