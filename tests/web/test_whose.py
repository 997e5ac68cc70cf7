"""The inbox, where a rule names who decides: it is used by ada."""

from pathlib import Path

import pytest
from playwright.async_api import expect

from handoffs.clock import SystemClock
from handoffs.core.deciders import Deciders, Seat
from handoffs.core.model import Handoff
from handoffs.core.person import Person
from handoffs.store.sqlite.store import SqliteStore
from tests.web.serving import Inbox, Opened, serving, signed_in
from tests.web.test_reading import axe
from tests.web.visiting import enter


async def asked(inbox: Inbox, *names: str, message: str = "Deploy?", **rule: object) -> Handoff:
    """Ask a question that these people decide, and make sure that people are known."""
    now = SystemClock().now()
    async with SqliteStore(inbox.folder / "handoffs.db") as store:
        known = (await store.people.directory()).people
        for name in {"ada", *names} - set(known):
            await store.people.add(Person(name=name, added_at=now))
    seats = tuple(Seat(person=name) for name in names)
    values: dict[str, object] = {"rule": "gate.toml:3", "asked_at": now, "seats": seats}
    deciders = Deciders(**(values | rule))  # type: ignore[arg-type]
    return await inbox.ask(message, options=["yes", "no"], deciders=deciders)


async def test_who_has_no_vote_reads_and_can_not_answer(tmp_path: Path) -> None:
    async with signed_in(tmp_path) as page:
        handoff = await asked(page.inbox, "bob", "cyd", votes=2)
        for path in ("/", f"/h/{handoff.id}"):
            text = (await page.http.get(path)).text
            assert "It is the decision of bob, cyd (rule gate.toml:3); 2 votes are needed." in text
            assert "It is not yours to decide." in text
            assert f'action="/h/{handoff.id}/answer"' not in text
        assert handoff.id not in (await page.http.get("/?mine=1")).text
        for script in (False, True):
            refused = await page.post(f"/h/{handoff.id}/answer", script=script, data={"field.response": "yes"})
            assert refused.status_code == 422
            assert "it is the decision of bob, cyd" in refused.text or not script
        assert (await page.inbox.desk.get(handoff.id)).votes == ()


async def test_what_only_theirs_see_is_not_there_for_others(tmp_path: Path) -> None:
    async with signed_in(tmp_path) as page:
        await asked(page.inbox, "ada", message="For me?")
        handoff = await asked(page.inbox, "bob", message="Hidden?", visible="theirs")
        assert handoff.id not in (text := (await page.http.get("/")).text)
        assert 'id="count">1<' in text
        for path in (f"/h/{handoff.id}", f"/h/{handoff.id[:12]}", f"/h/{handoff.id}/card"):
            assert (await page.http.get(path)).status_code == 404
        assert (await page.post(f"/h/{handoff.id}/decline")).status_code == 404
        await page.inbox.desk.decline(await page.inbox.desk.get(handoff.id), by="bob", channel="inbox")
        found = (await page.http.get("/history?q=hidden")).text
        assert handoff.id not in found
        assert "Nothing like that" in found


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_a_vote_in_the_browser_and_what_is_still_needed(scheme: str, tmp_path: Path, opened: Opened) -> None:
    async with (
        serving(tmp_path) as inbox,
        opened(color_scheme=scheme, viewport={"width": 375, "height": 700}) as page,
    ):
        handoff = await asked(inbox, "ada", "bob", votes=2)
        await enter(page, inbox)
        assert await axe(page) == []
        await page.get_by_role("link", name="Mine").click()
        await expect(page.locator(".card")).to_have_count(1)
        await page.get_by_role("button", name="yes").click()
        await expect(page.locator(".votes")).to_contain_text("1 more vote is needed")
        await expect(page.locator(".votes")).to_contain_text("ada agreed.")
        await expect(page.locator(".votes")).to_contain_text("You have voted")
        assert page.url.endswith(f"/h/{handoff.id}")
        assert await axe(page) == []
        await inbox.desk.answer(await inbox.desk.get(handoff.id), {"response": "yes"}, by="bob", channel="inbox")
        await page.goto(f"{inbox.url}/history")
        await expect(page.locator(".row")).to_contain_text("bob agreed.")


async def test_the_figures_and_filters_leave_out_what_only_theirs_see(tmp_path: Path) -> None:
    async with signed_in(tmp_path) as page:
        desk = page.inbox.desk
        await asked(page.inbox, "bob", message="Open, and hidden?", visible="theirs")
        hidden = await asked(page.inbox, "bob", message="Hidden?", visible="theirs")
        await desk.decline(hidden, by="bob", channel="a channel of bob's")
        mine = await asked(page.inbox, "ada", message="Mine?", visible="theirs")
        await desk.decline(mine, by="ada", channel="inbox")
        counted = (await page.http.get("/figures.json")).json()
        assert (counted["openNow"], counted["days"][-1]["declined"]) == (0, 1)
        assert f"declined,day,{counted['days'][-1]['date']},1" in (await page.http.get("/figures.csv")).text
        assert "a channel of bob" not in (await page.http.get("/history")).text
        await asked(page.inbox, "ada", message="Mine, too?", visible="theirs")
        assert (await page.http.get("/figures.json")).json()["openNow"] == 1


async def test_an_open_page_hears_nothing_of_what_only_theirs_see(tmp_path: Path, opened: Opened) -> None:
    async with serving(tmp_path) as inbox, opened() as page:
        await asked(inbox, "bob", message="For all?")
        await enter(page, inbox)
        await expect(page.locator("#count")).to_have_text("1")
        await asked(inbox, "bob", message="Hidden?", visible="theirs")
        await asked(inbox, "bob", message="Seen?")
        await expect(page.locator("#count")).to_have_text("2")
        assert "Hidden?" not in await page.content()
