"""Permission prompts of Claude Code: what allows a tool to run, and everything that does not."""

import json
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import anyio
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mcp import Client

from handoffs.core.action import Action, Asker
from handoffs.core.action_shown import MAX_SHOWN, message_of
from handoffs.core.desk import Desk
from handoffs.core.model import Handoff, State
from handoffs.mcp_server.permission import NAME
from handoffs.mcp_server.permission.approvals import QUIET_STDIO
from handoffs.mcp_server.permission.claude_code import read_edit
from handoffs.mcp_server.permission.words import BY_SCRIPT, IN_DIALOG
from handoffs.store.sqlite.store import SqliteStore
from tests.fakes import FakeClock
from tests.mcp_server.host import DECLINE, ERAS, Dialog, Table, accept, ask, host, table
from tests.mcp_server.signed_in import served
from tests.waiting import until

both_eras = pytest.mark.parametrize("era", ERAS)

COMMAND = {"command": "rm -rf build", "description": "Remove the build"}
ALLOW = {"decision": "allow"}
ANSWER = "hunter2"


async def decision(client: Client, tool: str = "Bash", wanted: Mapping[str, Any] = COMMAND, **more: Any) -> Any:
    """What Claude Code would read."""
    result = await client.call_tool(NAME, {"tool_name": tool, "input": dict(wanted), **more})
    assert result.structured_content is None
    assert not result.is_error
    [block] = result.content
    return json.loads(block.text)  # type: ignore[union-attr]


@dataclass
class Person:
    """Decides each question that opens, in turn, at the inbox."""

    here: Table
    decides: list[Mapping[str, Any] | Callable[[Handoff], Any]]
    seen: list[Handoff] = field(default_factory=list[Handoff])

    async def sit(self) -> None:
        async with self.here.desk.watch() as watch:
            while self.decides:
                for handoff in await self.here.desk.newest(open_only=True):
                    decide = self.decides.pop(0)
                    self.seen.append(handoff)
                    if callable(decide):
                        await decide(handoff)
                    else:
                        await self.here.desk.answer(handoff, decide, by="ada", channel="inbox")
                with anyio.move_on_after(0.05):
                    await watch.changed()


async def decided(here: Table, *decides: Any, era: str = "auto", wanted: Mapping[str, Any] = COMMAND) -> Any:
    """What comes of one request, and what the person was shown."""
    person = Person(here, list(decides))
    got: Any = None
    async with host(here.server(), era, name="claude-code") as client, anyio.create_task_group() as tasks:
        tasks.start_soon(person.sit)
        got = await decision(client, wanted=wanted)
        tasks.cancel_scope.cancel()
    return got, person.seen


@both_eras
async def test_an_allowed_use_runs_with_exactly_what_was_shown_and_is_used_up(era: str, tmp_path: Path) -> None:
    async with table(tmp_path) as here:
        got, [shown] = await decided(here, ALLOW, era=era)
        assert got == {"behavior": "allow", "updatedInput": COMMAND}
        assert (await here.only()).collected_at is not None
        assert shown.question.message == (
            "Allow `Bash`, once, with exactly this input?\n\n"
            '```json\n{\n  "tool_name": "Bash",\n  "input": {\n    "command": "rm -rf build",\n'
            '    "description": "Remove the build"\n  }\n}\n```'
        )
        # The same again is asked again.
        again, _ = await decided(here, {"decision": "deny"}, era=era)
        assert again["behavior"] == "deny"
        assert await here.stored() == 2


async def test_what_the_person_edited_runs_instead(tmp_path: Path) -> None:
    async with table(tmp_path) as here:
        got, _ = await decided(here, ALLOW | {"arguments": ' {"command": "rm -r build/tmp"}\n'})
    assert got == {"behavior": "allow", "updatedInput": {"command": "rm -r build/tmp"}}


