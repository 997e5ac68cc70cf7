"""Nothing moves under a hand: what a person presses is what they saw there, in a real Chromium."""

from pathlib import Path
from typing import Any

import anyio
from playwright.async_api import Locator, Page, expect

from handoffs.core.model import Handoff, State
from tests.web.serving import Inbox, Opened, serving
from tests.web.visiting import enter, until_true

CHOICES = ["Yes, do it", "No"]


async def middle(control: Locator) -> tuple[float, float]:
    box = await control.bounding_box()
    assert box is not None
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2


async def is_open(inbox: Inbox, handoff: Handoff) -> bool:
    return (await inbox.desk.get(handoff.id)).state is State.OPEN


async def ended(inbox: Inbox, handoff: Handoff) -> Any:
    with anyio.fail_after(60):
        return await inbox.desk.wait(handoff.id, seconds=None)


def card(page: Page, handoff: Handoff) -> Locator:
    return page.locator(f"#{handoff.id}")


async def test_a_click_lands_on_what_was_there_before_a_new_question_came(tmp_path: Path, opened: Opened) -> None:
    async with serving(tmp_path) as inbox, opened() as page:
        old = await inbox.ask("Restart the staging server?", options=CHOICES)
        await enter(page, inbox)
        x, y = await middle(page.locator(".option").first)
        await page.mouse.move(x, y)
        new = await inbox.ask("Drop the production database?", options=CHOICES)
        await expect(page.get_by_role("button", name="1 new question")).to_be_visible()
        assert await middle(page.locator(".option").first) == (x, y)
        await page.mouse.click(x, y)
        assert (await ended(inbox, old)).values == {"response": "Yes, do it"}
        assert await is_open(inbox, new)


async def test_keys_are_for_the_question_that_was_first_before_a_new_one_came(tmp_path: Path, opened: Opened) -> None:
    async with serving(tmp_path) as inbox, opened() as page:
        old = await inbox.ask("Restart the staging server?", options=CHOICES)
        await enter(page, inbox)
        new = await inbox.ask("Wipe the backups?", options=CHOICES)
        await expect(page.locator(".card")).to_have_count(2)
        await page.keyboard.press("1")
        await page.keyboard.press("Enter")
        assert (await ended(inbox, old)).values == {"response": "Yes, do it"}
        await page.keyboard.press("Enter")
        await page.keyboard.press("1")
        await page.keyboard.press("Enter")
        assert await is_open(inbox, new)


async def test_what_has_just_come_takes_no_click_and_no_key(tmp_path: Path, opened: Opened) -> None:
    async with serving(tmp_path) as inbox, opened() as page:
        await enter(page, inbox)
        # At once, with the page's own clock: no test is as fast as a finger that is on its way.
        await page.evaluate("""() => new MutationObserver(() => {
            const option = document.querySelector("#list .option");
            if (!option || window.pressed) return;
            window.pressed = true;
            option.click();
            const press = (key) => document.body.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true }));
            ["1", "Enter"].forEach(press);
            window.focused = document.activeElement.matches(".option");
        }).observe(document.getElementById("list"), { childList: true })""")
        new = await inbox.ask("Wipe the backups?", options=CHOICES)
        await until_true(page, "window.pressed")
        await expect(page.locator("#said")).to_contain_text("That has just come or moved")
        assert await page.evaluate("window.focused") is False
        await expect(page.locator(".card.settling")).to_have_count(0)
        assert await is_open(inbox, new)
        await page.locator(".option").first.click()
        assert (await ended(inbox, new)).values == {"response": "Yes, do it"}


async def test_what_the_button_has_moved_takes_no_press_at_once(tmp_path: Path, opened: Opened) -> None:
    async with serving(tmp_path) as inbox, opened() as page:
        old = await inbox.ask("Restart the staging server?", options=CHOICES)
        await enter(page, inbox)
        new = await inbox.ask("Drop the production database?", options=CHOICES)
        await page.get_by_role("button", name="1 new question").wait_for()
        await expect(page.locator(".card.settling")).to_have_count(0)
        await page.evaluate("""() => {
            document.getElementById("arrived").click();
            document.querySelector("#list .option").click();
        }""")
        await expect(page.locator(".card .message")).to_have_text([
            "Drop the production database?",
            "Restart the staging server?",
        ])  # fmt: skip
        await expect(card(page, new)).to_be_focused()
        await expect(page.get_by_role("button", name="new question")).to_be_hidden()
        await expect(page.locator("#said")).to_contain_text("That has just come or moved")
        assert await is_open(inbox, new)
        assert await is_open(inbox, old)


