"""The cookies of localhost go to every port of it: what a program at another port can't do with them, in a Chromium."""

import json
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
from playwright.async_api import BrowserContext, Cookie, Page, expect
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from handoffs.core.model import Handoff, State
from tests.waiting import until
from tests.web.held import call, hold
from tests.web.joined import Home, home, join, with_authenticator
from tests.web.serving import Inbox, Opened, on_port, pressed
from tests.web.serving import Page as PlainPage
from tests.web.signing import PageKey, SigningClient
from tests.web.visiting import visit

OWN_KEY = """async () => {
  const { ownKey } = await import(new URL("key.js", document.querySelector("script[src$='/main.js']").src).href);
  return ownKey();
}"""
LOSE = """() => new Promise((resolve, reject) => {
  const gone = indexedDB.deleteDatabase("handoffs");
  gone.onsuccess = resolve;
  gone.onerror = reject; // where it is in use, it goes as soon as it is not
})"""
STORED = """() => new Promise((resolve, reject) => {
  const opening = indexedDB.open("handoffs");
  opening.onerror = reject;
  opening.onsuccess = async () => {
    const database = opening.result;
    if (!database.objectStoreNames.length) { database.close(); resolve("none"); return; }
    const reading = database.transaction("keys").objectStore("keys").get("page");
    reading.onsuccess = async () => {
      database.close();
      const { privateKey } = reading.result;
      resolve(await crypto.subtle.exportKey("pkcs8", privateKey).then(() => "read", (error) => error.name));
    };
  };
})"""
FETCH = """(to) => fetch(to, {
  method: "POST", mode: "no-cors", credentials: "include", body: new URLSearchParams({ "field.response": "yes" })
}).then(() => "came", () => "failed")"""
SUBMIT = """(action) => {
  const form = Object.assign(document.createElement("form"), { method: "post", action });
  form.append(Object.assign(document.createElement("input"), { name: "field.response", value: "yes" }));
  document.body.append(form);
  form.submit();
}"""
AN_HOUR = 3_600_000


async def entered(page: Page, inbox: Home, path: str = "/") -> None:
    """Sign in with a link, as `tests.web.visiting.enter` does."""
    await visit(page, inbox.link(path))
    await expect(page.locator(".foot")).to_be_visible()
    await page.wait_for_load_state()


def keys_of(folder: Path) -> list[str]:
    """The keys that sessions of the machine's user are bound to."""
    content = json.loads((folder / "inbox" / "sessions.json").read_text())
    assert content["sessions"] == {}
    return [key for _, key in content["keyed"].values()]


async def ended(inbox: Home, handoff: Handoff) -> Handoff | None:
    found = await inbox.desk.get(handoff.id)
    return None if found.end is None else found


@dataclass
class Neighbour:
    """A program at another port of localhost, which keeps what browsers send it."""

    url: str = ""
    cookies: dict[str, str] = field(default_factory=dict)

    async def page(self, request: Request) -> Response:
        self.cookies |= request.cookies
        return HTMLResponse("<!doctype html><title>A neighbour</title><p>Hello</p>")

    @asynccontextmanager
    async def client(self, inbox: Home) -> AsyncGenerator[PlainPage]:
        """What it can be to the inbox: any client, with the cookies."""
        async with httpx.AsyncClient(base_url=inbox.url, cookies=self.cookies) as http:
            yield PlainPage(http, Inbox(Path(), inbox.desk, inbox.sign_in))


@asynccontextmanager
async def neighbour() -> AsyncGenerator[Neighbour]:
    found = Neighbour()
    async with on_port(Starlette(routes=[Route("/", found.page)])) as port:
        found.url = f"http://localhost:{port}"
        yield found


