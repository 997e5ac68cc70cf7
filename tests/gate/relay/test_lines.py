"""Streams are split into lines and frames, wherever they are cut."""

import time
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handoffs.gate.relay.lines import MAX_FRAME, Lines, Piece, frame

PING = b'{"jsonrpc":"2.0","id":1,"method":"ping"}'


def split(*chunks: bytes, frames: bool = True) -> list[Piece]:
    lines = Lines(frames=frames)
    return [*(piece for chunk in chunks for piece in lines.take(chunk)), *lines.end()]


def framed(body: bytes, header: bytes = b"Content-Length: %d\r\n\r\n") -> bytes:
    return (header % len(body) if b"%d" in header else header) + body


PARTS = [b"a\n", b"\r\n", b"c", b"Content-", b"content-type: x\r\n", framed(PING), framed(b"{"), b"\xc3\xa4\n"]
STREAM = st.lists(st.sampled_from(PARTS) | st.binary(max_size=20)).map(b"".join)


@given(STREAM, st.lists(st.integers(0, 200)), st.booleans())
def test_nothing_is_lost_and_cuts_change_nothing(stream: bytes, cuts: list[int], frames: bool) -> None:
    places = sorted({0, *(cut for cut in cuts if cut < len(stream)), len(stream)})
    chunks = [stream[start:end] for start, end in pairwise(places)]
    pieces = split(*chunks, frames=frames)
    assert b"".join(piece.raw for piece in pieces) == stream
    assert pieces == split(stream, frames=frames) == split(*(bytes([each]) for each in stream), frames=frames)


def test_lines_keep_their_ends() -> None:
    assert [piece.raw for piece in split(b"a\nb\r\n\nc")] == [b"a\n", b"b\r\n", b"\n", b"c"]


def test_a_line_of_64_mib_is_copied_once() -> None:
    chunk = b"x" * 65_536
    lines = Lines(frames=True)
    begun = time.process_time()
    found = [piece for _ in range(1024) for piece in lines.take(chunk)]
    found += lines.take(b"\nrest\n")
    assert [len(piece.raw) for piece in found] == [1024 * 65_536 + 1, 5]
    assert time.process_time() - begun < 20  # to copy it for each chunk takes minutes


def test_a_frame_is_one_piece_with_its_header() -> None:
    message = framed(PING, b"Content-Type: application/json\r\ncontent-length:%d\r\n\r\n")
    lines = Lines(frames=True)
    (piece, line) = lines.take(message + b"noise\n")
    assert piece == Piece(message, PING)
    assert line == Piece(b"noise\n", b"noise\n")
    assert not lines.framed
    assert next(lines.take(framed(PING, b"Content-Length: %d\n\n"))).body == PING
    assert lines.framed


@pytest.mark.parametrize(
    "stream",
    [
        framed(b'{"jsonrpc":"2.0","id":1,"method":"to'),  # the other half follows as a line
        framed(b'{"a":\n{"jsonrpc":"2.0","id":1,"method":"tools/call"}\n}'),  # a line of it is a call
        framed(b'{"a":\r1}'),
        framed(PING + PING),
        b"Content-Length: 40\r\nContent-Length: 2\r\n\r\n",
        b"Content-Length: x\r\n\r\n",
        b"Content-Type: x\r\n\r\n",
        f"Content-Length: {MAX_FRAME + 1}\r\n\r\n".encode(),
        b"Content-Length: 5\r\n" + b"x" * 5_000,
        b"Content-Length: 5\r\n\r\n{",
    ],
)
def test_other_frames_are_refused(stream: bytes) -> None:
    pieces = split(stream)
    assert pieces[0].odd
    assert b"".join(piece.raw for piece in pieces) == stream


def test_where_no_frames_are_expected_a_header_is_noise() -> None:
    assert [piece.raw for piece in split(b"Content-Length: 900\n\n{}\n", frames=False)] == [
        b"Content-Length: 900\n", b"\n", b"{}\n"
    ]  # fmt: skip


def test_a_line_goes_out_as_a_frame_in_ascii() -> None:
    assert frame('{"a":"ä😀"}\n'.encode()) == framed(b'{"a":"\\u00e4\\ud83d\\ude00"}')
