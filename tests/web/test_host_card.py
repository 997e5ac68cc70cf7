"""What a host asks about its own tools has the card of a held call: its arguments in a table, and a field for each."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import expect

from handoffs.core.action import Action, Asker
from handoffs.core.model import Handoff
from handoffs.web.action_card import ActionCard, action_card
from tests.acceptance.processes import Home
from tests.hooks.test_hook import EVENTS, hook
from tests.web.held import hold
from tests.web.serving import Opened, serving, signed_in
from tests.web.test_browser import ended
from tests.web.test_reading import axe
from tests.web.visiting import enter

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
    assert (card.server, card.tool, card.notes, card.documents) == ("claude-code", "Bash", ORIGIN, "")
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
    ],
)
async def test_what_is_read_together_is_shown_together(
    tmp_path: Path, action: Action, rows: list[str], shown: str
) -> None:
    card = await card_of(tmp_path, action)
    assert [each.name for each in card.arguments] == rows
    assert card.documents.endswith(shown)
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
    assert card.documents == ""
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