@pytest.mark.parametrize(
    ("edit", "why"),
    [
        ("rm -r build", "no JSON"),
        ('["rm"]', "JSON object"),
        ('"rm"', "JSON object"),
        ("{}", "input as shown"),
        ('{"command": "a", "command": "b"}', "twice"),
        ('{"timeout": NaN}', "NaN"),
        ('{"timeout": 1e400}', "1e400 would become inf"),
        ('{"timeout": [-1e400]}', "would become -inf"),
        ('{"timeout": 1e-400}', "would become 0.0"),
        ('{"id": 9007199254740993}', "9007199254740993 would become 9007199254740992.0"),
        ('{"id": 0.12345678901234567890}', "would become 0.12345678901234568"),
        ('{"id": ' + "9" * 5_000 + "}", "would become inf"),
        ('{"command": "rm"} and more', "no JSON"),
        ("[" * 100_000, "nested"),
    ],
)
async def test_an_edit_that_cant_be_used_is_asked_again_and_allows_nothing(edit: str, why: str, tmp_path: Path) -> None:
    async with table(tmp_path) as here:
        got, seen = await decided(here, ALLOW | {"arguments": edit}, {"decision": "deny", "reason": "no, leave it"})
        assert got["behavior"] == "deny"
        assert got["message"].endswith('They said: "no, leave it" Follow that, and nothing more.')
        assert len(seen) == 2
        assert "Your edit 1 was not used, and nothing has run" in seen[1].question.message
        assert why in seen[1].question.message
        assert all(each.collected_at is not None for each in await here.desk.newest(open_only=False))


async def test_edits_that_never_fit_end_in_a_denial(tmp_path: Path) -> None:
    async with table(tmp_path) as here:
        got, seen = await decided(here, *[ALLOW | {"arguments": "[]"}] * 6)
    assert (got["behavior"], len(seen)) == ("deny", 6)


async def test_a_call_cut_off_after_a_bad_edit_joins_the_question_that_is_open(tmp_path: Path) -> None:
    async with table(tmp_path) as here:
        async with host(here.server(), "auto", name="claude-code") as client, anyio.create_task_group() as tasks:
            tasks.start_soon(decision, client)
            await Person(here, [ALLOW | {"arguments": "oops"}]).sit()
            await until(here.stored, lambda found: found >= 2)
            tasks.cancel_scope.cancel()
        got, [shown] = await decided(here, ALLOW)
        assert "oops" not in shown.question.message
        assert "not used" in shown.question.message
        assert got == {"behavior": "allow", "updatedInput": COMMAND}
        assert await here.stored() == 2


async def test_everything_but_an_answered_allow_denies_and_says_why(tmp_path: Path) -> None:
    async with table(tmp_path) as here:

        async def decline(handoff: Handoff) -> None:
            await here.desk.decline(handoff, by="ada", channel="inbox", note="not today")

        async def cancel(handoff: Handoff) -> None:
            await here.desk.cancel(handoff, by="ada", channel="inbox")

        async def expire(handoff: Handoff) -> None:
            here.clock.forward((handoff.question.deadline - here.clock.now()).total_seconds())

        said: list[str] = []
        for decide in (
            {"decision": "deny"},
            decline,
            cancel,
            expire,
        ):
            got, _ = await decided(here, decide)
            assert got["behavior"] == "deny"
            assert set(got) == {"behavior", "message"}
            said.append(got["message"])
    assert len(set(said)) == 4
    assert 'They said: "not today"' in said[1]
    for text, words in zip(said, ("denied it", "denied it", "withdrawn", "Silence is not consent"), strict=True):
        assert words in text


@both_eras
async def test_impatience_denies_and_the_same_request_gets_the_late_answer_once(era: str, tmp_path: Path) -> None:
    async with table(tmp_path) as here:
        async with host(here.server(hold_seconds=0), era, name="claude-code") as client:
            got = await decision(client)
            assert got["behavior"] == "deny"
            assert "has not decided yet" in got["message"]
            handoff = await here.only()
            assert handoff.state is State.OPEN
            await here.desk.answer(handoff, ALLOW, by="ada", channel="inbox")
            assert await decision(client, tool_use_id="toolu_2") == {"behavior": "allow", "updatedInput": COMMAND}
            assert (await decision(client))["behavior"] == "deny"  # asked anew
            assert (await decision(client, wanted={"command": "rm -rf ."}))["behavior"] == "deny"
        assert await here.stored() == 3


