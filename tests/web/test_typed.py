"""What a person types in the inbox arrives as they meant it: numbers, times, secrets, and after a reload."""

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import anyio
import pytest
from playwright.async_api import Page, expect

from handoffs.core.model import State
from tests.web.joined import home
from tests.web.serving import Inbox, Opened, serving, signed_in, stays_open
from tests.web.visiting import FORM, enter, until_true, visit

DRAFTS = "Object.keys(sessionStorage).filter((each) => each.startsWith('handoffs draft h_')).length"


def form_of(**properties: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": list(properties)}


async def answered(inbox: Inbox, handoff_id: str) -> Any:
    with anyio.fail_after(120):
        return (await inbox.desk.wait(handoff_id, seconds=None)).values


async def send(page: Page, button: str = "Answer") -> None:
    await expect(page.locator(".settling")).to_have_count(0)  # what has just moved takes no press
    await page.get_by_role("button", name=button, exact=True).click()


async def test_the_wheel_changes_no_number_and_a_comma_is_never_left_out(tmp_path: Path, opened: Opened) -> None:
    form = form_of(refund={"type": "number", "title": "Refund"}, count={"type": "integer", "minimum": 0})
    async with serving(tmp_path) as inbox, opened(viewport={"width": 600, "height": 300}, locale="de-DE") as page:
        handoff = await inbox.ask(form=form)
        await enter(page, inbox)
        refund, count = page.locator('[name="field.refund"]'), page.locator('[name="field.count"]')
        for field, keys in ((refund, "text"), (count, "numeric")):  # digits alone would leave no minus on some phones
            await expect(field).to_have_attribute("type", "text")
            await expect(field).to_have_attribute("inputmode", keys)
        await count.fill("500")
        await count.hover()
        for _ in range(3):
            await page.mouse.wheel(0, 120)
        await page.keyboard.press("ArrowDown")
        await expect(count).to_have_value("500")
        await refund.fill("3,5")
        await send(page, "Antworten")  # this browser is German, and so is its page
        problem = page.locator('[data-name="field.refund"] .problem')
        await expect(problem).to_contain_text("Refund: erwartet: eine Zahl ohne Kommas")
        await expect(refund).to_have_value("3,5")
        assert (await inbox.desk.get(handoff.id)).state is State.OPEN
        await refund.fill("-3.5")
        await send(page, "Antworten")
        assert await answered(inbox, handoff.id) == {"refund": -3.5, "count": 500}


async def test_a_reload_keeps_what_was_typed_and_picked_but_no_secret(tmp_path: Path, opened: Opened) -> None:
    form = form_of(
        why={"type": "string", "title": "Why"},
        sure={"type": "boolean", "title": "Sure?"},
        at={"type": "string", "format": "date-time", "title": "When"},
        pin={"type": "string", "format": "password", "title": "PIN"},
    )
    async with serving(tmp_path) as inbox, opened() as page:
        handoff, other = await inbox.ask("One?", form=form), await inbox.ask("Other?", form=form)
        await enter(page, inbox)
        card = page.locator(f"#{handoff.id}")
        await card.get_by_label("Why").fill("A long and careful explanation")
        await card.get_by_label("Yes").check()
        await card.get_by_label("When").fill("2026-12-24T18:00")
        await card.get_by_role("textbox", name="PIN").fill("98765")
        await card.get_by_text("Add a note").click()
        await card.get_by_label("Note").fill("and a note")
        await page.reload()
        await expect(card.get_by_label("Why")).to_have_value("A long and careful explanation")
        await expect(card.get_by_label("Yes")).to_be_checked()
        await expect(card.get_by_label("When")).to_have_value("2026-12-24T18:00")
        await expect(card.get_by_label("Note")).to_have_value("and a note")
        await expect(card.get_by_role("textbox", name="PIN")).to_have_value("")
        assert "98765" not in await page.evaluate("JSON.stringify(sessionStorage)")
        await expect(page.locator(f"#{other.id}").get_by_label("Why")).to_have_value("")
        await expect(page.locator(f"#{other.id} :checked:not(.reveal)")).to_have_count(0)
        await card.get_by_role("textbox", name="PIN").fill("98765")
        await card.get_by_role("button", name="Answer", exact=True).click()
        assert (await answered(inbox, handoff.id))["at"] == "2026-12-24T18:00:00+01:00"
        await expect(card.locator(".gone")).to_be_visible()
        assert await page.evaluate("Object.keys(sessionStorage)") == []


async def test_what_was_typed_is_gone_from_the_tab_with_the_sign_out(tmp_path: Path, opened: Opened) -> None:
    async with serving(tmp_path) as inbox, opened() as page:
        await inbox.ask()
        await enter(page, inbox)
        await page.get_by_label("Response").fill("half an answer")
        await until_true(page, f"{DRAFTS} === 1")
        await page.get_by_role("button", name="Sign out").click()
        await expect(page.locator("h1")).to_contain_text("Sign in")
        assert await page.evaluate("Object.keys(sessionStorage)") == []


async def test_a_draft_goes_with_its_question_also_while_no_page_is_there(tmp_path: Path, opened: Opened) -> None:
    async with serving(tmp_path) as inbox, opened() as page:
        there, away = await inbox.ask("There?"), await inbox.ask("Away?")
        await enter(page, inbox)
        for each in (there, away):
            await page.locator(f"#{each.id}").get_by_label("Response").fill("half of it")
        await until_true(page, f"{DRAFTS} === 2")
        await inbox.desk.cancel(there, by="eve", channel="terminal")
        await expect(page.locator(f"#{there.id} .gone")).to_contain_text("What you entered was not sent.")
        await until_true(page, f"{DRAFTS} === 1")
        await page.goto("about:blank")
        await inbox.desk.cancel(away, by="eve", channel="terminal")
        await page.goto(inbox.url + "/history")
        await until_true(page, f"{DRAFTS} === 0")


async def test_a_sign_out_in_one_tab_forgets_the_drafts_of_the_others(tmp_path: Path, opened: Opened) -> None:
    async with serving(tmp_path) as inbox, opened() as page:
        await inbox.ask("There?")
        await enter(page, inbox)
        await page.get_by_label("Response").fill("half of it")
        await until_true(page, f"{DRAFTS} === 1")
        other = await page.context.new_page()
        await other.goto(inbox.url)
        await other.get_by_role("button", name="Sign out").click()
        await expect(other.locator("h1")).to_have_text("Sign in from a terminal")
        await until_true(page, f"{DRAFTS} === 0")


async def test_a_draft_is_not_shown_to_the_next_person(tmp_path: Path, opened: Opened) -> None:
    async with home(tmp_path, proxy_header="x-user") as inbox, opened(extra_http_headers={"x-user": "ada"}) as page:
        await inbox.ask("There?")
        await page.goto(inbox.url)
        await page.get_by_label("Response").fill("half of it")
        await until_true(page, f"{DRAFTS} === 1")
        await page.reload()
        await expect(page.get_by_label("Response")).to_have_value("half of it")
        await page.set_extra_http_headers({"x-user": "bob"})
        await page.goto(inbox.url)
        await expect(page.get_by_label("Response")).to_have_value("")
        await until_true(page, f"{DRAFTS} === 0")


async def test_a_secret_that_starts_or_ends_with_a_blank_says_so_without_a_shift(
    tmp_path: Path, opened: Opened
) -> None:
    form = form_of(
        password={"type": "string", "format": "password", "title": "Password"},
        pin={"type": "string", "format": "password", "title": "PIN"},
    )
    async with serving(tmp_path) as inbox, opened() as page:
        await inbox.ask(form=form)
        await enter(page, inbox)
        names = [
            await each.get_attribute("class") for each in await page.locator(".card").get_by_role("checkbox").all()
        ]
        assert names == ["reveal", "reveal"]
        for title in ("Password", "PIN"):  # of two, each says whose it is
            await expect(page.get_by_role("checkbox", name=f"Show what I enter as {title}")).to_have_count(1)
        said = page.locator('[data-name="field.password"] .edge')
        height = await page.evaluate("document.querySelector('.card').offsetHeight")
        field = page.get_by_role("textbox", name="Password")
        for value, told in (("hunter2 ", True), ("hunter2", False), ("\u00a0hunter2", True), ("a b", False)):
            await field.fill(value)
            await (expect(said).to_be_visible() if told else expect(said).to_be_hidden())
        await field.fill("-----BEGIN KEY-----\nAA==\n-----END KEY-----\n")
        await expect(said).to_be_hidden()
        await field.fill("hunter2 ")
        assert await page.evaluate("document.querySelector('.card').offsetHeight") == height


async def test_no_default_picks_for_the_person(tmp_path: Path, opened: Opened) -> None:
    twenty = [f"r{number}" for number in range(20)]
    form = form_of(
        sure={"type": "boolean", "default": True},
        env={"type": "string", "enum": ["dev", "prod"], "default": "prod"},
        region={"type": "string", "enum": twenty, "default": "r7"},
        days={"type": "array", "items": {"type": "string", "enum": ["mo", "tu"]}, "default": ["mo"]},
        name={"type": "string", "default": "Ada"},
    )
    async with serving(tmp_path) as inbox, opened() as page:
        handoff = await inbox.ask(form=form)
        await enter(page, inbox)
        await expect(page.locator(".card :checked:not(option)")).to_have_count(0)
        await expect(page.locator(".card select")).to_have_value("")
        await expect(page.locator('[name="field.name"]')).to_have_value("Ada")
        await send(page)
        for name in ("sure", "env", "region"):
            await expect(page.locator(f'[data-name="field.{name}"] .problem')).to_contain_text("is missing")
        assert (await inbox.desk.get(handoff.id)).state is State.OPEN


OFFERED = [
    "2026-10-25T01:30:00Z",  # half past two in Berlin, the second time
    "2026-10-25T00:30:00Z",  # and the first
    "2026-07-01T10:00:00.500Z",
    "2026-07-01T10:00:00",
    "2026-07-01 10:00:00+05:30",
    "2026-07-01T10:00Z",
]


@pytest.mark.parametrize("default", OFFERED)
async def test_a_time_that_was_offered_and_not_touched_is_what_came(
    tmp_path: Path, opened: Opened, default: str
) -> None:
    form = form_of(at={"type": "string", "format": "date-time", "title": "At", "default": default})
    async with serving(tmp_path) as inbox:
        for script in (True, False):
            async with opened(java_script_enabled=script) as page:
                handoff = await inbox.ask(f"When, {script}?", form=form)
                await enter(page, inbox, f"/h/{handoff.id}")
                await send(page)
                assert await answered(inbox, handoff.id) == {"at": default}


async def test_a_person_in_utc_reads_the_zone_once(tmp_path: Path, opened: Opened) -> None:
    form = form_of(at={"type": "string", "format": "date-time", "title": "At"})
    async with serving(tmp_path) as inbox, opened(timezone_id="UTC") as page:
        handoff = await inbox.ask("When?", form=form)
        await enter(page, inbox, f"/h/{handoff.id}")
        await expect(page.locator(".zone")).to_have_text("your time, UTC")


async def test_a_time_is_in_the_persons_zone_and_an_ambiguous_one_is_asked_about(
    tmp_path: Path, opened: Opened
) -> None:
    form = form_of(at={"type": "string", "format": "date-time", "title": "At"})
    async with serving(tmp_path) as inbox, opened() as page:
        asked = [await inbox.ask(f"{number}?", form=form) for number in range(2)]
        await enter(page, inbox, f"/h/{asked[0].id}")
        field, zone = page.locator('[name="field.at"]'), page.locator(".zone")
        await field.fill("2026-07-01T12:00")
        await expect(zone).to_have_text("your time, Europe/Berlin, UTC+02:00")
        await field.fill("2026-12-01T12:00")
        await expect(zone).to_have_text("your time, Europe/Berlin, UTC+01:00")
        await field.fill("2026-03-29T02:30")
        await send(page)
        await expect(page.locator(".field .problem").first).to_contain_text("At is a time that never was where you are")
        await field.fill("2026-03-29T03:30")
        await send(page)
        assert await answered(inbox, asked[0].id) == {"at": "2026-03-29T03:30:00+02:00"}
        await visit(page, f"{inbox.url}/h/{asked[1].id}")
        await field.fill("2026-10-25T02:30")
        await send(page)
        await expect(page.locator(".field .problem").first).to_contain_text("At is there twice that day")
        await expect(page.locator(".twice :checked")).to_have_count(0)
        await page.get_by_label("the second, an hour later, UTC+01:00").check()
        await send(page)
        assert await answered(inbox, asked[1].id) == {"at": "2026-10-25T02:30:00+01:00"}


@pytest.mark.parametrize("hours", [-26, 2, 30])
async def test_a_browser_whose_clock_is_wrong_shows_the_servers_times(
    tmp_path: Path, opened: Opened, hours: int
) -> None:
    async with serving(tmp_path) as inbox, opened() as page:
        await inbox.ask("An hour?", timeout_seconds=3600)
        await inbox.ask("A day?", timeout_seconds=86_400)
        await page.clock.set_fixed_time(datetime.now() + timedelta(hours=hours))  # noqa: DTZ005 - a browser's clock
        await enter(page, inbox)
        await expect(page.locator(".left").first).to_have_text("24 h left")
        left = await page.locator(".left").nth(1).inner_text()
        assert left == "60:00 left" or left.startswith(("59:", "58:"))
        assert "s ago" in await page.locator(".age").first.inner_text()


async def test_without_script_a_time_that_was_changed_is_in_utc(tmp_path: Path) -> None:
    form = form_of(at={"type": "string", "format": "date-time", "default": "2026-07-01T10:00:00+02:00"})
    async with signed_in(tmp_path) as page:
        handoff = await page.inbox.ask(form=form)
        text = (await page.http.get(f"/h/{handoff.id}")).text
        assert 'value="2026-07-01T08:00:00"' in text
        assert '<span class="zone">UTC</span>' in text
        reply = await page.post(f"/h/{handoff.id}/answer", data={"field.at": "2026-07-01T08:01", "zone.at": "Z"})
        assert reply.status_code == 303
        assert (await page.inbox.desk.get(handoff.id)).values == {"at": "2026-07-01T08:01:00Z"}


async def test_a_number_is_read_by_the_shared_check(tmp_path: Path) -> None:
    form = form_of(n={"type": "number"})
    async with signed_in(tmp_path) as page:
        handoff = await page.inbox.ask(form=form)
        for typed in ("3,5", "1.000,5", "one", "nan", "--1"):
            reply = await page.post(f"/h/{handoff.id}/answer", script=True, data={"field.n": typed})
            assert reply.status_code == 422, typed
            assert "must be a number" in reply.json()["problems"]["field.n"]
        assert await stays_open(page, handoff.id)


async def test_what_is_typed_and_taken_back_is_not_kept(tmp_path: Path, opened: Opened) -> None:
    async with serving(tmp_path) as inbox, opened() as page:
        await inbox.ask(form=FORM)
        await enter(page, inbox)
        await page.get_by_label("Name").fill("Ada")
        await until_true(page, f"{DRAFTS} === 1")
        await page.get_by_label("Name").fill("")
        await until_true(page, "Object.keys(sessionStorage).length === 0")
