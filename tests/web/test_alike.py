"""Several questions that a person chose, answered alike at once."""

import re
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import expect

from handoffs.core.model import Handoff, State
from tests.web.held import hold
from tests.web.serving import Opened, Page, serving, signed_in
from tests.web.test_reading import SHAPES, axe
from tests.web.test_whose import asked
from tests.web.visiting import FORM, enter

SECRET = {"type": "object", "properties": {"token": {"type": "string", "format": "password"}}, "required": ["token"]}


async def chosen(page: Page, *handoffs: Handoff) -> str:
    return (await page.http.get("/alike", params={"question": [each.id for each in handoffs]})).text


def posts(text: str) -> list[dict[str, list[str]]]:
    """What each form of the page has in its hidden fields."""
    found: list[dict[str, list[str]]] = []
    for form in re.findall(r'<form method="post" action="/alike/answer".*?</form>', text, re.DOTALL):
        fields: dict[str, list[str]] = {}
        for name, value in re.findall(r'type="hidden" name="(\w+)" value="([^"]*)"', form):
            fields.setdefault(name, []).append(value)
        found.append(fields)
    return found


async def send(page: Page, form: dict[str, Any], **values: Any) -> Any:
    return await page.http.post("/alike/answer", data=form | values)


async def test_chosen_questions_get_one_answer_and_a_line_each(tmp_path: Path, opened: Opened) -> None:
    async with serving(tmp_path) as inbox, opened() as page:
        ours = [await inbox.ask(f"Region of {name}?", options=["eu", "us"]) for name in ("one", "two", "three")]
        other = await inbox.ask("Region of none?", options=["eu", "us"])
        await enter(page, inbox)
        await expect(page.locator(".alike")).to_be_hidden()
        for each in ours:
            await page.locator(f"#{each.id}").get_by_label("Choose").check()
        await expect(page.locator(".chosen")).to_have_text("3 chosen")
        assert await axe(page) == []
        await page.get_by_role("button", name="Answer alike").click()
        await expect(page.locator("h1")).to_have_text("Answer these 3 questions alike")
        for name in ("one", "two", "three"):
            await expect(page.get_by_text(f"Region of {name}?")).to_be_visible()
        await page.get_by_label("us").check()
        await page.get_by_text("Add a note").click()
        await page.get_by_label("Note").fill("all the same")
        assert [(await inbox.desk.get(each.id)).state for each in ours] == [State.OPEN] * 3
        await page.get_by_role("button", name="Answer these 3 questions").click()
        await expect(page.locator("h1")).to_have_text("3 of 3 answered")
        for each in ours:
            found = await inbox.desk.get(each.id)
            assert found.end is not None
            assert (found.values, found.end.note) == ({"response": "us"}, "all the same")
            lines = [entry for entry in await inbox.desk.log(handoff_id=each.id) if entry.name == "answered"]
            assert [(line.details["by"], line.details["channel"]) for line in lines] == [("ada", "inbox")]
        assert (await inbox.desk.get(other.id)).state is State.OPEN


async def test_one_that_ends_meanwhile_is_told_and_the_others_are_answered(tmp_path: Path) -> None:
    async with signed_in(tmp_path) as page:
        ours = [await page.inbox.ask(f"Region of {name}?", options=["eu", "us"]) for name in ("one", "two")]
        text = await chosen(page, *ours)
        await page.inbox.desk.answer(ours[0], {"response": "eu"}, by="eve", channel="terminal")
        reply = await send(page, posts(text)[0], **{"field.response": "us"})
        assert "1 of 2 answered" in reply.text
        assert "Not answered here: Answered by eve through terminal." in reply.text
        assert (await page.inbox.desk.get(ours[0].id)).values == {"response": "eu"}
        assert (await page.inbox.desk.get(ours[1].id)).values == {"response": "us"}
        again = await chosen(page, *ours)
        assert "Nothing is left to answer" in again
        assert "2 of them are left out." in again


async def test_questions_with_other_forms_stand_apart_and_are_sent_apart(tmp_path: Path) -> None:
    async with signed_in(tmp_path) as page:
        ours = [await page.inbox.ask(f"Region of {name}?", options=["eu", "us"]) for name in ("one", "two")]
        plain = await page.inbox.ask("Why?")
        text = await chosen(page, ours[0], plain, ours[1])
        assert "there are 2 forms" in text
        first, second = posts(text)
        assert first["question"] == [each.id for each in ours]
        assert second["question"] == first["left"] == [plain.id]
        # A form that is none of theirs answers none of them.
        reply = await send(page, second | {"question": [plain.id, ours[0].id]}, **{"field.response": "because"})
        assert "Left alone: it asks for something else." in reply.text
        assert (await page.inbox.desk.get(plain.id)).values == {"response": "because"}
        assert (await page.inbox.desk.get(ours[0].id)).state is State.OPEN
        assert f"/alike?question={ours[0].id}&amp;question={ours[1].id}" in reply.text


