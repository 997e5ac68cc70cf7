"""What a host's dialog is sent, what of its reply counts, and what becomes of a dialog from which nothing comes."""

from pathlib import Path
from typing import Any

import anyio
import pytest
from mcp import Client
from mcp.types import ElicitRequestFormParams, ElicitRequestParams, ElicitResult, InputRequiredResult

from handoffs.asking.host_dialog import HostDialog
from handoffs.core.model import Handoff
from handoffs.core.schema import parse
from handoffs.hosts import host_named
from handoffs.hosts.host import Host, Patience
from tests.mcp_server.host import ERAS, Dialog, accept, ask, by_script, check, host, table
from tests.mcp_server.task_host import task_host
from tests.waiting import until

both_eras = pytest.mark.parametrize("era", ERAS)

REPLICAS = {"type": "object", "properties": {"replicas": {"type": "integer", "minimum": 1}}, "required": ["replicas"]}
DATABASE = {
    "type": "object",
    "properties": {
        "db": {"type": "string", "oneOf": [{"const": "pg", "title": "Postgres"}, {"const": "my", "title": "MySQL"}]},
        "why": {"type": "string", "default": "as before"},
        "backup": {"type": "boolean", "default": True},
    },
    "required": ["db"],
}


class Door:
    """An inbox that only notes whom it was to show."""

    def __init__(self) -> None:
        self.invited: list[str] = []

    async def invite(self, handoff: Handoff) -> str | None:
        self.invited.append(handoff.id)
        return f"http://127.0.0.1:8/h/{handoff.id}"


class Codex(Dialog):
    """It declares that it shows links, and declines them unseen."""

    async def __call__(self, context: object, params: ElicitRequestParams) -> ElicitResult:
        if not isinstance(params, ElicitRequestFormParams):
            return ElicitResult(action="decline")
        return await super().__call__(context, params)


def sent(name: str, protocol: str, form: dict[str, Any]) -> Any:
    return HostDialog(host_named(name), protocol).schema(parse(form))["properties"]


# What is sent


@pytest.mark.parametrize("name", ["test-host", "claude-code", "codex", "mcp"])
def test_a_default_that_decides_is_sent_to_nobody(name: str) -> None:
    for protocol in ("2025-06-18", "2025-11-25", "2026-07-28"):
        assert not any("default" in each for each in sent(name, protocol, DATABASE).values())


def test_other_defaults_go_where_they_are_shown() -> None:
    shows = Host(title="", source="", stdio=Patience(quiet=1, dialog=1), shows_defaults=True)
    written: Any = HostDialog(shows, "2025-11-25").schema(parse(DATABASE))["properties"]
    assert written["why"]["default"] == "as before"
    assert "default" not in written["backup"]


def test_a_client_of_2025_06_18_is_sent_only_what_that_version_has() -> None:
    written = sent("old-host", "2025-06-18", DATABASE)["db"]
    assert written == {"type": "string", "enum": ["pg", "my"], "enumNames": ["Postgres (pg)", "MySQL (my)"]}
    several = {
        "type": "object",
        "properties": {"tags": {"type": "array", "items": {"type": "string", "enum": ["a, b", "c"]}}},
    }
    tags = sent("old-host", "2025-06-18", several)["tags"]
    assert tags["type"] == "string"
    assert "a, b" in tags["description"]
    old = HostDialog(host_named("old-host"), "2025-06-18")
    assert old.entered(parse(several), {"tags": "2, 1"}) == {"tags": ["c", "a, b"]}
    assert sent("old-host", "2025-11-25", several)["tags"]["type"] == "array"


def test_where_what_nobody_touched_is_sent_a_neutral_option_stands_first() -> None:
    fills = Host(title="", source="", stdio=Patience(quiet=1, dialog=1), fills_untouched=True)
    dialog, form = HostDialog(fills, "2025-11-25"), parse(DATABASE)
    written: Any = dialog.schema(form)["properties"]
    neutral = written["db"]["oneOf"][0]["const"]
    assert [each["const"] for each in written["db"]["oneOf"]] == [neutral, "pg", "my"]
    assert written["backup"]["enum"] == [neutral, "yes", "no"]
    assert dialog.entered(form, {"db": neutral, "backup": neutral, "why": "x"}) == {"why": "x"}
    assert dialog.entered(form, {"db": "pg", "backup": "no"}) == {"db": "pg", "backup": False}


@both_eras
async def test_a_number_a_host_cannot_draw_is_asked_as_text_and_checked_by_us(era: str, tmp_path: Path) -> None:
    async with table(tmp_path) as here:
        dialog = Codex(here.clock, accept(replicas="0"), accept(replicas="three"), accept(replicas="3"))
        async with host(here.server(), era, dialog, name="codex-mcp-client") as client:
            got = await ask(client, "How many?", form=REPLICAS)
    assert got["values"] == {"replicas": 3}
    asked: Any = dialog.shown[0].requested_schema["properties"]["replicas"]
    assert (asked["type"], asked["description"]) == ("string", "A whole number, 1 or more")
    assert "does not fit" in dialog.shown[2].message


