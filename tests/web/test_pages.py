"""What the server says and refuses, straight to the application, without a browser."""

import json
from pathlib import Path
from typing import Any

import anyio
import pytest

from handoffs.core.errors import NotFound
from handoffs.core.model import Caller, State
from handoffs.terminal.request import asker_of
from tests.fakes import FakeClock
from tests.web.serving import signed_in, stays_open

FORM: dict[str, Any] = {
    "type": "object",
    "properties": {
        "name": {"type": "string", "title": "Name", "maxLength": 5},
        "count": {"type": "integer", "minimum": 1},
        "sure": {"type": "boolean", "default": True},
        "days": {"type": "array", "items": {"type": "string", "enum": ["mo", "tu"]}},
        "at": {"type": "string", "format": "date-time"},
    },
    "required": ["name", "sure"],
}


async def test_an_answer_from_the_page_is_recorded_with_its_person_and_channel(tmp_path: Path) -> None:
    async with signed_in(tmp_path) as page:
        handoff = await page.inbox.ask(form=FORM)
        form = {
            "field.name": "Ada",
            "field.count": "3",
            "field.sure": "false",
            "field.days": ["mo", "tu"],
            "field.at": "2026-11-22T19:30",
            "zone.at": "+01:00",
            "note": "one\r\ntwo",
        }
        reply = await page.post(f"/h/{handoff.id}/answer", data=form)
        assert (reply.status_code, reply.headers["location"]) == (303, f"/h/{handoff.id}")
        answer = (await page.inbox.desk.get(handoff.id)).answer
        assert answer is not None
        assert answer.values == {
            "name": "Ada",
            "count": 3,
            "sure": False,
            "days": ["mo", "tu"],
            "at": "2026-11-22T19:30:00+01:00",
        }
        assert (answer.by, answer.channel, answer.note) == ("ada", "inbox", "one\ntwo")
        shown = (await page.http.get(f"/h/{handoff.id}")).text
        assert "Answered by ada through inbox" in shown


@pytest.mark.parametrize(
    ("form", "field", "reason"),
    [
        ({"field.name": "", "field.sure": "true"}, "field.name", "is missing"),
        ({"field.name": "Ada"}, "field.sure", "is missing"),
        ({"field.name": "Ada", "field.sure": ""}, "field.sure", "is missing"),
        ({"field.name": "Ada", "field.sure": "perhaps"}, "field.sure", "must be yes or no"),
        ({"field.name": "Countess", "field.sure": "true"}, "field.name", "is too long: 8 of at most 5 characters"),
        ({"field.name": "A" * 200_000, "field.sure": "true"}, "field.name", "is too long: 200000"),
        ({"field.name": "Ada", "field.sure": "true", "field.count": "0"}, "field.count", "must be 1 or more"),
        ({"field.name": "Ada", "field.sure": "true", "field.count": "1.5"}, "field.count", "must be a whole number"),
        ({"field.name": "Ada", "field.sure": "true", "field.days": "we"}, "field.days", "is not one of the choices"),
        ({"field.name": ["Ada", "Eve"], "field.sure": "true"}, "field.name", "was sent more than once"),
        ({"field.name": "A\0", "field.sure": "true"}, "field.name", "has characters that are not allowed: remove them"),
        ({"field.name": "Ada", "field.sure": "true", "field.extra": "1"}, "field.extra", "is no field of this form"),
        ({"field.name": "Ada", "field.sure": "true", "name": "1"}, "field.name", "is no field of this form"),
        ({"field.name": "Ada", "field.sure": "true", "note": "n" * 10_001}, "note", "is too long"),
        ({}, "field.name", "is missing"),
    ],
)
async def test_a_misfit_is_said_beside_its_field_and_nothing_is_recorded(
    tmp_path: Path, form: dict[str, Any], field: str, reason: str
) -> None:
    async with signed_in(tmp_path) as page:
        handoff = await page.inbox.ask(form=FORM)
        reply = await page.post(f"/h/{handoff.id}/answer", script=True, data=form)
        assert reply.status_code == 422
        assert reason in reply.json()["problems"][field]
        without = await page.post(f"/h/{handoff.id}/answer", data=form)
        assert without.status_code == 422
        assert reason in without.text
        assert await stays_open(page, handoff.id)


