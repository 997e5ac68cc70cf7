"""The bodies of requests: read up to a limit, and checked field by field."""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import cast

import anyio
from starlette.requests import ClientDisconnect, Request

from handoffs.api.problems import Problem, unknown_fields

MAX_BODY = 1_000_000
"""The most bytes of a body."""

MAX_UNREAD, READ_SECONDS = 20_000_000, 30.0
"""How much of a larger one is read and dropped: a reply that comes while it is sent is lost to most clients."""

MAX_NAME, MAX_KEY, MAX_NOTE = 1_000, 255, 2_000

_NUMBER = re.compile(r"-?[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]+)?")

FIELDS = ("message", "options", "form", "timeoutSeconds", "client", "project", "key", "files")


@dataclass(frozen=True, kw_only=True, slots=True)
class Asked:
    """A question, as a program sends it."""

    message: str
    options: Sequence[str] | None = None
    form: Mapping[str, object] | None = None
    timeout_seconds: float | None = None
    client: str = ""
    project: str = ""
    key: str = ""
    files: bool = False


async def read_body(
    request: Request, *, most: int = MAX_BODY, loads: Callable[[bytes], object] = json.loads
) -> Mapping[str, object]:
    """Return the JSON object of a request; an empty body is an empty one. Raises Problem."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    body, size = bytearray(), 0
    try:
        with anyio.move_on_after(READ_SECONDS) as slow:
            async for chunk in request.stream():
                size += len(chunk)
                if size <= most:
                    body += chunk
                elif size > MAX_UNREAD:
                    break
    except ClientDisconnect:
        raise Problem(400, "The request was cut off.") from None
    if size > most:
        raise Problem(413, f"The body may have {most:,} bytes.")
    if slow.cancelled_caught:
        raise Problem(400, f"The body did not come within {READ_SECONDS:g} seconds.")
    if not body:
        return {}
    if kind != "application/json":
        raise Problem(415, "Send JSON, with `content-type: application/json`.")
    try:
        read = loads(bytes(body))
    except (ValueError, RecursionError):
        raise Problem(400, "The body is no JSON.") from None
    if not isinstance(read, dict):
        raise Problem(422, "The body must be a JSON object.")
    return cast("dict[str, object]", read)


def read_asked(given: Mapping[str, object]) -> Asked:
    """Return the question in a body. Raises Problem, with the field."""
    unknown_fields(given, FIELDS)
    message = given.get("message")
    if not isinstance(message, str):
        raise Problem(422, "It must be a text: what the person is told and asked.", field="message")
    options = given.get("options")
    if options is not None and not _are_texts(options):
        raise Problem(422, "They must be a list of 2 to 20 different texts.", field="options")
    form = given.get("form")
    if form is not None and not isinstance(form, dict):
        raise Problem(422, "It must be an elicitation schema: a JSON object.", field="form")
    seconds = given.get("timeoutSeconds")
    if seconds is not None and (isinstance(seconds, bool) or not isinstance(seconds, int | float)):
        raise Problem(422, "It must be a number of seconds.", field="timeoutSeconds")
    files = given.get("files")
    if files is not None and not isinstance(files, bool):
        raise Problem(422, "It must be true or false: whether the program receives files of an answer.", field="files")
    return Asked(
        message=message,
        options=cast("list[str] | None", options),
        form=cast("dict[str, object] | None", form),
        timeout_seconds=_finite(seconds),
        client=_name(given, "client"),
        project=_name(given, "project"),
        key=_name(given, "key"),
        files=bool(files),
    )


def read_note(given: Mapping[str, object]) -> str:
    """Return the note in the body of a cancel. Raises Problem."""
    unknown_fields(given, ("note",))
    return _name(given, "note", most=MAX_NOTE)


def read_key(request: Request) -> str:
    """Return the Idempotency-Key of a request; empty without one. Raises Problem."""
    keys = request.headers.getlist("idempotency-key")
    key = keys[0].strip(" \t") if len(keys) == 1 else ""
    if keys and not (0 < len(key) <= MAX_KEY and key.isascii() and key.isprintable()):
        raise Problem(422, f"Give one key of 1 to {MAX_KEY} printable characters of ASCII.", field="Idempotency-Key")
    return key


def read_wait(request: Request, *, most: float) -> float:
    """Return for how many seconds a request waits at most. Raises Problem."""
    written = request.query_params.get("wait", "0")
    # Python reads more as a number than a caller may write: blanks, underscores, digits of other scripts.
    seconds = float(written) if _NUMBER.fullmatch(written) else -1.0
    if not 0 <= seconds <= most:
        raise Problem(422, f"It must be a number of seconds from 0 to {most:g}.", field="wait")
    return seconds


def _finite(seconds: object) -> float | None:
    if seconds is None:
        return None
    try:
        return float(cast("float", seconds))
    except OverflowError:
        raise Problem(422, "It must be a number of seconds.", field="timeoutSeconds") from None


def _name(given: Mapping[str, object], field: str, *, most: int = MAX_NAME) -> str:
    value = given.get(field)
    if value is None:
        return ""
    if not isinstance(value, str) or len(value) > most or _is_broken(value):
        raise Problem(422, f"It must be a text of at most {most:,} characters.", field=field)
    return value


def _are_texts(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(each, str) for each in cast("list[object]", value))


def _is_broken(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return True
    return False
