"""What a host asks about its own tools has the card of a held call: its arguments in a table, and a field for each."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import expect

from handoffs.core.action import Action, Asker
from handoffs.core.action_form import action_form
from handoffs.core.action_shown import message_of
from handoffs.core.model import Handoff
from handoffs.web.action_card import ActionCard, action_card
from tests.acceptance.processes import Home
from tests.agent_wire.wires import between, permission
from tests.hooks.test_hook import EVENTS, hook
from tests.web.held import hold
from tests.web.serving import CLAUDE, Opened, serving, signed_in
from tests.web.test_browser import ended
from tests.web.test_reading import SHAPES, axe
from tests.web.visiting import enter, visit

ORIGIN = "Session `one` of Claude Code."
EDIT: dict[str, object] = {"file_path": "/srv/a.py", "old_string": "one\ntwo", "new_string": "one\n2"}


def used(tool: str, arguments: dict[str, Any], *, server: str = "claude-code") -> Action:
    return Action(asker=Asker.HOST, server=server, tool=tool, arguments=json.dumps(arguments))


async def card_of(folder: Path, action: Action, **more: Any) -> ActionCard:
    async with serving(folder) as inbox:
        card = action_card(await hold(inbox.desk, action, origin=ORIGIN, **more))
    assert card is not None
    return card


async def test_a_command_is_code_in_a_row_of_its_own(tmp_path: Path) -> None:
    card = await card_of(tmp_path, used("Bash", {"command": "rm -r build", "timeout": 5}))
    assert (card.server, card.tool, card.notes, card.documents) == ("claude-code", "Bash", ORIGIN, ())
    assert [(each.name, each.kind, each.text) for each in card.arguments] == [
        ("command", "string", "rm -r build"),
        ("timeout", "number", "5"),
    ]
    assert card.arguments[0].code == "```bash\nrm -r build\n```"


async def test_a_files_content_is_code_in_its_language(tmp_path: Path) -> None:
    card = await card_of(tmp_path, used("Write", {"file_path": "/srv/a.py", "content": "x = 1\n"}))
    assert card.arguments[1].code == "```py\nx = 1\n\n```"


@pytest.mark.parametrize(
    ("action", "rows", "shown"),
    [
        (used("Edit", EDIT), ["file_path"], "```diff\n one\n-two\n+2\n```"),
        (
            used("MultiEdit", {"file_path": "a", "edits": [{"old_string": "x", "new_string": "y"}]}),
            ["file_path"],
            "```diff\n-x\n+y\n```",
        ),
        (used("ExitPlanMode", {"plan": "# Do it\n\n1. now"}), [], "# Do it\n\n1. now"),
        (
            used("edit", {"title": "t", "content": [{"type": "diff", "path": "/a", "oldText": "x", "newText": "y"}]}),
            ["title"],
            "```text\n/a\n```\n\n```diff\n-x\n+y\n```",
        ),
        (used("run", {"input": {"script": "a\nb"}}), [], "```\na\nb\n```"),
        (used("run", {"input": {"script": "a\nb", "in": "/srv"}}), ["input"], "```\na\nb\n```"),
        (used("Edit", {"old_string": "\tx", "new_string": "    x"}), [], "```diff\n-⟨U+0009⟩x\n+    x\n```"),
        (used("Edit", {"old_string": "x", "new_string": "x  "}), [], "```diff\n-x\n+x⟨U+0020⟩⟨U+0020⟩\n```"),
        (used("Edit", {"old_string": "\tx", "new_string": "\t\tx"}), [], "```diff\n-\tx\n+\t\tx\n```"),
    ],
)
async def test_what_is_read_together_is_shown_together(
    tmp_path: Path, action: Action, rows: list[str], shown: str
) -> None:
    card = await card_of(tmp_path, action)
    assert [each.name for each in card.arguments] == rows
    assert card.documents[-1].body.endswith(shown)
    assert "script" not in "".join(each.text for each in card.arguments)


async def test_nothing_of_a_call_is_left_out_of_its_page(tmp_path: Path) -> None:
    odd = {"file_path": "/srv/a.py", "old_string": "one", "new_string": "zwei", "replace_all": True, "extra": [1]}
    async with signed_in(tmp_path) as page:
        asked = await hold(page.inbox.desk, used("Edit", odd), origin=ORIGIN)
        text = (await page.http.get(f"/h/{asked.id}")).text
    for word in ("/srv/a.py", "zwei", "replace_all", "extra", "Session"):
        assert word in text
    assert "without arguments" not in text


async def test_a_secret_within_is_behind_a_click_and_in_no_document(tmp_path: Path) -> None:
    secret = {"file_path": ".env", "old_string": "a", "new_string": "hush", "edits": 1}
    action = replace(used("Edit", secret), masked=("new_string",))
    card = await card_of(tmp_path, action)
    assert card.documents == ()
    assert [each.name for each in card.arguments if each.masked] == ["new_string"]


async def test_a_host_that_takes_no_edit_gets_none(tmp_path: Path) -> None:
    async with signed_in(tmp_path) as page:
        asked = await hold(page.inbox.desk, used("Bash", {"command": "ls"}), editable=False)
        text = (await page.http.get(f"/h/{asked.id}")).text
    assert "arguments" in text
    assert 'class="changes"' not in text


async def test_what_asks_for_more_than_a_decision_is_shown_as_it_was_written(tmp_path: Path) -> None:
    async with serving(tmp_path) as inbox:
        handoff: Handoff = await inbox.ask("Which?", options=["a", "b"])
        assert action_card(handoff) is None
        told = await inbox.desk.ask(message="Allow it?", caller=handoff.caller, action=used("Bash", {}))
        assert action_card(told) is None


PLAN = "# Plan\n\n---\n\n`plan`, 1 line:\n\nEdit 1 of 1:\n\nDigest 0123\n\nIt runs without arguments."
ODD: dict[str, object] = {"": 1, " command": 2, "command": "  ", "command ": 3, "a\nb": 4, "a  b": 5, "\u202ec": 6}
SHOWN_AS = ['""', "⟨U+0020⟩command", "command", "command⟨U+0020⟩", "a⟨U+000A⟩b", "a ⟨U+0020⟩b", "⟨U+202E⟩c"]
ACP: dict[str, Any] = {
    "call": {"title": "Do it", "kind": "execute"},
    "input": {"command": "a\nb", "in": "/srv"},
    "content": [
        {"type": "diff", "path": "/srv/a.py", "oldText": "x", "newText": "y"},
        {"type": "content", "content": {"type": "text", "text": "for you"}},
    ],
}


async def test_what_stands_within_an_argument_is_said_to_be_of_it(tmp_path: Path) -> None:
    card = await card_of(tmp_path, used("run", {"input": {"command": "a\nb"}, "command": "c\nd"}))
    assert [each.name for each in card.arguments] == ["command"]
    assert [each.title for each in card.documents] == ["`command` of `input`, 2 lines, 3 characters"]


async def test_a_plan_can_not_pass_for_our_own_words(tmp_path: Path, opened: Opened) -> None:
    async with serving(tmp_path) as inbox, opened(locale="de-DE") as page:
        asked = await hold(inbox.desk, used("ExitPlanMode", {"plan": PLAN}), origin=ORIGIN)
        await enter(page, inbox, f"/h/{asked.id}")
        within = page.locator(".document > .body[lang='']")
        await expect(within).to_contain_text("It runs without arguments.")
        await expect(within).to_contain_text("Digest 0123")
        await expect(page.locator(".document > .title")).to_contain_text("plan")
        edge = await page.locator(".document").evaluate("(each) => getComputedStyle(each).borderTopStyle")
        assert edge == "solid"
        await expect(page.locator(".document .digest")).to_have_count(0)
        await inbox.desk.answer(asked, {"decision": "deny"}, by="ada", channel="inbox")
        for path in (f"/h/{asked.id}", f"/h/{asked.id}/record"):
            await visit(page, inbox.url + path)
            await expect(within).to_contain_text("It runs without arguments.")


async def test_a_long_part_leaves_the_others_as_they_are(tmp_path: Path) -> None:
    given = {"edits": [{"old_string": "x", "new_string": "y"}], "old_string": "", "new_string": "long\n" * 12_000}
    async with signed_in(tmp_path) as page:
        asked = await hold(page.inbox.desk, used("Edit", given), origin=ORIGIN, editable=False)
        text = (await page.http.get(f"/h/{asked.id}")).text
    assert text.count("it is very long") == 1
    assert "Edit 1 of 1" in text
    assert '<span class="gd">-x</span>' in text


async def test_names_that_a_page_would_show_alike_are_told_apart(tmp_path: Path, opened: Opened) -> None:
    async with serving(tmp_path) as inbox, opened() as page:
        await hold(inbox.desk, used("run", ODD), origin=ORIGIN)
        await enter(page, inbox)
        rows = page.locator(".arguments tbody tr")
        assert await rows.locator("th > code").all_inner_texts() == SHOWN_AS
        assert await rows.nth(2).locator("td").inner_text() == "⟨U+0020⟩⟨U+0020⟩"
        await page.locator(".extras > summary").click()
        titles = await page.locator(".changes .field bdi").all_inner_texts()
        assert titles[: len(SHOWN_AS)] == SHOWN_AS
        assert await axe(page) == []


async def test_fields_that_would_read_the_same_are_left_to_json(tmp_path: Path) -> None:
    async with signed_in(tmp_path) as page:
        asked = await hold(page.inbox.desk, used("run", {"n" * 200 + "a": 1, "n" * 200 + "b": 2}))
        text = (await page.http.get(f"/h/{asked.id}")).text
    assert 'class="changes"' not in text
    assert 'name="field.arguments"' in text


async def test_a_secret_in_an_argument_with_a_dot_is_on_no_later_page(tmp_path: Path) -> None:
    async with signed_in(tmp_path) as page:
        given = {"auth.config": {"password": "hush-4711", "user": "eve"}, "id": 7}
        asked = await hold(page.inbox.desk, used("run", given), origin=ORIGIN)
        text = (await page.http.get(f"/h/{asked.id}")).text
        assert "secret: show" in text
        assert "hush-4711" not in text.partition('class="changes"')[2]
        await page.inbox.desk.answer(asked, {"decision": "allow"}, by="ada", channel="inbox")
        for path in (f"/h/{asked.id}", f"/h/{asked.id}/record", "/history", "/grants"):
            text = (await page.http.get(path)).text
            assert "hush-4711" not in text, path
        assert "eve" in (await page.http.get(f"/h/{asked.id}")).text


async def test_a_question_of_an_earlier_version_is_shown_as_it_was_written(tmp_path: Path) -> None:
    action = used("run", {"input": {"script": "a\nb"}})
    earlier = message_of(action).replace("`script` of `input`,", "`script`,")
    async with signed_in(tmp_path) as page:
        form = action_form(editable=True)
        asked = await page.inbox.desk.ask(message=earlier, caller=CLAUDE, form=form, action=action)
        assert action_card(asked) is None
        text = (await page.http.get(f"/h/{asked.id}")).text
        assert "<p><code>script</code>, 2 lines, 3 characters:</p>" in text
        assert 'name="field.decision"' in text
        await page.inbox.desk.answer(asked, {"decision": "deny"}, by="ada", channel="inbox")
        for path in (f"/h/{asked.id}", f"/h/{asked.id}/record"):
            assert "<p><code>script</code>, 2 lines, 3 characters:</p>" in (await page.http.get(path)).text


@pytest.mark.parametrize("shape", SHAPES)
async def test_a_hosts_prompt_is_read_by_everybody(tmp_path: Path, opened: Opened, shape: str) -> None:
    calls = used("Edit", EDIT), used("execute", ACP), used("ExitPlanMode", {"plan": PLAN, "more": [1]}), used("t", ODD)
    async with serving(tmp_path) as inbox, opened(**SHAPES[shape]) as page:
        asked = [await hold(inbox.desk, each, origin=ORIGIN) for each in calls]
        over = await hold(inbox.desk, used("execute", ACP | {"call": "x" * 300}), origin=ORIGIN)
        await inbox.desk.answer(over, {"decision": "allow"}, by="ada", channel="inbox")
        await enter(page, inbox)
        for path in ("/", f"/h/{over.id}", f"/h/{over.id}/record", *(f"/h/{each.id}" for each in asked)):
            await visit(page, inbox.url + path)
            await page.evaluate("document.querySelectorAll('.card details').forEach((each) => { each.open = true; })")
            assert await axe(page) == [], path
            wide, window = await page.evaluate("[document.documentElement.scrollWidth, innerWidth]")
            assert wide <= window, path


async def test_what_an_agent_behind_an_editor_shows_is_in_the_card(tmp_path: Path, opened: Opened) -> None:
    home = Home(tmp_path)
    async with between(home, "--name", "helper") as wire, serving(tmp_path) as inbox, opened() as page:
        content = [{**each, "_meta": {"x": 1}} for each in ACP["content"]]
        await wire.agent.send(permission(title="Do it", rawInput=ACP["input"], content=content))
        (asked,) = await wire.asked()
        await enter(page, inbox, f"/h/{asked['id']}")
        await expect(page.locator("h3.tool")).to_have_text("Run execute of helper?")
        assert await page.locator(".arguments th > code").all_inner_texts() == ["call", "input"]
        assert await page.locator(".document > .title").all_inner_texts() == [
            "command of input, 2 lines, 3 characters",
            "Content 1 of 2, a change of a file",
            "Content 2 of 2, 1 line, 7 characters",
        ]
        bodies = [text.split() for text in await page.locator(".document > .body").all_inner_texts()]
        assert bodies == [["a", "b"], ["/srv/a.py", "-x", "+y"], ["for", "you"]]
        await expect(page.locator(".changes")).to_have_count(0)
        await page.locator(".decision button.deny").click()
        await ended(inbox, asked["id"])


async def test_a_persons_change_of_one_argument_reaches_the_host(tmp_path: Path, opened: Opened) -> None:
    home = Home(tmp_path, {"CLAUDE_PROJECT_DIR": "", "CLAUDE_CODE_SESSION_ATTENDED": ""})
    host, event = EVENTS["claude-code PreToolUse"]
    async with hook(home, host, event) as started, serving(tmp_path) as inbox, opened() as page:
        asked = await started.asked()
        await enter(page, inbox, f"/h/{asked['id']}")
        await expect(page.locator("h3.tool")).to_have_text("Run Bash of claude-code?")
        await expect(page.locator(".arguments code.value, .arguments pre").first).to_contain_text("rm -r build")
        await page.locator("details.extras summary").first.click()
        await page.locator(".changes").get_by_label("command").fill("rm -r build/cache")
        assert await axe(page) == []
        await page.get_by_role("button", name="Allow with this").click()
        await ended(inbox, asked["id"])
        allowed = (await started.said())["hookSpecificOutput"]
    assert allowed["permissionDecision"] == "allow"
    assert allowed["updatedInput"] == {**event["tool_input"], "command": "rm -r build/cache"}
