"""The board and one question on paper; and every page with a keyboard and a screen reader."""

from pathlib import Path

import pytest
from playwright.async_api import expect

from handoffs.core.model import Caller
from tests.web.held import call, hold
from tests.web.serving import Opened, serving
from tests.web.test_reading import SHAPES, axe
from tests.web.visiting import FORM, enter, visit

SITE = Caller(subject="ada", client="codex", project="/srv/site")


async def test_on_paper_the_board_has_the_questions_and_nothing_to_press(tmp_path: Path, opened: Opened) -> None:
    async with serving(tmp_path) as inbox, opened() as page:
        await inbox.ask("Which region?", options=["eu", "us"])
        await inbox.ask("All of it?", form=FORM, caller=SITE)
        for number in (1, 2):
            await hold(inbox.desk, call(arguments={"id": number}))
        later = await inbox.ask("Not on paper?", caller=SITE)
        await enter(page, inbox, "/?group=agent")
        card = page.locator(f"#{later.id}")
        await card.get_by_text("Later", exact=True).click()
        await card.get_by_role("button", name="In an hour").click()
        await page.emulate_media(media="print")
        for words in ("Which region?", "All of it?", "eu", "Really delete?"):
            await expect(page.locator("#list").get_by_text(words).first).to_be_visible()
        await expect(page.locator(".of-agent")).to_contain_text(["codex", "claude-code"])
        for unseen in (".bar", ".foot", ".narrowing", ".alike", "#snoozed", ".choose", ".later", ".actions button"):
            for each in await page.locator(unseen).all():
                await expect(each).to_be_hidden()
        await expect(page.get_by_text("Not on paper?")).to_be_hidden()
        wide, window = await page.evaluate("[document.documentElement.scrollWidth, innerWidth]")
        assert wide <= window


async def test_on_paper_one_question_is_whole_with_what_may_be_answered(tmp_path: Path, opened: Opened) -> None:
    async with serving(tmp_path) as inbox, opened() as page:
        handoff = await inbox.ask("line\n\n" * 100 + "the very end", options=["eu", "us"])
        await enter(page, inbox, f"/h/{handoff.id}")
        await page.emulate_media(media="print")
        for words in ("the very end", "eu", "us", "What happened"):
            await expect(page.locator("main").get_by_text(words, exact=words != "the very end").first).to_be_visible()
        await expect(page.get_by_role("button", name="Decline")).to_have_count(0)
        await page.emulate_media(media="screen")
        await expect(page.get_by_role("button", name="Decline")).to_be_visible()


@pytest.mark.parametrize("shape", SHAPES)
async def test_pages_beside_the_board_can_be_read_by_everybody(tmp_path: Path, opened: Opened, shape: str) -> None:
    async with serving(tmp_path) as inbox, opened(**SHAPES[shape]) as page:
        open_one = await inbox.ask("Which?", options=["eu", "us"])
        over = await inbox.ask("Old?")
        await inbox.desk.answer(over, {"response": "yes"}, by="eve", channel="terminal")
        await enter(page, inbox)
        for path in (
            f"/h/{open_one.id}",
            f"/h/{over.id}/record",
            "/grants",
            "/history?state=any&q=which",
            "/none",
            "/h/h_",
        ):
            await visit(page, inbox.url + path)
            await expect(page.locator("h1")).to_be_visible()
            assert await axe(page) == [], path


async def test_the_keyboard_searches_chooses_and_answers_alike(tmp_path: Path, opened: Opened) -> None:
    async with serving(tmp_path) as inbox, opened() as page:
        ours = [await inbox.ask(f"Region of {name}?", options=["eu", "us"]) for name in ("one", "two")]
        await inbox.ask("Something else?")
        await enter(page, inbox)
        await page.keyboard.press("/")
        await page.keyboard.type("region")
        await page.keyboard.press("Enter")
        await expect(page.locator(".card")).to_have_count(2)
        for key in ("j", "x", "j", "x"):
            await page.keyboard.press(key)
        await expect(page.get_by_role("status").filter(has_text="2 chosen")).to_be_visible()
        await page.get_by_role("button", name="Answer alike").focus()
        await page.keyboard.press("Enter")
        await expect(page.locator("h1")).to_have_text("Answer these 2 questions alike")
        await page.get_by_label("eu").focus()
        await page.keyboard.press("Space")
        await page.get_by_role("button", name="Answer these 2 questions").focus()
        await page.keyboard.press("Enter")
        await expect(page.locator("h1")).to_have_text("2 of 2 answered")
        for each in ours:
            assert (await inbox.desk.get(each.id)).values == {"response": "eu"}
