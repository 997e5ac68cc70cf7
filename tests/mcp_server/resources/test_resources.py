"""What a host reads without asking anybody: resources, prompts, completions; and what the server does not have."""

import json
from pathlib import Path
from typing import Any

import pytest
from mcp import Client
from mcp.shared.exceptions import MCPError
from mcp.types import PromptReference, ResourceTemplateReference

from handoffs.core.doctor_question import TRIAL_MESSAGE, TRIAL_OPTIONS, is_trial
from handoffs.core.document import document
from handoffs.core.model import Caller
from handoffs.mcp_server.icons import ICONS
from tests.days import stamped
from tests.mcp_server.host import ERAS, Dialog, Table, accept, ask, host, table

pytestmark = pytest.mark.filterwarnings("ignore::mcp.shared.exceptions.MCPDeprecationWarning")

both_eras = pytest.mark.parametrize("era", ERAS)
TEMPLATE = ResourceTemplateReference(type="ref/resource", uri="handoff://{id}")


async def opened(here: Table, message: str, *, subject: str = "ada") -> str:
    caller = Caller(subject=subject, client="claude-code", project="/home/ada/shop")
    return (await here.desk.ask(message=message, caller=caller)).id


async def read(client: Client, uri: str) -> Any:
    [content] = (await client.read_resource(uri)).contents
    assert content.mime_type == "application/json"
    return json.loads(content.text)  # type: ignore[union-attr]


@both_eras
async def test_open_lists_what_waits_for_the_person_newest_first_without_others(era: str, tmp_path: Path) -> None:
    async with table(tmp_path) as here:
        first = await opened(here, "Deploy?\n\nAll of it.")
        here.clock.forward(1)
        second = await opened(here, "\n\n# Which \x1b[31mone\u202e?\nThis or that.")
        await opened(here, "Not ada's", subject="eve")
        async with host(here.server(), era) as client:
            got = await read(client, "handoff://open")
    assert [each["id"] for each in got] == [second, first]
    assert got[1] == {
        "id": first,
        "title": "Deploy?",
        "createdAt": stamped(12),
        "deadline": stamped(12, days=1),
        "client": "claude-code",
        "project": "/home/ada/shop",
        "action": None,
    }
    assert got[0]["title"] == "# Which ␛[31mone⟨U+202E⟩?"


@both_eras
async def test_a_handoff_reads_as_the_command_prints_it_and_stays_uncollected(era: str, tmp_path: Path) -> None:
    async with table(tmp_path) as here:
        handoff = await here.desk.get(await opened(here, "Deploy?"))
        async with host(here.server(), era) as client:
            before = await read(client, f"handoff://{handoff.id}")
            ended = await here.desk.answer(handoff, {"response": "yes"}, by="ada", channel="inbox")
            after = await read(client, f"handoff://{handoff.id}")
            opens = await read(client, "handoff://open")
        assert (await here.only()).collected_at is None
    assert (before, after) == (document(handoff), document(ended))
    assert (before["state"], after["state"], after["answer"]["values"]) == ("open", "answered", {"response": "yes"})
    assert opens == []


@both_eras
async def test_anothers_handoff_and_one_that_is_none_read_alike_as_unknown(era: str, tmp_path: Path) -> None:
    async with table(tmp_path) as here:
        theirs = await opened(here, "Not ada's", subject="eve")
        async with host(here.server(), era) as client:
            told: list[tuple[int, str]] = []
            for uri in (f"handoff://{theirs}", "handoff://h_nothing", "handoff://..", "handoff://a/b"):
                with pytest.raises(MCPError) as refused:
                    await client.read_resource(uri)
                told.append((refused.value.error.code, refused.value.error.message.replace(uri, "URI")))
            listed = (await client.list_resources()).resources
    assert set(told) == {(-32602, "Unknown resource: URI")}
    assert [resource.uri for resource in listed] == ["handoff://open"]


@both_eras
async def test_the_list_of_resources_names_each_open_handoff(era: str, tmp_path: Path) -> None:
    async with table(tmp_path) as here:
        handoff_id = await opened(here, "Deploy?\n\nAll of it.")
        async with host(here.server(), era) as client:
            listed = (await client.list_resources()).resources
            [template] = (await client.list_resource_templates()).resource_templates
    assert [(each.uri, each.title) for each in listed] == [
        ("handoff://open", "Open questions"),
        (f"handoff://{handoff_id}", "Deploy?"),
    ]
    assert (template.uri_template, template.mime_type) == ("handoff://{id}", "application/json")


