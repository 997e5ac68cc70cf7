"""The page of permissions for later, and the stop of everything."""

import sqlite3
from datetime import timedelta
from pathlib import Path

from playwright.async_api import expect

from handoffs.core.grant import Condition, Grant, Pin, Stop
from handoffs.core.model import State
from handoffs.core.ports import Permissions
from tests.web.held import call, given, hold
from tests.web.serving import Opened, serving, signed_in
from tests.web.test_reading import axe
from tests.web.visiting import enter, visit


async def kept(permissions: Permissions, grant: Grant) -> Grant:
    """The permission as it is now."""
    return next(each for each in await permissions.grants() if each.id == grant.id)


async def test_each_permission_says_who_gave_it_for_what_and_how_it_was_used(tmp_path: Path) -> None:
    async with signed_in(tmp_path) as page:
        desk = page.inbox.desk
        asked = await hold(desk, call(arguments={"id": 4711, "token": "hush"}, masked=("token",)))
        exact = await given(desk, handoff=asked, by="eve")
        await given(desk, tool="list_orders", expires_at=None)
        within = Condition(name="path", kind="prefix", value="/srv/app/")
        await given(desk, tool="write_file", conditions=(within,), uses_left=3)
        await desk.permissions.use(exact.id, at=desk.clock.now())
        text = (await page.http.get("/grants")).text
        for said in (
            "eve",
            "4711",
            "these exact arguments",
            "any arguments",
            "it is revoked",
            "1 time,",
            asked.id,
            "path begins with /srv/app/",
            "3 uses left",
        ):
            assert said in text, said
        assert "hush" not in text
        assert "••••" in text


async def test_revoking_and_resuming_count_from_the_next_call_on(tmp_path: Path, opened: Opened) -> None:
    async with serving(tmp_path) as inbox, opened() as page:
        kinds = inbox.desk.permissions
        first, second = await given(inbox.desk, tool="one"), await given(inbox.desk, tool="two")
        await kinds.suspend(second.id, at=inbox.desk.clock.now())
        await enter(page, inbox)
        await page.get_by_role("link", name="Permissions").click()
        await page.locator(f"#{second.id}").get_by_role("button", name="Resume").press("Enter")
        await expect(page.locator(f"#{second.id} .state")).to_have_text("active")
        assert (await kept(kinds, second)).suspended_at is None
        await page.locator(f"#{first.id}").get_by_role("button", name="Revoke").click()
        await expect(page.locator(".ended-grants summary")).to_have_text("1 that have ended")
        assert await kinds.use(first.id, at=inbox.desk.clock.now()) is None
        assert await kinds.use(second.id, at=inbox.desk.clock.now()) is not None


async def test_a_permission_ends_by_no_other_page_and_an_unknown_one_is_said(tmp_path: Path) -> None:
    async with signed_in(tmp_path) as page:
        grant = await given(page.inbox.desk)
        for path in (f"/grants/{grant.id}/revoke", "/grants/stop"):
            assert (await page.http.post(path, data={"csrf": "guessed"})).status_code == 403
            away = await page.http.post(path, data={"csrf": await page.csrf()}, headers={"origin": "https://evil.test"})
            assert away.status_code == 403
        assert (await kept(page.inbox.desk.permissions, grant)).revoked_at is None
        assert await page.inbox.desk.permissions.stopped() is None
        assert (await page.post("/grants/g_none/revoke")).status_code == 404


async def test_everything_is_stopped_after_a_question_and_every_page_says_so(tmp_path: Path, opened: Opened) -> None:
    async with serving(tmp_path) as inbox, opened() as page:
        held = await hold(inbox.desk)
        plain = await inbox.ask("Which?", options=["a", "b"])
        await enter(page, inbox, "/grants")
        await page.get_by_role("link", name="Stop everything…").click()
        await expect(page.locator("h1")).to_have_text("Stop everything?")
        assert await inbox.desk.permissions.stopped() is None
        await page.get_by_role("button", name="Stop everything").click()
        await expect(page.locator(".banner.stopped")).to_contain_text("Everything is stopped, by ada")
        denied = await inbox.desk.get(held.id)
        assert denied.state is State.DECLINED
        assert denied.end is not None
        assert denied.end.channel == "inbox"
        assert (await inbox.desk.get(plain.id)).state is State.OPEN
        for path in ("/", "/history", "/figures", f"/h/{held.id}", "/h/h_none", "/grants/stop"):
            await visit(page, inbox.url + path)
            await page.locator(".banner.stopped").get_by_role("link", name="Permissions").click()
            await expect(page.locator("h1")).to_have_text("Permissions for later calls")
        await page.get_by_role("button", name="End the stop").click()
        await expect(page.locator(".banner.stopped")).to_have_count(0)
        assert await inbox.desk.permissions.stopped() is None


