"""A secret in the inbox: it is typed there, and no page ever has it."""

from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import expect

from handoffs.core.model import Handoff
from tests.web.serving import Opened, Page, serving, signed_in, stays_open
from tests.web.visiting import enter, visit

VALUE = " c0rrect <b>horse</b> \u00e9 "
FORM: dict[str, Any] = {
    "type": "object",
    "properties": {
        "user": {"type": "string", "title": "User", "maxLength": 5},
        "password": {"type": "string", "title": "Password", "format": "password"},
        "pin": {"type": "string", "title": "PIN", "format": "password", "minLength": 4},
    },
    "required": ["user", "password"],
}


async def every_page(page: Page, handoff: Handoff) -> str:
    paths = ("/", "/history", "/figures", "/figures.csv", "/figures.json", f"/h/{handoff.id}")
    return "".join([(await page.http.get(path)).text for path in paths])


async def test_a_secret_is_kept_as_it_was_typed_and_shown_by_its_name_alone(tmp_path: Path) -> None:
    async with signed_in(tmp_path) as page:
        handoff = await page.inbox.ask(form=FORM)
        asks = (await page.http.get(f"/h/{handoff.id}")).text
        assert asks.count('class="masked"') == 2
        reply = await page.post(f"/h/{handoff.id}/answer", data={"field.user": "root", "field.password": VALUE})
        assert reply.status_code == 303
        name = f"secret:{handoff.id}/password"
        answered = await page.inbox.desk.get(handoff.id)
        assert answered.values == {"user": "root", "password": name}
        assert await page.inbox.desk.reveal(name, by="ada") == VALUE
        shown = await every_page(page, handoff)
        assert f"(given: {name})" in shown
        assert "A program got the secret password by ada" in shown
        assert not any(trace in shown for trace in ("c0rrect", "horse"))


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ("-----BEGIN KEY-----\r\nAA==\r\n-----END KEY-----\r\n", "-----BEGIN KEY-----\nAA==\n-----END KEY-----\n"),
        ("\r\n indented\r\n\r\nlast", "\n indented\n\nlast"),
        ("hunter2 \r\n", "hunter2 "),  # what is copied with the end of its line
        ("\r\nhunter2", "hunter2"),
    ],
)
async def test_several_lines_are_kept_and_a_single_one_has_no_line_break(sent: str, kept: str, tmp_path: Path) -> None:
    async with signed_in(tmp_path) as page:
        handoff = await page.inbox.ask(form=FORM)
        form = {"field.user": "root", "field.password": sent}
        assert (await page.post(f"/h/{handoff.id}/answer", data=form)).status_code == 303
        assert await page.inbox.desk.reveal(f"secret:{handoff.id}/password", by="ada") == kept


async def test_line_breaks_alone_are_no_secret(tmp_path: Path) -> None:
    async with signed_in(tmp_path) as page:
        handoff = await page.inbox.ask(form=FORM)
        form = {"field.user": "root", "field.password": "\r\n\r\n"}
        assert (await page.post(f"/h/{handoff.id}/answer", data=form)).status_code == 422
        assert await stays_open(page, handoff.id)


@pytest.mark.parametrize("script", [False, True])
async def test_a_page_that_asks_again_holds_no_secret_and_says_to_type_it_again(script: bool, tmp_path: Path) -> None:
    async with signed_in(tmp_path) as page:
        handoff = await page.inbox.ask(form=FORM)
        wrong = {"field.user": "too long", "field.password": VALUE, "field.pin": "98765"}
        reply = await page.post(f"/h/{handoff.id}/answer", script=script, data=wrong)
        assert reply.status_code == 422
        assert not any(trace in reply.text for trace in ("c0rrect", "horse", "98765"))
        assert reply.headers["cache-control"] == "no-store"
        if not script:
            # Else one that may be left out would be, and nobody would notice.
            assert "PIN must be entered again." in reply.text
            assert "Password must be entered again." in reply.text
        short = await page.post(f"/h/{handoff.id}/answer", script=script, data=wrong | {"field.pin": "987"})
        assert "is too short: 3 of at least 4 characters" in short.text
        assert await stays_open(page, handoff.id)


async def test_what_came_too_late_is_kept_nowhere(tmp_path: Path) -> None:
    async with signed_in(tmp_path) as page:
        handoff = await page.inbox.ask(form=FORM)
        await page.inbox.desk.decline(handoff, by="eve", channel="elicitation")
        late = await page.post(f"/h/{handoff.id}/answer", data={"field.user": "root", "field.password": VALUE})
        assert late.status_code == 409
        assert "horse" not in late.text
        stored = b"".join(file.read_bytes() for file in tmp_path.rglob("*") if file.is_file())
        assert b"horse" not in stored