async def test_without_script_the_entered_values_stay_beside_what_is_wrong(tmp_path: Path) -> None:
    async with signed_in(tmp_path) as page:
        handoff = await page.inbox.ask(form=FORM)
        form = {"field.name": "<b>&Ada", "field.sure": "true", "field.days": "mo", "field.count": "9", "note": "see"}
        text = (await page.post(f"/h/{handoff.id}/answer", data=form)).text
        assert 'value="&lt;b&gt;&amp;Ada"' in text
        assert 'value="true" checked' in text
        assert 'value="mo" checked' in text
        assert 'value="9"' in text
        assert "\nsee</textarea>" in text
        assert "Name is too long: 7 of at most 5 characters." in text
        assert text.count('aria-invalid="true"') == 1


async def test_whom_a_token_proved_to_ask_is_named_wherever_the_question_is(tmp_path: Path) -> None:
    async with signed_in(tmp_path) as page:
        caller = Caller(subject="token:intern<b>", client="claude-code", project="/srv/prod")
        handoff = await page.inbox.desk.ask(message="Deploy?", caller=caller)
        await page.inbox.desk.ask(message="Which?", caller=Caller(subject="ada", client="codex"))
        for address in ("/", f"/h/{handoff.id}"):
            shown = (await page.http.get(address)).text
            assert "for </span>token:intern&lt;b&gt;</span>" in shown
            assert "for </span>ada" not in shown  # the user of this machine needs no proof
        await page.inbox.desk.decline(handoff, by="ada", channel="inbox")
        assert "claude-code in /srv/prod for token:intern&lt;b&gt;" in (await page.http.get("/history")).text
        assert "for </span>token:intern&lt;b&gt;</span>" in (await page.http.get(f"/h/{handoff.id}")).text
    assert asker_of(caller) == "token:intern<b> · claude-code · /srv/prod"


async def test_a_yes_or_no_is_never_picked_beforehand_whatever_the_agent_likes(tmp_path: Path) -> None:
    async with signed_in(tmp_path) as page:
        await page.inbox.ask(form=FORM)
        text = (await page.http.get("/")).text
        assert 'name="field.sure" value="true">' in text
        assert 'name="field.sure" value="false">' in text


async def test_literal_line_feeds_can_be_read_broken_and_are_shown_as_they_came(tmp_path: Path) -> None:
    async with signed_in(tmp_path) as page:
        handoff = await page.inbox.ask("Deploy these?\\n\\n- one\\n- two")
        plain = await page.inbox.ask("Delete C:\\new, and keep\nthe rest?")
        for end in (False, True):
            text = (await page.http.get(f"/h/{handoff.id}")).text
            before, _, broken = text.partition('<details class="broken">')
            assert "Deploy these?\\n\\n- one\\n- two" in before
            assert "What you decide on is the message as it came." in broken
            assert "<li>one</li>" in broken
            if not end:
                await page.inbox.desk.decline(handoff, by="ada", channel="terminal")
        assert '<details class="broken">' not in (await page.http.get(f"/h/{plain.id}")).text


async def test_declining_needs_no_field(tmp_path: Path) -> None:
    async with signed_in(tmp_path) as page:
        handoff = await page.inbox.ask(form=FORM)
        reply = await page.post(f"/h/{handoff.id}/decline", script=True, note="not today")
        assert reply.json() == {"ended": "Declined by ada through inbox"}
        ended = await page.inbox.desk.get(handoff.id)
        assert (ended.state, ended.end and ended.end.note) == (State.DECLINED, "not today")


@pytest.mark.parametrize("decision", ["answer", "decline"])
async def test_who_comes_second_is_told_who_was_first(tmp_path: Path, decision: str) -> None:
    async with signed_in(tmp_path) as page:
        handoff = await page.inbox.ask()
        await page.inbox.desk.answer(handoff, {"response": "yes"}, by="eve", channel="terminal")
        form = {"field.response": "no"}
        reply = await page.post(f"/h/{handoff.id}/{decision}", script=True, data=form)
        assert (reply.status_code, reply.json()) == (409, {"ended": "Answered by eve through terminal"})
        without = await page.post(f"/h/{handoff.id}/{decision}", data=form)
        assert without.status_code == 409
        assert "Too late" in without.text
        assert "Answered by eve through terminal" in without.text
        assert (await page.inbox.desk.get(handoff.id)).values == {"response": "yes"}


