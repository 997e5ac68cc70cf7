"""Giving files with an answer, in a real Chromium: by the file chooser, the keyboard and the clipboard."""

from pathlib import Path

import pytest
from playwright.async_api import FilePayload, Page, expect

from handoffs.core.model import Handoff, State
from tests.waiting import until
from tests.web import test_signed
from tests.web.serving import Inbox, Opened, serving
from tests.web.test_reading import SHAPES, axe
from tests.web.test_undo import state, until_ended, wants_undo
from tests.web.visiting import enter, until_true, visit

# One red dot.
PNG = bytes.fromhex(
    "89504e470d0a1a0a0000000d4948445200000001000000010802000000907753de0000000c49444154789c63f8cfc0000003010100c9fe92"
    "ef0000000049454e44ae426082"
)
SHOT = FilePayload(name="shot ✓.png", mimeType="image/png", buffer=PNG)
NOTES = FilePayload(name="notes.txt", mimeType="text/plain", buffer=b"what I saw")

PASTE = """async ([selector, bytes]) => {
  const clipboardData = new DataTransfer();
  clipboardData.items.add(new File([new Uint8Array(bytes)], "image.png", { type: "image/png" }));
  const event = new ClipboardEvent("paste", { clipboardData, bubbles: true, cancelable: true });
  document.querySelector(selector).dispatchEvent(event);
}"""


async def choose(page: Page, handoff: Handoff, *files: FilePayload) -> None:
    """Choose files by the browser's own file chooser."""
    card = page.locator(f"#{handoff.id}")
    if not await card.locator("details.files").evaluate("each => each.open"):
        await card.get_by_text("Attach files").click()
    async with page.expect_file_chooser() as chooser:
        await card.get_by_label("Files").click()
    await (await chooser.value).set_files(list(files))


async def contents(inbox: Inbox, handoff: Handoff) -> list[bytes]:
    ended = await inbox.desk.get(handoff.id)
    return [await inbox.desk.content(ended, number + 1) for number in range(len(ended.attachments))]


async def test_files_are_chosen_sent_and_shown(tmp_path: Path, opened: Opened) -> None:
    async with serving(tmp_path) as inbox, opened() as page:
        handoff = await inbox.ask("How does it look?", files=True)
        await enter(page, inbox, f"/h/{handoff.id}")
        await choose(page, handoff, SHOT, NOTES)
        await expect(page.locator(".chosen")).to_contain_text("shot ✓.png 69 bytes")
        assert await axe(page) == []
        await page.locator("[name='field.response']").fill("like\nthis")
        await page.get_by_role("button", name="Answer", exact=True).click()
        await expect(page.get_by_role("heading", name="Answered by ada")).to_be_visible()
        ended = await inbox.desk.get(handoff.id)
        assert ended.values == {"response": "like\nthis"}
        assert await contents(inbox, handoff) == [PNG, b"what I saw"]
        image = page.get_by_role("img", name="shot ✓.png")
        await expect(image).to_be_visible()
        await until_true(page, "document.querySelector('.attached img').naturalWidth === 1")
        assert await axe(page) == []
        async with page.expect_download() as download:
            await page.get_by_role("link", name="Download notes.txt").click()
        kept = await download.value
        assert kept.suggested_filename == "notes.txt"
        assert Path(await kept.path()).read_bytes() == b"what I saw"


async def test_the_keyboard_alone_attaches_and_takes_out(tmp_path: Path, opened: Opened) -> None:
    async with serving(tmp_path) as inbox, opened() as page:
        handoff = await inbox.ask("How does it look?", files=True)
        await enter(page, inbox, f"/h/{handoff.id}")
        await page.locator("summary", has_text="Attach files").focus()
        await page.keyboard.press("Enter")
        await page.keyboard.press("Tab")
        await expect(page.get_by_label("Files")).to_be_focused()
        async with page.expect_file_chooser() as chooser:
            await page.keyboard.press("Enter")
        await (await chooser.value).set_files([NOTES])
        await page.keyboard.press("Tab")
        await expect(page.get_by_role("button", name="Take the files out")).to_be_focused()
        await page.keyboard.press("Enter")
        await expect(page.locator(".chosen li")).to_have_count(0)
        await expect(page.get_by_label("Files")).to_be_focused()
        await page.locator("[name='field.response']").fill("no files")
        await page.get_by_role("button", name="Answer", exact=True).click()
        await expect(page.get_by_role("heading", name="Answered by ada")).to_be_visible()
        assert await contents(inbox, handoff) == []


