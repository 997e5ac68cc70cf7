"""The record of one decision: the page that a person prints, and the same record as JSON."""

import json
import re
import sqlite3
from pathlib import Path
from typing import Any

import pytest
from aais import validate
from playwright.async_api import Page, expect

from handoffs.core.model import Handoff
from tests.web.held import call, hold
from tests.web.serving import Opened, serving, signed_in
from tests.web.test_reading import HOSTILE, SHAPES, axe
from tests.web.test_signed import asked as asked_to_sign
from tests.web.test_signed import joined
from tests.web.test_whose import asked
from tests.web.visiting import FORM, MESSAGE, enter, visit

SECRET = "hush-hush"


async def printed(page: Page) -> int:
    """How many sheets of A4 the page takes."""
    return len(re.findall(rb"/Type\s*/Page\b", await page.pdf(format="A4")))


async def section(page: Page, title: str) -> str:
    return await page.get_by_role("region", name=title).inner_text()


async def rows(page: Page) -> dict[str, str]:
    found: dict[str, str] = {}
    for each in await page.locator(".record dl > div").all():
        found[await each.locator("dt").inner_text()] = await each.locator("dd").inner_text()
    return found


async def used(desk: Any, handoff: Handoff, **values: str) -> None:
    done = await desk.answer(handoff, {"decision": "allow", **values}, by="ada", channel="inbox", note="go on")
    sent = await desk.send(done, call="c_1", edited="arguments" in values)
    await desk.note_result(sent, call="c_1", outcome="done")
    await desk.collect(sent)


async def test_an_ended_question_leads_to_its_record(tmp_path: Path, opened: Opened) -> None:
    async with serving(tmp_path) as inbox, opened() as page:
        handoff = await inbox.ask(options=["yes", "no"])
        await inbox.desk.reached(handoff, channel="inbox")
        await enter(page, inbox, f"/h/{handoff.id}")
        await expect(page.get_by_role("link", name="The record")).to_have_count(0)
        await visit(page, f"{inbox.url}/h/{handoff.id}/record")
        assert page.url.endswith(f"/h/{handoff.id}")  # nothing is decided yet
        await inbox.desk.collect(
            await inbox.desk.answer(handoff, {"response": "yes"}, by="ada", channel="inbox", note="go on")
        )
        await visit(page, f"{inbox.url}/h/{handoff.id}")
        await page.get_by_role("link", name="The record").click()
        await expect(page.get_by_role("heading", level=1)).to_have_text("The record of a decision")
        said = await rows(page)
        assert said["Agent"] == "claude-code, in /srv/shop"
        assert said["For"] == "ada, the user of the machine"
        assert said["Record"] == handoff.id
        assert said["Shown in"] == "inbox"
        assert said["Note"] == "go on"
        assert said["Outcome"].startswith("Answered by ada through inbox, ")
        assert "Deploy?" in await section(page, "What was shown")
        assert "rests on the channel" in await section(page, "How it is proved")
        assert "The agent was given the outcome" in await section(page, "What became of it")
        assert await printed(page) == 1


async def test_the_record_of_a_held_call_fits_a_sheet_of_paper(tmp_path: Path, opened: Opened) -> None:
    async with serving(tmp_path) as inbox, opened() as page:
        handoff = await hold(inbox.desk, call(arguments={"id": 7, "token": SECRET, "sql": "DROP TABLE orders;\n" * 5}))
        await used(inbox.desk, handoff, arguments=json.dumps({"id": 8, "token": SECRET}))
        await enter(page, inbox, f"/h/{handoff.id}/record")
        assert "delete_order of shop" in (await section(page, "What was shown")).replace("\n", " ")
        assert handoff.question.action is not None
        assert (await rows(page))["Digest"] == handoff.question.action.digest
        became = await section(page, "What became of it")
        for words in ("used for a call", "as it was changed", "was sent to its server", "The server answered"):
            assert words in became
        assert SECRET not in await page.content()
        assert await printed(page) == 1
        reply = await page.context.request.get(f"{inbox.url}/h/{handoff.id}/record.json")
        assert reply.headers["content-type"] == "application/json"
        envelopes = [validate(each) for each in await reply.json()]
        assert SECRET not in json.dumps(envelopes)
        assert [each["resolution"]["outcome"] for each in envelopes if "resolution" in each] == ["stale", "approved"]


async def test_a_long_message_is_printed_whole(tmp_path: Path, opened: Opened) -> None:
    async with serving(tmp_path) as inbox, opened() as page:
        handoff = await inbox.ask("A line.\n\n" * 200 + "The very end.")
        await inbox.desk.decline(handoff, by="ada", channel="inbox")
        await enter(page, inbox, f"/h/{handoff.id}/record")
        await expect(page.get_by_text("The very end.")).to_be_visible()
        assert await printed(page) > 2
        await page.emulate_media(media="print")
        await expect(page.get_by_text("The very end.")).to_be_visible()
        await expect(page.get_by_role("link", name="As JSON")).to_be_hidden()


