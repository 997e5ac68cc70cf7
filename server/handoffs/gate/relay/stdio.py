"""A relay between a client on pipes and a server behind: each line passes byte for byte, in order.

What the client sends is looked at line by line (`message.concerns`); of what the server sends, only replies that the
holder watches. Both directions wait for their reader, so a client that does not read makes the server wait, not the
gate grow. Once the server has ended, each request that it has not answered gets an error in words; where a request of
its own is lost (a server over HTTP), at once. Half a line that a server leaves behind answers nothing.
"""

import contextlib
import os
import sys
from collections.abc import Coroutine, Generator, Iterator
from contextlib import contextmanager
from itertools import chain
from typing import Any, Final

import anyio

from handoffs.first_stage.pipe import is_pipe
from handoffs.gate.relay import message
from handoffs.gate.relay.lifetime import end_output, may_receive_signals, stop_on_signal
from handoffs.gate.relay.lines import Lines, Piece, frame
from handoffs.gate.relay.long_line import LongLines
from handoffs.gate.relay.message import Message, Odd
from handoffs.gate.relay.outlet import Outlet
from handoffs.gate.relay.outline import is_whole, outline
from handoffs.gate.relay.peers import Holder, Server
from handoffs.gate.relay.process import widen
from handoffs.wire import FileWire, PipeWire, Wire

LINGER_SECONDS: Final = 5.0
"""How long a client's first request is waited for, to be answered in words, where a server ended without a word."""

_LAST_WORDS_SECONDS = 2.0
_CHANGED: Final = (b"notifications/tools/list_changed", rb"notifications\/tools\/list_changed")
"""The second is how PHP writes it."""

_CONCERN = frozenset({"tools/call", "initialize", "notifications/cancelled"})


