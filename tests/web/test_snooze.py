"""A question that a person puts off is hidden in their browser, and nothing else changes."""

from pathlib import Path

from playwright.async_api import Page, expect

from handoffs.core.model import Handoff
from tests.web.held import call, hold
from tests.web.serving import Opened, serving
from tests.web.test_reading import axe
from tests.web.visiting import enter, until_true


async def put_off(page: Page, handoff: Handoff, until: str = "In an hour") -> None:
    card = page.locator(f"#{handoff.id}")
    await card.get_by_text("Later", exact=True).click()
    await card.get_by_role("button", name=until).click()


async def test_a_snoozed_question_is_hidden_counted_and_back_at_a_press(tmp_path: Path, opened: Opened) -> None:
    async with serving(tmp_path) as inbox, opened() as page:
        first, second = await inbox.ask("First?"), await inbox.ask("Second?")
        await enter(page, inbox)
        await page.locator(f"#{first.id}").get_by_text("Later", exact=True).click()
        assert await axe(page) == []
        await page.locator(f"#{first.id}").get_by_text("Later", exact=True).click()
        await put_off(page, first)
        await expect(page.locator(f"#{first.id}")).to_be_hidden()
        await expect(page.locator("#snoozed")).to_have_text("1 snoozed: show it")
        await expect(page.locator("#said")).to_contain_text("Its deadline goes on.")
        await expect(page.locator("#count")).to_have_text("2")
        await page.reload()
        await expect(page.locator("#snoozed")).to_be_visible()
        await expect(page.locator(f"#{first.id}")).to_be_hidden()
        await put_off(page, second)
        await expect(page.locator("#snoozed")).to_have_text("2 snoozed: show them")
        assert await axe(page) == []
        await page.locator("#snoozed").click()
        for each in (first, second):
            await expect(page.locator(f"#{each.id}")).to_be_visible()
        await expect(page.locator("#snoozed")).to_be_hidden()
        assert await page.evaluate("Object.keys(localStorage)") == []


async def test_a_snoozed_question_is_back_when_its_time_comes(tmp_path: Path, opened: Opened) -> None:
    async with serving(tmp_path) as inbox, opened() as page:
        handoff = await inbox.ask("First?")
        await enter(page, inbox)
        await put_off(page, handoff, "In 15 minutes")
        await expect(page.locator(f"#{handoff.id}")).to_be_hidden()
        # As if the fifteen minutes were over.
        await page.evaluate(
            "localStorage.setItem('handoffs snoozed of ', JSON.stringify({[document.querySelector('.card').id]: 1}))"
        )
        await expect(page.locator(f"#{handoff.id}")).to_be_visible()
        await expect(page.get_by_role("button", name="1 new question")).to_be_visible()


async def test_a_reminder_brings_a_snoozed_question_back(tmp_path: Path, opened: Opened) -> None:
    async with serving(tmp_path) as inbox, opened() as page:
        handoff = await inbox.ask("First?")
        await enter(page, inbox)
        await put_off(page, handoff)
        await expect(page.locator(f"#{handoff.id}")).to_be_hidden()
        assert await inbox.desk.remind(handoff, channel="notify", stage="half")
        await expect(page.locator(f"#{handoff.id}")).to_be_visible()
        await expect(page.locator("#snoozed")).to_be_hidden()


async def test_a_question_is_never_put_off_beyond_its_deadline(tmp_path: Path, opened: Opened) -> None:
    async with serving(tmp_path) as inbox, opened() as page:
        soon = await inbox.ask("Soon?", timeout_seconds=1_800)
        now = await inbox.ask("Now?", timeout_seconds=300)
        await enter(page, inbox)
        await page.locator(f"#{soon.id}").get_by_text("Later", exact=True).click()
        await expect(page.locator(f"#{soon.id} .later button")).to_have_text(["In 15 minutes"])
        await expect(page.locator(f"#{now.id} .later")).to_have_count(0)


async def test_a_snoozed_question_that_ends_is_forgotten(tmp_path: Path, opened: Opened) -> None:
    async with serving(tmp_path) as inbox, opened() as page:
        handoff = await inbox.ask("First?")
        await enter(page, inbox)
        await put_off(page, handoff)
        await expect(page.locator("#snoozed")).to_be_visible()
        await inbox.desk.cancel(handoff, by="eve", channel="terminal")
        await expect(page.locator("#snoozed")).to_be_hidden()
        await until_true(page, "Object.keys(localStorage).length === 0")
        await expect(page.locator("#empty")).to_be_visible()


async def test_a_snoozed_call_is_none_of_those_that_are_decided_at_once(tmp_path: Path, opened: Opened) -> None:
    async with serving(tmp_path) as inbox, opened() as page:
        calls = [await hold(inbox.desk, call(arguments={"id": number})) for number in (1, 2, 3)]
        await enter(page, inbox)
        await put_off(page, calls[0])
        await expect(page.locator(".group h2")).to_have_text("2 calls of claude-code in /srv/shop wait")
        await page.reload()
        await expect(page.locator(".group h2")).to_have_text("2 calls of claude-code in /srv/shop wait")
        posted = page.locator(".group [name=call]")
        assert {(await each.input_value()).split()[0] for each in await posted.all()} == {each.id for each in calls[1:]}


async def test_the_keyboard_puts_a_question_off(tmp_path: Path, opened: Opened) -> None:
    async with serving(tmp_path) as inbox, opened() as page:
        first, second = await inbox.ask("First?"), await inbox.ask("Second?")
        await enter(page, inbox)
        for key in ("j", "s", "Enter"):
            await page.keyboard.press(key)
        await expect(page.locator(f"#{second.id}")).to_be_hidden()
        await expect(page.locator(f"#{first.id}")).to_be_focused()
