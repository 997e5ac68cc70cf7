"""The inbox for every eye and every message: light, dark, phone, assistive technology, long, many and hostile."""

import re
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Page, expect

from handoffs.core.model import Caller
from tests.web.serving import Opened, serving
from tests.web.visiting import FORM, MESSAGE, enter, visit

SHAPES: dict[str, dict[str, Any]] = {
    "light": {"color_scheme": "light"},
    "dark": {"color_scheme": "dark"},
    "phone": {"viewport": {"width": 360, "height": 740}, "has_touch": True, "is_mobile": True},
    "still": {"reduced_motion": "reduce"},
}


@pytest.mark.parametrize("shape", SHAPES)
async def test_every_page_can_be_read_by_everybody(tmp_path: Path, opened: Opened, shape: str) -> None:
    async with serving(tmp_path) as inbox, opened(**SHAPES[shape]) as page:
        await inbox.ask("Which?", options=["one", "two " * 30])
        await inbox.ask(MESSAGE + "word " * 2000 + "x" * 300, form=FORM)
        told = Caller(subject="ada", client="codex", project="/very/long/" + "folder" * 20)
        await inbox.ask("I stopped.", breakout_of_loop=True, caller=told)
        old = await inbox.ask("Old?")
        await inbox.desk.answer(old, {"response": "yes " * 100}, by="eve", channel="terminal", note="well")
        await visit(page, inbox.url)
        assert await axe(page) == []
        await enter(page, inbox)
        for path in ("/", f"/h/{old.id}", "/history", "/history?q=none", "/figures", "/h/h_none"):
            await visit(page, inbox.url + path)
            assert await axe(page) == [], path
            wide, window = await page.evaluate("[document.documentElement.scrollWidth, innerWidth]")
            assert wide <= window, path
        await visit(page, inbox.url)
        await page.get_by_role("button", name="Answer").nth(1).click()
        await expect(page.locator(".problem:not(:empty)").first).to_be_visible()
        assert await axe(page) == []
        if shape != "phone":
            await page.keyboard.press("Escape")
            await page.keyboard.press("?")
            assert await axe(page) == []


ENDED = "document.getAnimations().forEach((each) => { try { each.finish(); } catch { each.cancel(); } })"


async def axe(page: Page) -> list[str]:
    # While something fades in, its contrast is another one.
    await page.evaluate(
        "document.getAnimations().forEach((each) => { try { each.finish(); } catch { each.cancel(); } })"
    )
    found = await Axe().run(page)
    return [f"{each['id']}: {[node['html'] for node in each['nodes']]}" for each in found.response["violations"]]


async def test_dark_is_dark_and_light_is_light(tmp_path: Path, opened: Opened) -> None:
    async with serving(tmp_path) as inbox:
        grounds: list[str] = []
        for scheme in ("light", "dark"):
            async with opened(color_scheme=scheme) as page:
                await enter(page, inbox)
                grounds.append(await page.evaluate("getComputedStyle(document.body).backgroundColor"))
        assert grounds == ["rgb(246, 247, 249)", "rgb(18, 22, 28)"]


async def test_short_messages_are_whole_however_many_there_are(tmp_path: Path, opened: Opened) -> None:
    async with serving(tmp_path) as inbox, opened() as page:
        for message in ("First?", "Drop it?\n\n```sql\nDROP TABLE orders;\n```"):
            await inbox.ask(message)
        await enter(page, inbox)
        await expect(page.locator("article.card")).to_have_count(2)
        await expect(page.locator(".message.long, .show-all")).to_have_count(0)


async def test_a_long_message_is_folded_and_unfolds_whole(tmp_path: Path, opened: Opened) -> None:
    async with serving(tmp_path) as inbox, opened() as page:
        await inbox.ask("line\n\n" * 100 + "the very end")
        await enter(page, inbox)
        message = page.locator(".message")
        folded = (await message.bounding_box() or {})["height"]
        await page.get_by_role("button", name="Show all of it").click()
        assert (await message.bounding_box() or {})["height"] > 3 * folded
        await expect(page.get_by_text("the very end")).to_be_visible()


HOSTILE = r"""
<script>window.pwned = 1</script>
<img src=x onerror="window.pwned = 2">
<svg onload="window.pwned = 3"><iframe src="javascript:parent.pwned = 4"></iframe>
<style>body { display: none }</style>
[one](javascript:window.pwned=5) [two](data:text/html,<script>window.pwned=6</script>) <javascript:window.pwned=7>
![big](https://evil.test/huge.png) ![huge](data:image/svg+xml,<svg/onload=pwned=8>)
<form action="https://evil.test"><input name=csrf></form><meta http-equiv=refresh content="0;url=https://evil.test">
"""


async def test_hostile_messages_do_nothing_and_load_nothing(tmp_path: Path, opened: Opened) -> None:
    async with serving(tmp_path) as inbox, opened() as page:
        asked: list[str] = []
        page.on("request", lambda request: asked.append(request.url))
        caller = Caller(subject="ada", client=HOSTILE, project=HOSTILE)
        field = {"type": "string", "title": HOSTILE, "description": HOSTILE, "default": HOSTILE}
        handoff = await inbox.ask(HOSTILE, caller=caller, form={"type": "object", "properties": {"a": field}})
        await enter(page, inbox)
        await inbox.ask(HOSTILE + "again", caller=caller, form={"type": "object", "properties": {"a": field}})
        await expect(page.locator(".card")).to_have_count(2)
        for link in await page.locator(".message a").all():
            assert re.match(r"https?:", await link.get_attribute("href") or "")
        await inbox.desk.answer(handoff, {"a": HOSTILE}, by=HOSTILE, channel="terminal", note=HOSTILE)
        await expect(page.locator(".card.ended")).to_have_count(1)
        for path in (f"/h/{handoff.id}", "/history", "/figures"):
            await visit(page, inbox.url + path)
            await expect(page.locator("h1")).to_be_visible()
        assert await page.evaluate("window.pwned") is None
        assert {url for url in asked if not url.startswith((inbox.url, "data:image/svg+xml,%3Csvg"))} == set()


async def test_two_thousand_open_questions_leave_the_page_usable(tmp_path: Path, opened: Opened) -> None:
    async with serving(tmp_path) as inbox, opened() as page:
        for number in range(2_000):
            await inbox.ask(f"Question {number}?")
        await enter(page, inbox)
        await expect(page.locator("#count")).to_have_text("2,000")
        await expect(page.locator("#sum")).to_have_text("1–50 of 2,000")
        await expect(page.locator(".card")).to_have_count(50)
        await page.locator(".card").first.get_by_role("button", name="Decline").click()
        await expect(page.locator("#count")).to_have_text("1,999")
        await page.get_by_role("link", name="Older →").click()
        await expect(page.locator("#sum")).to_have_text("51–100 of 1,999")
        await inbox.ask("And one more?")
        await page.get_by_role("button", name="1 new question").click()
        await expect(page.locator(".card .message").first).to_have_text("And one more?")