class StdioRelay:
    """One client, one server."""

    def __init__(
        self, front: Wire, behind: Server, holder: Holder, *, signals: bool = True, through: bool = True
    ) -> None:
        """Take the client's wire, the server, and what decides.

        `signals` end the process where it is the only one; what is long passes `through` while it comes.
        """
        self._front, self._behind, self._holder = front, behind, holder
        self._signals = signals and may_receive_signals()
        self._to_client, self._to_server = Outlet(front), Outlet(behind)
        self._up, self._down = Lines(frames=True), Lines(frames=False)
        self._through = through
        self._long = LongLines(self._down, self._to_client, self._may_pass, self._look_for_change)
        self._waiting: dict[str, None] = {}  # requests that the server has not answered
        self._lists: dict[str, Message] = {}  # those of them that want its tools
        self._heard = self._stopped = False
        self._said = anyio.Event()  # once an error was said, or nobody is there any more
        self._ended: str | None = None

    @property
    def outstanding(self) -> frozenset[str]:
        """The ids of the requests that were sent to the server and have no answer."""
        return frozenset(self._waiting)

    async def to_client(self, line: bytes) -> None:
        """Send a line of the gate's own, framed as the client frames its own."""
        line = b"".join(map(frame, line.splitlines())) if self._up.framed else line
        await self._to_client.write(line, on_new_line=not self._up.framed)

    async def to_server(self, line: bytes) -> None:
        """Send a line to the server, framed as the client frames its own, which the server understands.

        A request that can't be sent any more is answered with an error.
        """
        (piece,) = Lines(frames=True).take(line)
        self._note(piece.body)
        if self._up.framed and piece.body is line:
            line = frame(line)
        if (rest := self._send_now(line, on_new_line=not self._up.framed)) is not None:
            await rest

    async def run(self) -> int:
        """Relay until either side ends; return the server's exit code."""
        try:
            async with anyio.create_task_group() as tasks:
                if self._signals:
                    tasks.start_soon(stop_on_signal, self._behind, self._hear_signal)
                output = anyio.CancelScope()
                tasks.start_soon(end_output, self._behind, output)
                tasks.start_soon(self._from_client)
                with output:
                    await self._from_server()
                await self._finish()
                tasks.cancel_scope.cancel()
        finally:
            self._behind.close()
        return self._behind.exit_code or 0

    # From the client

    async def _from_client(self) -> None:
        try:
            await self._front.feed(lambda chunk: self._pass_up(self._up.take(chunk)))
            if (rest := self._pass_up(self._up.end())) is not None:
                await rest
        except anyio.ClosedResourceError:
            pass  # nobody reads our replies
        self._said.set()
        await self._behind.stop()

    def _pass_up(self, pieces: Iterator[Piece]) -> Coroutine[Any, Any, None] | None:
        """Pass on what can be without waiting; return the rest."""
        waits, again = self._pass_some(pieces)
        return None if waits is None else self._go_on(waits, again, pieces)

    async def _go_on(
        self, waits: Coroutine[Any, Any, None] | None, again: Iterator[Piece], pieces: Iterator[Piece]
    ) -> None:
        # No deeper for each: one chunk may have thousands of lines that must be waited for.
        while waits is not None:
            await waits
            waits, again = self._pass_some(chain(again, pieces))

    def _pass_some(self, pieces: Iterator[Piece]) -> tuple[Coroutine[Any, Any, None] | None, Iterator[Piece]]:
        """Pass on what can be; return what must be awaited before the rest, and a piece that is to be read again."""
        passing: list[bytes] = []
        for piece in pieces:
            if self._up.framed:
                self._down.frames = True
            if piece.odd is None and not message.concerns(piece.body):
                self._note(piece.body)
                passing.append(piece.raw)
                continue
            found = message.read(piece.body, piece.raw) if piece.odd is None else message.refused(piece.body, piece.odd)
            if isinstance(found, Odd):
                return self._refuse(found, b"".join(passing)), iter(())
            if passing and _concerns_holder(found):
                if (left := self._send_now(b"".join(passing))) is not None:
                    return left, iter((piece,))
                passing.clear()
            if not (_concerns_holder(found) and self._holder.from_client(found)):
                self._pass_read(found, piece)
                passing.append(piece.raw)
        return (self._send_now(b"".join(passing)) if passing else None), iter(())

    def _pass_read(self, found: Message, piece: Piece) -> None:
        if found.method == "notifications/cancelled" and (cancelled := message.cancelled(found)) is not None:
            self._waiting.pop(cancelled, None)
            self._lists.pop(cancelled, None)
        elif found.method == "tools/list" and found.id is not None:
            self._lists[found.id.text] = found
        self._note(piece.body)

    async def _refuse(self, odd: Odd, before: bytes) -> None:
        if before and (rest := self._send_now(before)) is not None:
            await rest
        if (reply := message.refusal(odd)) is not None:
            await self.to_client(reply)

    def _send_now(self, data: bytes, *, on_new_line: bool = False) -> Coroutine[Any, Any, None] | None:
        if self._ended is not None:
            return self._answer_waiting()
        rest = self._to_server.now(data, on_new_line=on_new_line)
        return None if rest is None else _to_the_end(rest)

    def _note(self, line: bytes) -> None:
        found = outline(line)
        if found is not None and not found.is_response:
            self._waiting[found.id] = None

    # From the server

    async def _from_server(self) -> None:
        try:
            await self._behind.feed(self._take_down, self._lost)
        except anyio.ClosedResourceError:
            await self._behind.stop()

    def _take_down(self, chunk: bytes) -> Coroutine[Any, Any, None] | None:
        answered, chunk, rest = self._long.take(chunk)
        if answered:
            self._waiting.pop(answered, None)
        if rest is not None:
            return self._after(rest, chunk)
        if (rest := self._pass_down(self._down.take(chunk))) is None and self._through:
            rest = self._long.begin()
        return rest

    async def _after(self, first: Coroutine[Any, Any, None], chunk: bytes) -> None:
        await first
        if chunk and (rest := self._take_down(chunk)) is not None:
            await rest

    def _may_pass(self, name: str) -> bool:
        if self._up.framed or name in self._holder.watching or self._list_of(name):
            return False
        self._heard = True
        return True

    def _look_for_change(self, part: bytes) -> None:
        if any(each in part for each in _CHANGED):
            self._holder.tools_changed()

    def _pass_down(self, pieces: Iterator[Piece]) -> Coroutine[Any, Any, None] | None:
        """Pass on what can be without waiting; return the rest."""
        passing: list[bytes] = []
        for piece in pieces:
            self._heard = True
            line = self._seen(piece)
            if line is not None:
                passing.append(line)
        if not passing:
            return None
        return self._to_client.now(b"".join(passing))

    def _seen(self, piece: Piece) -> bytes | None:
        """Return what is passed on of a piece, its id crossed off."""
        self._look_for_change(piece.body)
        if not self._waiting and not self._holder.watching:
            return piece.raw
        found = outline(piece.body)
        if self._lists and (b'"result"' in piece.body if found is None else found.is_response):
            self._show_list("" if found is None else found.id, piece.body)
        if found is None or not found.is_response:
            return piece.raw
        self._waiting.pop(found.id, None)
        if found.id not in self._holder.watching:
            return piece.raw
        shown = Message(piece.body, id=message.id_of(found.id))
        passed = self._holder.from_server(shown)
        if passed is None or passed is piece.body:
            return None if passed is None else piece.raw
        return frame(passed) if self._down.framed else passed

    def _show_list(self, name: str, line: bytes) -> None:
        if asked := self._list_of(name):
            self._holder.listed(self._lists[asked], Message(line))
            self._lists.pop(name, None)

    def _list_of(self, name: str) -> str:
        """Return the request for tools that a response with this id may answer; empty where it answers another.

        Clients take `1` and `"1"` for the same, and other spellings, too: what answers nobody else may answer it.
        """
        if not self._lists or name in self._lists:
            return name if self._lists else ""
        same = next((each for each in self._lists if _bare(each) == _bare(name)), "")
        return same or ("" if name in self._waiting else next(reversed(self._lists)))

    async def _lost(self, id: str, reason: str) -> None:  # noqa: A002 - JSON-RPC's word
        self._lists.pop(id, None)
        if id in self._holder.watching:
            self._waiting.pop(id, None)
            await self._holder.lost(id, reason)
            return
        line = message.error(id, f"Not answered, and it may have run: {reason}.")
        if (rest := self._pass_down(iter([Piece(frame(line) if self._up.framed else line, line)]))) is not None:
            await rest

    # The end

    async def _finish(self) -> None:
        self._through = False  # a line that does not end in what is left has no end
        with contextlib.suppress(anyio.ClosedResourceError):
            if (rest := self._take_down(self._behind.rest())) is not None:
                await rest
            self._long.end()
            if (rest := self._pass_down(self._last())) is not None:
                await rest
        if self._behind.exit_code is None:
            await self._behind.stop()
        reason = f"the server behind {self._behind.reason}"
        with contextlib.suppress(anyio.ClosedResourceError), anyio.move_on_after(_LAST_WORDS_SECONDS):
            self._ended = reason
            await self._to_client.write(b"")  # ends a line that was broken off
            await self._answer_waiting()
            await self._holder.behind_ended(reason)
        if not (self._heard or self._stopped):
            with anyio.move_on_after(LINGER_SECONDS):
                await self._said.wait()

    def _last(self) -> Iterator[Piece]:
        """Yield what nothing ended, with an end, if it is a message; half of one answers nothing."""
        for piece in self._down.end():
            if is_whole(piece.raw):
                line = piece.raw + b"\n"
                yield Piece(line, line)

    async def _answer_waiting(self) -> None:
        for each in list(self._waiting):
            if each not in self._holder.watching and each in self._waiting:
                del self._waiting[each]
                await self.to_client(message.error(each, f"Not answered: {self._ended}."))
                self._said.set()

    def _hear_signal(self) -> None:
        self._stopped = True