async def test_it_is_typed_unseen_in_a_browser_and_nothing_of_it_is_left_there(tmp_path: Path, opened: Opened) -> None:
    async with serving(tmp_path) as inbox, opened() as page:
        handoff = await inbox.ask("The **database**?", form=FORM)
        await enter(page, inbox, f"/h/{handoff.id}")
        field = page.get_by_role("textbox", name="Password")
        await expect(field).to_have_css("-webkit-text-security", "disc")
        for kept_out in ("autocomplete", "autocapitalize"):
            await expect(field).to_have_attribute(kept_out, "off")
        await expect(field).to_have_attribute("spellcheck", "false")  # some are elsewhere
        await page.get_by_label("User").fill("too long")
        await field.fill(VALUE)
        await page.get_by_role("button", name="Answer").click()
        await expect(page.locator('[data-name="field.user"] .problem')).to_contain_text("is too long")
        await page.get_by_label("User").fill("root")
        await page.get_by_role("button", name="Answer").click()
        await expect(page.locator("h1")).to_have_text("Answered by ada through inbox")
        await expect(page.locator(".values")).to_contain_text(f"(given: secret:{handoff.id}/password)")
        assert "horse" not in await page.content()
        assert await inbox.desk.reveal(f"secret:{handoff.id}/password", by="ada") == VALUE


PEM = (
    "-----BEGIN PRIVATE KEY-----\n"
    + "MC4CAQAwBQYDK2VwBCIEIHJlYWxseSBub3QgYSBrZXk=\n" * 3
    + "-----END PRIVATE KEY-----\n"
)


async def paste(page: Any, into: Any, text: str) -> None:
    """As a person does: from the clipboard, so that the browser decides what becomes of the line breaks."""
    await page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    await page.evaluate("text => navigator.clipboard.writeText(text)", text)
    await into.focus()
    await page.keyboard.press("Control+V")


@pytest.mark.parametrize("script", [True, False])
async def test_a_private_key_is_pasted_with_its_lines_and_can_be_looked_at(
    script: bool, tmp_path: Path, opened: Opened
) -> None:
    async with serving(tmp_path) as inbox, opened(java_script_enabled=script) as page:
        handoff = await inbox.ask("The key of the **host**?", form=FORM)
        await enter(page, inbox, f"/h/{handoff.id}")
        field = page.get_by_role("textbox", name="Password")
        await page.get_by_label("User").fill("root")
        if script:
            await paste(page, field, PEM)
        else:
            await field.fill(PEM)
        await expect(field).to_have_value(PEM)
        await expect(field).to_have_css("-webkit-text-security", "disc")
        # Without script, too; and only for the one that was meant.
        show = page.locator('[data-name="field.password"]').get_by_label("Show what I enter")
        await show.check()
        await expect(field).to_have_css("-webkit-text-security", "none")
        await expect(page.get_by_role("textbox", name="PIN")).to_have_css("-webkit-text-security", "disc")
        await show.uncheck()
        await expect(field).to_have_css("-webkit-text-security", "disc")
        await page.get_by_role("button", name="Answer").click()
        await expect(page.locator("h1")).to_have_text("Answered by ada through inbox")
        assert await inbox.desk.reveal(f"secret:{handoff.id}/password", by="ada") == PEM
        assert "PRIVATE KEY" not in await page.content()


async def test_enter_sends_a_secret_of_one_line_and_goes_on_in_one_of_several(tmp_path: Path, opened: Opened) -> None:
    one = {"type": "object", "properties": {"pin": {"type": "string", "title": "PIN", "format": "password"}}}
    async with serving(tmp_path) as inbox, opened() as page:
        first, second = [await inbox.ask(f"{n}?", form={**one, "required": ["pin"]}) for n in ("First", "Second")]
        await enter(page, inbox, f"/h/{first.id}")
        await page.get_by_role("textbox", name="PIN").press_sequentially("9876")
        await page.keyboard.press("Enter")
        await expect(page.locator("h1")).to_have_text("Answered by ada through inbox")
        assert await inbox.desk.reveal(f"secret:{first.id}/pin", by="ada") == "9876"
        await visit(page, f"{inbox.url}/h/{second.id}")
        # The keys of the page know the switch beside it as no field of the form.
        await page.keyboard.press("a")
        await expect(page.get_by_role("textbox", name="PIN")).to_be_focused()
        for keys in ("12", "Shift+Enter", "34", "Enter", "56"):
            await (page.keyboard.press(keys) if "Enter" in keys else page.keyboard.type(keys))
        await expect(page.get_by_role("textbox", name="PIN")).to_have_value("12\n34\n56")
        await page.keyboard.press("Control+Enter")
        await expect(page.locator("h1")).to_have_text("Answered by ada through inbox")
        assert await inbox.desk.reveal(f"secret:{second.id}/pin", by="ada") == "12\n34\n56"
