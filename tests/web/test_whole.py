"""What a person decides on is there in full, whatever it is shown on and whichever way it is written."""

from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Page, expect

from handoffs.core.model import State
from tests.web.serving import Opened, serving
from tests.web.visiting import enter, visit

GAP = "ls -la" + " " * 165 + "; rm -rf ~/shop"
WIDE = "| " + " | ".join(f"column{number}" for number in range(24)) + " |\n" + "|-" * 24 + "|\n" + "| v " * 24 + "|\n"
CODE = (
    f"Run it?\n\n```bash\n{GAP}\n{'x' * 400}END\n```\n\n> - in a list\n>\n>       {'y' * 300}END\n\n`{'z' * 300}END`\n"
)

SHAPES = {
    "page": {"viewport": {"width": 1000, "height": 760}},
    "dark": {"viewport": {"width": 1000, "height": 760}, "color_scheme": "dark"},
    "phone": {"viewport": {"width": 360, "height": 640}},
    "print": {"viewport": {"width": 720, "height": 1000}},
}

BESIDE = """() => [...document.querySelectorAll('.message *, .options *, .picks *')].filter(each => {
    const box = each.getBoundingClientRect(), style = getComputedStyle(each);
    const inTable = each.closest('.scrolled');
    return !inTable && (box.right > innerWidth || box.left < 0
        || (style.overflowX !== 'visible' && each.scrollWidth > each.clientWidth));
}).map(each => each.outerHTML.slice(0, 80))"""


async def shown(page: Page, shape: str) -> None:
    if shape == "print":
        await page.emulate_media(media="print")


@pytest.mark.parametrize("shape", SHAPES)
async def test_code_and_options_wrap_and_nothing_stands_beside_the_page(
    shape: str, tmp_path: Path, opened: Opened
) -> None:
    async with serving(tmp_path) as inbox, opened(**SHAPES[shape]) as page:
        handoff = await inbox.ask(CODE, options=["yes " + "o" * 300, "no"])
        await enter(page, inbox)
        await shown(page, shape)
        for address in ("/", f"/h/{handoff.id}"):
            await visit(page, inbox.url + address)
            await expect(page.locator(".message pre").first).to_contain_text("ls -la⟨165 blanks⟩; rm -rf ~/shop")
            assert await page.evaluate(BESIDE) == []


async def test_a_table_that_is_wider_than_the_page_says_so_and_is_whole_on_paper(
    tmp_path: Path, opened: Opened
) -> None:
    async with serving(tmp_path) as inbox, opened(**SHAPES["phone"]) as page:
        await inbox.ask(f"Which?\n\n> {WIDE.replace(chr(10), chr(10) + '> ')}")
        await enter(page, inbox)
        table = page.locator(".message .scrolled")
        assert await table.evaluate("each => each.scrollWidth > each.clientWidth")
        assert "linear-gradient" in await table.evaluate("each => getComputedStyle(each).backgroundImage")
        await table.focus()
        await page.keyboard.press("End")
        await page.set_viewport_size({"width": 720, "height": 1000})
        await page.emulate_media(media="print")
        assert await table.evaluate("each => each.firstElementChild.getBoundingClientRect().right <= innerWidth")


@pytest.mark.parametrize("button", ["yes", "Decline"])
async def test_who_has_not_seen_the_whole_message_has_decided_nothing(
    button: str, tmp_path: Path, opened: Opened
) -> None:
    async with serving(tmp_path) as inbox, opened() as page:
        handoff = await inbox.ask("line\n\n" * 100 + "and drop the database", options=["yes", "no"])
        await enter(page, inbox)
        await expect(page.get_by_role("button", name="Show all of it")).to_be_visible()
        await page.get_by_role("button", name=button).click()
        await expect(page.locator(".of-form")).to_contain_text("Nothing was sent: the message was not shown whole.")
        await expect(page.get_by_role("button", name="Show less")).to_be_visible()
        assert (await inbox.desk.get(handoff.id)).state is State.OPEN
        await page.get_by_role("button", name=button).click()
        assert (await inbox.desk.wait(handoff.id, seconds=20)).decided


async def test_keys_lead_to_what_is_folded_and_not_past_it(tmp_path: Path, opened: Opened) -> None:
    async with serving(tmp_path) as inbox, opened() as page:
        await inbox.ask("line\n\n" * 100 + "and drop the database", options=["yes", "no"])
        await enter(page, inbox)
        for key in ("1", "a", "d"):
            await page.locator(".card").focus()
            await page.keyboard.press(key)
            await expect(page.get_by_role("button", name="Show all of it")).to_be_focused()
        await page.keyboard.press("Enter")
        await expect(page.get_by_text("and drop the database")).to_be_visible()


