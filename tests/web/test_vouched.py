"""Whom a proxy's header names: a person of the store, or somebody who is none; and the whole sign-in in a browser."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
import httpx
import pytest
from playwright.async_api import Page, expect

from tests.web.joined import Home, home, join, sign_out, with_authenticator
from tests.web.serving import Opened
from tests.web.test_reading import axe
from tests.web.visiting import visit
from tests.web.vouched import vouched

HEADER = "X-Forwarded-User"
ADA = "ada@example.com"


@asynccontextmanager
async def behind(folder: Path, user: str) -> AsyncGenerator[tuple[Home, httpx.AsyncClient]]:
    """An inbox behind a proxy that names this user."""
    async with home(folder, proxy_header=HEADER) as inbox:
        headers = {HEADER: user}
        async with httpx.AsyncClient(
            transport=httpx.ASGITransport(inbox.app), base_url=inbox.url, headers=headers
        ) as http:
            yield inbox, http


async def answer(http: httpx.AsyncClient, handoff_id: str) -> httpx.Response:
    csrf = (await http.get("/")).text.split('name="csrf" value="')[1].split('"')[0]
    form = {"csrf": csrf, "field.response": "yes"}
    return await http.post(f"/h/{handoff_id}/answer", data=form, headers={"accept": "application/json"})


@pytest.mark.parametrize("user", ["ada", ADA, "Ada@EXAMPLE.com"])
async def test_a_proxy_names_a_person_by_name_or_by_address(tmp_path: Path, user: str) -> None:
    async with behind(tmp_path, user) as (inbox, http):
        await inbox.add("ada", email=ADA)
        handoff = await inbox.ask_of("ada")
        assert "You are signed in as <bdi>ada</bdi>" in (await http.get("/")).text
        you = (await http.get("/you")).text
        assert "You have none." in you
        assert "not as a person" not in you
        assert (await answer(http, handoff.id)).status_code == 200
        end = (await inbox.desk.get(handoff.id)).end
        assert end is not None
        assert end.by == "ada"


@pytest.mark.parametrize(
    ("user", "by"), [("eve", "eve"), ("Ada", "stranger: Ada"), ("bob@evil.example", "bob@evil.example")]
)
async def test_whom_a_proxy_names_beside_the_people_has_no_vote(tmp_path: Path, user: str, by: str) -> None:
    async with behind(tmp_path, user) as (inbox, http):
        await inbox.add("ada", email=ADA)
        theirs, anybodys = await inbox.ask_of("ada"), await inbox.ask("Tea?", options=["yes", "no"])
        assert "it is the decision of ada" in (await answer(http, theirs.id)).text
        assert (await answer(http, anybodys.id)).status_code == 200
        end = (await inbox.desk.get(anybodys.id)).end
        assert end is not None
        assert end.by == by
        assert "not as a person of this store" in (await http.get("/you")).text


@pytest.mark.parametrize("user", ["ada", ADA])
async def test_a_removed_person_decides_nothing_behind_a_proxy(tmp_path: Path, user: str) -> None:
    async with behind(tmp_path, user) as (inbox, http):
        await inbox.add("ada", email=ADA)
        handoff = await inbox.ask("Tea?", options=["yes", "no"])
        csrf = (await http.get("/")).text.split('name="csrf" value="')[1].split('"')[0]
        await inbox.remove("ada")
        form = {"csrf": csrf, "field.response": "yes"}
        reply = await http.post(f"/h/{handoff.id}/answer", data=form, headers={"accept": "application/json"})
        assert (reply.status_code, "ada was removed" in reply.json()["problem"]) == (403, True)
        page = await http.get("/")
        assert (page.status_code, "ada was removed" in page.text) == (403, True)
        assert (await inbox.desk.get(handoff.id)).end is None
        # The address is given to another person, and with it what is asked of that one.
        await inbox.add("lovelace", email=ADA)
        assert ((await http.get("/")).status_code == 200) == (user == ADA)


@pytest.mark.parametrize("user", ["ada", ADA])
async def test_the_news_of_a_person_behind_a_proxy_end_with_them(tmp_path: Path, user: str) -> None:
    async with home(tmp_path, proxy_header=HEADER) as inbox:
        await inbox.add("ada", email=ADA)
        async with httpx.AsyncClient(base_url=inbox.url, headers={HEADER: user}) as http:
            async with http.stream("GET", "/events", timeout=120) as reply:
                lines = reply.aiter_lines()
                assert "clock" in await anext(lines)
                await inbox.remove("ada")
                with anyio.fail_after(120):
                    async for _ in lines:
                        pass
            assert (await http.get("/events")).status_code == 403


async def test_the_news_of_a_stranger_end_when_they_become_a_person(tmp_path: Path) -> None:
    async with home(tmp_path, proxy_header=HEADER) as inbox:
        async with httpx.AsyncClient(base_url=inbox.url, headers={HEADER: ADA}) as http:
            async with http.stream("GET", "/events", timeout=120) as reply:
                lines = reply.aiter_lines()
                assert "clock" in await anext(lines)
                await inbox.add("ada", email=ADA)
                with anyio.fail_after(120):
                    async for _ in lines:
                        pass


async def test_the_news_of_a_stranger_end_when_they_sign_out(tmp_path: Path) -> None:
    async with vouched(tmp_path) as first:
        await first.sign_in()
        cookies = dict(first.http.cookies)
        async with httpx.AsyncClient(base_url=first.inbox.url, cookies=cookies) as http:
            async with http.stream("GET", "/events", timeout=120) as reply:
                lines = reply.aiter_lines()
                assert "clock" in await anext(lines)
                assert (await first.http.post("/sign-out", data={"csrf": await first.csrf()})).status_code == 200
                with anyio.fail_after(120):
                    async for _ in lines:
                        pass


async def test_a_header_that_names_two_people_lets_nobody_in(tmp_path: Path) -> None:
    async with behind(tmp_path, ADA) as (inbox, http):
        await inbox.add("ada", email=ADA)
        assert (await http.get("/")).status_code == 200
        await inbox.add(ADA)  # as a name
        page = await http.get("/")
        assert (page.status_code, "stands for several people here" in page.text) == (403, True)


async def sign_in_there(page: Page) -> None:
    await page.get_by_role("link", name="Sign in with 127.0.0.1").click()
    await page.get_by_role("button", name="Continue as Ada").click()
    await expect(page.locator(".foot")).to_be_visible()


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_a_person_signs_in_at_the_provider_and_decides(tmp_path: Path, opened: Opened, scheme: str) -> None:
    async with vouched(tmp_path) as first, opened(color_scheme=scheme) as page:
        inbox = first.inbox
        first.provider.asks = True
        await inbox.add("ada", email=ADA)
        handoff = await inbox.ask_of("ada")
        await visit(page, f"{inbox.url}/h/{handoff.id}")
        await expect(page.get_by_role("link", name="Sign in with 127.0.0.1")).to_be_visible()
        assert await axe(page) == []
        await sign_in_there(page)
        assert page.url == f"{inbox.url}/h/{handoff.id}"
        await expect(page.locator(".foot")).to_contain_text("You are signed in as ada.")
        await page.get_by_role("button", name="yes").click()
        await expect(page.locator("h1")).to_contain_text("Answered by ada")
        # What has a code in its address is no page that one comes back to.
        # The page before may load itself anew at once, of which `go_back` would make an error.
        async with page.expect_event("framenavigated"):
            await page.evaluate("setTimeout(() => history.back(), 50)")
        assert "code=" not in page.url
        await visit(page, f"{inbox.url}/you")
        await expect(page.locator("text=this browser")).to_be_visible()
        [session] = await inbox.people.sessions("ada", at=inbox.clock.now())
        await inbox.people.end(session.id)
        await visit(page, f"{inbox.url}/you")
        await expect(page.get_by_role("link", name="Sign in with 127.0.0.1")).to_be_visible()


async def test_without_people_one_signs_in_and_out_at_the_provider(tmp_path: Path, opened: Opened) -> None:
    async with vouched(tmp_path) as first, opened(viewport={"width": 375, "height": 700}) as page:
        first.provider.asks = True
        handoff = await first.inbox.ask(options=["yes", "no"])
        await visit(page, first.inbox.url)
        await sign_in_there(page)
        await expect(page.locator(".foot")).to_contain_text(f"You are signed in as {ADA}.")
        await page.get_by_role("button", name="yes").click()
        await expect(page.locator(".card")).to_contain_text(f"Answered by {ADA}")
        end = (await first.inbox.desk.get(handoff.id)).end
        assert end is not None
        assert end.by == ADA
        await visit(page, first.inbox.url)
        await sign_out(page)
        # The provider still knows them; here they are signed out until they ask for it.
        await visit(page, first.inbox.url)
        await expect(page.get_by_role("link", name="Sign in with 127.0.0.1")).to_be_visible()


async def test_a_passkey_signs_also_where_the_provider_signed_in(tmp_path: Path, opened: Opened) -> None:
    async with vouched(tmp_path) as first, opened() as page:
        inbox = first.inbox
        await inbox.add("ada", email=ADA)
        await with_authenticator(page)
        await join(page, await inbox.invite("ada"))
        await sign_out(page)
        first.provider.asks = True
        handoff = await inbox.ask_of("ada", proof="passkey")
        await visit(page, f"{inbox.url}/h/{handoff.id}")
        await sign_in_there(page)
        await page.get_by_role("button", name="yes").click()
        await expect(page.locator("h1")).to_contain_text("Answered by ada")
        assert (await inbox.desk.get(handoff.id)).votes[0].proof
