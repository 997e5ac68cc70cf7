"""Undo, for who wants it: the page keeps an answer back for five seconds."""

from pathlib import Path

import anyio
from playwright.async_api import Page, expect

from handoffs.core.model import Handoff, State
from tests.waiting import until
from tests.web import test_signed
from tests.web.serving import Inbox, Opened, serving
from tests.web.test_reading import axe
from tests.web.visiting import enter


async def wants_undo(page: Page) -> None:
    await page.get_by_label("Keep each answer back").check()


async def state(inbox: Inbox, handoff: Handoff) -> State:
    return (await inbox.desk.get(handoff.id)).state


async def until_ended(inbox: Inbox, handoff: Handoff, *, within: float = 30) -> Handoff:
    async def read() -> Handoff:
        return await inbox.desk.get(handoff.id)

    return await until(read, lambda found: found.state is not State.OPEN, seconds=within)


async def test_an_answer_is_sent_at_once_unless_somebody_wants_undo(tmp_path: Path, opened: Opened) -> None:
    async with serving(tmp_path) as inbox, opened() as page:
        handoff = await inbox.ask("Which?", options=["a", "b"])
        await enter(page, inbox)
        await page.get_by_role("button", name="b", exact=True).click()
        await expect(page.locator(".card.ended")).to_have_count(1)
        await expect(page.locator(".undo")).to_have_count(0)
        assert await state(inbox, handoff) is State.ANSWERED


async def test_an_answer_can_be_taken_back_and_sent_again(tmp_path: Path, opened: Opened) -> None:
    async with serving(tmp_path) as inbox, opened() as page:
        handoff = await inbox.ask("Which?", options=["a", "b"])
        await enter(page, inbox)
        await wants_undo(page)
        await page.reload()
        await expect(page.get_by_label("Keep each answer back")).to_be_checked()
        await page.get_by_role("button", name="b", exact=True).click()
        await expect(page.get_by_role("button", name="Undo")).to_be_focused()
        await expect(page.locator(".held")).to_contain_text("Sent in")
        assert await axe(page) == []
        await page.keyboard.press("u")
        await expect(page.locator(".held")).to_have_count(0)
        await expect(page.locator("#said")).to_contain_text("Taken back: nothing was sent.")
        await anyio.sleep(5.5)  # no answer comes of it
        assert await state(inbox, handoff) is State.OPEN
        await page.get_by_role("button", name="a", exact=True).click()
        assert await state(inbox, handoff) is State.OPEN
        await expect(page.locator(".gone")).to_contain_text("Answered by ada through inbox.")
        assert (await inbox.desk.get(handoff.id)).values == {"response": "a"}


async def test_a_page_that_is_left_sends_what_it_keeps_back(tmp_path: Path, opened: Opened) -> None:
    async with serving(tmp_path) as inbox, opened() as page:
        ours = [await inbox.ask(f"Which of {name}?", options=["a", "b"]) for name in ("one", "two", "three")]
        await enter(page, inbox)
        await wants_undo(page)
        for handoff, leave in zip(ours, ("link", "reload", "close"), strict=True):
            await page.locator(f"#{handoff.id}").get_by_role("button", name="b", exact=True).click()
            await expect(page.locator(".held")).to_have_count(1)
            assert await state(inbox, handoff) is State.OPEN
            match leave:
                case "link":
                    await page.get_by_role("link", name="History").click()
                    await until_ended(inbox, handoff, within=4.5)
                    await page.goto(inbox.url)
                case "reload":
                    await page.reload()
                    await until_ended(inbox, handoff, within=4.5)
                case _:
                    await page.close()
                    await until_ended(inbox, handoff, within=4.5)
            assert (await inbox.desk.get(handoff.id)).values == {"response": "b"}


async def test_one_answer_at_a_time_is_kept_back(tmp_path: Path, opened: Opened) -> None:
    async with serving(tmp_path) as inbox, opened() as page:
        first, second = await inbox.ask("First?"), await inbox.ask("Second?")
        await enter(page, inbox)
        await wants_undo(page)
        await page.locator(f"#{first.id}").get_by_role("button", name="Decline").click()
        await expect(page.locator(f"#{first.id} .held")).to_have_count(1)
        await page.locator(f"#{second.id}").get_by_role("button", name="Decline").click()
        assert (await until_ended(inbox, first, within=4.5)).state is State.DECLINED
        await expect(page.locator(f"#{second.id} .held")).to_have_count(1)
        await page.get_by_role("button", name="Undo").click()
        assert await state(inbox, second) is State.OPEN


async def test_a_question_that_ends_elsewhere_meanwhile_is_told(tmp_path: Path, opened: Opened) -> None:
    async with serving(tmp_path) as inbox, opened() as page:
        handoff = await inbox.ask("Which?", options=["a", "b"])
        await enter(page, inbox)
        await wants_undo(page)
        await page.get_by_role("button", name="b", exact=True).click()
        await expect(page.locator(".held")).to_have_count(1)
        await inbox.desk.answer(handoff, {"response": "a"}, by="eve", channel="terminal")
        await expect(page.locator(".gone")).to_contain_text("Too late: your answer was not recorded.", timeout=4_500)
        assert (await inbox.desk.get(handoff.id)).values == {"response": "a"}


async def test_what_a_passkey_signs_is_not_kept_back(tmp_path: Path, opened: Opened) -> None:
    async with test_signed.joined(tmp_path, opened) as (inbox, page, _):
        handoff = await test_signed.asked(inbox)
        await page.goto(inbox.url)
        await wants_undo(page)
        await page.get_by_role("button", name="yes").click()
        await expect(page.locator(".card.ended")).to_have_count(1)
        assert (await inbox.desk.get(handoff.id)).state is State.ANSWERED