async def test_what_is_folded_is_printed_whole(tmp_path: Path, opened: Opened) -> None:
    async with serving(tmp_path) as inbox, opened() as page:
        await inbox.ask("line\n\n" * 100 + "and drop the database", options=["yes", "no"])
        await enter(page, inbox)
        await page.emulate_media(media="print")
        box = await page.locator(".message").bounding_box() or {}
        inside = await page.locator(".message").evaluate("each => each.scrollHeight")
        assert box["height"] >= inside - 1
        await expect(page.get_by_role("button", name="yes")).to_be_visible()
        await expect(page.get_by_role("button", name="Decline")).to_be_hidden()


async def test_a_long_choice_is_not_cut_by_the_list_that_drops_down(tmp_path: Path, opened: Opened) -> None:
    async with serving(tmp_path) as inbox, opened(**SHAPES["phone"]) as page:
        long = [f"{number}: keep the old database and {'really ' * 12}drop the new one" for number in range(9)]
        short = [f"region {number}" for number in range(9)]
        fields: dict[str, Any] = {
            "what": {"type": "string", "enum": long},
            "where": {"type": "string", "enum": short},
        }
        await inbox.ask("Which?", form={"type": "object", "properties": fields, "required": ["what", "where"]})
        await enter(page, inbox)
        await expect(page.locator(".card select")).to_have_count(1)
        await expect(page.get_by_role("radio")).to_have_count(9)
        assert await page.evaluate(BESIDE) == []


async def test_what_is_said_of_a_choice_and_a_value_its_title_hides_are_seen(tmp_path: Path, opened: Opened) -> None:
    async with serving(tmp_path) as inbox, opened() as page:
        plans = [
            {"const": "approve", "title": "Decline", "description": "Nothing is deleted"},
            {"const": "keep", "title": "Keep"},
            *({"const": f"plan {number}", "title": f"Plan {number}"} for number in range(6)),
        ]
        lone = {"type": "object", "properties": {"a": {"type": "string", "oneOf": plans}}, "required": ["a"]}
        several = {"type": "array", "items": {"anyOf": plans}}
        both = {"type": "object", "properties": {"a": lone["properties"]["a"], "b": several}, "required": ["a"]}
        for form in (lone, both):
            await inbox.ask(f"Which of {len(form['properties'])}?", form=form)
        await enter(page, inbox)
        shown = page.locator(".choice").filter(has_text="Decline (approve)")
        await expect(shown).to_have_count(3)
        for each in await shown.all():
            await expect(each).to_contain_text("Nothing is deleted")
        await expect(page.locator(".card select")).to_have_count(0)
        await expect(page.locator(".choice").filter(has_text="Keep")).to_have_text(["Keep"] * 3)


# First and last letter of a text, from the left edge of the page.
ENDS = """(each) => {
    const range = document.createRange(), at = [];
    const walk = document.createTreeWalker(each, NodeFilter.SHOW_TEXT);
    const text = walk.nextNode();
    for (const n of [0, text.data.trimEnd().length - 1]) {
        range.setStart(text, n); range.setEnd(text, n + 1); at.push(range.getBoundingClientRect().x);
    }
    return at;
}"""


async def reads_from_the_right(page: Page, selector: str) -> bool:
    first, last = await page.locator(selector).first.evaluate(ENDS)
    return first > last


async def test_each_text_reads_from_the_side_that_its_own_script_does(tmp_path: Path, opened: Opened) -> None:
    async with serving(tmp_path) as inbox, opened() as page:
        message = "هل تريد حذف الملف app.py؟\n\n- البند\n\nIn English.\n\n```\nrm (x)\n```\n\n|عمود|\n|-|\n|قيمة|\n"
        asked = await inbox.ask(message, options=["نعم، احذف", "No, keep"])
        field = {"type": "string", "title": "الاسم الكامل", "description": "كما في الجواز"}
        form = {"type": "object", "properties": {"a": field}, "required": ["a"]}
        filled = await inbox.ask("שלום, מה שמך?", form=form)
        await enter(page, inbox)
        card = f"[id={asked.id}]"
        for here, right in {
            ".message > p": True,
            ".message li": True,
            ".message > p ~ p": False,
            ".message pre code": False,
            ".message th": True,
            ".message td": True,
            ".option .choice > span": True,
            ".option ~ .option .choice > span": False,
        }.items():
            assert await reads_from_the_right(page, f"{card} {here}") is right, here
        card = f"[id={filled.id}]"
        for here in (".message p", "label bdi", ".about"):
            assert await reads_from_the_right(page, f"{card} {here}"), here
        await page.get_by_label("الاسم الكامل").fill("سارة")
        assert await page.get_by_label("الاسم الكامل").evaluate("each => getComputedStyle(each).direction") == "rtl"
        await inbox.desk.answer(filled, {"a": "سارة من دمشق"}, by="ada", channel="terminal")
        await visit(page, f"{inbox.url}/h/{filled.id}")
        for here in (".message p", ".values dt", ".values dd"):
            assert await reads_from_the_right(page, here), here
        await visit(page, f"{inbox.url}/history")
        for here in (".row-what a", ".row-answer > span"):
            assert await page.locator(here).first.evaluate("each => getComputedStyle(each).direction") == "rtl", here