@both_eras
async def test_ids_are_completed_by_prefix_newest_first_a_hundred_at_most(era: str, tmp_path: Path) -> None:
    async with table(tmp_path) as here:
        ids: list[str] = []
        for number in range(102):
            here.clock.forward(1)
            ids.insert(0, await opened(here, f"Question {number}?"))
        theirs = await opened(here, "Not ada's", subject="eve")
        async with host(here.server(), era) as client:
            every = (await client.complete(TEMPLATE, {"name": "id", "value": ""})).completion
            one = (await client.complete(TEMPLATE, {"name": "id", "value": ids[50][:12]})).completion
            bare = (await client.complete(TEMPLATE, {"name": "id", "value": ids[7][2:12]})).completion
            foreign = (await client.complete(TEMPLATE, {"name": "id", "value": theirs})).completion
            other = (await client.complete(TEMPLATE, {"name": "else", "value": ""})).completion
    assert (every.values, every.has_more, every.total) == (ids[:100], True, 102)
    assert ids[50] in one.values
    assert not one.has_more
    assert bare.values == [ids[7]]
    assert (foreign.values, other.values) == ([], [])


@both_eras
async def test_the_house_rule_says_when_to_ask_and_holds_the_persons_own_rule(era: str, tmp_path: Path) -> None:
    async with table(tmp_path) as here, host(here.server(), era) as client:
        prompts = {prompt.name: prompt for prompt in (await client.list_prompts()).prompts}
        [plain] = (await client.get_prompt("handoff_rules")).messages
        [own] = (await client.get_prompt("handoff_rules", {"also": "you touch\n{billing}"})).messages
        rules = PromptReference(type="ref/prompt", name="handoff_rules")
        offered = (await client.complete(rules, {"name": "also", "value": "Production"})).completion.values
    assert {name: prompt.title for name, prompt in prompts.items()} == {
        "handoff_rules": "When to ask me",
        "doctor": "Check this host",
    }
    assert [argument.required for argument in prompts["handoff_rules"].arguments or []] == [False]
    assert "handoff_to_user" in plain.content.text  # type: ignore[union-attr]
    for status in ("SUCCESS", "DECLINED", "CANCELLED", "TIMEOUT", "PENDING", "ERROR"):
        assert status in plain.content.text  # type: ignore[union-attr]
    assert "\nAnd before this, too: you touch {billing}." in own.content.text  # type: ignore[union-attr]
    assert "{" not in plain.content.text  # type: ignore[union-attr]
    assert offered == ["anything that runs against production"]


@both_eras
async def test_the_doctors_prompt_has_the_model_ask_the_doctors_own_question(era: str, tmp_path: Path) -> None:
    async with table(tmp_path) as here:
        dialog = Dialog(here.clock, accept(response=TRIAL_OPTIONS[0]))
        async with host(here.server(), era, dialog) as client:
            [said] = (await client.get_prompt("doctor")).messages
            text: str = said.content.text  # type: ignore[union-attr]
            [arguments] = [json.loads(line) for line in text.splitlines() if line.startswith("{")]
            got = await ask(client, arguments.pop("message"), **arguments)
        assert is_trial(await here.only())
    assert got["status"] == "SUCCESS"
    assert dialog.shown[0].message == TRIAL_MESSAGE


@both_eras
async def test_the_server_shows_its_mark_and_declares_what_it_has_and_no_logging(era: str, tmp_path: Path) -> None:
    async with table(tmp_path) as here, host(here.server(), era) as client:
        has, info = client.server_capabilities, client.server_info
        assert has is not None
        assert info is not None
        assert has.logging is None
        assert None not in (has.tools, has.prompts, has.resources, has.completions)
        assert has.resources is not None
        assert has.resources.subscribe is True
        assert info.icons == ICONS
        with pytest.raises(MCPError) as refused:
            await client.set_logging_level("debug")
    assert refused.value.error.code == -32601


async def test_what_others_ask_takes_no_place_in_the_list_of_ones_own(tmp_path: Path) -> None:
    async with table(tmp_path) as here:
        mine = await here.desk.ask(message="Mine?", caller=Caller(subject="ada"))
        here.clock.forward(1)
        for number in range(1_000):
            await here.desk.ask(message=f"Hers {number}?", caller=Caller(subject="eve"))
        async with host(here.server(), "auto") as client:
            listed = [str(each.uri) for each in (await client.list_resources()).resources]
    assert f"handoff://{mine.id}" in listed
