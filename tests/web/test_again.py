"""Answering in one's own words, and giving the earlier answer again: in the page, with and without script."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import expect

from handoffs.core.model import Caller, Handoff, State
from tests.fakes import FakeClock
from tests.web.serving import CLAUDE, Inbox, Opened, serving, signed_in, stays_open
from tests.web.visiting import enter, visit

PERMISSION: dict[str, Any] = {
    "type": "object",
    "properties": {"decision": {"type": "string", "enum": ["allow", "deny"]}},
    "required": ["decision"],
}
SECRET: dict[str, Any] = {"type": "object", "properties": {"pin": {"type": "string", "format": "password"}}}
NAMES: dict[str, Any] = {
    "type": "object",
    "properties": {
        "first": {"type": "string", "title": "First name"},
        "last": {"type": "string", "title": "Last name"},
    },
    "required": ["first"],
}


async def asked_again(inbox: Inbox, message: str = "Deploy?", by: str = "ada", **asked: Any) -> Handoff:
    """The same question, after its answer was handed to the agent."""
    values, other = asked.pop("values", {"response": "yes"}), asked.pop("other", "")
    first = await inbox.ask(message, **asked)
    if values is None:
        ended = await inbox.desk.decline(first, by=by, channel="terminal")
    else:
        ended = await inbox.desk.answer(first, values, by=by, channel="terminal", other=other, private=True)
    await inbox.desk.collect(ended)
    again = await inbox.ask(message, **asked)
    assert again.earlier == first.id
    return again


# Something else


async def test_a_person_can_say_something_else_than_the_options_with_keys_alone(tmp_path: Path, opened: Opened) -> None:
    async with serving(tmp_path) as inbox, opened() as page:
        handoff = await inbox.ask(options=["yes", "no"])
        await enter(page, inbox)
        words = page.get_by_label("In your own words")
        await expect(words).to_be_hidden()
        await page.get_by_role("button", name="no", exact=True).focus()
        await page.keyboard.press("Tab")
        await page.keyboard.press("Enter")
        await page.keyboard.press("Tab")
        await expect(words).to_be_focused()
        await page.keyboard.type("After the\naudit")
        await page.keyboard.press("Control+Enter")
        answered = await inbox.desk.wait(handoff.id, seconds=20)
        assert (answered.state, answered.values, answered.other) == (State.ANSWERED, {}, "After the\naudit")
        await visit(page, f"{inbox.url}/h/{handoff.id}")
        await expect(page.locator(".values")).to_have_text("In their own words, none of the optionsAfter the\naudit")
        await visit(page, f"{inbox.url}/history")
        await expect(page.locator(".row-answer")).to_contain_text("After the audit")


async def test_an_option_and_something_else_is_neither(tmp_path: Path) -> None:
    async with signed_in(tmp_path) as page:
        handoff = await page.inbox.ask(options=["yes", "no"])
        path = f"/h/{handoff.id}/answer"
        refused = await page.post(path, other="no, wait", data={"field.response": "yes"})
        assert refused.status_code == 422
        assert "pick an option or give your own answer, not both" in refused.text
        assert "no, wait</textarea>" in refused.text
        assert await stays_open(page, handoff.id)
        assert (await page.post(path, other=" ", data={"field.response": "yes"})).status_code == 303


@pytest.mark.parametrize("form", [PERMISSION, NAMES, None])
async def test_where_there_are_no_options_there_is_nothing_else(form: dict[str, Any] | None, tmp_path: Path) -> None:
    async with signed_in(tmp_path) as page:
        handoff = await page.inbox.ask(form=form)
        assert 'name="other"' not in (await page.http.get(f"/h/{handoff.id}")).text
        assert (await page.post(f"/h/{handoff.id}/answer", other="yes")).status_code == 422
        assert await stays_open(page, handoff.id)


# The same answer again


async def test_the_earlier_answer_is_shown_and_given_again_with_one_click(tmp_path: Path, opened: Opened) -> None:
    async with serving(tmp_path) as inbox, opened() as page:
        handoff = await asked_again(inbox, options=["yes", "no"])
        await enter(page, inbox)
        said = page.locator(".earlier")
        await expect(said).to_contain_text("You answered this")
        await expect(said).to_contain_text("ago with “yes”; the agent may not have received it.")
        await page.get_by_role("button", name="Give the same answer again").click()
        answered = await inbox.desk.wait(handoff.id, seconds=20)
        assert (answered.state, answered.values) == (State.ANSWERED, {"response": "yes"})
        assert answered.end is not None
        assert (answered.end.by, answered.end.channel) == ("ada", "inbox")


@pytest.mark.parametrize(
    ("asked", "shown", "values", "other"),
    [
        (
            {"options": ["yes", "no"], "values": {}, "other": "not today"},
            "with “<bdi>not today</bdi>”",
            {},
            "not today",
        ),
        (
            {"form": NAMES, "values": {"first": "Ada", "last": "Lovelace"}},
            '<dt dir="auto">Last name</dt><dd dir="auto">Lovelace</dd>',
            {"first": "Ada", "last": "Lovelace"},
            "",
        ),
        ({"values": {"response": "<b>" + "x" * 99}}, "&lt;b&gt;" + "x" * 99, {"response": "<b>" + "x" * 99}, ""),
    ],
)
async def test_whatever_was_said_is_said_again_whole(
    asked: dict[str, Any], shown: str, values: dict[str, Any], other: str, tmp_path: Path
) -> None:
    async with signed_in(tmp_path) as page:
        handoff = await asked_again(page.inbox, by="grace", **asked)
        for path in ("/", f"/h/{handoff.id}", f"/h/{handoff.id}/card"):
            text = (await page.http.get(path)).text
            assert "grace answered this" in text
            assert shown in text
        reply = await page.post(f"/h/{handoff.id}/answer", again=handoff.earlier)
        assert reply.status_code == 303
        answered = await page.inbox.desk.get(handoff.id)
        assert (answered.values, answered.other) == (values, other)


async def test_a_refusal_is_shown_and_nothing_is_offered_in_its_stead(tmp_path: Path) -> None:
    async with signed_in(tmp_path) as page:
        handoff = await asked_again(page.inbox, values=None)
        text = (await page.http.get(f"/h/{handoff.id}")).text
        assert "You declined this" in text
        assert "same answer again" not in text
        assert (await page.post(f"/h/{handoff.id}/answer", again=handoff.earlier)).status_code == 422
        assert await stays_open(page, handoff.id)


@pytest.mark.parametrize(
    ("form", "values"), [(PERMISSION, {"decision": "allow"}), (SECRET, {"pin": "1234"})], ids=["permission", "secret"]
)
async def test_a_permission_and_a_secret_are_never_given_again_by_a_click(
    form: dict[str, Any], values: dict[str, Any], tmp_path: Path
) -> None:
    async with signed_in(tmp_path) as page:
        handoff = await asked_again(page.inbox, form=form, values=values)
        assert "same answer again" not in (await page.http.get(f"/h/{handoff.id}")).text
        assert (await page.post(f"/h/{handoff.id}/answer", again=handoff.earlier)).status_code == 422
        assert await stays_open(page, handoff.id)


async def test_only_the_answer_that_was_shown_is_given_again(tmp_path: Path) -> None:
    async with signed_in(tmp_path) as page:
        elsewhere = await asked_again(page.inbox, "Another?", caller=Caller(subject="eve"))
        handoff = await asked_again(page.inbox)
        fresh = await page.inbox.ask("Something new?")
        for id_, again in (
            (handoff.id, elsewhere.earlier),
            (fresh.id, handoff.earlier),
            (fresh.id, ""),
            (handoff.id, ""),
        ):
            assert (await page.post(f"/h/{id_}/answer", again=again)).status_code == 422
        no_token = await page.http.post(f"/h/{handoff.id}/answer", data={"again": handoff.earlier})
        assert no_token.status_code == 403
        assert await stays_open(page, handoff.id)
        assert await stays_open(page, fresh.id)


async def test_how_long_ago_it_was_answered_is_said(tmp_path: Path) -> None:
    clock = FakeClock()
    async with signed_in(tmp_path, clock=clock) as page:
        handoff = await asked_again(page.inbox)
        clock.forward(timedelta(minutes=3).total_seconds())
        assert "3 min ago" in (await page.http.get("/")).text
        assert handoff.earlier


# Whose calls wait


async def test_people_see_how_many_calls_wait_and_that_a_gateway_hides_whose(tmp_path: Path) -> None:
    async with signed_in(tmp_path) as page:
        handoff = await page.inbox.ask(caller=CLAUDE, session="gateway 1")
        await page.inbox.desk.joined(handoff, calls=2)
        for path in ("/", f"/h/{handoff.id}", f"/h/{handoff.id}/card"):
            text = (await page.http.get(path)).text
            assert "2 calls wait for this answer." in text
            assert "This question may come through a gateway: it is not known whose agent asks." in text
        await page.inbox.desk.joined(handoff, calls=1)
        assert "calls wait" not in (await page.http.get(f"/h/{handoff.id}")).text