async def test_consent_goes_stale_before_it_is_collected(tmp_path: Path) -> None:
    async with table(tmp_path, join_seconds=3600) as here:
        async with host(here.server(hold_seconds=0), "auto", name="claude-code") as client:
            await decision(client)
            await here.desk.answer(await here.only(), ALLOW, by="ada", channel="inbox")
            here.clock.forward(3601)
            assert (await decision(client))["behavior"] == "deny"
        assert await here.stored() == 2


async def test_one_approval_lets_one_of_two_equal_uses_run(tmp_path: Path) -> None:
    got: list[Any] = []
    async with table(tmp_path) as here, host(here.server(), "auto", name="claude-code") as client:

        async def use() -> None:
            got.append(await decision(client))

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(use)
            tasks.start_soon(use)
            await until(lambda: here.clock.waiting >= 2)  # each is looked after
            assert await here.stored() == 1
            await Person(here, [ALLOW, {"decision": "deny"}]).sit()
        assert await here.stored() == 2
    assert sorted(each["behavior"] for each in got) == ["allow", "deny"]


async def test_over_http_only_its_own_session_collects_what_was_decided(tmp_path: Path) -> None:
    async with table(tmp_path) as here, served(here, hold_seconds=0) as server, AsyncExitStack() as stack:
        shop, blog = [
            await stack.enter_async_context(server.client("ada", "legacy", host="claude-code")) for _ in range(2)
        ]  # fmt: skip
        assert "tried again later, gets their decision" in (await decision(shop))["message"]
        handoff = await here.only()
        assert (await decision(shop))["behavior"] == "deny"
        assert await here.stored() == 1
        assert (await decision(blog))["behavior"] == "deny"  # not even while the other one's is open
        assert await here.stored() == 2
        await here.desk.answer(handoff, ALLOW, by="ada", channel="inbox")
        assert (await decision(blog))["behavior"] == "deny"
        assert (await decision(shop)) == {"behavior": "allow", "updatedInput": COMMAND}
        assert await here.stored() == 2


async def test_over_http_without_sessions_only_the_same_use_collects_a_decision(tmp_path: Path) -> None:
    async with (
        table(tmp_path) as here,
        served(here, hold_seconds=0) as server,
        server.client("ada", "auto", host="claude-code") as client,
    ):
        assert "asks them anew" in (await decision(client, tool_use_id="toolu_1"))["message"]
        await here.desk.answer(await here.only(), ALLOW, by="ada", channel="inbox")
        others: list[dict[str, Any]] = [{"tool_use_id": "toolu_2"}, {"tool_use_id": ""}, {"tool_use_id": 1}, {}, {}]
        for count, other in enumerate(others):
            assert (await decision(client, **other))["behavior"] == "deny"
            assert await here.stored() == count + 2
        assert (await decision(client, tool_use_id="toolu_1"))["behavior"] == "allow"
        # It may not have arrived: the same use has it again, and no other.
        assert (await decision(client, tool_use_id="toolu_1"))["behavior"] == "allow"
        assert (await decision(client, tool_use_id="toolu_3"))["behavior"] == "deny"


async def test_no_dialog_of_the_host_is_used_which_would_decide_without_a_person(tmp_path: Path) -> None:
    async with table(tmp_path) as here:
        for era in ERAS:
            dialog = Dialog(here.clock, DECLINE)
            async with host(here.server(hold_seconds=0), era, dialog, name="claude-code") as client:
                assert (await decision(client))["behavior"] == "deny"
            assert dialog.shown == []
        assert (await here.only()).state is State.OPEN