async def test_an_option_goes_with_its_files(tmp_path: Path, opened: Opened) -> None:
    async with serving(tmp_path) as inbox, opened() as page:
        handoff = await inbox.ask("Ship it?", options=["yes", "no"], files=True)
        await enter(page, inbox)
        await choose(page, handoff, SHOT)
        await page.get_by_role("button", name="no", exact=True).click()
        await expect(page.locator(".card.ended")).to_have_count(1)
        assert (await inbox.desk.get(handoff.id)).values == {"response": "no"}
        assert await contents(inbox, handoff) == [PNG]


async def test_an_image_is_pasted_into_the_answer(tmp_path: Path, opened: Opened) -> None:
    async with serving(tmp_path) as inbox, opened() as page:
        handoff = await inbox.ask("How does it look?", files=True)
        await enter(page, inbox, f"/h/{handoff.id}")
        for _ in range(2):
            await page.evaluate(PASTE, ["[name='field.response']", [*PNG, 1]])
        await expect(page.locator(".chosen li")).to_have_text(["image.png 70 bytes"] * 2)
        await page.locator("[name='field.response']").fill("twice the same")
        await page.get_by_role("button", name="Answer", exact=True).click()
        await expect(page.locator(".files .problem")).to_have_text(
            "Files may not be there twice: attach image.png once."
        )
        assert await state(inbox, handoff) is State.OPEN
        await page.get_by_role("button", name="Take the files out").click()
        await page.evaluate(PASTE, ["[name='field.response']", [*PNG, 1]])
        await page.evaluate(PASTE, ["[name='field.response']", [*PNG, 2]])
        await page.get_by_role("button", name="Answer", exact=True).click()
        await expect(page.get_by_role("heading", name="Answered by ada")).to_be_visible()
        assert [each.name for each in (await inbox.desk.get(handoff.id)).attachments] == ["image.png", "image-2.png"]


async def test_what_is_too_much_is_said_before_it_is_sent(tmp_path: Path, opened: Opened) -> None:
    async with serving(tmp_path) as inbox, opened() as page:
        handoff = await inbox.ask("How does it look?", options=["yes", "no"], files=True)
        await enter(page, inbox)
        problem, yes = page.locator(".files .problem"), page.get_by_role("button", name="yes", exact=True)
        await choose(page, handoff, *(FilePayload(name=f"{n}", mimeType="", buffer=b"x") for n in range(6)))
        await yes.click()
        await expect(problem).to_have_text("Files are 6, and an answer takes up to 5 files, 4 MB in all.")
        await choose(page, handoff, FilePayload(name="a", mimeType="", buffer=b"x" * 4_194_305))
        await yes.click()
        await expect(problem).to_contain_text("Files have 4,194,305 bytes")
        await choose(page, handoff, NOTES)
        await page.get_by_role("button", name="Decline").click()
        await expect(problem).to_contain_text("Files go only with an answer: take them out to decline")
        assert await axe(page) == []
        assert await state(inbox, handoff) is State.OPEN
        await choose(page, handoff, FilePayload(name="a", mimeType="", buffer=b"x" * 4_194_304))
        await yes.click()
        await expect(page.locator(".card.ended")).to_have_count(1)
        assert await contents(inbox, handoff) == [b"x" * 4_194_304]


async def test_a_draft_comes_back_without_its_files(tmp_path: Path, opened: Opened) -> None:
    async with serving(tmp_path) as inbox, opened() as page:
        handoff = await inbox.ask("How does it look?", files=True)
        await enter(page, inbox, f"/h/{handoff.id}")
        await choose(page, handoff, NOTES)
        await page.locator("[name='field.response']").fill("half of it")
        await page.reload()
        await expect(page.locator("[name='field.response']")).to_have_value("half of it")
        assert await page.get_by_label("Files").evaluate("each => each.files.length") == 0
        await page.get_by_text("Attach files").click()
        await expect(page.get_by_text("They are not kept when the page is loaded again")).to_be_visible()
        await page.get_by_role("button", name="Answer", exact=True).click()
        await expect(page.get_by_role("heading", name="Answered by ada")).to_be_visible()


