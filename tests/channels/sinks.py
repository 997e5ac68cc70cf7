"""Where notifications arrive, really: a web server and a mail server of the test's own."""

import asyncio
import json
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from email import message_from_bytes, policy
from email.message import EmailMessage

import anyio
from aiosmtpd.smtp import SMTP, Envelope, Session

TOKEN = "t0p5ecret"  # in every address: it must be in no log and on no screen
PASSWORD = "pa55word"


class HttpSink:
    """What was posted to one address, and whether it is taken."""

    def __init__(self) -> None:
        self.got: list[dict[str, str]] = []
        self.tries = 0
        self.refuses = False
        self.hangs = False
        self.port = 0
        self._changed = asyncio.Condition()

    @property
    def url(self) -> str:
        return f"json://ada:{PASSWORD}@127.0.0.1:{self.port}/{TOKEN}"

    @property
    def titles(self) -> list[str]:
        return [each["title"] for each in self.got]

    async def tried(self, times: int) -> None:
        """Return once somebody has tried so often."""
        async with self._changed:
            await self._changed.wait_for(lambda: self.tries >= times)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
        body = await reader.readexactly(int(head.split("content-length:")[1].split()[0]))
        async with self._changed:
            self.tries += 1
            if not self.refuses and not self.hangs:
                self.got.append(json.loads(body))
            self._changed.notify_all()
        if self.hangs:
            await reader.read()  # until the other end has had enough
        else:
            status = "503 Not now" if self.refuses else "200 OK"
            writer.write(f"HTTP/1.1 {status}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".encode())
        writer.close()


@asynccontextmanager
async def http_sink() -> AsyncGenerator[HttpSink]:
    sink = HttpSink()
    server = await asyncio.start_server(sink.serve, "127.0.0.1", 0)
    sink.port = server.sockets[0].getsockname()[1]
    try:
        yield sink
    finally:
        server.close()


class MailSink:
    """The letters that came, and from whom to whom."""

    def __init__(self) -> None:
        self.got: list[tuple[str, list[str], EmailMessage]] = []
        self.came = anyio.Event()
        self.port = 0

    @property
    def url(self) -> str:
        # Without a password: no program sends one over a line that is not encrypted.
        return f"mailto://127.0.0.1:{self.port}?from=handoffs@example.org&to=ada@example.org&smtp=127.0.0.1"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        assert isinstance(envelope.content, bytes)
        letter = message_from_bytes(envelope.content, policy=policy.default)
        assert isinstance(letter, EmailMessage)
        self.got.append((str(envelope.mail_from), list(envelope.rcpt_tos), letter))
        self.came.set()
        return "250 Taken"


@asynccontextmanager
async def mail_sink() -> AsyncGenerator[MailSink]:
    sink = MailSink()
    server = await asyncio.get_running_loop().create_server(lambda: SMTP(sink), "127.0.0.1", 0)
    sink.port = server.sockets[0].getsockname()[1]
    try:
        yield sink
    finally:
        server.close()
