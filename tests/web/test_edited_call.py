"""A held call is changed argument by argument: what a person leaves stays as it was sent."""

import json
from pathlib import Path
from typing import Any, cast

import pytest
from playwright.async_api import expect

from handoffs.core import exact_json
from handoffs.core.action import Action
from handoffs.core.errors import AnswerRefused
from handoffs.core.model import Handoff
from handoffs.web.edited_call import MOST, answer_in, edit_controls
from tests.web.held import DEFINITION, call, hold
from tests.web.serving import Opened, serving, signed_in
from tests.web.test_browser import ended
from tests.web.visiting import enter

SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "table": {"type": "string", "description": "Which <b>table</b>."},
        "mode": {"type": "string", "enum": ["drop", "rename"]},
        "rows": {"type": "integer"},
        "share": {"type": "number"},
        "force": {"type": "boolean"},
        "where": {"type": "object"},
        "hidden": {"type": "string"},
        "to": {"type": "string"},
        "dry": {"type": "boolean"},
        "mixed": {"type": ["string", "null"]},
    },
    "required": ["table"],
}
SENT = (
    '{"table": "orders", "mode": "drop", "rows": 7, "share": 0.50, "force": true, '
    '"where": {"id": [1, 12345678901234567890]}, "hidden": "a\\u202eb", "mixed": null, "extra": "x\\ny"}'
)
SENT_VALUES = cast("dict[str, Any]", exact_json.loads(SENT))
DROP = Action(
    asker=call().asker,
    server="shop",
    tool="alter",
    arguments=SENT,
    definition=json.dumps(DEFINITION | {"name": "alter", "inputSchema": SCHEMA}),
)
ALLOW = {"field.decision": ["allow"]}


async def held(folder: Path, action: Action = DROP) -> Handoff:
    async with serving(folder) as inbox:
        return await hold(inbox.desk, action)


def posted(handoff: Handoff, **changes: str) -> dict[str, list[str]]:
    """A form as a browser sends it, with some fields changed, by the titles of their labels."""
    form = dict(ALLOW)
    for each in edit_controls(handoff, key="k"):
        value = changes.pop(each.field.title, None)
        shown = each.value or next((option.value for option in each.options if option.picked), "")
        form[each.name] = [(shown if value is None else value).replace("\n", "\r\n")]
    assert not changes
    return form


def changed(handoff: Handoff, **changes: str) -> Any:
    arguments = answer_in(handoff, posted(handoff, **changes), None).values.get("arguments")
    return None if arguments is None else exact_json.loads(str(arguments))


async def test_each_argument_has_the_field_that_its_schema_says(tmp_path: Path) -> None:
    controls = edit_controls(await held(tmp_path), key="k")
    assert [(each.field.title, each.widget, each.value) for each in controls] == [
        ("table", "textarea", "orders"),
        ("mode", "radios", "drop"),
        ("rows", "text", "7"),
        ("share", "text", "0.5"),
        ("force", "radios", "true"),
        ("where", "textarea", '{\n  "id": [\n    1,\n    12345678901234567890\n  ]\n}'),
        ("hidden", "textarea", '"a\\u202eb"'),
        ("mixed", "textarea", "null"),
        ("extra", "textarea", "x\ny"),
        ("to", "textarea", ""),
        ("dry", "radios", ""),
    ]
    assert [each.field.title for each in controls if each.field.required] == ["table"]


async def test_what_is_left_as_it_stands_changes_nothing(tmp_path: Path) -> None:
    handoff = await held(tmp_path)
    said = answer_in(handoff, posted(handoff), None)
    assert said.values == {"decision": "allow"}


@pytest.mark.parametrize(
    ("changes", "becomes"),
    [
        ({"table": "invoices"}, {"table": "invoices"}),
        ({"table": ""}, {"table": ""}),
        ({"mode": "rename", "to": "old orders\nof May"}, {"mode": "rename", "to": "old orders\nof May"}),
        ({"rows": "8"}, {"rows": 8}),
        ({"share": "1.25"}, {"share": 1.25}),
        ({"force": "false", "dry": "true"}, {"force": False, "dry": True}),
        ({"where": '{"id": [2]}'}, {"where": {"id": [2]}}),
        ({"hidden": '"plain"', "mixed": '"ä"'}, {"hidden": "plain", "mixed": "ä"}),
        ({"rows": "", "where": "", "force": ""}, {"rows": ..., "where": ..., "force": ...}),
    ],
)
async def test_a_change_is_made_and_the_rest_stays(
    tmp_path: Path, changes: dict[str, str], becomes: dict[str, Any]
) -> None:
    wanted = {**SENT_VALUES, **becomes}
    found = changed(await held(tmp_path), **changes)
    assert found == {name: value for name, value in wanted.items() if value is not ...}
    if "where" not in changes:
        assert found["where"]["id"][1].text == "12345678901234567890"


