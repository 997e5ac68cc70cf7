"""Joining and signing in with a passkey, in a real Chromium with an authenticator of its own."""

from pathlib import Path

import pytest
from playwright.async_api import Page, Route, expect

from handoffs.core.desk import Desk
from tests.waiting import until
from tests.web.joined import home, join, sign_in_with_passkey, sign_out, with_authenticator
from tests.web.serving import Opened
from tests.web.test_reading import SHAPES, axe
from tests.web.visiting import visit


async def test_a_person_joins_answers_leaves_and_signs_in_again(tmp_path: Path, opened: Opened) -> None:
    async with home(tmp_path) as inbox, opened() as page:
        await inbox.add("ada", "dba")
        handoff = await inbox.ask()
        await with_authenticator(page)
        await join(page, await inbox.invite("ada"))
        await page.get_by_label("Response").fill("yes")
        await page.get_by_role("button", name="Answer").click()
        await until(lambda: _by(inbox.desk, handoff.id, "ada"))
        [key] = await inbox.people.keys("ada")
        assert (key.label, key.added_with) == ("Laptop", "")
        await visit(page, f"{inbox.url}/history")
        await sign_out(page)
        assert await inbox.people.sessions("ada", at=inbox.clock.now()) == []
        await visit(page, f"{inbox.url}/history")
        await sign_in_with_passkey(page)
        assert page.url == f"{inbox.url}/history"
        await expect(page.locator(".foot")).to_contain_text("You are signed in as ada.")
        [key] = await inbox.people.keys("ada")
        assert key.last_used_at is not None
        [session] = await inbox.people.sessions("ada", at=inbox.clock.now())
        assert "Chrome" in session.agent


async def _by(desk: Desk, handoff_id: str, name: str) -> bool:
    end = (await desk.get(handoff_id)).end
    return end is not None and end.by == name


async def test_to_open_an_invitation_uses_nothing_up(tmp_path: Path, opened: Opened) -> None:
    async with home(tmp_path) as inbox, opened() as page:
        await inbox.add("ada")
        address = await inbox.invite("ada")
        await with_authenticator(page)
        for _ in range(2):
            await visit(page, address)
            await expect(page.get_by_role("heading")).to_have_text("Join as ada")
        await join(page, address)
        await visit(page, address)
        await expect(page.locator(".banner")).to_contain_text("This invitation was used.")


async def test_without_a_check_of_the_person_no_passkey_is_made(tmp_path: Path, opened: Opened) -> None:
    async with home(tmp_path) as inbox, opened() as page:
        await inbox.add("ada")
        address = await inbox.invite("ada")
        cdp, authenticator = await with_authenticator(page, isUserVerified=False)
        await visit(page, address)
        await page.get_by_role("button", name="Set up a passkey").click()
        await expect(page.locator(".problem")).to_contain_text("did not check that it is you")
        assert await inbox.people.keys("ada") == []
        await cdp.send("WebAuthn.setUserVerified", {"authenticatorId": authenticator, "isUserVerified": True})
        await join(page, address)
        await sign_out(page)
        await cdp.send("WebAuthn.setUserVerified", {"authenticatorId": authenticator, "isUserVerified": False})
        await page.get_by_role("button", name="Sign in with a passkey").click()
        await expect(page.locator(".problem")).to_contain_text("did not check that it is you")
        assert await inbox.people.sessions("ada", at=inbox.clock.now()) == []


SIGN_AT = """async (options) => {
  const publicKey = PublicKeyCredential.parseRequestOptionsFromJSON(options);
  return (await navigator.credentials.get({ publicKey })).toJSON();
}"""
MAKE_AT = """async (options) => {
  const publicKey = PublicKeyCredential.parseCreationOptionsFromJSON(options);
  return (await navigator.credentials.create({ publicKey })).toJSON();
}"""