@both_eras
async def test_an_agent_that_asks_the_same_in_a_dialog_gets_no_approval_by_that(era: str, tmp_path: Path) -> None:
    async with table(tmp_path) as here:
        got: list[Any] = []
        dialog = Dialog(here.clock, accept(**ALLOW))  # as a hook of the host would, with nobody there

        async with host(here.server(), era, dialog, name="claude-code") as client, anyio.create_task_group() as tasks:

            async def use() -> None:
                got.append(await decision(client))

            tasks.start_soon(use)
            await until(here.stored)
            question = (await here.only()).question
            same = await ask(client, question.message, form=question.form.schema)
            asked = {each.id: each for each in await here.desk.newest(open_only=False)}
            own = asked.pop(same["handoffId"])
            assert own.question.action is None  # its own question: the permission is another one, and waits
            [waiting] = asked.values()
            assert waiting.state is State.OPEN
            await here.desk.decline(waiting, by="ada", channel="inbox")
    assert got[0]["behavior"] == "deny"


async def test_it_waits_longer_where_progress_keeps_the_host_awake(tmp_path: Path) -> None:
    async def told(progress: float, total: float | None, message: str | None) -> None:
        heard.set()

    async with table(tmp_path) as here, host(here.server(), "legacy", name="claude-code") as client:
        heard = anyio.Event()
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(decision, client)
            await until(lambda: here.clock.waiting >= 1)
            here.clock.forward(QUIET_STDIO)  # comes back by itself
        before = here.clock.waiting
        async with anyio.create_task_group() as tasks:

            async def call() -> None:
                await client.call_tool(NAME, {"tool_name": "B", "input": {}}, progress_callback=told)

            tasks.start_soon(call)
            await until(lambda: here.clock.waiting > before)
            here.clock.forward(QUIET_STDIO)
            await heard.wait()  # still waiting
            await Person(here, [{"decision": "deny"}, {"decision": "deny"}]).sit()


@pytest.mark.parametrize(
    "arguments",
    [
        {},
        {"tool_name": "Bash"},
        {"tool_name": "", "input": {}},
        {"tool_name": 1, "input": {}},
        {"tool_name": "Bash", "input": "rm"},
        {"tool_name": "Bash", "input": ["rm"]},
        {"tool_name": "Bash", "input": {"command": "x" * MAX_SHOWN}},
    ],
)
async def test_what_cant_be_asked_is_denied_and_asked_of_nobody(arguments: dict[str, Any], tmp_path: Path) -> None:
    async with table(tmp_path) as here, host(here.server(), "auto", name="claude-code") as client:
        result = await client.call_tool(NAME, arguments)
        got = json.loads(result.content[0].text)  # type: ignore[union-attr]
        assert got["behavior"] == "deny"
        assert "ot approved" in got["message"]
        assert await here.stored() == 0


class BrokenClock(FakeClock):
    def now(self) -> datetime:
        raise RuntimeError(ANSWER)