async def test_the_page_is_read_by_everybody_on_a_phone_too(tmp_path: Path, opened: Opened) -> None:
    async with serving(tmp_path) as inbox:
        asked = await hold(inbox.desk, call(arguments={"path": "/very/long" * 30, "<b>name</b>": "\u202eevil"}))
        exact = await given(inbox.desk, handoff=asked)
        await given(inbox.desk, tool="t" * 120, by="<script>alert(1)</script>")
        over = await given(inbox.desk)
        await inbox.desk.permissions.suspend(exact.id, at=inbox.desk.clock.now())
        await inbox.desk.permissions.revoke(over.id, at=inbox.desk.clock.now())
        await inbox.desk.permissions.stop(Stop(by="eve", at=inbox.desk.clock.now()))
        for width in (1200, 360):
            async with opened(viewport={"width": width, "height": 800}) as page:
                await enter(page, inbox, "/grants")
                await page.evaluate("document.querySelectorAll('details').forEach((each) => { each.open = true; })")
                assert await axe(page) == []
                wide, window = await page.evaluate("[document.documentElement.scrollWidth, innerWidth]")
                assert wide <= window
                await page.screenshot(path=tmp_path / f"grants-{width}.png", full_page=True)
                await visit(page, inbox.url + "/grants/stop")
                assert await axe(page) == []
                await expect(page.locator(".banner.stopped")).to_contain_text("by eve")


async def test_a_stop_and_its_end_are_said_on_open_pages(tmp_path: Path, opened: Opened) -> None:
    async with serving(tmp_path) as inbox, opened() as page, opened() as other:
        await inbox.ask("Which?", options=["a", "b"])
        await enter(page, inbox)
        await enter(other, inbox, "/figures")
        place = "document.querySelector('main > :last-child').getBoundingClientRect().top"
        before = await page.evaluate(place)
        stop = Stop(by="eve", at=inbox.desk.clock.now())
        await inbox.desk.permissions.stop(stop)
        for each in (page, other):
            await expect(each.locator("#stopped")).to_contain_text("Everything is stopped, by eve")
        assert await page.evaluate(place) == before
        assert await axe(page) == []
        await page.reload()
        await expect(page.locator(".banner.stopped")).to_contain_text("by eve")
        before = await page.evaluate(place)
        await inbox.desk.permissions.lift()
        await expect(page.locator(".banner.stopped")).to_have_text("The stop has ended: calls are asked about again.")
        await expect(other.locator("#stopped")).to_be_hidden()
        assert await page.evaluate(place) == before


async def test_a_page_that_was_away_hears_of_a_stop_that_has_ended(tmp_path: Path, opened: Opened) -> None:
    async with serving(tmp_path) as inbox, opened() as page:
        await inbox.desk.permissions.stop(Stop(by="eve", at=inbox.desk.clock.now()))
        await enter(page, inbox)
        await expect(page.locator(".banner.stopped")).to_be_visible()
        # No line of the log comes with it: only the page's own beginning to listen can tell.
        await page.context.set_offline(True)
        await page.evaluate("window.dispatchEvent(new Event('online'))")
        await inbox.desk.permissions.lift()
        await page.context.set_offline(False)
        await page.evaluate("document.dispatchEvent(new Event('clock-jumped'))")
        await expect(page.locator(".banner.stopped")).to_contain_text("The stop has ended")


async def test_a_server_that_is_new_is_told_of_and_its_tools_are_shown(tmp_path: Path, opened: Opened) -> None:
    async with serving(tmp_path) as inbox, opened() as page:
        now = inbox.desk.clock.now()
        definition = '{"name": "drop", "description": "Drops\\u202e it"}'
        pins = [Pin(server=server, tool="drop", digest="d", definition=definition, pinned_at=at) for server, at in (
            ("<b>shop</b>", now), ("files", now - timedelta(days=2)),
        )]  # fmt: skip
        await inbox.desk.permissions.pin(pins)
        await enter(page, inbox)
        await expect(page.locator(".banner")).to_contain_text("New behind the gate: <b>shop</b>, with 1 tool,")
        await page.get_by_role("link", name="Look at them").click()
        await expect(page.locator("section:has(#servers) .row h3")).to_have_text(["<b>shop</b> new", "files"])
        await page.locator("section:has(#servers) summary").first.press("Enter")
        await expect(page.locator("section:has(#servers) pre").first).to_contain_text("Drops\\u202e it")
        assert await axe(page) == []


async def test_a_denial_stands_where_its_permissions_can_not_be_suspended(tmp_path: Path) -> None:
    async with signed_in(tmp_path) as page:
        held = await hold(page.inbox.desk)
        await given(page.inbox.desk)
        with sqlite3.connect(tmp_path / "handoffs.db") as by_hand:
            by_hand.execute(
                "CREATE TRIGGER full BEFORE UPDATE ON grants BEGIN SELECT RAISE(FAIL, 'the disk is full'); END"
            )
        by_hand.close()
        reply = await page.post(f"/h/{held.id}/answer", script=True, data={"field.decision": "deny"})
        assert reply.status_code == 200
        assert (await page.inbox.desk.get(held.id)).values == {"decision": "deny"}
