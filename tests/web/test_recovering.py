"""A person who has lost all passkeys recovers, after a delay, in a real Chromium with an authenticator of its own."""

from datetime import timedelta
from pathlib import Path

import pytest
from playwright.async_api import Page, expect

from handoffs.core.recovery import GOOD_FOR, Recovery
from tests.fakes import FakeClock
from tests.web.joined import Home, digest_of, home, join, sign_in_with_passkey, sign_out, with_authenticator
from tests.web.serving import Opened
from tests.web.test_reading import SHAPES, axe
from tests.web.visiting import visit

DELAY = timedelta(hours=48)


async def recover(inbox: Home, name: str = "ada", token: str = "way-back") -> str:
    """Ask for a recovery as `handoffs people recover` does; the address of its link."""
    now = inbox.clock.now()
    begins = now + DELAY
    asked = Recovery(person=name, asked_by="root", asked_at=now, begins_at=begins, ends_at=begins + GOOD_FOR)
    await inbox.people.ask_recovery(digest_of(token), asked)
    return f"{inbox.url}/join/{token}"


async def refused(page: Page, address: str, why: str) -> None:
    await visit(page, address)
    await expect(page.get_by_role("heading")).to_have_text("This link can't be used")
    await expect(page.locator(".banner")).to_contain_text(why)
    posted = await page.context.request.post(f"{address}/options", data={})
    assert posted.status == 403
    assert why in (await posted.json())["problem"]


async def test_lost_passkeys_are_replaced_once_the_delay_is_over(tmp_path: Path, opened: Opened) -> None:
    clock = FakeClock()
    async with home(tmp_path, clock=clock) as inbox, opened() as lost, opened() as page:
        await inbox.add("ada", "dba")
        await with_authenticator(lost)
        await join(lost, await inbox.invite("ada"), label="Lost")
        await with_authenticator(page)
        address = await recover(inbox)
        await refused(page, address, "This recovery begins at")
        clock.forward(DELAY.total_seconds())
        await visit(page, address)
        await expect(page.get_by_role("heading")).to_have_text("Recover the passkeys of ada")
        await expect(page.locator(".banner")).to_contain_text("takes the place of all that ada has")
        await join(page, address, label="New")
        await expect(page.locator(".foot")).to_contain_text("You are signed in as ada.")
        [key] = await inbox.people.keys("ada")
        assert key.label == "New"
        await visit(lost, inbox.url)
        await lost.get_by_role("button", name="Sign in with a passkey").click()
        await expect(lost.locator(".problem")).to_contain_text("can't be used")
        await refused(lost, address, "This recovery was used.")
        await sign_out(page)
        await sign_in_with_passkey(page)
        await expect(page.locator(".recovery")).to_have_count(0)


async def test_every_page_tells_everybody_of_a_recovery(tmp_path: Path, opened: Opened) -> None:
    async with home(tmp_path) as inbox, opened() as ada, opened() as bob, opened() as owner:
        for name, page in (("ada", ada), ("bob", bob)):
            await inbox.add(name)
            await with_authenticator(page)
            await join(page, await inbox.invite(name))
        await visit(owner, inbox.link())
        await expect(ada.locator(".recovery")).to_have_count(0)
        await recover(inbox)
        for page in (ada, bob, owner):
            for path in ("/", "/history", "/figures", "/grants"):
                await visit(page, f"{inbox.url}{path}")
                banner = page.locator(".recovery")
                await expect(banner).to_contain_text("A recovery of the passkeys of ada begins at")
                await expect(banner).to_contain_text("asked for by root")
                await expect(banner.get_by_role("button")).to_have_count(1 if page is ada else 0)