async def decides_nothing(other: Neighbour, inbox: Home, handoff: Handoff) -> None:
    """Try all that a thief of the cookies can."""
    yes = {"field.response": "yes"}
    async with other.client(inbox) as thief:
        assert "Deploy?" in (await thief.http.get("/")).text  # the cookies are right
        for path in (f"/h/{handoff.id}/answer", f"/h/{handoff.id}/decline", "/grants/stop"):
            refused = await thief.post(path, script=True, data=yes)
            assert (refused.status_code, "without the signature" in refused.json()["problem"]) == (403, True)
        own = PageKey()
        refused = await thief.post("/key", script=True, key=own.written)
        assert (refused.status_code, refused.json()["problem"]) == (
            409,
            "This sign-in is bound to the key of another browser.",
        )
        client = SigningClient(thief.http, own, await thief.csrf())
        refused = await client.post(f"/h/{handoff.id}/answer", inbox.clock.now(), **yes)
        assert (refused.status_code, "not signed with the key" in refused.json()["problem"]) == (403, True)
        # Nor is another session to be had.
        assert (await thief.http.get("/sign-in")).status_code == 303
        assert (await thief.http.post("/sign-in", data={"code": "x", "key": own.written})).headers["location"] == "/"
    assert await inbox.desk.get(handoff.id) == handoff
    assert await inbox.desk.permissions.stopped() is None


async def test_a_program_at_another_port_has_the_cookie_and_decides_nothing(tmp_path: Path, opened: Opened) -> None:
    async with home(tmp_path) as inbox, neighbour() as other, opened() as page:
        handoff = await inbox.ask()
        await entered(page, inbox)
        [key] = keys_of(tmp_path)
        assert await page.evaluate(OWN_KEY) == key
        await visit(page, other.url)
        assert other.cookies
        await decides_nothing(other, inbox, handoff)
        # The neighbour's page sends with the cookie, too; and it finds no key.
        answer = f"{inbox.url}/h/{handoff.id}/answer"
        assert await page.evaluate(FETCH, answer) == "failed"
        assert await page.evaluate(STORED) == "none"
        await page.evaluate(SUBMIT, answer)
        await expect(page.locator("body")).to_have_text("Only the inbox's own page may send this.")
        assert await inbox.desk.get(handoff.id) == handoff
        await visit(page, inbox.url)
        assert await page.evaluate(STORED) == "InvalidAccessError"  # it signs, and can't be read
        await page.get_by_label("Response").fill("yes")
        await page.get_by_role("button", name="Answer").click()
        found = await until(lambda: ended(inbox, handoff))
        assert found.values == {"response": "yes"}


async def test_nor_with_the_cookie_of_a_person_with_a_passkey(tmp_path: Path, opened: Opened) -> None:
    async with home(tmp_path) as inbox, neighbour() as other, opened() as page:
        await inbox.add("ada")
        handoff = await inbox.ask()
        await with_authenticator(page)
        await join(page, await inbox.invite("ada"))
        await visit(page, other.url)
        await decides_nothing(other, inbox, handoff)
        [session] = await inbox.people.sessions("ada", at=inbox.clock.now())
        async with other.client(inbox) as thief:
            assert (await thief.post(f"/you/sessions/{session.id}/end")).status_code == 403
        await visit(page, inbox.url)
        assert await page.evaluate(OWN_KEY) == session.page_key
        await page.get_by_label("Response").fill("yes")
        await page.get_by_role("button", name="Answer").click()
        assert (await until(lambda: ended(inbox, handoff))).values == {"response": "yes"}


