"""Reading an answer with files: a form as `multipart/form-data`, bounded while it is read, and whole or refused.

The parser has bounds of its own for a boundary and for what stands before a part. What is cut off is refused: a file
that is missing at its end, or a part of it, would be another answer than the person gave.
"""

from typing import TYPE_CHECKING

from starlette.requests import Request

from handoffs.core.attachment import GivenFile
from handoffs.web.receiving import MAX_BODY, Unreadable, body_of, check_token, is_upload, posted_form

if TYPE_CHECKING:  # only an answer with files needs it
    from python_multipart.multipart import MultipartCallbacks

FILES = "files"
"""The name of the control for files."""

_MAX_PARTS = 1_000
_UNREADABLE = "This is no form that can be read, or its end is missing. Nothing was recorded."


async def posted_answer(request: Request) -> tuple[dict[str, list[str]], list[GivenFile]]:
    """Return a form of its own page, without its token, and the files in it, unchecked.

    Raises:
        Unreadable: It is too large, of another type, malformed or cut off, or has no token or another session's.
    """
    if not is_upload(request):
        return dict(await posted_form(request)), []
    form, files = _Parts().read(request.headers["content-type"], await body_of(request))
    check_token(request, "".join(form.pop("csrf", [])))
    return form, files


class _Parts:
    """Takes the parts of a form as they are read."""

    def __init__(self) -> None:
        self._form: dict[str, list[str]] = {}
        self._files: list[GivenFile] = []
        self._parts = self._text = 0
        self._header = self._value = b""
        self._headers: dict[bytes, bytes] = {}
        self._data = bytearray()
        self._whole = False

    def read(self, content_type: str, body: bytearray) -> tuple[dict[str, list[str]], list[GivenFile]]:
        """Return the fields of a form by name, and its files. Raises Unreadable."""
        from python_multipart.exceptions import FormParserError
        from python_multipart.multipart import MultipartParser, parse_options_header

        boundary = parse_options_header(content_type)[1].get(b"boundary", b"")
        if not boundary:
            raise Unreadable(400, _UNREADABLE)
        try:
            parser = MultipartParser(boundary, self._callbacks())
            parser.write(bytes(body))
            parser.finalize()
        except (FormParserError, UnicodeError):
            raise Unreadable(400, _UNREADABLE) from None
        if not self._whole:
            raise Unreadable(400, _UNREADABLE)
        return self._form, self._files

    def _callbacks(self) -> "MultipartCallbacks":
        return {
            "on_part_begin": self._begin,
            "on_header_field": self._on_header,
            "on_header_value": self._on_value,
            "on_header_end": self._on_header_end,
            "on_part_data": self._on_data,
            "on_part_end": self._on_part_end,
            "on_end": self._end,
        }

    def _begin(self) -> None:
        self._parts += 1
        if self._parts > _MAX_PARTS:
            raise Unreadable(413, "This form has too many fields. Nothing was recorded.")
        self._headers, self._data = {}, bytearray()

    def _on_header(self, data: bytes, start: int, end: int) -> None:
        self._header += data[start:end]

    def _on_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def _on_header_end(self) -> None:
        self._headers[self._header.lower()] = self._value
        self._header = self._value = b""

    def _on_data(self, data: bytes, start: int, end: int) -> None:
        self._data += data[start:end]

    def _on_part_end(self) -> None:
        from python_multipart.multipart import parse_options_header

        # The parser takes bytes for Latin-1, and gives them back so: browsers write names in UTF-8.
        kind, options = parse_options_header(self._headers.get(b"content-disposition", b""))
        if kind != b"form-data" or b"name" not in options:
            raise Unreadable(400, _UNREADABLE)
        name = options[b"name"].decode()
        file = options.get(b"filename")
        if file is None:
            self._text += len(self._data)
            if self._text > MAX_BODY:
                raise Unreadable(413, "What was typed is too large: one megabyte is the most. Nothing was recorded.")
            self._form.setdefault(name, []).append(self._data.decode())
        elif name != FILES:
            raise Unreadable(400, _UNREADABLE)
        elif file or self._data:  # a browser sends a control without files as a file without name and content
            declared = self._headers.get(b"content-type", b"").decode("latin-1")
            self._files.append(GivenFile(name=file.decode(), declared=declared, content=bytes(self._data)))

    def _end(self) -> None:
        self._whole = True