async def test_what_is_decided_on_its_own_is_left_out_and_named(tmp_path: Path) -> None:
    async with signed_in(tmp_path) as page:
        held = await hold(page.inbox.desk)
        secret = await page.inbox.ask("Token?", form=SECRET)
        theirs = await asked(page.inbox, "bob", message="For bob?")
        hidden = await asked(page.inbox, "bob", message="Hidden?", visible="theirs")
        board = (await page.http.get("/")).text
        assert 'class="choose"' not in board
        text = await chosen(page, held, secret, theirs, hidden)
        assert posts(text) == []
        assert text.count("Left alone: a held call, a secret") == 2
        assert "Left alone: it is not yours to decide." in text
        assert "Left alone: it is not in this inbox." in text
        assert "Hidden?" not in text
        mine = await page.inbox.ask("Mine?")
        form = posts(await chosen(page, mine))[0]
        forged = form | {"question": [held.id, secret.id, theirs.id, hidden.id, mine.id]}
        assert "1 of 5 answered" in (await send(page, forged, **{"field.response": "x"})).text
        for each in (held, secret, theirs, hidden):
            assert (await page.inbox.desk.get(each.id)).state is State.OPEN


async def test_a_misfit_answers_none_and_stays_beside_its_field(tmp_path: Path) -> None:
    async with signed_in(tmp_path) as page:
        ours = [await page.inbox.ask(f"For {name}?", form=FORM) for name in ("one", "two")]
        form = posts(await chosen(page, *ours))[0]
        reply = await send(page, form, **{"field.name": "Ada", "field.env": "prod", "note": "n"})
        assert reply.status_code == 422
        assert "Really delete? is missing." in reply.text
        assert 'value="Ada"' in reply.text
        assert posts(reply.text)[0]["question"] == [each.id for each in ours]
        for each in ours:
            assert (await page.inbox.desk.get(each.id)).state is State.OPEN
        declined = await send(page, posts(reply.text)[0], decline="1")
        assert "2 of 2 declined" in declined.text
        for each in ours:
            assert (await page.inbox.desk.get(each.id)).state is State.DECLINED


@pytest.mark.parametrize("query", ["", "?question=", "?" + "&".join(f"question=h_{n}" for n in range(60))])
async def test_a_page_of_no_or_too_many_questions_says_so(tmp_path: Path, query: str) -> None:
    async with signed_in(tmp_path) as page:
        text = (await page.http.get(f"/alike{query}")).text
        assert "Choose up to 50 questions" in text or "it is not in this inbox" in text
        refused = await page.http.post("/alike/answer", data={"question": "h_1", "kind": "x"})
        assert refused.status_code == 403
        assert (await page.post("/alike/answer", kind="x")).status_code == 400


async def test_what_ends_while_the_page_is_open_leaves_its_form(tmp_path: Path, opened: Opened) -> None:
    async with serving(tmp_path) as inbox, opened() as page:
        ours = [await inbox.ask(f"Region of {name}?", options=["eu", "us"]) for name in ("one", "two")]
        await enter(page, inbox, "/?q=region")
        await page.keyboard.press("j")
        await page.keyboard.press("x")
        await page.keyboard.press("j")
        await page.keyboard.press("x")
        await expect(page.locator(".chosen")).to_have_text("2 chosen")
        await page.get_by_role("button", name="Answer alike").click()
        await expect(page.locator("h1")).to_have_text("Answer these 2 questions alike")
        await inbox.desk.answer(ours[0], {"response": "eu"}, by="eve", channel="terminal")
        await expect(page.locator(f"#{ours[0].id} .gone")).to_contain_text("Answered by eve through terminal.")
        await page.get_by_label("us").check()
        await page.get_by_role("button", name="Answer this question").click()
        await expect(page.locator("h1")).to_have_text("1 of 1 answered")


@pytest.mark.parametrize("shape", SHAPES)
async def test_the_page_of_several_can_be_read_by_everybody(tmp_path: Path, opened: Opened, shape: str) -> None:
    async with serving(tmp_path) as inbox, opened(**SHAPES[shape]) as page:
        ours = [await inbox.ask("Which?", options=["eu", "us"]), await inbox.ask("All?", form=FORM)]
        gone = await inbox.ask("Gone?")
        await inbox.desk.cancel(gone, by="eve", channel="terminal")
        query = "&".join(f"question={each.id}" for each in (*ours, gone))
        await enter(page, inbox, f"/alike?{query}")
        await expect(page.locator("h1")).to_have_text("Answer these 2 questions alike")
        assert await axe(page) == []
        await page.get_by_role("button", name="Answer this question").last.click()
        await expect(page.locator(".problem:not(:empty)").first).to_be_visible()
        assert await axe(page) == []
        wide, window = await page.evaluate("[document.documentElement.scrollWidth, innerWidth]")
        assert wide <= window


async def test_several_are_answered_without_script(tmp_path: Path, opened: Opened) -> None:
    async with serving(tmp_path) as inbox, opened(java_script_enabled=False) as page:
        ours = [await inbox.ask(f"Region of {name}?", options=["eu", "us"]) for name in ("one", "two")]
        await enter(page, inbox)
        for box in await page.get_by_label("Choose").all():
            await box.check()
        await page.get_by_role("button", name="Answer alike").click()
        await page.get_by_label("us").check()
        await page.get_by_role("button", name="Answer these 2 questions").click()
        await expect(page.locator("h1")).to_have_text("2 of 2 answered")
        for each in ours:
            assert (await inbox.desk.get(each.id)).values == {"response": "us"}