async def test_of_many_answers_at_once_one_is_recorded(tmp_path: Path) -> None:
    async with signed_in(tmp_path) as page:
        handoff = await page.inbox.ask()
        statuses: list[int] = []

        async def answer(value: str) -> None:
            reply = await page.post(f"/h/{handoff.id}/answer", script=True, data={"field.response": value})
            statuses.append(reply.status_code)

        async with anyio.create_task_group() as tasks:
            for number in range(8):
                tasks.start_soon(answer, str(number))
        assert sorted(statuses) == [200] + [409] * 7
        events = [entry.name for entry in await page.inbox.desk.log(handoff_id=handoff.id)]
        assert events == ["opened", "answered"]


async def test_a_question_past_its_deadline_takes_no_answer(tmp_path: Path) -> None:
    clock = FakeClock()
    async with signed_in(tmp_path, clock=clock) as page:
        handoff = await page.inbox.ask(timeout_seconds=60)
        token = await page.csrf()
        clock.forward(60)
        data = {"csrf": token, "field.response": "yes"}
        reply = await page.http.post(f"/h/{handoff.id}/answer", data=data, headers={"accept": "application/json"})
        assert (reply.status_code, reply.json()) == (409, {"ended": "Expired: nobody answered in time"})
        assert handoff.id not in (await page.http.get("/")).text


async def test_an_unknown_id_gets_a_page_that_helps(tmp_path: Path) -> None:
    async with signed_in(tmp_path) as page:
        for path in ("/h/h_none", "/h/%00", "/h/" + "x" * 5000, "/h/%ED%A0%80"):
            reply = await page.http.get(path)
            assert reply.status_code == 404
            assert "There is no such question here" in reply.text
        assert (await page.post("/h/h_none/answer", script=True)).status_code == 404
        assert "There is no such page here" in (await page.http.get("/nothing")).text
        with pytest.raises(NotFound):
            await page.inbox.desk.get("h_none")


async def test_the_start_of_an_id_leads_to_its_one_address(tmp_path: Path) -> None:
    async with signed_in(tmp_path) as page:
        handoff, other = await page.inbox.ask(), await page.inbox.ask("Other?")
        reply = await page.http.get(f"/h/{handoff.id[2:12]}")
        assert (reply.status_code, reply.headers["location"]) == (307, f"/h/{handoff.id}")
        several = await page.http.get("/h/h_")
        assert several.status_code == 404
        assert f'href="/h/{handoff.id}"' in several.text
        assert f'href="/h/{other.id}"' in several.text
        assert (await page.http.get(f"/h/{handoff.id}/answer")).headers["location"] == f"/h/{handoff.id}"


async def test_many_open_questions_are_paged_and_said_to_be_many(tmp_path: Path) -> None:
    async with signed_in(tmp_path) as page:
        for number in range(120):
            await page.inbox.ask(f"Question number {number}.")
        text = (await page.http.get("/")).text
        assert text.count('<article class="card"') == 50
        assert "1–50 of 120" in text
        assert text.index("Question number 119.") < text.index("Question number 70.")
        assert "Question number 69." not in text
        last = (await page.http.get("/?page=3")).text
        assert last.count('<article class="card"') == 20
        assert "101–120 of 120" in last
        for odd in ("99", "0", "x", "-1", "9" * 50):
            assert (await page.http.get(f"/?page={odd}")).status_code == 200


async def test_the_list_is_never_older_than_the_store(tmp_path: Path) -> None:
    async with signed_in(tmp_path) as page:
        first = await page.inbox.ask("First?")
        assert "First?" in (await page.http.get("/")).text
        await page.inbox.desk.cancel(first, by="ada", channel="terminal")
        second = await page.inbox.ask("Second?")
        text = (await page.http.get("/")).text
        assert first.id not in text
        assert second.id in text
        assert "(1) Open questions" in text


async def test_history_finds_words_in_whatever_unicode_form_they_are_written(tmp_path: Path) -> None:
    async with signed_in(tmp_path) as page:
        for name in ("Caf\u00e9-one", "Cafe\u0301-two"):
            await page.inbox.ask(f"Delete {name}.pdf?")
        for typed in ("caf%C3%A9", "CAFE%CC%81"):
            text = (await page.http.get(f"/history?state=any&q={typed}")).text
            assert "-one.pdf" in text
            assert "-two.pdf" in text


