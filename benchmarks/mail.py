"""How soon a question is on its way by e-mail, and how soon a reply that was delivered ends the wait.

Both servers are real ones of this machine, as in the tests: aiosmtpd takes what is sent, Dovecot has the mailbox. The
yardsticks do the least of it, in the same rounds: woken by the same store, one sends by smtplib and one posts by
HTTP; a bare client of the same mailbox is told in IDLE of the same reply, for which Dovecot takes half a second.
"""

import asyncio
import base64
import smtplib
import statistics
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from email.message import EmailMessage
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import SupportsIndex

import anyio
import anyio.to_thread
import httpx2

from benchmarks import chats
from benchmarks.environment import Unavailable
from benchmarks.plan import Plan
from benchmarks.table import Row, compared, percentile
from handoffs.channels.chats.courier import Courier
from handoffs.channels.chats.setup import Setup
from handoffs.clock import SystemClock
from handoffs.core.desk import Desk
from handoffs.core.model import Caller
from handoffs.sealing import AesGcmSealer
from handoffs.store.sqlite.store import SqliteStore
from tests.channels.mail_server import ADDRESS, DOVECOT, PASSWORD, MailServer, Writer, mail_server, text_of

BAR = 3.0
WORST_BAR = 10.0
"""Of the slowest of a hundred, against the median."""
MANY = 1_000
"""The messages of which these are taken; of replies as many as the rounds have, each of which takes half a second."""

_CALLER = Caller(subject="bench", client="bench", project="/srv/shop")
_SETTLED = 0.3
"""Seconds after which nothing of the last question is left to do."""


class Arrivals(list[EmailMessage]):
    """What the SMTP server took, and when it had it."""

    def __init__(self) -> None:
        super().__init__()
        self._came: asyncio.Queue[tuple[float, EmailMessage]] = asyncio.Queue()

    def append(self, letter: EmailMessage, /) -> None:
        """Note a message."""
        self._came.put_nowait((time.perf_counter(), letter))
        super().append(letter)

    def insert(self, index: SupportsIndex, letter: EmailMessage, /) -> None:
        """Refuse: messages come one after the other."""
        raise NotImplementedError

    async def about(self, words: str) -> tuple[float, EmailMessage]:
        """Return the next message with these words, and when it came."""
        while True:
            at, letter = await self._came.get()
            if words in text_of(letter):
                return at, letter


@dataclass
class Bare:
    """A client of the mailbox that only waits in IDLE: it notes when it is told that something came."""

    told: asyncio.Queue[float] = field(default_factory=asyncio.Queue[float])

    async def wait(self, port: int) -> None:
        """Wait until cancelled."""
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        given = base64.b64encode(f"\0handoffs\0{PASSWORD}".encode()).decode()
        try:
            for command in (f"a AUTHENTICATE PLAIN {given}", "b SELECT INBOX", "c IDLE"):
                writer.write(f"{command}\r\n".encode())
                while not (line := await reader.readline()).startswith((command[:2].encode(), b"+")):
                    if not line:
                        raise RuntimeError("the mailbox was closed")
            while line := await reader.readline():
                if line.rstrip().endswith(b" EXISTS"):
                    self.told.put_nowait(time.perf_counter())
        finally:
            writer.close()


@dataclass(frozen=True, kw_only=True)
class Took:
    """The samples of one round, in milliseconds."""

    sent: Sequence[float]
    replied: Sequence[float]
    told: Sequence[float]
    """From the same replies until the bare client was told."""


async def run(plan: Plan) -> list[Row]:
    """Return the rows. The clock starts before the question is stored, and before the reply is delivered."""
    _look_for_dovecot()
    rounds, each = plan.pick(full=10, quick=1), plan.pick(full=12, quick=4)
    posted: list[list[float]] = []
    bare: list[list[float]] = []
    woken: list[list[float]] = []
    took: list[Took] = []
    with TemporaryDirectory(prefix="handoffs-bench-") as name:
        async with chats.serving() as service, mail_server() as server:
            server.sent = arrivals = Arrivals()

            async def post(http: httpx2.AsyncClient) -> float:
                await http.post(service.url, json={"message": "bare"})
                return (await service.about("bare"))[0]

            async def send() -> float:
                await anyio.to_thread.run_sync(_sent_by_smtplib, server.smtp)
                return (await arrivals.about("bare"))[0]

            for number in range(rounds):
                stores = [Path(name) / f"{which}{number}.db" for which in ("woken", "posted", "bare", "mail")]
                woken.append(await _woken(stores[0], _at_once, each))
                async with httpx2.AsyncClient() as http:
                    posted.append(await _woken(stores[1], partial(post, http), each))
                bare.append(await _woken(stores[2], send, each))
                took.append(await _mailed(stores[3], server, arrivals, each))
            often = await _sent_often(Path(name) / "often.db", server, arrivals, plan.pick(full=MANY, quick=10))
    sent, replied = [[*each.sent] for each in took], [[*each.replied] for each in took]
    told = [[at + statistics.median(wake) for at in each.told] for each, wake in zip(took, woken, strict=True)]
    return [
        compared("asked until sent by e-mail, against a bare wake-up and smtplib", "ms", sent, bare, bar=BAR),
        compared("asked until sent by e-mail, against a bare wake-up and one post", "ms", sent, posted, bar=BAR),
        compared("replied by e-mail, against a bare IDLE and wake-up", "ms", replied, told, bar=BAR),
        _worst("asked until sent by e-mail", [often]),
        _worst("replied by e-mail until the wait is over", replied),
    ]  # fmt: skip


