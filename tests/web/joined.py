"""An inbox of people: over a store with people in it, at localhost; and browsers with an authenticator of their own."""

import hashlib
import socket
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from playwright.async_api import CDPSession, Page, expect

from handoffs.clock import SystemClock
from handoffs.core.deciders import Deciders, Proof, Seat
from handoffs.core.desk import Desk
from handoffs.core.model import Handoff
from handoffs.core.people import People
from handoffs.core.person import Person, new_handle
from handoffs.core.ports import Clock
from handoffs.proof.passkeys import PasskeyProofs, RelyingParty
from handoffs.store.sqlite.store import SqliteStore
from handoffs.web.inbox import build_inbox
from handoffs.web.sign_in import SignIn, sign_in_link
from tests.web.serving import CLAUDE, HOSTS, on_port
from tests.web.visiting import visit

AUTHENTICATOR = {
    "protocol": "ctap2",
    "transport": "internal",
    "hasResidentKey": True,
    "hasUserVerification": True,
    "isUserVerified": True,
    "automaticPresenceSimulation": True,
}


def digest_of(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


@dataclass
class Home:
    """An inbox at localhost, and the people of its store, as another process has them."""

    url: str
    app: Any
    desk: Desk
    people: People
    clock: Clock
    sign_in: SignIn

    async def add(self, name: str, *groups: str, email: str = "") -> None:
        now, there = self.clock.now(), frozenset(groups)
        await self.people.add(Person(name=name, email=email, groups=there, handle=new_handle(), added_at=now))

    async def invite(self, name: str, token: str = "") -> str:
        """Invite a person; the address of the page on which they join."""
        token = token or f"invitation-of-{name}"
        await self.people.invite(digest_of(token), name, expires_at=self.clock.now() + timedelta(hours=1))
        return f"{self.url}/join/{token}"

    def link(self, after: str = "/") -> str:
        return sign_in_link(self.url, self.sign_in.make_code(), after)

    async def ask_of(self, *names: str, proof: Proof = "") -> Handoff:
        """Ask what these people alone decide."""
        seats, now = tuple(Seat(person=name) for name in names), self.clock.now()
        deciders = Deciders(rule="gate.toml:3", asked_at=now, seats=seats, proof=proof)
        return await self.ask(options=["yes", "no"], deciders=deciders)

    async def ask(self, message: str = "Deploy?", **arguments: Any) -> Handoff:
        return await self.desk.ask(message=message, caller=CLAUDE, **arguments)

    async def remove(self, name: str) -> None:
        assert await self.people.remove(name, at=self.clock.now())


@asynccontextmanager
async def home(
    folder: Path, *, clock: Clock | None = None, url: str | None = None, **others: Any
) -> AsyncGenerator[Home]:
    """The inbox at a free port of localhost; `others` let people in, too."""
    used = clock or SystemClock()
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    async with SqliteStore(folder / "handoffs.db") as store, SqliteStore(folder / "handoffs.db") as other:
        await store.ready()
        await other.ready()
        sign_in = SignIn(folder / "inbox", used.now)
        own = f"http://localhost:{port}"
        app = build_inbox(
            _desk(store, used, RelyingParty.of(url, page=own)),
            sign_in=sign_in,
            by="owner",
            hosts=HOSTS,
            people=store.people,
            own_url=own,
            url=url,
            **others,
        )
        async with on_port(app, port):
            yield Home(own, app, _desk(other, used, RelyingParty.of(url)), other.people, used, sign_in)


def _desk(store: SqliteStore, clock: Clock, party: RelyingParty) -> Desk:
    """A desk that checks the passkeys of its store, as `open_desk` makes it."""

    async def claim(key: str, now: datetime, until: datetime) -> bool:
        return await store.claim(key, now=now, until=until)

    proofs = PasskeyProofs(lambda: store.people, party, claim=claim)
    return Desk(store=store, clock=clock, local="owner", directory=store.people.directory, proofs=lambda: proofs)


async def with_authenticator(page: Page, **options: Any) -> tuple[CDPSession, str]:
    """Give a page's browser an authenticator; the session that steers it, and its id."""
    cdp = await page.context.new_cdp_session(page)
    await cdp.send("WebAuthn.enable")
    made = await cdp.send("WebAuthn.addVirtualAuthenticator", {"options": AUTHENTICATOR | options})
    return cdp, str(made["authenticatorId"])


async def join(page: Page, address: str, label: str = "Laptop") -> None:
    await visit(page, address)
    await page.get_by_label("A word for this device").fill(label)
    await page.get_by_role("button", name="Set up a passkey").click()
    await expect(page.locator(".foot")).to_be_visible()


async def sign_out(page: Page) -> None:
    await page.get_by_role("button", name="Sign out").click()
    await expect(page.locator(".banner")).to_have_text("You are signed out.")


async def sign_in_with_passkey(page: Page) -> None:
    await page.get_by_role("button", name="Sign in with a passkey").click()
    await expect(page.locator(".foot")).to_be_visible()