async def test_what_another_port_signed_is_refused(tmp_path: Path, opened: Opened) -> None:
    (tmp_path / "other").mkdir()
    async with home(tmp_path) as inbox, home(tmp_path / "other") as other, opened() as page:
        await inbox.add("ada")
        await other.add("eve")
        address = await inbox.invite("ada")
        await with_authenticator(page)
        # A page at the other port passes on the challenge of this one: the browser signs, since it is localhost, too.
        http = page.context.request
        offer = await (await http.post(f"{address}/options", data={})).json()
        await visit(page, await other.invite("eve"))
        made = await page.evaluate(MAKE_AT, offer["publicKey"])
        reply = await http.post(address, data={"id": offer["id"], "credential": made})
        assert reply.status == 403
        assert f"signed at {other.url}" in (await reply.json())["problem"]
        assert await inbox.people.keys("ada") == []
        await join(page, address)
        offer = await (await http.post(f"{inbox.url}/sign-in/passkey/options", data={})).json()
        await visit(page, other.url)
        signed = await page.evaluate(SIGN_AT, offer["publicKey"])
        reply = await http.post(f"{inbox.url}/sign-in/passkey", data={"id": offer["id"], "credential": signed})
        assert reply.status == 403
        assert f"signed at {other.url}" in (await reply.json())["problem"]


async def test_at_another_origin_the_page_says_where_to_go(tmp_path: Path, opened: Opened) -> None:
    async with home(tmp_path) as inbox, opened() as page:
        await inbox.add("ada")
        address = await inbox.invite("ada")
        await visit(page, address.replace("localhost", "127.0.0.1"))
        await page.get_by_role("button", name="Set up a passkey").click()
        await expect(page.locator(".problem")).to_contain_text(f"Passkeys count at {inbox.url} alone")


async def test_what_was_signed_once_does_not_sign_in_again(tmp_path: Path, opened: Opened) -> None:
    async with home(tmp_path) as inbox, opened() as page:
        await inbox.add("ada")
        await with_authenticator(page)
        await join(page, await inbox.invite("ada"))
        http = page.context.request
        offer = await (await http.post(f"{inbox.url}/sign-in/passkey/options", data={})).json()
        signed = await page.evaluate(SIGN_AT, offer["publicKey"])
        sent = {"id": offer["id"], "credential": signed}
        assert (await http.post(f"{inbox.url}/sign-in/passkey", data=sent)).status == 200
        again = await http.post(f"{inbox.url}/sign-in/passkey", data=sent)
        assert "was sent before" in (await again.json())["problem"]
        # Nor for the challenge of another time.
        offer = await (await http.post(f"{inbox.url}/sign-in/passkey/options", data={})).json()
        other = await http.post(f"{inbox.url}/sign-in/passkey", data={"id": offer["id"], "credential": signed})
        assert "could not be verified" in (await other.json())["problem"]


async def test_an_invitation_of_one_person_makes_no_key_of_another(tmp_path: Path, opened: Opened) -> None:
    async with home(tmp_path) as inbox, opened() as page:
        await inbox.add("ada")
        await inbox.add("bob")
        ada, bob = await inbox.invite("ada"), await inbox.invite("bob")
        await with_authenticator(page)
        http = page.context.request
        offer = await (await http.post(f"{bob}/options", data={})).json()
        await visit(page, ada)
        made = await page.evaluate(MAKE_AT, offer["publicKey"])
        reply = await http.post(ada, data={"id": offer["id"], "credential": made})
        assert "another invitation" in (await reply.json())["problem"]
        assert await inbox.people.keys("ada") == await inbox.people.keys("bob") == []
        await join(page, ada)


async def test_of_two_browsers_with_one_invitation_one_joins(tmp_path: Path, opened: Opened) -> None:
    async with home(tmp_path) as inbox, opened() as one, opened() as other:
        await inbox.add("ada")
        address = await inbox.invite("ada")
        sent: list[dict[str, object]] = []
        for page in (one, other):
            await with_authenticator(page)
            await visit(page, address)
            offer = await (await page.context.request.post(f"{address}/options", data={})).json()
            sent.append({"id": offer["id"], "credential": await page.evaluate(MAKE_AT, offer["publicKey"])})
        replies = [
            await page.context.request.post(address, data=data) for page, data in zip((one, other), sent, strict=True)
        ]
        assert [reply.status for reply in replies] == [200, 403]
        assert len(await inbox.people.keys("ada")) == 1


