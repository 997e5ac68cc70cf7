"""Several held calls of one agent, decided at once."""

import re
from pathlib import Path

import pytest
from playwright.async_api import expect

from handoffs.core.model import Caller, Handoff, State
from tests.web.held import call, hold
from tests.web.serving import Opened, Page, serving, signed_in
from tests.web.test_reading import SHAPES, axe
from tests.web.visiting import enter

OTHER = Caller(subject="ada", client="codex", project="/srv/shop")


async def shown(page: Page) -> list[str]:
    """What the list posts of the calls that it shows."""
    return re.findall(r'name="call" value="([^"]+)"', (await page.http.get("/")).text)


async def state(page: Page, handoff: Handoff) -> State:
    return (await page.inbox.desk.get(handoff.id)).state


async def test_calls_of_one_agent_stand_together_and_no_others(tmp_path: Path, opened: Opened) -> None:
    async with serving(tmp_path) as inbox, opened() as page:
        first = await hold(inbox.desk, call(arguments={"id": 1}))
        alone = await hold(inbox.desk, caller=OTHER)
        plain = await inbox.ask("Which?", options=["a", "b"])
        last = await hold(inbox.desk, call(arguments={"id": 2}))
        await enter(page, inbox)
        cards = page.locator("#list > .card")
        wanted = [last.id, first.id, plain.id, alone.id]
        assert [await each.get_attribute("id") for each in await cards.all()] == wanted
        await expect(page.locator(".group h2")).to_have_text("2 calls of claude-code in /srv/shop wait")


async def test_all_that_was_shown_is_allowed_after_a_page_that_names_each(tmp_path: Path, opened: Opened) -> None:
    async with serving(tmp_path) as inbox, opened() as page:
        calls = [await hold(inbox.desk, call(arguments={"id": number})) for number in (1, 2, 3)]
        alone = await hold(inbox.desk, caller=OTHER)
        await enter(page, inbox)
        await page.get_by_role("button", name="Allow all that is shown").press("Enter")
        await expect(page.locator("h1")).to_have_text("Allow these 3 calls?")
        assert sorted(await page.locator(".arguments .value").all_text_contents()) == ["1", "2", "3"]
        late = await hold(inbox.desk, call(arguments={"id": 4}))
        assert [(await inbox.desk.get(each.id)).state for each in calls] == [State.OPEN] * 3
        await page.get_by_role("button", name="Allow these 3 calls").click()
        await expect(page.locator("h1")).to_have_text("3 of 3 allowed")
        for each in calls:
            assert (await inbox.desk.get(each.id)).values == {"decision": "allow"}
            lines = [entry for entry in await inbox.desk.log(handoff_id=each.id) if entry.name == "answered"]
            assert [line.details["by"] for line in lines] == ["ada"]
        for each in (alone, late):
            assert (await inbox.desk.get(each.id)).state is State.OPEN


async def test_all_are_denied_with_one_reason(tmp_path: Path, opened: Opened) -> None:
    async with serving(tmp_path) as inbox, opened(java_script_enabled=False) as page:
        calls = [await hold(inbox.desk, call(arguments={"id": number})) for number in (1, 2)]
        await enter(page, inbox)
        await page.get_by_role("button", name="Deny all").click()
        await page.locator("#reason").fill("not today")
        await page.get_by_role("button", name="Deny these 2 calls").click()
        await expect(page.locator("h1")).to_have_text("2 of 2 denied")
        for each in calls:
            assert (await inbox.desk.get(each.id)).values == {"decision": "deny", "reason": "not today"}


@pytest.mark.parametrize("shape", ["light", "phone"])
async def test_the_panel_follows_what_comes_and_what_ends_and_moves_nothing(
    tmp_path: Path, opened: Opened, shape: str
) -> None:
    async with serving(tmp_path) as inbox, opened(**SHAPES[shape]) as page:
        calls = [await hold(inbox.desk, call(arguments={"id": number})) for number in (1, 2, 3)]
        await enter(page, inbox)
        panel = page.locator(".group")
        place = "Math.round(document.getElementById('list').getBoundingClientRect().top)"
        before = await page.evaluate(place)
        await page.mouse.move(100, 400)
        await inbox.desk.decline(calls[0], by="eve", channel="terminal")
        await expect(panel.locator("h2")).to_have_text("2 calls of claude-code in /srv/shop wait")
        await expect(panel.locator("li.over")).to_have_attribute("data-id", calls[0].id)
        late = await hold(inbox.desk, call(arguments={"id": 4}))
        await expect(panel.locator(".since")).to_have_text("1 more came: not among these.")
        assert await page.evaluate(place) == before
        posted = panel.locator("[name=call]")
        assert {(await each.input_value()).split()[0] for each in await posted.all()} == {each.id for each in calls[1:]}
        await page.get_by_role("button", name="1 new question").click()
        await expect(panel.locator("h2")).to_have_text("3 calls of claude-code in /srv/shop wait")
        await expect(panel.locator("li")).to_have_count(3)
        await expect(panel.locator(".since")).to_be_empty()
        await expect(page.locator(".group.settling")).to_have_count(0)
        await panel.get_by_role("button", name="Allow all that is shown").click()
        await expect(page.locator("h1")).to_have_text("Allow these 3 calls?")
        await expect(page.locator(f"#{late.id}")).to_be_visible()