async def test_forms_that_lead_to_another_page_are_signed(tmp_path: Path, opened: Opened) -> None:
    async with home(tmp_path) as inbox, opened() as page:
        await entered(page, inbox, "/grants")
        await page.get_by_role("link", name="Stop everything…").click()
        await page.get_by_role("button", name="Stop everything").press("Enter")
        await expect(page.locator(".banner.stopped")).to_be_visible()
        assert await inbox.desk.permissions.stopped() is not None
        await page.get_by_role("button", name="End the stop").click()
        await expect(page.locator(".banner.stopped")).to_have_count(0)
        assert await inbox.desk.permissions.stopped() is None
        calls = [await hold(inbox.desk, call(arguments={"id": each})) for each in (1, 2)]
        await visit(page, inbox.url)
        await page.get_by_role("button", name="Deny all…").click()
        await page.locator("#reason").fill("first line\nsecond: ä & +%= \U0001f600")
        await page.get_by_role("button", name="Deny these 2 calls").click()
        await expect(page.locator("h1")).to_have_text("2 of 2 denied")
        for each in calls:
            found = await until(lambda each=each: ended(inbox, each))
            assert found.values is not None
            assert found.values["reason"] == "first line\nsecond: ä & +%= \U0001f600"


async def test_two_tabs_share_the_key_and_a_further_link_is_left_unused(tmp_path: Path, opened: Opened) -> None:
    async with home(tmp_path) as inbox, opened() as page:
        first, second = await inbox.ask("First?"), await inbox.ask("Second?")
        await entered(page, inbox)
        tab = await page.context.new_page()
        link = inbox.link(f"/h/{second.id}")
        await visit(tab, link)
        await expect(tab.locator(".card")).to_contain_text("Second?")
        assert len(keys_of(tmp_path)) == 1
        for each, handoff in ((page, first), (tab, second)):
            card = each.locator(f"#{handoff.id}")
            await card.get_by_label("Response").fill("yes")
            await card.get_by_role("button", name="Answer").click()
            await until(lambda handoff=handoff: ended(inbox, handoff))
        address, form = pressed(link)
        async with httpx.AsyncClient() as another:
            assert (await another.post(address, data=form)).status_code == 303


async def test_who_has_lost_the_key_loses_no_word_and_signs_in_again(tmp_path: Path, opened: Opened) -> None:
    async with home(tmp_path) as inbox, opened() as page:
        handoff = await inbox.ask()
        await entered(page, inbox)
        await page.evaluate(LOSE)
        await visit(page, f"{inbox.url}/h/{handoff.id}")
        await page.get_by_label("Response").fill("a long answer")
        await page.get_by_role("button", name="Answer").click()
        await expect(page.locator(".of-form")).to_contain_text("this browser has lost the key")
        await expect(page.get_by_label("Response")).to_have_value("a long answer")
        assert await inbox.desk.get(handoff.id) == handoff
        await entered(page, inbox, f"/h/{handoff.id}")
        assert len(set(keys_of(tmp_path))) == 2
        await expect(page.get_by_label("Response")).to_have_value("a long answer")
        await page.get_by_role("button", name="Answer").click()
        assert (await until(lambda: ended(inbox, handoff))).values == {"response": "a long answer"}


async def test_a_form_that_can_not_be_signed_is_not_sent(tmp_path: Path, opened: Opened) -> None:
    async with home(tmp_path) as inbox, opened() as page:
        calls = [await hold(inbox.desk, call(arguments={"id": each})) for each in (1, 2)]
        await entered(page, inbox)
        await page.get_by_role("button", name="Deny all…").click()
        await page.locator("#reason").fill("because")
        button = page.get_by_role("button", name="Deny these 2 calls")
        await page.route("**/key", lambda route: route.abort())
        await button.click()
        await expect(page.locator(".decide-all .problem")).to_contain_text("could not be reached")
        await page.unroute("**/key")
        [token] = await page.context.cookies()
        inbox.sign_in.end(token["value"])
        await button.click()
        await expect(page.locator(".decide-all .problem")).to_contain_text("You are signed out.")
        await expect(page.locator("#reason")).to_have_value("because")
        for each in calls:
            assert await inbox.desk.get(each.id) == each


async def with_cookie(context: BrowserContext, inbox: Home) -> dict[str, str]:
    """Sign a browser in without a key, as an earlier version did; the cookie."""
    name, token = inbox.sign_in.cookie, inbox.sign_in.redeem(inbox.sign_in.make_code())
    await context.add_cookies([{"name": name, "value": token, "url": inbox.url}])
    return {name: token}