@pytest.mark.parametrize(
    ("changes", "field", "said"),
    [
        ({"rows": "seven"}, "edit.2", "must be a whole number"),
        ({"rows": "1,000"}, "edit.2", "commas"),
        ({"share": "half"}, "edit.3", "must be a number"),
        ({"where": "{id: 2}"}, "edit.5", "must be JSON"),
        ({"where": '{"id": 1, "id": 2}'}, "edit.5", "must be JSON"),
        ({"mode": "burn"}, "edit.1", "is not one of the choices"),
    ],
)
async def test_a_change_that_can_not_be_read_is_named_and_a_no_is_none_the_less(
    tmp_path: Path, changes: dict[str, str], field: str, said: str
) -> None:
    handoff = await held(tmp_path)
    form = posted(handoff, **changes)
    with pytest.raises(AnswerRefused) as refused:
        answer_in(handoff, form, None)
    assert said in refused.value.problems[field]
    denied = answer_in(handoff, form | {"field.decision": ["deny"]}, None)
    assert denied.values == {"decision": "deny"}


async def test_a_call_is_changed_in_one_place(tmp_path: Path) -> None:
    handoff = await held(tmp_path)
    whole = {"field.arguments": ['{"table": "a"}']}
    with pytest.raises(AnswerRefused, match="one place"):
        answer_in(handoff, posted(handoff, table="b") | whole, None)
    assert answer_in(handoff, posted(handoff) | whole, None).values["arguments"] == '{"table": "a"}'


async def test_a_field_that_the_call_has_not_is_refused(tmp_path: Path) -> None:
    handoff = await held(tmp_path)
    for name in ("field.edit.99", "field.edit.x", "field.edit."):
        with pytest.raises(AnswerRefused, match="is no field"):
            answer_in(handoff, posted(handoff) | {name: ["x"]}, None)
    with pytest.raises(AnswerRefused, match="more than once"):
        answer_in(handoff, posted(handoff) | {"field.edit.0": ["a", "b"]}, None)


async def test_a_secret_and_what_is_too_much_have_no_fields(tmp_path: Path) -> None:
    async with signed_in(tmp_path) as page:
        secret = await hold(page.inbox.desk, call(arguments={"api_key": "s3cret-value", "id": 1}))
        assert [each.field.title for each in edit_controls(secret, key="k")] == ["id"]
        found = answer_in(secret, posted(secret, id="2"), None).values["arguments"]
        assert json.loads(str(found)) == {"api_key": "s3cret-value", "id": 2}
        many = await hold(page.inbox.desk, call(arguments={f"a{number}": 1 for number in range(MOST + 1)}))
        assert edit_controls(many, key="k") == []
        assert "Edited arguments" in (await page.http.get(f"/h/{many.id}")).text
        assert edit_controls(await page.inbox.ask("Deploy?"), key="k") == []


async def test_in_a_browser_a_drop_becomes_a_rename(tmp_path: Path, opened: Opened) -> None:
    async with serving(tmp_path) as inbox, opened() as page:
        handoff = await hold(inbox.desk, DROP)
        await enter(page, inbox, f"/h/{handoff.id}")
        await page.locator(".extras > summary").click()
        await expect(page.locator(".changes")).to_contain_text("Which <b>table</b>.")
        await page.get_by_label("rows optional").fill("many")
        await page.get_by_role("button", name="Allow with this").click()
        await expect(page.locator(".changes .problem:not(:empty)")).to_have_text("rows must be a whole number.")
        await page.get_by_label("rows optional").fill("7")
        await page.get_by_label("rename", exact=True).check()
        await page.get_by_label("to optional", exact=True).fill("old_orders")
        await page.locator(".extras > summary").click()
        await expect(page.locator(".extras .counts").first).to_be_visible()
        await page.locator(".decision button.allow").click()
        values = (await ended(inbox, handoff.id)).values
        assert values is not None
        assert json.loads(str(values["arguments"])) == {**json.loads(SENT), "mode": "rename", "to": "old_orders"}


async def test_without_script_a_wrong_change_is_shown_again(tmp_path: Path, opened: Opened) -> None:
    async with serving(tmp_path) as inbox, opened(java_script_enabled=False) as page:
        handoff = await hold(inbox.desk, DROP)
        await enter(page, inbox, f"/h/{handoff.id}")
        await page.locator(".extras > summary").click()
        await page.get_by_label("rows optional").fill("many")
        await page.get_by_role("button", name="Allow with this").click()
        await expect(page.get_by_label("rows optional")).to_have_value("many")
        await expect(page.locator(".changes .problem:not(:empty)")).to_have_text("rows must be a whole number.")
        await page.get_by_label("rows optional").fill("9")
        await page.get_by_role("button", name="Allow with this").click()
        values = (await ended(inbox, handoff.id)).values
        assert values is not None
        assert json.loads(str(values["arguments"])) == {**json.loads(SENT), "rows": 9}