@pytest.mark.parametrize(("clock", "said"), [(FakeClock(), "could not be asked"), (BrokenClock(), "failed inside")])
async def test_a_store_that_cant_be_used_and_whatever_breaks_inside_deny(
    clock: FakeClock, said: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "handoffs.db" if isinstance(clock, BrokenClock) else tmp_path  # a folder is no store
    async with SqliteStore(path) as store:
        here = Table(Desk(store=store, clock=clock), store, clock)
        async with host(here.server(), "auto", name="claude-code") as client:
            got = await decision(client)
    assert got["behavior"] == "deny"
    assert said in got["message"]
    assert ANSWER not in caplog.text + got["message"]


async def test_a_long_input_is_shown_whole_and_offers_no_editing(tmp_path: Path) -> None:
    async with table(tmp_path) as here, host(here.server(hold_seconds=0), "auto", name="claude-code") as client:
        await decision(client, wanted={"content": "x" * 5_000})
        long = await here.only()
        assert "x" * 5_000 in long.question.message
        assert [each.name for each in long.question.form.fields] == ["decision", "reason"]
        # Who answers with an input all the same has not edited what was to be edited.
        assert "input" not in await _answered(here, long)


async def _answered(here: Table, handoff: Handoff) -> Mapping[str, object]:
    ended = await here.desk.answer(handoff, ALLOW, by="ada", channel="inbox")
    return ended.values or {}


@both_eras
async def test_only_a_host_that_can_use_it_lists_it_and_the_model_is_not_urged(era: str, tmp_path: Path) -> None:
    async with table(tmp_path) as here:
        listed: dict[str, list[str]] = {}
        for name in ("claude-code", "claude-ai", "test-host", ""):
            async with host(here.server(), era, name=name) as client:
                tools = (await client.list_tools()).tools
                listed[name] = [tool.name for tool in tools]
                for tool in tools:
                    if tool.name == NAME:
                        assert "anthropic/alwaysLoad" not in (tool.meta or {})
                        assert tool.output_schema is None
    assert listed.pop("claude-code") == ["handoff_to_user", "check_handoff", NAME]
    assert all(names == ["handoff_to_user", "check_handoff"] for names in listed.values())


async def test_the_setting_lists_it_for_every_host_or_takes_it_away(tmp_path: Path) -> None:
    async with table(tmp_path) as here:
        async with host(here.server(permission_tool="on"), "auto") as client:
            assert NAME in [tool.name for tool in (await client.list_tools()).tools]
        async with host(here.server(permission_tool="off"), "auto", name="claude-code") as client:
            assert NAME not in [tool.name for tool in (await client.list_tools()).tools]
            assert (await client.call_tool(NAME, {"tool_name": "Bash", "input": {}})).is_error


ROOM_FOR_EMOJI = {chr(code) for code in (*range(0x1F000, 0x1FB00), *range(0x1FC00, 0x1FFFE))}
json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=30),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


@given(st.text(max_size=60), st.dictionaries(st.text(max_size=10), json_values, max_size=4))
def test_whatever_a_tool_is_given_is_shown_whole_and_cant_leave_its_block(name: str, wanted: dict[str, object]) -> None:
    # A text of several lines stands in a block of its own.
    wanted = {key: value.replace("\n", " ") if isinstance(value, str) else value for key, value in wanted.items()}
    lines = message_of(Action(asker=Asker.HOST, server="", tool=name, arguments=json.dumps(wanted))).split("\n")
    fence = lines[2].removesuffix("json")
    assert set(fence) == {"`"}
    assert lines[-1] == fence
    inside = lines[3:-1]
    assert not any(line.lstrip().startswith(fence) for line in inside)
    assert json.loads("\n".join(inside)) == {"tool_name": name, "input": wanted}
    assert all(char.isprintable() or char in ROOM_FOR_EMOJI for line in inside for char in line)
    assert len(lines[0]) < 150


async def test_its_form_holds_the_one_way_to_say_no(tmp_path: Path) -> None:
    async with table(tmp_path) as here, host(here.server(hold_seconds=0), "auto", name="claude-code") as client:
        await decision(client)
        assert (await here.only()).question.form.has_own_no
        await ask(client, "Deploy?", options=["allow", "deny"])
        assert [each.question.form.has_own_no for each in await here.desk.newest(open_only=True)] == [False, True]


async def test_an_answer_by_a_script_approves_nothing(tmp_path: Path) -> None:
    async with table(tmp_path) as here, host(here.server(hold_seconds=0), "auto", name="claude-code") as client:
        await decision(client)
        await here.desk.answer(await here.only(), {"decision": "allow"}, by="ada", channel="script")
        assert await decision(client) == {"behavior": "deny", "message": BY_SCRIPT}


async def test_an_approval_that_came_from_a_card_of_the_host_approves_nothing(tmp_path: Path) -> None:
    async with table(tmp_path) as here, host(here.server(hold_seconds=0), "auto", name="claude-code") as client:
        await decision(client)
        await here.desk.answer(await here.only(), {"decision": "allow"}, by="ada", channel="card")
        assert await decision(client) == {"behavior": "deny", "message": IN_DIALOG}


