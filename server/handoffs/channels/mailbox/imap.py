"""Reads a mailbox over IMAP (RFC 3501, RFC 2177), as little of it as is needed: new messages, and waiting for them.

By hand, because `aioimaplib` is under the GPL, and `imaplib`, also under IMAPClient, blocks a thread that can't be
cancelled, and holds back what comes in one packet with the server's consent to IDLE. Lines and literals are bounded.
"""

import base64
import re
import ssl
from collections.abc import AsyncGenerator, Generator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from datetime import date

import anyio
import anyio.to_thread
from anyio.abc import ByteStream
from anyio.streams.buffered import BufferedByteReceiveStream
from anyio.streams.tls import TLSStream

from handoffs.channels.chats.service import NotSent
from handoffs.channels.mailbox.servers import Server, Tls, context_of

SECONDS = 30.0
"""How long a server may take for one step."""

MOST_LINE = 1_000_000

_LITERAL = re.compile(rb"\{(\d{1,10})\}\Z")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


@dataclass(frozen=True, kw_only=True, slots=True)
class Fetched:
    """The beginning of a message, and how long all of it is."""

    raw: bytes
    size: int


@dataclass(frozen=True, kw_only=True, slots=True)
class _Reply:
    """A line of the server with its literals."""

    text: bytes
    literals: Sequence[bytes] = ()


class Imap:
    """A folder of a mailbox that was opened. Every method raises NotSent, and then the connection is of no more use."""

    def __init__(self, stream: ByteStream, seconds: float) -> None:
        """Take the connection."""
        self._stream, self._seconds = stream, seconds
        self._received = BufferedByteReceiveStream(stream)
        self._commands = 0
        self._abilities: frozenset[str] = frozenset()
        self.validity = 0

    async def greet(self, server: Server) -> None:
        """Begin: encrypt, sign in, and open the folder."""
        with _steps(self._seconds):
            first = (await self._reply()).text
            if not first.upper().startswith((b"* OK", b"* PREAUTH")):
                raise NotSent("the mail server does not answer as IMAP does")
            if server.tls is Tls.BY_COMMAND:
                await self._command("STARTTLS")
                if self._received.buffer:
                    raise NotSent("the mail server has said something before the connection was encrypted")
                await self._encrypt(server)
            if not first.upper().startswith(b"* PREAUTH"):
                await self._sign_in(server)
            await self._look_at_abilities()
            for reply in await self._command(f"SELECT {_quoted(_utf7(server.folder))}"):
                if found := re.search(rb"\[UIDVALIDITY (\d{1,10})\]", reply.text, re.IGNORECASE):
                    self.validity = int(found[1])

    async def after(self, uid: int) -> list[int]:
        """Return the names of the messages that came after one."""
        return sorted(each for each in await self._search(f"UID {uid + 1}:*") if each > uid)

    async def unseen_since(self, day: date) -> list[int]:
        """Return the names of the messages since a day that nobody has seen."""
        return sorted(await self._search(f"UNSEEN SINCE {day.day}-{_MONTHS[day.month - 1]}-{day.year}"))

    async def fetch(self, uid: int, most: int) -> Fetched | None:
        """Return the beginning of a message; None for one that is no more."""
        with _steps(self._seconds):
            for reply in await self._command(f"UID FETCH {uid} (UID RFC822.SIZE BODY.PEEK[]<0.{most}>)", most=most):
                named, size = (
                    re.search(rb"\b%b (\d{1,10})" % name, reply.text, re.IGNORECASE)
                    for name in (b"UID", b"RFC822.SIZE")
                )
                if named is not None and int(named[1]) == uid and size is not None and reply.literals:
                    return Fetched(raw=reply.literals[0], size=int(size[1]))
        return None

    async def see(self, uid: int) -> None:
        """Mark a message as seen."""
        with _steps(self._seconds):
            await self._command(f"UID STORE {uid} +FLAGS.SILENT (\\Seen)")

    async def wait(self, *, idle: float, poll: float) -> None:
        """Return when something may have come, and at the latest after some seconds."""
        if "IDLE" not in self._abilities:
            await anyio.sleep(poll)
            return
        with _steps(self._seconds):
            tag = await self._send("IDLE")
            while not (reply := await self._reply()).text.startswith(b"+"):
                if reply.text.startswith(tag):
                    raise NotSent("the mail server does not let us wait")
        with anyio.move_on_after(idle):
            while not re.match(rb"\* \d+ EXISTS", (await self._reply()).text, re.IGNORECASE):
                pass
        with _steps(self._seconds):
            await self._write(b"DONE\r\n")
            await self._finish(tag)

    async def close(self) -> None:
        """Close the connection at once."""
        await anyio.aclose_forcefully(self._stream)

    # Parts

    async def _encrypt(self, server: Server) -> None:
        context = await anyio.to_thread.run_sync(context_of, server)
        try:
            self._stream = await TLSStream.wrap(
                self._stream, hostname=server.host, ssl_context=context, standard_compatible=False
            )
        except (ssl.SSLError, anyio.EndOfStream, anyio.BrokenResourceError, OSError) as wrong:
            raise _away(wrong) from None
        self._received = BufferedByteReceiveStream(self._stream)

    async def _sign_in(self, server: Server) -> None:
        await self._look_at_abilities()
        try:
            if "AUTH=PLAIN" in self._abilities:
                tag = await self._send("AUTHENTICATE PLAIN")
                if not (await self._reply()).text.startswith(b"+"):
                    raise _Refused
                given = f"\0{server.user}\0{server.password}".encode()
                await self._write(base64.b64encode(given) + b"\r\n")
                await self._finish(tag)
            else:
                await self._command(f"LOGIN {_quoted(server.user)} {_quoted(server.password)}")
        except _Refused:
            raise NotSent("the mail server refuses the name or the password of the mailbox") from None

    async def _look_at_abilities(self) -> None:
        for reply in await self._command("CAPABILITY"):
            if reply.text.upper().startswith(b"* CAPABILITY "):
                self._abilities = frozenset(reply.text.decode("ascii", "replace").upper().split()[2:])

    async def _search(self, what: str) -> list[int]:
        with _steps(self._seconds):
            replies = await self._command(f"UID SEARCH {what}")
        found = (each.text.split()[2:] for each in replies if each.text.upper().startswith(b"* SEARCH"))
        return [int(one) for each in found for one in each if one.isdigit()]

    async def _command(self, text: str, *, most: int = 0) -> list[_Reply]:
        return await self._finish(await self._send(text), most=most)

    async def _send(self, text: str) -> bytes:
        self._commands += 1
        tag = f"h{self._commands}"
        await self._write(f"{tag} {text}\r\n".encode())
        return f"{tag} ".encode()

    async def _write(self, data: bytes) -> None:
        try:
            await self._stream.send(data)
        except (anyio.BrokenResourceError, anyio.ClosedResourceError, ssl.SSLError, OSError) as wrong:
            raise _away(wrong) from None

    async def _finish(self, tag: bytes, *, most: int = 0) -> list[_Reply]:
        """Return what the server says until it has done a command."""
        found: list[_Reply] = []
        while not (reply := await self._reply(most=most)).text.startswith(tag):
            if reply.text.upper().startswith(b"* BYE"):
                raise NotSent("the mail server has ended the connection")
            found.append(reply)
        if not reply.text[len(tag) :].upper().startswith(b"OK"):
            raise _Refused
        return found

    async def _reply(self, *, most: int = 0) -> _Reply:
        """Return one line with its literals."""
        try:
            text, literals = b"", list[bytes]()
            while True:
                line = await self._received.receive_until(b"\r\n", MOST_LINE)
                text += line
                literal = _LITERAL.search(line)
                if literal is None or len(text) > MOST_LINE:
                    return _Reply(text=text, literals=literals)
                if int(literal[1]) > max(most, 10_000):
                    raise NotSent("the mail server sends more than it was asked for")
                literals.append(await self._received.receive_exactly(int(literal[1])))
        except (anyio.EndOfStream, anyio.IncompleteRead, anyio.DelimiterNotFound) as wrong:
            raise _away(wrong) from None
        except (anyio.BrokenResourceError, anyio.ClosedResourceError, ssl.SSLError, OSError) as wrong:
            raise _away(wrong) from None