async def test_an_open_page_of_a_removed_person_decides_nothing(tmp_path: Path, opened: Opened) -> None:
    async with home(tmp_path) as inbox, opened() as page:
        await inbox.add("ada")
        handoff = await inbox.ask()
        await with_authenticator(page)
        await join(page, await inbox.invite("ada"))
        await page.get_by_label("Response").fill("yes")
        await inbox.remove("ada")
        await page.get_by_role("button", name="Answer").click()
        await expect(page.locator(".problem:not(:empty)")).to_contain_text("You are signed out.")
        # The stream of the page has ended, too: nothing that happens later reaches it.
        await expect(page.locator("#connection")).to_have_text("You are signed out: load this page again to sign in.")
        await inbox.ask("Later?")
        await expect(page.locator(".card")).to_have_count(1)
        assert (await inbox.desk.get(handoff.id)).end is None
        await page.reload()
        await expect(page.get_by_role("heading")).to_contain_text("Sign in")


async def test_a_further_passkey_is_vouched_for_by_an_earlier_one(tmp_path: Path, opened: Opened) -> None:
    async with home(tmp_path) as inbox, opened() as page:
        await inbox.add("ada")
        _, authenticator = await with_authenticator(page)
        await join(page, await inbox.invite("ada"))
        await visit(page, f"{inbox.url}/you")
        await expect(page.get_by_role("button", name="Remove")).to_have_count(0)
        await _add(page, "Phone", first=authenticator)
        first, second = await inbox.people.keys("ada")
        assert (second.label, second.added_with) == ("Phone", first.credential_id)
        await page.get_by_role("button", name="Remove Laptop").click()
        await expect(page.get_by_role("heading", name="Laptop")).to_have_count(0)
        await expect(page.get_by_role("button", name="Remove")).to_have_count(0)
        assert [key.label for key in await inbox.people.keys("ada")] == ["Phone"]


async def _add(page: Page, label: str, *, first: str) -> None:
    await page.get_by_label("A word for the device").fill(label)
    cdp, other = await with_authenticator(page, transport="usb")

    async def change(route: Route) -> None:
        # An authenticator keeps one key of a person: the first one has signed, the other is to make the next.
        await cdp.send("WebAuthn.setAutomaticPresenceSimulation", {"authenticatorId": first, "enabled": False})
        await cdp.send("WebAuthn.setAutomaticPresenceSimulation", {"authenticatorId": other, "enabled": True})
        await route.continue_()

    await cdp.send("WebAuthn.setAutomaticPresenceSimulation", {"authenticatorId": other, "enabled": False})
    await page.route("**/you/keys/options", change)
    await page.get_by_role("button", name="Add a passkey").click()
    await expect(page.get_by_role("heading", name=label)).to_be_visible()


async def test_a_session_that_is_ended_in_another_browser_is_over(tmp_path: Path, opened: Opened) -> None:
    async with home(tmp_path) as inbox, opened() as page:
        await inbox.add("ada")
        await with_authenticator(page)
        await join(page, await inbox.invite("ada"))
        await inbox.people.begin("elsewhere", "ada", at=inbox.clock.now(), agent="Elsewhere/1.0")
        await visit(page, f"{inbox.url}/you")
        there = page.locator(".row", has_text="Elsewhere/1.0")
        await there.get_by_role("button", name="End").press("Enter")
        await expect(there).to_have_count(0)
        assert len(await inbox.people.sessions("ada", at=inbox.clock.now())) == 1
        await page.get_by_role("button", name="End").click()
        await expect(page.get_by_role("button", name="Sign in with a passkey")).to_be_visible()


@pytest.mark.parametrize("shape", SHAPES)
async def test_the_pages_of_people_can_be_read_by_everybody(tmp_path: Path, opened: Opened, shape: str) -> None:
    async with home(tmp_path) as inbox, opened(**SHAPES[shape]) as page:
        name = "ada " + "x" * 60
        await inbox.add(name, "dba", "y" * 64)
        address = await inbox.invite(name)
        await with_authenticator(page)
        await visit(page, address)
        await _is_readable(page)
        await join(page, address, "Laptop of " + "z" * 40)
        await inbox.people.begin("elsewhere", name, at=inbox.clock.now(), agent="Elsewhere/" + "9" * 200)
        await visit(page, f"{inbox.url}/you")
        await _is_readable(page)
        await visit(page, address)
        await _is_readable(page)
        await visit(page, inbox.url)
        await _is_readable(page)
        await sign_out(page)
        await _is_readable(page)


async def _is_readable(page: Page) -> None:
    assert await axe(page) == [], page.url
    wide, window = await page.evaluate("[document.documentElement.scrollWidth, innerWidth]")
    assert wide <= window, page.url