async def test_an_edit_runs_byte_by_byte_and_the_log_says_that_there_was_one(tmp_path: Path) -> None:
    edit = ' {"timeout": 1.50e3,\n "id": 9007199254740992, "small": 0.1, "none": -0.0e5, "text": "\\u00e9 é"} '
    async with table(tmp_path) as here:
        async with host(here.server(), "auto", name="claude-code") as client, anyio.create_task_group() as tasks:
            tasks.start_soon(Person(here, [ALLOW | {"arguments": edit}]).sit)
            result = await client.call_tool(NAME, {"tool_name": "Bash", "input": COMMAND, "tool_use_id": "toolu_1"})
        text = result.content[0].text  # type: ignore[union-attr]
        assert text == f'{{"behavior": "allow", "updatedInput": {edit.strip()}}}'
        entries = await here.desk.history((await here.only()).id)
    assert [entry.name for entry in entries] == ["opened", "answered", "used", "edited"]
    assert entries[-1].details == {"by": "ada"}
    assert "1.50e3" not in repr(entries)


async def test_an_approval_as_it_was_shown_is_not_called_edited(tmp_path: Path) -> None:
    async with table(tmp_path) as here:
        await decided(here, ALLOW | {"arguments": " "})
        entries = await here.desk.history((await here.only()).id)
    assert [entry.name for entry in entries] == ["opened", "answered", "used"]


@given(st.one_of(st.integers(), st.floats(allow_nan=False, allow_infinity=False), st.decimals(allow_nan=False)))
def test_an_edit_that_is_taken_holds_the_numbers_that_claude_code_reads(number: Any) -> None:
    literal = str(number)
    if "Inf" in literal:
        return
    text = f'{{"n": {literal.replace("E+", "E")}}}'
    if Decimal(repr(float(number))) == Decimal(literal):
        assert read_edit(text) == text
    else:
        with pytest.raises(ValueError, match="would become"):
            read_edit(text)


async def test_a_cut_off_reply_is_given_again_to_the_same_use_and_to_no_other(tmp_path: Path) -> None:
    async with table(tmp_path) as here, host(here.server(hold_seconds=0), "auto", name="claude-code") as client:
        assert (await decision(client, tool_use_id="toolu_1"))["behavior"] == "deny"  # waiting
        await here.desk.answer(await here.only(), ALLOW, by="ada", channel="inbox")
        # It is used up, and the reply never arrives.
        await here.desk.use(await here.only(), tool_use="toolu_1")
        assert (await decision(client, tool_use_id="toolu_1"))["behavior"] == "allow"
        assert await here.stored() == 1
        assert (await decision(client, tool_use_id="toolu_2"))["behavior"] == "deny"
        assert await here.stored() == 2
        # The person sees on the new one what they decided on the one before.
        first, second = sorted(await here.desk.newest(open_only=False), key=lambda each: each.state is State.OPEN)
        assert second.earlier == first.id


async def test_of_two_uses_asked_about_at_once_each_gets_an_approval_of_its_own(tmp_path: Path) -> None:
    got: dict[str, Any] = {}
    async with table(tmp_path) as here, host(here.server(), "auto", name="claude-code") as client:

        async def use(name: str) -> None:
            got[name] = await decision(client, tool_use_id=name)

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(use, "toolu_1")
            tasks.start_soon(use, "toolu_2")
            await until(lambda: here.clock.waiting >= 2)
            await Person(here, [ALLOW, ALLOW]).sit()
        handoffs = await here.desk.newest(open_only=False)
        assert sorted(each.handed_to for each in handoffs) == ["toolu_1", "toolu_2"]
        assert [each["behavior"] for each in got.values()] == ["allow", "allow"]
        # Sent again, each finds its own, and nobody is asked.
        for name in ("toolu_1", "toolu_2"):
            assert (await decision(client, tool_use_id=name))["behavior"] == "allow"
        assert await here.stored() == 2
