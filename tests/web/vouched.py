"""An inbox whose people an OpenID provider names, and browsers without script that sign in there."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import httpx

from handoffs.access.issuer import Issuer
from handoffs.access.oidc import OpenIdProvider
from handoffs.clock import SystemClock
from tests.access.provider import CLIENT, SECRET, LocalProvider, local_provider
from tests.web.joined import Home, home


@dataclass
class Browser:
    """A browser that knows nothing yet."""

    http: httpx.AsyncClient
    inbox: Home
    provider: LocalProvider

    async def begin(self, after: str = "/") -> str:
        """Go to the provider; where that sends the browser back."""
        reply = await self.http.get("/sign-in/oidc", params={"next": after})
        assert reply.status_code == 303, reply.text
        address, _, query = reply.headers["location"].partition("?")
        assert address == f"{self.provider.url}/authorize"
        return self.provider.back(dict(parse_qsl(query)))

    async def sign_in(self, after: str = "/") -> httpx.Response:
        return await self.http.get(await self.begin(after))

    async def is_in(self) -> bool:
        return (await self.http.get("/")).status_code == 200

    async def csrf(self) -> str:
        return (await self.http.get("/")).text.split('name="csrf" value="')[1].split('"')[0]

    async def answer(self, handoff_id: str) -> httpx.Response:
        form = {"csrf": await self.csrf(), "field.response": "yes"}
        return await self.http.post(f"/h/{handoff_id}/answer", data=form, headers={"accept": "application/json"})


@asynccontextmanager
async def browser(inbox: Home, provider: LocalProvider) -> AsyncGenerator[Browser]:
    async with httpx.AsyncClient(transport=httpx.ASGITransport(inbox.app), base_url=inbox.url) as http:
        yield Browser(http, inbox, provider)


@asynccontextmanager
async def vouched(folder: Path, *, secret: str | None = SECRET, **options: Any) -> AsyncGenerator[Browser]:
    """A browser before an inbox that takes sign-ins of a provider."""
    claim = options.pop("claim", "email")
    with local_provider() as local:
        local.secret = secret
        clock = SystemClock()
        provider = OpenIdProvider(Issuer(local.url, clock), clock, client_id=CLIENT, client_secret=secret, claim=claim)
        async with home(folder, provider=provider, **options) as inbox, browser(inbox, local) as first:
            yield first