async def _to_the_end(rest: Coroutine[Any, Any, None]) -> None:
    with contextlib.suppress(anyio.ClosedResourceError, OSError):  # it has ended, and its output tells so
        await rest


def _bare(name: str) -> str:
    return name.strip('"')


def _concerns_holder(found: Message) -> bool:
    if found.method in _CONCERN:
        return True
    if found.method is None:
        return found.id is not None and isinstance(found.id.value, str) and found.id.value.startswith(message.OURS)
    named = (found.params.get("requestState"), found.params.get("taskId"))
    return any(isinstance(each, str) and each.startswith(message.OURS) for each in named)


class _TwoWires:
    """Reads from one wire, and writes to another."""

    def __init__(self, reading: Wire, writing: Wire) -> None:
        self.read, self.feed = reading.read, reading.feed
        self.write, self.write_now, self.write_some = writing.write, writing.write_now, writing.write_some


@contextmanager
def client_wire() -> Generator[Wire]:
    """Give the wire on standard input and output, while what else is printed goes to standard error."""
    stdin, stdout = os.dup(0), os.dup(1)
    by_turns = sys.platform != "win32"
    # A thread that reads a terminal would outlive the server.
    reading = by_turns and (is_pipe(0) or os.isatty(0))
    # What is written to the log must not find the descriptor not ready; and a terminal is the shell's, too.
    writing = by_turns and is_pipe(1) and not _are_one(1, 2)
    blocking = os.get_blocking(stdout) if writing else True
    nowhere = os.open(os.devnull, os.O_RDWR)
    os.dup2(nowhere, 0)
    try:
        os.dup2(2, 1)
    except OSError:  # the host gave us no standard error
        os.dup2(nowhere, 1)
    os.close(nowhere)
    if writing:
        os.set_blocking(stdout, False)
        widen(stdout)
    ready, files = PipeWire(stdin, stdout), FileWire(stdin, stdout)
    try:
        yield _TwoWires(ready if reading else files, ready if writing else files)
    finally:
        if writing:
            os.set_blocking(stdout, blocking)
        os.close(stdout)


def _are_one(fd: int, other: int) -> bool:
    try:
        return os.path.sameopenfile(fd, other)
    except OSError:
        return False