async def test_the_person_stops_a_recovery_with_a_passkey(tmp_path: Path, opened: Opened) -> None:
    clock = FakeClock()
    async with home(tmp_path, clock=clock) as inbox, opened() as page:
        await inbox.add("ada")
        cdp, authenticator = await with_authenticator(page)
        await join(page, await inbox.invite("ada"))
        address = await recover(inbox)
        await visit(page, inbox.url)
        await cdp.send("WebAuthn.setUserVerified", {"authenticatorId": authenticator, "isUserVerified": False})
        await page.get_by_role("button", name="Stop the recovery").click()
        await expect(page.locator(".recovery .problem")).to_contain_text("did not check that it is you")
        assert await inbox.people.recoveries(at=clock.now())
        await cdp.send("WebAuthn.setUserVerified", {"authenticatorId": authenticator, "isUserVerified": True})
        await page.get_by_role("button", name="Stop the recovery").click()
        await page.wait_for_url("**/you")
        await expect(page.locator(".recovery")).to_have_count(0)
        assert await inbox.people.recoveries(at=clock.now()) == []
        names = [each.name for each in await inbox.desk.log()]
        assert names[-2:] == ["recoveryasked", "recoverystopped"]
        clock.forward(DELAY.total_seconds())
        await refused(page, address, "This recovery was stopped.")
        assert len(await inbox.people.keys("ada")) == 1


MAKE_AT = """async (options) => {
  const publicKey = PublicKeyCredential.parseCreationOptionsFromJSON(options);
  return (await navigator.credentials.create({ publicKey })).toJSON();
}"""


async def test_a_key_made_before_a_stop_is_not_taken_after_it(tmp_path: Path, opened: Opened) -> None:
    clock = FakeClock()
    async with home(tmp_path, clock=clock) as inbox, opened() as page:
        await inbox.add("ada")
        address = await recover(inbox)
        await with_authenticator(page)
        clock.forward(DELAY.total_seconds())
        await visit(page, address)
        offer = await (await page.context.request.post(f"{address}/options", data={})).json()
        made = await page.evaluate(MAKE_AT, offer["publicKey"])
        assert await inbox.people.stop_recovery("ada", by="root", at=clock.now())
        reply = await page.context.request.post(address, data={"id": offer["id"], "credential": made})
        assert reply.status == 403
        assert "was stopped" in (await reply.json())["problem"]
        assert await inbox.people.keys("ada") == []


async def test_nobody_else_stops_or_uses_a_recovery(tmp_path: Path, opened: Opened) -> None:
    async with home(tmp_path) as inbox, opened() as page:
        for name in ("ada", "bob"):
            await inbox.add(name)
        await with_authenticator(page)
        stranger = await page.context.request.post(f"{inbox.url}/recovery/stop/options", data={})
        assert stranger.status in {401, 403}
        await join(page, await inbox.invite("bob"))
        address = await recover(inbox)
        await visit(page, inbox.url)
        unsigned = await page.context.request.post(f"{inbox.url}/recovery/stop/options", data={})
        assert unsigned.status == 403
        assert await inbox.people.recoveries(at=inbox.clock.now())
        await refused(page, address, "This recovery begins at")


async def test_with_pinned_keys_no_recovery_is_used(tmp_path: Path, opened: Opened) -> None:
    clock = FakeClock()
    async with home(tmp_path, clock=clock, pinned=True) as inbox, opened() as page:
        await inbox.add("ada")
        address = await recover(inbox)
        clock.forward(DELAY.total_seconds())
        await refused(page, address, "HANDOFFS_PINNED_KEYS")


@pytest.mark.parametrize("shape", SHAPES)
async def test_the_pages_of_a_recovery_can_be_read_by_all(shape: str, tmp_path: Path, opened: Opened) -> None:
    clock = FakeClock()
    async with home(tmp_path, clock=clock) as inbox, opened(**SHAPES[shape]) as page:
        await inbox.add("ada")
        await with_authenticator(page)
        await join(page, await inbox.invite("ada"))
        address = await recover(inbox)
        await visit(page, inbox.url)
        assert await axe(page) == []
        clock.forward(DELAY.total_seconds())
        await visit(page, address)
        assert await axe(page) == []
