"""A courier over a real store, and people whose chats it serves."""

from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import anyio
import httpx

from handoffs.channels import ntfy
from handoffs.channels.chats.courier import Courier
from handoffs.channels.chats.service import Kind
from handoffs.channels.chats.setup import Setup
from handoffs.clock import SystemClock
from handoffs.core.chat import Chat
from handoffs.core.deciders import Deciders, Seat
from handoffs.core.desk import Desk
from handoffs.core.model import Caller, Handoff
from handoffs.core.person import Person, new_handle
from handoffs.core.ports import Clock
from handoffs.languages.catalogue import read_catalogue
from handoffs.languages.spoken import spoken
from handoffs.sealing import AesGcmSealer
from handoffs.store.sqlite.store import SqliteStore
from handoffs.web.inbox import build_inbox
from handoffs.web.sign_in import SignIn
from tests.channels.ntfy_server import NtfyServer, Phone
from tests.channels.push_server import Browser, PushServer, own_keys
from tests.waiting import until

CODEX = Caller(subject="agent", client="codex", project="/srv/shop")
INBOX = "https://inbox.example.com"


BURST = 3_600.0
"""Seconds in which what is asked is told at once, for a test that then puts its clock forward (`Passing`)."""


class Passing(SystemClock):
    """The machine's clock, put forward by the test."""

    def __init__(self) -> None:
        super().__init__()
        self._passed = timedelta()

    def now(self) -> datetime:
        return super().now() + self._passed

    def forward(self, seconds: float) -> None:
        self._passed += timedelta(seconds=seconds)


def link(handoff_id: str) -> str:
    return f"{INBOX}/h/{handoff_id}" if handoff_id else INBOX


@dataclass
class Home:
    """A store, the desk of an agent, and what serves the chats."""

    store: SqliteStore
    desk: Desk
    courier: Courier
    setup: Setup
    folder: Path

    async def ask(self, message: str = "Deploy?", **arguments: Any) -> Handoff:
        arguments.setdefault("caller", CODEX)
        return await self.desk.ask(message=message, **arguments)

    async def people(self, *names: str) -> None:
        for name in names:
            await self.store.people.add(
                Person(name=name, handle=new_handle(), added_at=datetime(2020, 1, 1, tzinfo=UTC))
            )

    async def ntfy(
        self, server: NtfyServer, person: str = "ada", *, quiet: str = "", language: str = "en", **written: str
    ) -> Phone:
        """Set ntfy up for a person; return their phone."""
        names = {"topic": f"{person}-questions", "answers": f"{person}-answers"} | written
        await self.setup.add(person, "ntfy", {"server": server.url, **names}, quiet=quiet, language=language)
        return Phone(server, names["topic"])

    async def browser(
        self, server: PushServer, person: str = "ada", *, quiet: str = "", language: str = "en", **written: str
    ) -> Browser:
        """Set a browser up for a person."""
        made = server.subscribe()
        await self.setup.add(person, "webpush", made.written | written, quiet=quiet, language=language)
        return made

    @asynccontextmanager
    async def inbox(self) -> AsyncGenerator[httpx.AsyncClient]:
        """The inbox over the same store, to nobody who is signed in."""
        app = build_inbox(
            self.desk,
            sign_in=SignIn(self.folder / "inbox", self.desk.clock.now),
            by="ada",
            hosts=["127.0.0.1"],
            people=self.store.people,
            chats=self.setup,
        )
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://127.0.0.1") as http:
            yield http

    async def chat(self, person: str = "ada", channel: str = "ntfy") -> Chat:
        return next(each for each in await self.setup.of(person) if each.channel == channel)

    async def told(self, handoff: Handoff) -> None:
        """Return once a person is told of it, and the courier knows."""
        await until(lambda: self.log(handoff, "reached"))

    async def log(self, handoff: Handoff, name: str) -> list[Mapping[str, str]]:
        """The details of all events of one name."""
        return [each.details for each in await self.desk.log(handoff_id=handoff.id) if each.name == name]


def said(words: str, language: str) -> str:
    """Words of ours as the catalogue of a language has them."""
    return words if language == "en" else spoken(words, read_catalogue(language))


def decided_by(*people: str, votes: int = 1, **more: Any) -> Deciders:
    seats = tuple(Seat(person=person) for person in people)
    return Deciders(rule="gate.toml:2", asked_at=datetime.now(UTC), seats=seats, votes=votes, **more)


@asynccontextmanager
async def home(
    folder: Path,
    *,
    kinds: Mapping[str, Kind] | None = None,
    burst: float = 0.0,
    clock: Clock | None = None,
    link: Callable[[str], str] | None = link,
    serve: bool = True,
) -> AsyncGenerator[Home]:
    """A courier that runs in this process, over the store in a folder."""
    used = clock or SystemClock()
    sealer = AesGcmSealer(lambda: ["k" * 32])
    known = {"ntfy": ntfy.KIND} if kinds is None else kinds
    async with SqliteStore(folder / "handoffs.db") as store, SqliteStore(folder / "handoffs.db") as other:
        served = Desk(store=other, clock=used, directory=other.people.directory, sealer=sealer, local="agent")
        asked = Desk(store=store, clock=used, directory=store.people.directory, sealer=sealer, local="agent")
        courier = Courier(other.chats, served, sealer, known, link, burst=burst, pause=0.05)
        setup = Setup(store.chats, sealer, used, known, courier.poke, own_keys)
        with anyio.fail_after(300):
            async with anyio.create_task_group() as tasks:
                if serve:
                    tasks.start_soon(courier.run)
                yield Home(store=store, desk=asked, courier=courier, setup=setup, folder=folder)
                tasks.cancel_scope.cancel()