def _look_for_dovecot() -> None:
    if DOVECOT is None or not Path("/usr/lib/dovecot/imap").exists():
        raise Unavailable("there is no Dovecot: apt-get install dovecot-imapd")


def _worst(what: str, rounds: Sequence[Sequence[float]]) -> Row:
    samples = [sample for each in rounds for sample in each]
    worst, median = percentile(samples, 99), percentile(samples, 50)
    return Row(
        what=f"{what}, p99 against the median",
        unit="ms",
        ours=worst,
        yardstick=median,
        ratio=worst / median,
        bar=WORST_BAR,
        details={"samples": len(samples)},
    )


async def _at_once() -> float:
    return time.perf_counter()


def _sent_by_smtplib(port: int) -> None:
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = ADDRESS, "ada@example.com", "Bare"
    message.set_content("bare")
    with smtplib.SMTP("127.0.0.1", port, local_hostname="example.org") as smtp:
        smtp.send_message(message)


async def _woken(path: Path, act: Callable[[], Awaitable[float]], count: int) -> list[float]:
    """Ask, and let what is woken by it act; return how long it took until then."""
    took: list[float] = []
    acted: asyncio.Queue[float] = asyncio.Queue()
    async with SqliteStore(path) as store, SqliteStore(path) as other, anyio.create_task_group() as tasks:
        desk = Desk(store=store, clock=SystemClock())
        await other.ready()

        async def serve() -> None:
            async with other.watch(None) as watch:
                while True:
                    await watch.changed()
                    acted.put_nowait(await act())

        tasks.start_soon(serve)
        for number in range(-3, count):
            await anyio.sleep(0.05)
            begun = time.perf_counter()
            await desk.ask(message=f"Bare {number}?", caller=_CALLER)
            at = await acted.get()
            if number >= 0:
                took.append((at - begun) * 1000)
        tasks.cancel_scope.cancel()
    return took


@asynccontextmanager
async def _served(path: Path, server: MailServer, arrivals: Arrivals) -> AsyncGenerator[tuple[Desk, Writer]]:
    """A desk, and a person whose mailbox is set up and served from another store's connection."""
    clock, sealer, kinds = SystemClock(), AesGcmSealer(lambda: ["k" * 32]), server.kinds()
    writer = Writer(server, "ada@example.com")
    async with SqliteStore(path) as store, SqliteStore(path) as other, anyio.create_task_group() as tasks:
        desk, served = Desk(store=store, clock=clock), Desk(store=other, clock=clock)
        courier = Courier(other.chats, served, sealer, kinds, None, burst=0)
        setup = Setup(store.chats, sealer, clock, kinds, courier.poke)
        tasks.start_soon(courier.run)
        _, next_ = await setup.add("ada", "email", {"address": writer.address})
        writer.post(writer.letter("", subject=next_.partition("the subject ")[2].split()[0]))
        await arrivals.about("This chat is set up")
        yield desk, writer
        tasks.cancel_scope.cancel()


async def _sent_often(path: Path, server: MailServer, arrivals: Arrivals, count: int) -> list[float]:
    """Ask again and again, and answer elsewhere once the message has come; return how long each one took."""
    took: list[float] = []
    async with _served(path, server, arrivals) as (desk, _):
        for number in range(-3, count):
            message = f"Deploy build {number}?"
            begun = time.perf_counter()
            handoff = await desk.ask(message=message, caller=_CALLER, options=["Yes", "No"])
            at, _ = await arrivals.about(message)
            await desk.answer(handoff, {"response": "Yes"}, by="eve", channel="inbox")
            await arrivals.about("by eve")
            if number >= 0:
                took.append((at - begun) * 1000)
    return took


async def _mailed(path: Path, server: MailServer, arrivals: Arrivals, count: int) -> Took:
    sent: list[float] = []
    replied: list[float] = []
    told: list[float] = []
    async with _served(path, server, arrivals) as (desk, writer), _bare_idle(server) as bare:
        for number in range(-3, count):
            await anyio.sleep(_SETTLED)
            message = f"Deploy build {number}?"
            begun = time.perf_counter()
            handoff = await desk.ask(message=message, caller=_CALLER, options=["Yes", "No"])
            at, letter = await arrivals.about(message)
            await anyio.sleep(_SETTLED)  # it is kept as shown meanwhile, and Dovecot is idle
            while not bare.told.empty():
                bare.told.get_nowait()
            delivered = time.perf_counter()
            writer.reply(letter, "Yes")
            with anyio.fail_after(60):
                ended = await desk.wait(handoff.id, seconds=None)
            over = time.perf_counter()
            if ended.values != {"response": "Yes"}:
                raise RuntimeError(f"it ended as {ended.state}")
            with anyio.fail_after(60):
                seen = await bare.told.get()
                await arrivals.about("Recorded: Yes.")
            if number >= 0:
                sent.append((at - begun) * 1000)
                replied.append((over - delivered) * 1000)
                told.append((seen - delivered) * 1000)
    return Took(sent=sent, replied=replied, told=told)


@asynccontextmanager
async def _bare_idle(server: MailServer) -> AsyncGenerator[Bare]:
    bare = Bare()
    task = asyncio.create_task(bare.wait(server.imap))
    try:
        yield bare
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