@both_eras
async def test_an_accept_of_the_line_on_which_nobody_chose_is_asked_again(era: str, tmp_path: Path) -> None:
    """Codex stands on the first line and sends it on a bare Enter: the person has seen it, and has chosen nothing."""
    async with table(tmp_path) as here:
        dialog = Codex(here.clock, accept(response="(not chosen)"), accept(response="delete"))
        async with host(here.server(), era, dialog, name="codex-mcp-client") as client:
            got = await ask(client, "Delete it?", options=["delete", "keep"])
        assert "notshown" not in await here.names()
    assert got["values"] == {"response": "delete"}
    asked: Any = dialog.shown[0].requested_schema["properties"]["response"]
    assert asked["enum"][0] == "(not chosen)"
    assert "does not fit" in dialog.shown[1].message


LONG = {
    "type": "object",
    "properties": {
        "tags": {"type": "array", "items": {"type": "string", "enum": [f"{n} {'x' * 60}" for n in range(9)]}},
    },
    "required": ["tags"],
}


@both_eras
async def test_a_form_that_a_host_does_not_draw_goes_to_the_inbox(era: str, tmp_path: Path) -> None:
    async with table(tmp_path) as here:
        door, dialog = Door(), Codex(here.clock, accept(response="b"))
        server = here.server(hold_seconds=10, inbox=door)
        async with host(server, era, dialog, name="codex-mcp-client") as client, anyio.create_task_group() as tasks:
            tasks.start_soon(_forward, here, door)
            got = await ask(client, "How many?", form=LONG)
        assert (got["status"], dialog.shown, door.invited) == ("PENDING", [], [got["handoffId"]])
        async with host(server, era, dialog, name="codex-mcp-client") as client:
            assert (await ask(client, "Which?", options=["a", "b"]))["values"] == {"response": "b"}


async def _forward(here: Any, door: Door) -> None:
    await until(lambda: door.invited)
    here.clock.forward(11)


# What counts


@both_eras
async def test_an_accept_faster_than_reading_is_not_believed_whatever_it_holds(era: str, tmp_path: Path) -> None:
    async with table(tmp_path) as here:
        dialog = Dialog(here.clock, accept(response="yes"), seconds=0.9)
        async with host(here.server(), era, dialog) as client, anyio.create_task_group() as tasks:
            tasks.start_soon(_out_of_patience, here)
            got = await ask(client)
        assert got["status"] == "PENDING"
        assert "notshown" in await here.names()
        assert (await here.only()).state == "open"


async def _out_of_patience(here: Any) -> None:
    await until(here.names, lambda found: "notshown" in found)
    here.clock.forward(60)


@both_eras
async def test_a_corrected_answer_counts_from_the_first_time_it_was_shown(era: str, tmp_path: Path) -> None:
    async with table(tmp_path) as here:

        async def at_once(_: object) -> ElicitResult:
            here.clock.forward(-dialog.seconds)  # as fast as it came back
            return accept(replicas=3)

        dialog = Dialog(here.clock, accept(replicas=-1), at_once, seconds=5)
        async with host(here.server(), era, dialog) as client:
            got = await ask(client, "How many?", form=REPLICAS)
    assert (got["values"], len(dialog.shown)) == ({"replicas": 3}, 2)


@both_eras
async def test_a_script_says_that_it_is_one_and_people_and_the_agent_see_that(era: str, tmp_path: Path) -> None:
    async with table(tmp_path) as here:
        dialog = Dialog(here.clock, by_script(response="yes"), seconds=0)
        async with host(here.server(), era, dialog) as client:
            got = await ask(client)
        assert (got["values"], got["channel"]) == ({"response": "yes"}, "script")
        handoff = await here.only()
        assert handoff.end is not None
        assert handoff.end.channel == "script"


@both_eras
async def test_words_in_place_of_an_option_are_kept_where_the_host_offers_them(era: str, tmp_path: Path) -> None:
    async with table(tmp_path) as here:
        words = accept(response="neither, wait for Bo")
        async with host(here.server(), era, Dialog(here.clock, words), name="copilot-cli") as client:
            got = await ask(client, "Which?", options=["a", "b"])
        assert (got["status"], got["values"], got["other"]) == ("SUCCESS", {}, "neither, wait for Bo")
        several = accept(db="the old one", why="it works")
        async with host(here.server(), era, Dialog(here.clock, several), name="copilot-cli") as client:
            result = await client.call_tool("handoff_to_user", {"message": "Which database?", "form": DATABASE})
    assert (result.structured_content or {})["status"] == "DECLINED"
    assert "the old one" in result.content[0].text  # type: ignore[union-attr]


async def test_another_hosts_word_that_is_no_option_is_asked_again(tmp_path: Path) -> None:
    async with table(tmp_path) as here:
        dialog = Dialog(here.clock, accept(response="maybe"), accept(response="a"))
        async with host(here.server(), "legacy", dialog) as client:
            got = await ask(client, "Which?", options=["a", "b"])
    assert (got["values"], len(dialog.shown)) == ({"response": "a"}, 2)