async def test_calls_that_come_later_get_a_panel_as_the_server_draws_it(tmp_path: Path, opened: Opened) -> None:
    async with serving(tmp_path) as inbox, opened() as page:
        plain = await inbox.ask("Which?", options=["a", "b"])
        await enter(page, inbox)
        for number in (1, 2):
            await hold(inbox.desk, call(arguments={"id": number}))
        await page.get_by_role("button", name="2 new questions").click()
        await expect(page.locator(".group h2")).to_have_text("2 calls of claude-code in /srv/shop wait")
        # Without what differs by the order in which the inputs stand, and by a page's own classes.
        draw = """() => { const group = document.querySelector(".group");
            return [group.querySelector("h2").textContent, group.querySelector(".calls").innerHTML,
                [...group.querySelectorAll("[name=call], [name=csrf]")].map((each) => each.value).sort()]; }"""
        drawn = await page.evaluate(draw)
        await page.reload()
        assert await page.evaluate(draw) == drawn
        await expect(page.locator(f"#{plain.id}")).to_be_visible()


async def test_what_a_terminal_notes_of_a_shown_call_leaves_it_decidable(tmp_path: Path, opened: Opened) -> None:
    async with serving(tmp_path) as inbox, opened() as page:
        calls = [await hold(inbox.desk, call(arguments={"id": number})) for number in (1, 2)]
        await enter(page, inbox)
        await inbox.desk.reached(calls[0], channel="terminal")
        await expect(page.locator(f"[name=call][value^='{calls[0].id}'][value$=' 2']")).to_have_count(1)
        await page.get_by_role("button", name="Deny all").click()
        await expect(page.locator("h1")).to_have_text("Deny these 2 calls?")
        await inbox.desk.reached(calls[1], channel="terminal")
        await expect(page.locator(f"[name=call][value^='{calls[1].id}'][value$=' 2']")).to_have_count(1)
        await page.get_by_role("button", name="Deny these 2 calls").click()
        await expect(page.locator("h1")).to_have_text("2 of 2 denied")


async def test_the_page_that_confirms_follows_what_ends_and_says_what_came(tmp_path: Path, opened: Opened) -> None:
    async with serving(tmp_path) as inbox, opened() as page:
        calls = [await hold(inbox.desk, call(arguments={"id": number})) for number in (1, 2)]
        await enter(page, inbox)
        await page.get_by_role("button", name="Allow all that is shown").click()
        await expect(page.locator("h1")).to_have_text("Allow these 2 calls?")
        await inbox.desk.decline(calls[0], by="eve", channel="terminal")
        await expect(page.locator("h1")).to_have_text("Allow this call?")
        await expect(page.locator(f"#{calls[0].id} .gone")).to_contain_text("Declined by eve through terminal")
        await hold(inbox.desk, caller=OTHER)
        late = await hold(inbox.desk, call(arguments={"id": 3}))
        await expect(page.locator(".since")).to_have_text("1 more came: not among these.")
        assert await axe(page) == []
        await page.get_by_role("button", name="Allow this call").click()
        await expect(page.locator("h1")).to_have_text("1 of 1 allowed")
        assert (await inbox.desk.get(late.id)).state is State.OPEN
        assert (await inbox.desk.get(calls[0].id)).state is State.DECLINED
        assert (await inbox.desk.get(calls[1].id)).values == {"decision": "allow"}