async def test_an_ended_question_stays_in_place_and_moves_nothing_below_it(tmp_path: Path, opened: Opened) -> None:
    async with serving(tmp_path) as inbox, opened(viewport={"width": 1280, "height": 1000}) as page:
        below = await inbox.ask("Below?", options=CHOICES)
        above = await inbox.ask("Above?", options=CHOICES)
        await enter(page, inbox)
        x, y = await middle(card(page, below).locator(".option").first)
        await page.mouse.move(x, y)
        await inbox.desk.decline(above, by="eve", channel="terminal")
        await expect(card(page, above).locator(".gone")).to_contain_text("Declined by eve through terminal.")
        assert await middle(card(page, below).locator(".option").first) == (x, y)
        await page.mouse.click(x, y)
        assert (await ended(inbox, below)).values == {"response": "Yes, do it"}
        await expect(page.locator(".card.ended")).to_have_count(2)
        await expect(page.locator("#empty")).to_be_visible()
        await expect(page.locator(".card.settling")).to_have_count(0)
        await card(page, above).get_by_role("button", name="Put away").click()
        await expect(page.locator(".card")).to_have_count(1)


async def test_a_double_click_sends_one_answer_and_touches_nothing_else(tmp_path: Path, opened: Opened) -> None:
    async with serving(tmp_path) as inbox, opened() as page:
        other = await inbox.ask("Other?", options=CHOICES)
        first = await inbox.ask("First?", options=CHOICES)
        await enter(page, inbox)
        await page.mouse.dblclick(*await middle(card(page, first).locator(".option").first))
        assert (await ended(inbox, first)).values == {"response": "Yes, do it"}
        await expect(card(page, first).locator(".gone")).to_be_visible()
        assert await is_open(inbox, other)


async def test_where_nobody_is_the_list_puts_itself_in_order(tmp_path: Path, opened: Opened) -> None:
    async with serving(tmp_path) as inbox, opened() as page:
        await page.clock.install()
        first = await inbox.ask("First?")
        await enter(page, inbox)
        await inbox.ask("Second?")
        await inbox.ask("Third?")
        await expect(page.locator(".card .message")).to_have_text(["First?", "Second?", "Third?"])
        await inbox.desk.cancel(first, by="agent", channel="mcp")
        await expect(page.locator(".card.ended")).to_have_count(1)
        await page.clock.fast_forward(60_000)
        await expect(page.locator(".card .message")).to_have_text(["Third?", "Second?"])
        await expect(page.get_by_role("button", name="new question")).to_be_hidden()


async def test_a_burst_is_one_look_and_waits_behind_the_button(tmp_path: Path, opened: Opened) -> None:
    async with serving(tmp_path) as inbox, opened() as page:
        await inbox.ask("First?")
        await enter(page, inbox)
        asked: list[str] = []
        page.on("request", lambda request: asked.append(request.url))
        all_are_asked = anyio.Event()

        async def hold(route: Any) -> None:
            await all_are_asked.wait()
            await route.continue_()

        await page.route("**/h/*/card", hold)
        for number in range(90):
            await inbox.ask(f"Question {number}?")
        await expect(page.locator("#count")).to_have_text("91")
        all_are_asked.set()
        await expect(page.get_by_role("button", name="90 new questions")).to_be_visible()
        assert len(asked) <= 3
        await page.get_by_role("button", name="90 new questions").click()
        await expect(page.locator(".card .message").first).to_have_text("Question 89?")


async def test_a_phone_has_its_notice_over_no_field(tmp_path: Path, opened: Opened) -> None:
    phone: dict[str, Any] = {"viewport": {"width": 360, "height": 740}, "has_touch": True, "is_mobile": True}
    async with serving(tmp_path) as inbox, opened(**phone) as page:
        asked = [await inbox.ask(f"Question {number}?") for number in range(3)]
        await enter(page, inbox)
        height = await page.evaluate("document.querySelector('.bar').offsetHeight")
        await inbox.desk.answer(asked[0], {"response": "yes"}, by="eve", channel="terminal")
        await inbox.ask("New?")
        await expect(page.get_by_role("button", name="1 new question")).to_be_visible()
        await expect(page.locator(".gone")).to_be_visible()
        over = """() => [...document.querySelectorAll("body *")].filter((each) =>
            ["fixed", "absolute"].includes(getComputedStyle(each).position) && each.offsetHeight > 2 &&
            !each.matches(".skip, .unseen")).map((each) => each.outerHTML)"""
        assert await page.evaluate(over) == []
        assert await page.evaluate("document.querySelector('.bar').offsetHeight") == height