async def test_a_session_of_an_earlier_version_takes_the_key_of_its_page(tmp_path: Path, opened: Opened) -> None:
    async with home(tmp_path) as inbox, opened() as page:
        handoff = await inbox.ask()
        cookies = await with_cookie(page.context, inbox)
        await visit(page, inbox.url)
        session = await until(lambda: _keyed(inbox, cookies))
        assert session == await page.evaluate(OWN_KEY)
        await decides_nothing(Neighbour(cookies=cookies), inbox, handoff)
        await page.get_by_label("Response").fill("yes")
        await page.get_by_role("button", name="Answer").click()
        assert (await until(lambda: ended(inbox, handoff))).values == {"response": "yes"}


def _keyed(inbox: Home, cookies: dict[str, str]) -> str:
    session = inbox.sign_in.session(*cookies.values())
    return "" if session is None else session.page_key


@pytest.mark.parametrize("lacks", ["window.crypto.__proto__, 'subtle'", "window, 'indexedDB'"])
async def test_a_browser_that_keeps_no_key_works_as_before(tmp_path: Path, opened: Opened, lacks: str) -> None:
    async with home(tmp_path) as inbox, opened() as page:
        handoff = await inbox.ask()
        await page.add_init_script(f"Object.defineProperty({lacks}, {{ get: () => undefined }})")
        await entered(page, inbox)
        await page.get_by_label("Response").fill("yes")
        await page.get_by_role("button", name="Answer").click()
        await until(lambda: ended(inbox, handoff))
        await visit(page, f"{inbox.url}/grants/stop")
        await page.get_by_role("button", name="Stop everything").click()
        await expect(page.locator(".banner.stopped")).to_be_visible()


@pytest.mark.parametrize("off", [-AN_HOUR, AN_HOUR])
async def test_a_clock_that_is_off_or_jumps_stops_nobody(tmp_path: Path, opened: Opened, off: int) -> None:
    async with home(tmp_path) as inbox, opened() as page:
        first, second = await inbox.ask("First?"), await inbox.ask("Second?")
        await page.add_init_script(f"const now = Date.now; window.off = {off}; Date.now = () => now() + window.off;")
        await entered(page, inbox)
        for handoff in (first, second):
            card = page.locator(f"#{handoff.id}")
            await card.get_by_label("Response").fill("yes")
            await card.get_by_role("button", name="Answer").click()
            await until(lambda handoff=handoff: ended(inbox, handoff))
            await page.evaluate("window.off = 0")
        assert (await inbox.desk.get(second.id)).state is State.ANSWERED


async def test_what_is_sent_before_the_scripts_are_there_is_signed(tmp_path: Path, opened: Opened) -> None:
    async with home(tmp_path) as inbox, opened() as page:
        handoff = await inbox.ask()
        await entered(page, inbox)
        waits: list[Any] = []

        async def late(route: Any) -> None:
            waits.append(route)

        await page.route("**/main.js", late)
        await page.goto(inbox.url, wait_until="commit")
        await page.get_by_label("Response").fill("yes")
        await page.get_by_role("button", name="Answer").click(no_wait_after=True)
        await until(lambda: waits)
        assert await inbox.desk.get(handoff.id) == handoff
        await waits[0].continue_()
        assert (await until(lambda: ended(inbox, handoff))).values == {"response": "yes"}


async def test_the_cookies_of_localhost_know_no_port(tmp_path: Path, opened: Opened) -> None:
    # Were it otherwise, none of this would be needed.
    async with home(tmp_path) as inbox, neighbour() as other, opened() as page:
        await entered(page, inbox)
        cookies: list[Cookie] = await page.context.cookies(other.url)
        assert [each.get("name") for each in cookies] == [inbox.sign_in.cookie]