async def test_after_an_empty_accept_the_agent_is_told_that_no_person_saw_it(tmp_path: Path) -> None:
    async with table(tmp_path) as here:
        empty = Dialog(here.clock, accept(), seconds=2)
        async with host(here.server(), "legacy", empty) as client, anyio.create_task_group() as tasks:
            tasks.start_soon(_out_of_patience, here)
            got = await ask(client)
    assert "Nobody has seen it yet" in got["guidance"]


@both_eras
async def test_the_guidance_is_there_once_for_a_model_that_reads_both(era: str, tmp_path: Path) -> None:
    async with table(tmp_path) as here:
        async with host(here.server(), era, Dialog(here.clock, accept(response="yes")), name="copilot-cli") as client:
            result = await client.call_tool("handoff_to_user", {"message": "Deploy?"})
    assert "guidance" not in (result.structured_content or {})
    assert "yes" in result.content[0].text  # type: ignore[union-attr]


# Who gets a task


@pytest.mark.parametrize(("name", "gets_one"), [("claude-code", False), ("emacs-mcp", False), ("strands", True)])
async def test_a_task_goes_only_to_hosts_whose_agent_waits_for_it(name: str, gets_one: bool, tmp_path: Path) -> None:
    async with table(tmp_path) as here, task_host(here.server(hold_seconds=0), name=name) as client:
        got = await client.ask("Deploy?")
    assert (got["resultType"] == "task") is gets_one
    if not gets_one:
        assert got["resultType"] == "input_required"


# A dialog from which nothing comes


async def round_out(client: Client, message: str = "Deploy?") -> InputRequiredResult:
    arguments = {"message": message}
    result = await client.session.call_tool("handoff_to_user", arguments, allow_input_required=True)
    assert isinstance(result, InputRequiredResult)
    return result


@pytest.mark.parametrize(("name", "opens"), [("fastmcp", True), ("emacs-mcp", True), ("copilot-cli", False)])
async def test_an_open_round_opens_the_inbox_only_if_it_is_unknown_who_shows_it(
    name: str, opens: bool, tmp_path: Path
) -> None:
    async with table(tmp_path) as here:
        door = Door()
        async with host(here.server(inbox=door), "auto", Dialog(here.clock), name=name) as client:
            await round_out(client)
            here.clock.forward(19)
            await anyio.sleep(0.05)
            assert door.invited == []
            here.clock.forward(2)
            with anyio.move_on_after(5 if opens else 0.2):
                await until(lambda: door.invited)
    assert bool(door.invited) is opens


async def test_rounds_that_wait_have_one_alarm_and_open_the_inbox_in_time(tmp_path: Path) -> None:
    async with table(tmp_path) as here:
        door = Door()
        async with host(here.server(inbox=door), "auto", Dialog(here.clock), name="fastmcp") as client:
            before = here.clock.waiting
            for number in range(4):
                await round_out(client, f"Deploy {number}?")
                here.clock.forward(5)
            await until(lambda: len(door.invited) == 1)
            assert here.clock.waiting <= before + 1
            for opened in range(2, 5):
                here.clock.forward(5)
                await until(lambda opened=opened: len(door.invited) == opened)
    assert len(set(door.invited)) == 4


async def test_asking_anew_counts_the_round_as_unseen_and_its_late_answer_counts(
    tmp_path: Path,
) -> None:
    async with table(tmp_path) as here:
        door = Door()
        server = here.server(hold_seconds=0, inbox=door)
        async with host(server, "auto", Dialog(here.clock), name="fastmcp") as client:
            first = await round_out(client)
            got = await ask(client)
            assert (got["status"], await here.stored()) == ("PENDING", 1)
            assert "notshown" in await here.names()
            assert (await check(client, got["handoffId"]))["status"] == "PENDING"
            here.clock.forward(5)
            arguments = {"message": "Deploy?"}
            answered = await client.session.call_tool(
                "handoff_to_user",
                arguments,
                input_responses={got["handoffId"]: accept(response="late")},
                request_state=first.request_state,
            )
    assert (answered.structured_content or {})["values"] == {"response": "late"}


async def test_a_round_that_came_back_is_asked_anew_in_the_dialog(tmp_path: Path) -> None:
    async with table(tmp_path) as here:
        dialog = Dialog(here.clock, ElicitResult(action="cancel"), accept(response="now"))
        async with host(here.server(), "auto", dialog, name="fastmcp") as client:
            assert (await ask(client))["status"] == "PENDING"
            assert (await ask(client))["values"] == {"response": "now"}


async def test_beside_a_dialog_that_will_be_gone_in_seconds_the_inbox_opens(tmp_path: Path) -> None:
    async with table(tmp_path) as here:
        door, dialog = Door(), Dialog(here.clock)
        async with host(here.server(inbox=door), "legacy", dialog, name="google-adk") as client:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(ask, client)
                await dialog.open.wait()
                await until(lambda: door.invited)
                here.clock.forward(4)
        assert (await here.only()).state == "open"
