"""A secret in the inbox: it is typed there, and no page ever has it."""

from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import expect

from handoffs.core.model import Handoff
from tests.web.serving import Opened, Page, serving, signed_in, stays_open
from tests.web.visiting import enter

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
        assert asks.count('type="password"') == 2
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


@pytest.mark.parametrize("script", [False, True])
async def test_a_page_that_asks_again_has_nothing_of_it_and_says_that_it_must_be_typed_again(
    script: bool, tmp_path: Path
) -> None:
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
        field = page.get_by_label("Password")
        await expect(field).to_have_attribute("type", "password")
        await expect(field).to_have_attribute("autocomplete", "off")
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