async def test_history_finds_by_words_state_agent_and_channel(tmp_path: Path) -> None:
    async with signed_in(tmp_path) as page:
        desk = page.inbox.desk
        answered, declined, left = [await page.inbox.ask(f"{what} the Ship?") for what in ("Paint", "Sink", "Sell")]
        await desk.answer(answered, {"response": "blue & <red>"}, by="eve", channel="terminal")
        await desk.decline(declined, by="ada", channel="inbox")
        other = await page.inbox.ask("Other?", caller=Caller(subject="ada", client="codex"))
        await desk.cancel(other, by="ada", channel="command line")

        async def found(query: str) -> set[str]:
            text = (await page.http.get(f"/history{query}")).text
            return {h.id for h in (answered, declined, left, other) if f'href="/h/{h.id}"' in text}

        assert await found("") == {answered.id, declined.id, other.id}
        assert await found("?q=ship+THE") == {answered.id, declined.id}
        assert await found("?q=ship&state=any") == {answered.id, declined.id, left.id}
        assert await found("?state=declined") == {declined.id}
        assert await found("?client=codex") == {other.id}
        assert await found("?channel=terminal") == {answered.id}
        assert await found("?state=silly&before=x") == {answered.id, declined.id, other.id}
        assert await found("?q=%00%ff") == set()
        text = (await page.http.get("/history")).text
        assert "by eve through terminal" in text
        assert "blue &amp; &lt;red&gt;" in text


async def test_every_handoff_is_on_one_page_of_the_history(tmp_path: Path) -> None:
    clock = FakeClock()
    async with signed_in(tmp_path, clock=clock) as page:
        asked: list[str] = []
        for number in range(130):
            # Many in the same moment, also where a page ends.
            clock.forward(1 if number % 7 == 0 else 0)
            handoff = await page.inbox.ask(f"Question {number}")
            await page.inbox.desk.decline(handoff, by="ada", channel="inbox")
            asked.append(handoff.id)
        seen: list[str] = []
        address = "/history"
        while address:
            text = (await page.http.get(address)).text
            seen += [part.split('"')[0] for part in text.split('class="row-what"><a href="/h/')[1:]]
            address = text.split('<a href="/history?')[-1].split('"')[0] if "Older →" in text else ""
            address = f"/history?{address}" if address else ""
        assert seen == asked[::-1]


async def test_a_store_that_cannot_be_used_is_said(tmp_path: Path) -> None:
    async with signed_in(tmp_path) as page:
        await page.http.get("/")
        for file in tmp_path.glob("handoffs.db*"):
            file.unlink()
        (tmp_path / "handoffs.db").mkdir()
        reply = await page.http.get("/")
        assert reply.status_code == 503
        assert "handoffs.db" in reply.text
        script = await page.http.get("/history", headers={"accept": "application/json"})
        assert "handoffs.db" in json.loads(script.text)["problem"]


async def test_a_store_that_was_replaced_is_shown_as_it_is(tmp_path: Path) -> None:
    async with signed_in(tmp_path) as page:
        for number in range(3):
            await page.inbox.ask(f"Old {number}?")
        assert "Old 2?" in (await page.http.get("/")).text
        for file in tmp_path.glob("handoffs.db*"):
            file.unlink()
        new = await page.inbox.ask("New?")
        text = (await page.http.get("/")).text
        assert new.id in text
        assert "Old" not in text


async def test_in_the_figures_an_open_question_past_its_deadline_has_expired(tmp_path: Path) -> None:
    clock = FakeClock()
    async with signed_in(tmp_path, clock=clock) as page:
        for number in range(3):
            await page.inbox.ask(f"Question {number}?", timeout_seconds=60 if number else 600)
        assert (await page.http.get("/figures.json")).json()["openNow"] == 3
        clock.forward(61)
        counted = (await page.http.get("/figures.json")).json()
        assert counted["openNow"] == 1
        assert counted["days"][-1]["expired"] == 2


async def test_figures_are_a_page_a_table_and_two_files(tmp_path: Path) -> None:
    async with signed_in(tmp_path) as page:
        handoff = await page.inbox.ask()
        assert (await page.http.get("/figures.json")).json()["openNow"] == 1
        await page.inbox.desk.answer(handoff, {"response": "yes"}, by="ada", channel="terminal")
        text = (await page.http.get("/figures")).text
        assert text.count("<svg") == 3
        assert text.count("<table") == 3
        assert "claude-code" in text
        counted = await page.http.get("/figures.json")
        assert counted.json()["openNow"] == 0
        assert "attachment" in counted.headers["content-disposition"]
        table = await page.http.get("/figures.csv")
        assert table.headers["content-type"].startswith("text/csv")
        assert "claude-code" in table.text