async def test_a_signed_answer_names_the_passkey_and_what_it_proves(tmp_path: Path, opened: Opened) -> None:
    async with joined(tmp_path, opened) as (inbox, page, _):
        handoff = await asked_to_sign(inbox)
        await visit(page, f"{inbox.url}/h/{handoff.id}")
        await page.get_by_text("Add a note").click()
        await page.get_by_label("Note").fill("go on")
        await page.get_by_role("button", name="yes").click()
        await expect(page.get_by_role("heading", name="Answered by ada")).to_be_visible()
        await visit(page, f"{inbox.url}/h/{handoff.id}/record")
        [key] = await inbox.people.keys("ada")
        proof = await section(page, "How it is proved")
        assert f"ada: signed with the passkey {key.credential_id[:20]}" in proof
        assert "fits this decision, and a key of ada" in proof
        assert "rests on the channel" not in proof
        assert await axe(page) == []
        assert await printed(page) == 1
        # A key that is removed later proves what it signed before; one of somebody else's proves nothing.
        await inbox.people.remove_key(key.credential_id, at=inbox.clock.now())
        await page.reload()
        assert "fits this decision" in await section(page, "How it is proved")
        [*_, resolved] = [
            each["resolution"]
            for each in await (await page.context.request.get(f"{inbox.url}/h/{handoff.id}/record.json")).json()
            if "resolution" in each
        ]
        assert resolved["extensions"]["handoffs.internal/votes"][0]["passkey"]["verified"] is True


async def test_the_record_of_votes_is_for_those_who_may_see_them(tmp_path: Path) -> None:
    async with signed_in(tmp_path) as page:
        theirs = await asked(page.inbox, "bob", message="Hidden?", visible="theirs")
        mine = await asked(page.inbox, "ada", "bob", message="Seen?", votes=2)
        for handoff in (theirs, mine):
            await page.inbox.desk.decline(await page.inbox.desk.get(handoff.id), by="bob", channel="inbox")
        for path in (f"/h/{theirs.id}/record", f"/h/{theirs.id}/record.json", "/h/h_none/record"):
            assert (await page.http.get(path)).status_code == 404, path
        text = (await page.http.get(f"/h/{mine.id}/record")).text
        assert "It was the decision of ada, bob (rule gate.toml:3)." in text
        assert "bob refused" in text
        assert "No passkey has signed it." in text


async def test_the_page_says_what_a_name_rests_on(tmp_path: Path) -> None:
    async with signed_in(tmp_path) as page:
        handoff = await page.inbox.ask()
        await page.inbox.desk.answer(handoff, {"response": "yes"}, by="ada", channel="script")
        text = (await page.http.get(f"/h/{handoff.id}/record")).text
        assert "That it was ada rests on the channel, and on who can write the store." in text
        assert "The program that answered says that it is no person." in text


async def test_an_answer_that_is_not_believed_is_marked(tmp_path: Path) -> None:
    async with signed_in(tmp_path) as page:
        handoff = await asked(page.inbox, "ada", "bob")
        await page.inbox.desk.answer(handoff, {"response": "yes"}, by="bob", channel="inbox")
        with sqlite3.connect(page.inbox.folder / "handoffs.db") as store:
            store.execute("UPDATE handoffs SET votes = '[]' WHERE id = ?", (handoff.id,))
        text = (await page.http.get(f"/h/{handoff.id}/record")).text
        assert "What was answered is not believed: votes are missing: it is the decision of ada, bob" in text


async def test_a_withdrawn_question_has_a_record_too(tmp_path: Path) -> None:
    async with signed_in(tmp_path) as page:
        handoff = await page.inbox.ask()
        await page.inbox.desk.cancel(handoff, by="", channel="tasks")
        text = (await page.http.get(f"/h/{handoff.id}/record")).text
        assert "Withdrawn through tasks" in text
        assert "Nobody decided, so there is nothing to prove." in text
        assert "The agent has not come for it yet." in text


@pytest.mark.parametrize("shape", SHAPES)
async def test_a_record_can_be_read_by_everybody(tmp_path: Path, opened: Opened, shape: str) -> None:
    async with serving(tmp_path) as inbox, opened(**SHAPES[shape]) as page:
        question = await inbox.ask(MESSAGE + "x" * 300, form=FORM)
        await inbox.desk.answer(question, {"name": "a " * 9, "sure": True, "env": "dev"}, by="ada", channel="inbox")
        held = await hold(inbox.desk, call(arguments={"id": 7, "token": SECRET, "long": "word " * 300}))
        await used(inbox.desk, held)
        hostile = await inbox.ask(HOSTILE, options=[HOSTILE, "b"])
        await inbox.desk.decline(hostile, by=HOSTILE, channel="terminal", note=HOSTILE)
        await enter(page, inbox)
        for each in (question, held, hostile):
            await visit(page, f"{inbox.url}/h/{each.id}/record")
            await expect(page.locator(".record")).to_be_visible()
            assert await axe(page) == [], each.question.message
            wide, window = await page.evaluate("[document.documentElement.scrollWidth, innerWidth]")
            assert wide <= window
        assert await page.evaluate("window.pwned") is None
