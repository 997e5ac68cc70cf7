"""The card of a held call: the tool, each argument of it, and the decision."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from playwright.async_api import expect

from handoffs.core.action import Asker
from handoffs.core.model import State
from tests.web.held import DEFINITION, call, hold
from tests.web.serving import Opened, serving, signed_in
from tests.web.test_browser import ended
from tests.web.test_guarding import HOSTILE, Acting
from tests.web.test_reading import SHAPES, axe
from tests.web.visiting import enter, until_true, visit

ARGUMENTS: dict[str, object] = {
    "id": 7,
    "really": True,
    "note": "for \u202eada",
    "sql": "DELETE FROM orders\nWHERE id = 7;",
    "letter": "Dear Ada,\n\nthe order is gone.\n",
    "lines": [{"sku": "a-1", "count": 2}],
    "nothing": None,
    "empty": "",
}


async def test_each_argument_is_a_row_and_what_a_screen_hides_is_spelled_out(tmp_path: Path, opened: Opened) -> None:
    async with serving(tmp_path) as inbox, opened() as page:
        held = await hold(inbox.desk, call(arguments=ARGUMENTS))
        assert held.question.action is not None
        await enter(page, inbox)
        card = page.locator(".card")
        await expect(card.locator(".tool")).to_have_text("Run delete_order of shop?")
        await expect(card.locator(".described")).to_contain_text("Deletes an order for good.")
        rows = card.locator(".arguments tbody tr")
        assert await rows.locator("th > code").all_text_contents() == list(ARGUMENTS)
        values = await rows.locator("td").all_inner_texts()
        assert values[:3] == ["7", "true", "for ⟨U+202E⟩ada"]
        assert values[3].strip() == ARGUMENTS["sql"]
        assert values[4].strip() == str(ARGUMENTS["letter"]).strip()
        assert json.loads(values[5]) == ARGUMENTS["lines"]
        assert values[6:] == ["null", "empty"]
        digest = held.question.action.digest
        await expect(card.locator(".digest summary")).to_have_text(f"Digest {digest[:12]}…")
        await expect(card.locator(".digest summary")).to_have_attribute("title", digest)


async def test_a_changed_definition_is_shown_as_a_difference(tmp_path: Path) -> None:
    async with signed_in(tmp_path) as page:
        before = json.dumps(DEFINITION | {"description": "Lists orders."})
        told = "A call like this was sent before, and whether it ran is not known: it may have run."
        await hold(page.inbox.desk, before=before, origin=told, again="change 1 was not used")
        text = (await page.http.get("/")).text
        assert "The definition of this tool has changed since you last saw it" in text
        assert "Lists orders." in text
        assert told in text
        assert "Your change 1 was not used" in text
        assert text.count('class="arguments"') == 1


@pytest.mark.parametrize("hostile", HOSTILE)
async def test_what_a_server_and_an_agent_write_stays_text(tmp_path: Path, hostile: str) -> None:
    async with signed_in(tmp_path) as page:
        definition = json.dumps({"name": hostile, "title": hostile, "description": hostile})
        arguments: dict[str, object] = {hostile: hostile, "a": [hostile], "sql": hostile, "long": f"{hostile}\n" * 3}
        held = await hold(page.inbox.desk, call(hostile, arguments, server=hostile, definition=definition))
        other = await hold(page.inbox.desk, call(hostile, {"b": hostile}, server=hostile, definition=definition))
        seen = [f"{each.id} {each.question.action.digest} 1" for each in (held, other) if each.question.action]
        many = await page.post("/together", decision="deny", data={"call": seen})
        texts = [(await page.http.get("/")).text, (await page.http.get(f"/h/{held.id}")).text, many.text]
        await page.inbox.desk.answer(held, {"decision": "deny"}, by="ada", channel="inbox")
        texts.append((await page.http.get(f"/h/{held.id}")).text)
        for text in texts:
            acting = Acting()
            acting.feed(text)
            assert acting.found == []
            assert 'class="arguments"' in text


async def test_a_call_is_allowed_or_denied_by_a_button(tmp_path: Path, opened: Opened) -> None:
    async with serving(tmp_path) as inbox, opened() as page:
        first = await hold(inbox.desk)
        await enter(page, inbox, f"/h/{first.id}")
        await page.get_by_text("Change, or remember").click()
        await page.get_by_label("This tool with any arguments, for an hour", exact=True).check()
        await page.get_by_label("id is 7").check()
        await page.get_by_label("Uses").fill("3")
        await page.get_by_label("id optional").fill("8")
        await page.get_by_role("button", name="Allow with this").click()
        values = (await ended(inbox, first.id)).values
        limits = {"remember": "tool-hour", "conditions": ["id is 7"], "uses": 3}
        assert values == {"decision": "allow", "arguments": '{"id": 8}', **limits}
        second = await hold(inbox.desk, call(arguments={"id": 2}))
        await visit(page, f"{inbox.url}/h/{second.id}")
        await page.get_by_text("Deny with a reason").click()
        await page.get_by_label("Reason optional").fill("not on Fridays")
        await page.get_by_role("button", name="Deny with this reason").click()
        assert (await ended(inbox, second.id)).values == {"decision": "deny", "reason": "not on Fridays"}


async def test_what_lasts_is_granted_for_the_turn_or_the_session(tmp_path: Path, opened: Opened) -> None:
    async with serving(tmp_path) as inbox, opened() as page:
        for at, (scope, values) in enumerate((("", {}), ("session", {"scope": "session"}))):
            held = await hold(inbox.desk, call(arguments={"id": at}), editable=False, scoped=True)
            await (visit(page, f"{inbox.url}/h/{held.id}") if at else enter(page, inbox, f"/h/{held.id}"))
            await page.get_by_text("For longer, or remember").click()
            assert not await page.get_by_label("This turn").is_checked()
            if scope:
                await page.get_by_label("The rest of the session").check()
            await page.get_by_role("button", name="Allow with this").click()
            assert (await ended(inbox, held.id)).values == {"decision": "allow", **values}


async def test_both_buttons_are_seen_at_once_and_the_optional_is_folded(tmp_path: Path, opened: Opened) -> None:
    for shape in ("light", "phone"):
        (tmp_path / shape).mkdir()
        async with serving(tmp_path / shape) as inbox, opened(**SHAPES[shape]) as page:
            await hold(inbox.desk)
            await enter(page, inbox)
            buttons = page.locator(".decision button")
            assert await buttons.all_inner_texts() == ["1\nAllow", "2\nDeny"]
            for button in await buttons.all():
                await expect(button).to_be_in_viewport(ratio=0.95)
            wide, window = await page.evaluate("[document.documentElement.scrollWidth, innerWidth]")
            assert wide <= window
            await expect(page.get_by_label("Reason optional")).to_be_hidden()
            await expect(page.get_by_label("id optional")).to_be_hidden()
            place = "document.querySelector('.decision').getBoundingClientRect().top + scrollY"
            before = await page.evaluate(place)
            # By keys alone: the fold stands after the buttons, and what it opens moves neither of them.
            await buttons.last.focus()
            for fold in ("Deny with a reason", "Change, or remember"):
                await page.keyboard.press("Tab")
                await expect(page.locator("summary", has_text=fold)).to_be_focused()
            await page.keyboard.press("Enter")
            await expect(page.get_by_label("id optional")).to_be_visible()
            assert await page.evaluate(place) == before


async def test_what_is_filled_in_counts_while_folded_and_the_fold_says_so(tmp_path: Path, opened: Opened) -> None:
    async with serving(tmp_path) as inbox, opened() as page:
        held = await hold(inbox.desk)
        await enter(page, inbox)
        fold = page.locator(".extras")
        await fold.locator("> summary").click()
        await page.get_by_label("These exact arguments, for an hour", exact=True).check()
        await expect(fold.locator(".counts")).to_be_hidden()
        await fold.locator("> summary").click()
        await expect(fold.locator(".counts")).to_be_visible()
        await page.reload()
        await expect(fold).to_have_attribute("open", "")
        await fold.locator("> summary").click()
        await expect(fold.locator(".counts")).to_be_visible()
        await page.locator(".decision button.allow").click()
        assert (await ended(inbox, held.id)).values == {"decision": "allow", "remember": "exact-hour"}


async def test_our_own_choices_are_read_by_their_titles_alone(tmp_path: Path) -> None:
    form = {"properties": {"remember": {"type": "string", "oneOf": [{"const": "v-1", "title": "The first"}]}}}
    async with signed_in(tmp_path) as page:
        held = await hold(page.inbox.desk)
        asked = await page.inbox.ask("Which?", form=form)
        text = (await page.http.get(f"/h/{held.id}")).text
        assert ">These exact arguments, for an hour<" in text
        assert "(exact-hour)" not in text
        assert "The first (v-1)" in (await page.http.get(f"/h/{asked.id}")).text
        await page.inbox.desk.answer(held, {"decision": "allow", "remember": "exact-hour"}, by="ada", channel="inbox")
        text = (await page.http.get(f"/h/{held.id}")).text
        assert "These exact arguments, for an hour" in text
        assert "(exact-hour)" not in text


async def test_keys_choose_and_no_enter_in_a_field_allows(tmp_path: Path, opened: Opened) -> None:
    async with serving(tmp_path) as inbox, opened() as page:
        held = await hold(inbox.desk)
        await enter(page, inbox)
        await until_true(page, "!document.querySelector('.card.fresh')")
        await page.locator(".extras > summary").click()
        await page.get_by_label("id optional").focus()
        await page.keyboard.press("Control+Enter")
        await page.get_by_label("This tool with any arguments, for an hour").focus()
        await page.keyboard.press("Enter")
        await page.locator(".card").focus()
        assert (await inbox.desk.get(held.id)).state is State.OPEN
        await page.keyboard.press("1")
        await expect(page.locator(".decision button.allow")).to_be_focused()
        await page.keyboard.press("d")
        await expect(page.locator(".decision button.deny")).to_be_focused()
        await page.keyboard.press("d")
        assert (await ended(inbox, held.id)).values == {"decision": "deny"}


async def test_a_reason_denies_by_the_key_that_sends(tmp_path: Path, opened: Opened) -> None:
    async with serving(tmp_path) as inbox, opened() as page:
        held = await hold(inbox.desk)
        await enter(page, inbox)
        await page.locator(".because summary").click()
        await page.get_by_label("Reason optional").fill("not today")
        await page.keyboard.press("Control+Enter")
        assert (await ended(inbox, held.id)).values == {"decision": "deny", "reason": "not today"}


async def test_without_script_enter_in_a_field_decides_nothing(tmp_path: Path, opened: Opened) -> None:
    async with serving(tmp_path) as inbox, opened(java_script_enabled=False) as page:
        held = await hold(inbox.desk)
        await enter(page, inbox)
        await page.locator(".extras > summary").click()
        await page.get_by_label("This tool with any arguments, for an hour").press("Enter")
        await expect(page.locator(".banner")).to_contain_text("Nothing was recorded")
        assert (await inbox.desk.get(held.id)).state is State.OPEN
        await page.locator(".decision button.deny").click()
        await expect(page.locator("h1")).to_contain_text("Answered by ada")


@pytest.mark.parametrize("shape", SHAPES)
async def test_a_held_call_is_read_by_everybody(tmp_path: Path, opened: Opened, shape: str) -> None:
    async with serving(tmp_path) as inbox, opened(**SHAPES[shape]) as page:
        await hold(inbox.desk, call(arguments=ARGUMENTS | {"path": "/very/long" * 40}))
        await hold(inbox.desk, call("t" * 90, {}), before=json.dumps(DEFINITION))
        over = await hold(inbox.desk, call(arguments={"id": 9}))
        await inbox.desk.answer(over, {"decision": "allow"}, by="ada", channel="inbox")
        await enter(page, inbox)
        for path in ("/", f"/h/{over.id}"):
            await visit(page, inbox.url + path)
            await page.evaluate("document.querySelectorAll('.card details').forEach((each) => { each.open = true; })")
            assert await axe(page) == [], path
            wide, window = await page.evaluate("[document.documentElement.scrollWidth, innerWidth]")
            assert wide <= window, path


SIGNING_IN = {"user": "ada", "password": "hush\nhush", "deep": {"key": "hush", "id": 7}}
SECRET = call("sign_in", SIGNING_IN, masked=("deep.key",))


async def test_a_secret_is_behind_a_click_where_it_is_decided(tmp_path: Path, opened: Opened) -> None:
    async with serving(tmp_path) as inbox, opened() as page:
        await hold(inbox.desk, SECRET)
        await enter(page, inbox)
        rows = page.locator(".arguments tbody tr")
        texts = await rows.locator("td").all_inner_texts()
        assert [each.strip() for each in texts[:2]] == ["ada", "•••• secret: show"]
        assert "hush" not in "".join(texts)
        assert '"id": 7' in texts[2]
        await rows.nth(1).locator("summary").click()
        await expect(rows.nth(1)).to_contain_text("hush hush")
        await rows.nth(2).locator("summary").press("Enter")
        await expect(rows.nth(2).locator("details")).to_contain_text('"key": "hush"')
        assert await axe(page) == []


async def test_a_secret_is_on_no_page_of_what_was_decided(tmp_path: Path) -> None:
    async with signed_in(tmp_path) as page:
        desk = page.inbox.desk
        held = await hold(desk, SECRET)
        host = await hold(desk, replace(SECRET, asker=Asker.HOST))
        for each in (held, host):
            assert "hush" in (await page.http.get(f"/h/{each.id}")).text
            edited = {"decision": "allow", "arguments": '{"user": "eve", "password": "hush"}'}
            await desk.answer(each, edited, by="ada", channel="inbox")
            text = (await page.http.get(f"/h/{each.id}")).text
            assert "hush" not in text
            assert "••••" in text
            assert "eve" in text
        assert SECRET.digest in (await page.http.get(f"/h/{held.id}")).text
        listed = (await page.http.get("/history")).text
        assert held.id in listed
        assert "hush" not in listed
