"""Checks of images that an agent attached as `data:` URLs.

An image is shown if its content has the declared type, at most MAX_BYTES and at most MAX_PIXELS: a file of a few
kilobytes can declare more pixels than the browser has memory for.

Sources: PNG 3rd edition 11.2.1; GIF89a 18; ITU-T T.81 B.2.2; RFC 9649 (WebP) 2.5 to 2.7.
"""

import base64
import binascii
import re
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Literal

MAX_BYTES = 2 * 1024 * 1024
MAX_PIXELS = 40_000_000

_DATA_URL = re.compile(r"data:image/(png|jpe?g|gif|webp);base64,([A-Za-z0-9+/]+={0,2})", re.IGNORECASE)


def problem(kind: str, body: str) -> str | None:
    """Return why a picture can't be shown, None if it can: `kind` is `png`, `jpeg`, `gif` or `webp`, `body` Base64."""
    if len(body) * 3 // 4 > MAX_BYTES + 2:
        return f"larger than {MAX_BYTES // 1024 // 1024} MB"
    try:
        data = base64.b64decode(body, validate=True)
    except binascii.Error:
        return "not Base64"
    if len(data) > MAX_BYTES:
        return f"larger than {MAX_BYTES // 1024 // 1024} MB"
    kind = "jpeg" if kind == "jpg" else kind
    measure = _MEASURES.get(kind)
    size = measure(data) if measure else None
    if size is None or 0 in size:
        return f"not a {kind} picture"
    width, height = size
    if width * height > MAX_PIXELS:
        return f"{width} by {height} pixels"
    return None


def split(url: str) -> tuple[str, str] | None:
    """Return the kind and the Base64 body of a picture's `data:` URL, None if it is no such URL."""
    found = _DATA_URL.fullmatch(url)
    return (found[1].lower(), found[2]) if found else None


def _png(data: bytes) -> tuple[int, int] | None:
    if data[:8] != b"\x89PNG\r\n\x1a\n" or data[12:16] != b"IHDR":
        return None
    return _numbers(data, 16, 4, "big")


def _gif(data: bytes) -> tuple[int, int] | None:
    """Return the larger of the sizes of the screen and of its first image: browsers enlarge the screen."""
    if data[:6] not in {b"GIF87a", b"GIF89a"} or len(data) < 13:
        return None
    screen = _numbers(data, 6, 2, "little")
    at = 13 + (3 << (data[10] & 7) + 1 if data[10] & 0x80 else 0)
    while data[at : at + 1] == b"!":  # an extension: its label, and blocks of up to 255 bytes until an empty one
        at += 2
        while at < len(data) and data[at]:
            at += data[at] + 1
        at += 1
    first = _numbers(data, at + 5, 2, "little") if data[at : at + 1] == b"," else None
    return (max(screen[0], first[0]), max(screen[1], first[1])) if screen and first else screen


def _jpeg(data: bytes) -> tuple[int, int] | None:
    if data[:2] != b"\xff\xd8":
        return None
    at = 2
    while at + 9 <= len(data) and data[at] == 0xFF:
        marker = data[at + 1]
        if marker == 0xFF:  # fill bytes before a marker
            at += 1
        elif 0xC0 <= marker <= 0xCF and marker not in {0xC4, 0xC8, 0xCC}:
            size = _numbers(data, at + 5, 2, "big")
            return (size[1], size[0]) if size else None
        else:
            at += 2 + max(2, int.from_bytes(data[at + 2 : at + 4], "big"))
    return None


def _webp(data: bytes) -> tuple[int, int] | None:
    if data[:4] != b"RIFF" or data[8:12] != b"WEBP" or len(data) < 30:
        return None
    match data[12:16]:
        case b"VP8X":
            width, height = int.from_bytes(data[24:27], "little"), int.from_bytes(data[27:30], "little")
            return width + 1, height + 1
        case b"VP8L":
            bits = int.from_bytes(data[21:25], "little")
            return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
        case b"VP8 ":
            return int.from_bytes(data[26:28], "little") & 0x3FFF, int.from_bytes(data[28:30], "little") & 0x3FFF
        case _:
            return None


def _numbers(data: bytes, at: int, size: int, order: Literal["big", "little"]) -> tuple[int, int] | None:
    """Return two numbers of `size` bytes that follow one another; None if the data ends before."""
    middle, end = at + size, at + 2 * size
    if len(data) < end:
        return None
    return int.from_bytes(data[at:middle], order), int.from_bytes(data[middle:end], order)


_MEASURES: Mapping[str, Callable[[bytes], tuple[int, int] | None]] = MappingProxyType(
    {"png": _png, "jpeg": _jpeg, "gif": _gif, "webp": _webp}
)