async def test_where_all_have_ended_nothing_is_left_to_confirm(tmp_path: Path, opened: Opened) -> None:
    async with serving(tmp_path) as inbox, opened() as page:
        calls = [await hold(inbox.desk, call(arguments={"id": number})) for number in (1, 2)]
        await enter(page, inbox)
        await page.get_by_role("button", name="Allow all that is shown").click()
        await expect(page.locator("h1")).to_have_text("Allow these 2 calls?")
        for each in calls:
            await inbox.desk.decline(each, by="eve", channel="terminal")
        await expect(page.locator("h1")).to_have_text("Nothing is left to decide")
        await expect(page.locator(".decide-all button")).to_be_disabled()


async def test_what_is_not_as_it_was_shown_is_not_decided_and_said(tmp_path: Path) -> None:
    async with signed_in(tmp_path) as page:
        desk = page.inbox.desk
        same, moved, over, other = [await hold(desk, call(arguments={"id": number})) for number in (1, 2, 3, 4)]
        seen = await shown(page)
        assert len(seen) == 4
        await desk.dismissed(moved, channel="terminal")
        await desk.decline(over, by="eve", channel="terminal")
        first, digest, version = next(each for each in seen if each.startswith(other.id)).split()
        seen = [each for each in seen if not each.startswith(other.id)]
        seen += [f"{first} {digest[::-1]} {version}", f"h_none {digest} 1"]
        for path in ("/together", "/together/decide"):
            text = (await page.post(path, decision="allow", data={"call": seen})).text
            assert "it has changed since it was shown" in text
            assert "Declined by eve through terminal" in text
            assert "it is another call than was shown" in text
            assert "no longer in this inbox" in text
        assert "1 of 5 allowed" in text
        assert await state(page, same) is State.ANSWERED
        assert await state(page, moved) is State.OPEN
        assert await state(page, other) is State.OPEN


async def test_a_question_that_is_no_held_call_is_not_decided_here(tmp_path: Path) -> None:
    async with signed_in(tmp_path) as page:
        plain = await page.inbox.ask("Sure?")
        text = (await page.post("/together/decide", decision="allow", data={"call": f"{plain.id} {'0' * 64} 1"})).text
        assert "0 of 1 allowed" in text
        assert await state(page, plain) is State.OPEN


async def test_what_no_page_of_ours_sends_decides_nothing(tmp_path: Path) -> None:
    async with signed_in(tmp_path) as page:
        held = await hold(page.inbox.desk)
        assert held.question.action is not None
        right = f"{held.id} {held.question.action.digest} {held.version}"
        for form in ({"decision": "allow"}, {"call": right}, {"decision": "maybe", "call": right}, {"call": "x y"}):
            assert (await page.post("/together/decide", data=form)).status_code == 400
        many = {"decision": "allow", "call": [f"h_{number} d 1" for number in range(101)]}
        assert (await page.post("/together/decide", data=many)).status_code == 400
        forged = {"csrf": "guessed", "decision": "allow", "call": right}
        assert (await page.http.post("/together/decide", data=forged)).status_code == 403
        assert (await page.http.get("/together")).headers["location"] == "/"
        assert await state(page, held) is State.OPEN


async def test_the_pages_are_read_by_everybody(tmp_path: Path, opened: Opened) -> None:
    for shape in ("light", "dark", "phone"):
        folder = tmp_path / shape
        folder.mkdir()
        async with serving(folder) as inbox, opened(**SHAPES[shape]) as page:
            for number in range(3):
                await hold(inbox.desk, call(arguments={"id": number, "path": "/very/long" * 30}))
            await enter(page, inbox)
            for button, heading in (("", "Open"), ("Deny all", "Deny these 3"), ("Deny these 3 calls", "3 of 3")):
                if button:
                    await page.get_by_role("button", name=button).click()
                await expect(page.locator("h1")).to_contain_text(heading)
                assert await axe(page) == [], button
                wide, window = await page.evaluate("[document.documentElement.scrollWidth, innerWidth]")
                assert wide <= window, button


async def test_no_call_is_folded_where_many_are_decided(tmp_path: Path, opened: Opened) -> None:
    async with serving(tmp_path) as inbox, opened() as page:
        for number in range(2):
            await hold(inbox.desk, call(arguments={"id": number, "text": "line\n" * 200}))
        await enter(page, inbox)
        await expect(page.locator(".message.long")).to_have_count(2)
        await page.get_by_role("button", name="Deny all").click()
        await expect(page.locator("h1")).to_have_text("Deny these 2 calls?")
        await page.wait_for_load_state("load")
        await expect(page.locator(".message")).to_have_count(2)
        await expect(page.locator(".message.long")).to_have_count(0)