class _Refused(NotSent):
    """The server has said no to a command."""

    def __init__(self) -> None:
        super().__init__("the mail server refuses what is needed to read the mailbox")


@asynccontextmanager
async def reading(server: Server, *, seconds: float = SECONDS) -> AsyncGenerator[Imap]:
    """Yield the folder of a mailbox. Raises NotSent."""
    stream: ByteStream
    try:
        with _steps(seconds):
            if server.tls is Tls.AT_ONCE:
                context = await anyio.to_thread.run_sync(context_of, server)
                stream = await anyio.connect_tcp(
                    server.host, server.port, tls=True, ssl_context=context, tls_standard_compatible=False
                )
            else:
                stream = await anyio.connect_tcp(server.host, server.port)
    except (OSError, ssl.SSLError, anyio.EndOfStream, anyio.BrokenResourceError) as wrong:
        raise _away(wrong) from None
    imap = Imap(stream, seconds)
    try:
        await imap.greet(server)
        yield imap
    finally:
        await imap.close()


@contextmanager
def _steps(seconds: float) -> Generator[None]:
    """Give the server so long for what is in the block. Raises NotSent."""
    try:
        with anyio.fail_after(seconds):
            yield
    except TimeoutError:
        raise NotSent("the mail server does not answer") from None


def _away(wrong: Exception) -> NotSent:
    return NotSent(f"the mail server can't be reached ({type(wrong).__name__})")


def _quoted(text: str) -> str:
    if not text.isascii() or not text.isprintable():
        raise NotSent("the mail server takes no name and no password with such characters")
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _utf7(folder: str) -> str:
    """Return the name of a folder as IMAP writes it (RFC 3501, section 5.1.3)."""

    def encoded(found: re.Match[str]) -> str:
        written = base64.b64encode(found[0].encode("utf-16-be")).decode().rstrip("=").replace("/", ",")
        return f"&{written}-"

    return re.sub(r"[^ -~]+", encoded, folder.replace("&", "&-"))