async def test_an_answer_with_files_can_be_taken_back(tmp_path: Path, opened: Opened) -> None:
    async with serving(tmp_path) as inbox, opened() as page:
        handoff = await inbox.ask("Which?", options=["a", "b"], files=True)
        await enter(page, inbox)
        await wants_undo(page)
        await choose(page, handoff, SHOT)
        await page.get_by_role("button", name="b", exact=True).click()
        await page.get_by_role("button", name="Undo").click()
        assert await state(inbox, handoff) is State.OPEN
        await expect(page.locator(".chosen li")).to_have_count(1)
        await page.get_by_role("button", name="a", exact=True).click()
        await expect(page.locator(".held")).to_have_count(1)
        await page.close()  # it is sent at once, signed with the page's key
        assert (await until_ended(inbox, handoff, within=4.5)).values == {"response": "a"}
        assert await contents(inbox, handoff) == [PNG]


async def test_without_script_files_go_with_the_form(tmp_path: Path, opened: Opened) -> None:
    async with serving(tmp_path) as inbox, opened(java_script_enabled=False) as page:
        handoff = await inbox.ask("How does it look?", files=True)
        await enter(page, inbox, f"/h/{handoff.id}")
        await page.locator("summary", has_text="Attach files").click()
        async with page.expect_file_chooser() as chooser:
            await page.get_by_label("Files").click()
        await (await chooser.value).set_files([SHOT, NOTES])
        await page.locator("[name='field.response']").fill("Zwei\nZeilen")
        await page.get_by_role("button", name="Answer", exact=True).click()
        await expect(page.get_by_role("heading", name="Answered by ada")).to_be_visible()
        assert (await inbox.desk.get(handoff.id)).values == {"response": "Zwei\nZeilen"}
        assert await contents(inbox, handoff) == [PNG, b"what I saw"]
        empty = await inbox.ask("And without any?", files=True)
        await page.goto(f"{inbox.url}/h/{empty.id}")
        await page.locator("[name='field.response']").fill("none")
        await page.get_by_role("button", name="Answer", exact=True).click()
        await expect(page.get_by_role("heading", name="Answered by ada")).to_be_visible()


async def test_a_passkey_signs_the_files_of_an_answer(tmp_path: Path, opened: Opened) -> None:
    async with test_signed.joined(tmp_path, opened) as (inbox, page, _):
        handoff = await inbox.ask(options=["yes", "no"], deciders=test_signed.rule(inbox), files=True)
        await visit(page, f"{inbox.url}/h/{handoff.id}")
        await choose(page, handoff, SHOT)
        await page.get_by_role("button", name="yes").click()
        await expect(page.get_by_role("heading", name="Answered by ada")).to_be_visible()
        done = await inbox.desk.get(handoff.id)
        assert [each.name for each in done.attachments] == ["shot ✓.png"]
        await inbox.desk.check_proof(done)


async def test_a_question_that_ends_elsewhere_keeps_no_file_ready(tmp_path: Path, opened: Opened) -> None:
    async with serving(tmp_path) as inbox, opened() as page:
        handoff = await inbox.ask("Which?", options=["a", "b"], files=True)
        await enter(page, inbox)
        await choose(page, handoff, NOTES)
        await inbox.desk.answer(handoff, {"response": "a"}, by="eve", channel="terminal")
        await expect(page.locator(".gone")).to_contain_text("What you entered was not sent.")
        await expect(page.get_by_label("Files")).to_be_disabled()


@pytest.mark.parametrize("shape", sorted(SHAPES))
async def test_files_can_be_read_by_everybody(tmp_path: Path, opened: Opened, shape: str) -> None:
    async with serving(tmp_path) as inbox, opened(**SHAPES[shape]) as page:
        handoff = await inbox.ask("How does it look?", files=True)
        await enter(page, inbox, f"/h/{handoff.id}")
        await choose(page, handoff, SHOT, FilePayload(name="x" * 190 + ".txt", mimeType="text/plain", buffer=b"1"))
        assert await axe(page) == []
        await page.locator("[name='field.response']").fill("so")
        await page.get_by_role("button", name="Answer", exact=True).click()
        await expect(page.locator(".attached")).to_be_visible()
        assert await axe(page) == []
        assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        await until(lambda: page.evaluate("document.querySelector('.attached img').complete"))
