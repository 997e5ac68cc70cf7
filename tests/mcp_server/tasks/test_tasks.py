"""Handoffs as MCP tasks: what a host gets that can wait for days, and what it can't do with a task."""

import json
import logging
import sqlite3
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, closing
from datetime import timedelta
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest
from mcp.server.mcpserver import MCPServer
from mcp.shared.exceptions import MCPError
from mcp.types import HEADER_MISMATCH, INVALID_PARAMS, MISSING_REQUIRED_CLIENT_CAPABILITY, ElicitResult

from handoffs.core.desk import Desk
from handoffs.core.ids import new_id
from handoffs.core.model import Caller, Handoff, Question, State
from handoffs.core.schema import parse
from handoffs.mcp_server.callers.bounds import Bounds
from handoffs.mcp_server.server import build_server
from handoffs.store.sqlite.store import SqliteStore
from tests.acceptance.processes import Home
from tests.days import stamped
from tests.mcp_server.host import KEY, Table, table
from tests.mcp_server.signed_in import served
from tests.mcp_server.task_host import TASKS, TaskHost, plain, task_host
from tests.waiting import until

DAY = 86_400


@pytest.fixture
async def here(tmp_path: Path) -> AsyncGenerator[Table]:
    async with table(tmp_path) as here:
        yield here


async def answer(here: Table, value: str = "yes") -> None:
    await here.desk.answer(await here.only(), {"response": value}, by="bob", channel="inbox")


def key_of(task: dict[str, Any]) -> str:
    [key] = task["inputRequests"]
    return str(key)


async def asked(client: TaskHost, here: Table, *, seconds: float = 5) -> tuple[str, str]:
    """A task whose form the host has shown for so many seconds: its id, and the key of the form."""
    task = await client.ask()
    key = key_of(await client.get(task["taskId"]))
    here.clock.forward(seconds)
    return task["taskId"], key


class OpenInbox:
    """An inbox that runs; what it shows is tested with the real one."""

    def __init__(self) -> None:
        self.invited: set[str] = set()

    async def invite(self, handoff: Handoff) -> str | None:
        self.invited.add(handoff.id)
        return f"http://127.0.0.1:8765/h/{handoff.id}"


def with_inbox(here: Table, inbox: OpenInbox | None = None) -> MCPServer:
    inbox = inbox or OpenInbox()
    return build_server(here.desk, subject="ada", project="", keys=[KEY], state_seconds=60, inbox=inbox)


async def test_a_call_returns_a_task_whose_form_is_answered_through_it(here: Table) -> None:
    async with task_host(here.server()) as client:
        created = await client.ask("Format the drive?", options=["yes", "no"])
        handoff: Handoff = await here.only()
        common = {
            "taskId": handoff.id,
            "status": "input_required",
            "statusMessage": f"Waiting for a person ({handoff.id}). In a terminal: handoffs answer {handoff.id}",
            "createdAt": stamped(12),
            "lastUpdatedAt": stamped(12),
            "ttlMs": 8 * DAY * 1000,
            "pollIntervalMs": 500,
        }
        assert created == {"resultType": "task", **common}
        shown = await client.get(handoff.id)
        [request] = shown.pop("inputRequests").values()
        assert shown == {"resultType": "complete", **common}
        assert request["method"] == "elicitation/create"
        assert request["params"]["message"] == "Format the drive?"
        assert set(request["params"]["requestedSchema"]) == {"type", "properties", "required"}
        here.clock.forward(20)
        assert await client.update(handoff.id, handoff.id, response="yes") == {"resultType": "complete"}
        done = await client.get(handoff.id)
    assert (done["status"], done["createdAt"], done["lastUpdatedAt"]) == (
        "completed",
        stamped(12),
        stamped(12, 0, 20),
    )
    assert done["result"]["content"] == [{"type": "text", "text": "The person answered: yes"}]
    structured = done["result"]["structuredContent"]
    assert (structured["status"], structured["values"], structured["channel"]) == (
        "SUCCESS",
        {"response": "yes"},
        "elicitation",
    )
    assert (await here.only()).collected_at is not None


async def test_a_host_without_forms_gets_a_task_that_works_while_the_inbox_asks(here: Table) -> None:
    inbox = OpenInbox()
    async with task_host(with_inbox(here, inbox), forms=False) as client:
        created = await client.ask()
        assert created["status"] == "working"
        assert f"http://127.0.0.1:8765/h/{created['taskId']}" in created["statusMessage"]
        waiting = await client.get(created["taskId"])
        assert waiting["status"] == "working"
        assert "inputRequests" not in waiting
        assert inbox.invited
        await answer(here)
        done = await client.get(created["taskId"])
    assert done["result"]["structuredContent"]["values"] == {"response": "yes"}


async def test_a_question_that_no_channel_shows_is_pending_for_the_agent_to_tell(here: Table) -> None:
    async with task_host(here.server(), forms=False) as client:
        got = await client.ask()
        assert got["structuredContent"]["status"] == "PENDING"
        assert "Tell the person" in got["structuredContent"]["guidance"]
        # It has been told; now it may wait.
        checking = await client.call("check_handoff", handoff_id=got["structuredContent"]["handoffId"])
        assert (await client.get(checking["taskId"]))["status"] == "working"


async def test_a_task_survives_its_server_and_is_answered_for_by_any_other(here: Table, tmp_path: Path) -> None:
    async with task_host(here.server()) as client:
        created = await client.ask()
        key = key_of(await client.get(created["taskId"]))
    here.clock.forward(2 * 3600)
    async with SqliteStore(tmp_path / "handoffs.db") as store:
        elsewhere = Table(Desk(store=store, clock=here.clock), store, here.clock)
        async with task_host(elsewhere.server()) as client:
            # The dialog that the first one handed out, and nobody of this process has seen.
            await client.update(created["taskId"], key, response="after the restart")
            done = await client.get(created["taskId"])
    assert done["result"]["structuredContent"]["values"] == {"response": "after the restart"}
    assert done["createdAt"] == created["createdAt"]


async def test_the_same_question_asked_again_is_the_same_task(here: Table) -> None:
    async with task_host(here.server()) as client:
        first, again = await client.ask(), await client.ask()
        checked = await client.call("check_handoff", handoff_id=first["taskId"])
    assert first["taskId"] == again["taskId"] == checked["taskId"]
    assert await here.stored() == 1


async def test_the_result_of_a_task_has_the_callers_own_id_of_the_call(here: Table) -> None:
    async with task_host(with_inbox(here), forms=False) as client:
        created = await client.call("handoff_to_user", {"claudecode/toolUseId": "toolu_01-a"}, message="Deploy?")
        await answer(here)
        done = await client.get(created["taskId"])
    assert done["taskId"] == created["taskId"]
    assert done["result"]["structuredContent"]["toolUseId"] == "toolu_01-a"


async def test_what_has_ended_and_what_is_only_told_needs_no_task(here: Table) -> None:
    async with task_host(here.server()) as client:
        told = await client.ask("Done.", breakout_of_loop=True)
        assert told["structuredContent"]["breakoutOfLoop"] is True
        created = await client.ask()
        await here.desk.answer(await here.desk.get(created["taskId"]), {"response": "yes"}, by="bob", channel="inbox")
        collected = await client.call("check_handoff", handoff_id=created["taskId"])
    assert collected["structuredContent"]["values"] == {"response": "yes"}


async def secret_one(here: Table) -> str:
    form = {"type": "object", "properties": {"pin": {"type": "string", "format": "password"}}, "required": ["pin"]}
    now = here.clock.now()
    question = Question(message="The PIN?", form=parse(form), deadline=now + timedelta(days=1))
    caller = Caller(subject="ada")
    handoff = Handoff(id=new_id(), caller=caller, question=question, created_at=now, fingerprint="f" * 64)
    await here.store.open(handoff, collect_after=now)
    return handoff.id


async def test_a_secret_never_goes_into_a_task_nor_comes_from_one(here: Table) -> None:
    handoff_id = await secret_one(here)
    async with task_host(here.server()) as client:
        task = (await client.call("check_handoff", handoff_id=handoff_id))["taskId"]
        shown = await client.get(task)
        assert shown["status"] == "working"
        assert "inputRequests" not in shown
        here.clock.forward(5)
        await client.update(task, task, pin="1234")
    assert (await here.only()).state is State.OPEN


async def test_who_was_sent_to_the_inbox_for_a_secret_is_waited_for_by_a_task(here: Table) -> None:
    handoff_id = await secret_one(here)
    async with task_host(with_inbox(here)) as client:
        sent = await client.call("check_handoff", handoff_id=handoff_id)
        assert sent["resultType"] == "input_required"
        assert sent["inputRequests"][handoff_id]["params"]["mode"] == "url"
        here.clock.forward(5)
        agreed = plain(
            await client.client.session.call_tool(
                "check_handoff",
                {"handoff_id": handoff_id},
                input_responses={handoff_id: ElicitResult(action="accept")},
                request_state=sent["requestState"],
                allow_claimed=True,
                allow_input_required=True,
            )
        )
        assert (agreed["resultType"], agreed["status"]) == ("task", "working")
        assert (await client.get(agreed["taskId"]))["status"] == "working"


# What the person does


async def test_a_slow_decline_completes_the_task_as_a_refusal(here: Table) -> None:
    async with task_host(here.server()) as client:
        task, key = await asked(client, here)
        await client.update(task, key, "decline")
        done = await client.get(task)
    assert done["status"] == "completed"
    assert done["result"]["structuredContent"]["status"] == "DECLINED"
    assert done["result"]["isError"] is False


@pytest.mark.parametrize("action", ["decline", "cancel"])
async def test_a_refusal_faster_than_anybody_reads_leaves_the_question_to_others(here: Table, action: str) -> None:
    async with task_host(here.server()) as client:
        task, key = await asked(client, here, seconds=0.2)
        await client.update(task, key, action)
        assert (await client.get(task))["status"] == "working"
        assert await here.names() == ["opened", "notshown"]
        # Asked anew, the host may show it.
        again = await client.ask()
        assert again["status"] == "input_required"
        assert again["taskId"] != task


async def test_a_haste_is_known_in_another_process_as_well(here: Table) -> None:
    async with task_host(here.server()) as client:
        task, key = await asked(client, here, seconds=0.2)
    async with task_host(here.server()) as client:
        await client.update(task, key, "decline")
    assert (await here.only()).state is State.OPEN


async def test_not_now_completes_the_task_as_pending_and_the_question_stays_open(here: Table) -> None:
    async with task_host(here.server()) as client:
        task, key = await asked(client, here)
        await client.update(task, key, "cancel")
        done = await client.get(task)
        assert done["status"] == "completed"
        assert done["result"]["structuredContent"]["status"] == "PENDING"
        assert "not now" in done["result"]["structuredContent"]["guidance"]
        assert (await here.only()).state is State.OPEN
        # An agent that only checks does not have it shown again, and may wait for days.
        checking = await client.call("check_handoff", handoff_id=(await here.only()).id)
        assert (await client.get(checking["taskId"]))["status"] == "working"
        # The person is ready: the same call shows it again.
        again = await client.ask()
        key = key_of(await client.get(again["taskId"]))
        here.clock.forward(5)
        await client.update(again["taskId"], key, response="now")
        for each in (again["taskId"], checking["taskId"], task):
            done = await client.get(each)
            assert done["result"]["structuredContent"]["values"] == {"response": "now"}
    assert await here.stored() == 1


async def test_an_answer_that_does_not_fit_is_asked_for_again_under_another_key(
    here: Table, caplog: pytest.LogCaptureFixture
) -> None:
    async with task_host(here.server()) as client:
        created = await client.ask("Which?", options=["green", "blue"])
        task = created["taskId"]
        key = key_of(await client.get(task))
        here.clock.forward(5)
        with caplog.at_level(logging.INFO, "handoffs"):
            assert await client.update(task, key, response="crimson") == {"resultType": "complete"}
        [line] = [record.getMessage() for record in caplog.records if record.name.startswith("handoffs")]
        assert "does not fit" in line
        assert "crimson" not in line
        assert (await here.only()).state is State.OPEN
        shown = await client.get(task)
        assert shown["status"] == "input_required"
        other = key_of(shown)
        assert other != key
        assert shown["inputRequests"][other]["params"]["message"].startswith("That answer does not fit: response")
        # What was asked before is not outstanding any more.
        await client.update(task, key, response="green")
        assert (await here.only()).state is State.OPEN
    async with task_host(here.server()) as client:
        # Another process knows the round, if not the reason.
        assert key_of(await client.get(task)) == other
        here.clock.forward(5)
        await client.update(task, other, response="blue")
        assert (await client.get(task))["result"]["structuredContent"]["values"] == {"response": "blue"}


async def test_a_person_is_not_asked_for_the_same_without_end(here: Table) -> None:
    async with task_host(here.server()) as client:
        task = (await client.ask("Which?", options=["green", "blue"]))["taskId"]
        keys: set[str] = set()
        while (shown := await client.get(task))["status"] == "input_required":
            keys.add(key_of(shown))
            here.clock.forward(5)
            await client.update(task, key_of(shown), response="crimson")
    assert len(keys) == 8
    assert shown["status"] == "working"


async def test_a_host_that_polls_while_the_dialog_is_open_has_reached_them_once(here: Table) -> None:
    async with task_host(here.server()) as client:
        task = (await client.ask())["taskId"]
        for _ in range(3):
            await client.get(task)
            assert "reached" not in await here.names()
        for _ in range(3):
            here.clock.forward(2)
            assert key_of(await client.get(task)) == task
    assert await here.names() == ["opened", "reached"]


async def test_an_answer_that_is_empty_is_from_no_person(here: Table) -> None:
    async with task_host(here.server()) as client:
        task, key = await asked(client, here, seconds=20)
        await client.update(task, key)
        assert (await client.get(task))["status"] == "working"
    assert await here.names() == ["opened", "notshown"]


async def test_the_first_answer_counts_and_a_late_one_is_acknowledged_unrecorded(here: Table) -> None:
    async with task_host(here.server()) as client:
        task, key = await asked(client, here)
        await answer(here, "first")
        assert await client.update(task, key, response="late") == {"resultType": "complete"}
        done = await client.get(task)
    assert done["result"]["structuredContent"]["values"] == {"response": "first"}
    assert await here.names() == ["opened", "answered", "collected"]


async def test_silence_completes_the_task_as_no_consent_and_in_time_removes_it(here: Table) -> None:
    async with task_host(here.server()) as client:
        task, key = await asked(client, here, seconds=DAY)
        await client.update(task, key, response="yes")
        done = await client.get(task)
        assert done["status"] == "completed"
        assert done["result"]["structuredContent"]["status"] == "TIMEOUT"
        assert done["lastUpdatedAt"] == stamped(12, days=1)
        here.clock.forward(7 * DAY - 1)
        assert (await client.get(task))["status"] == "completed"
        here.clock.forward(1)
        for send in (client.get, client.cancel):
            with pytest.raises(MCPError, match="no such task"):
                await send(task)


async def test_a_result_that_was_fetched_late_says_how_old_it_is(here: Table) -> None:
    async with task_host(here.server()) as client:
        task, key = await asked(client, here)
        await client.update(task, key, response="yes")
        here.clock.forward(2 * DAY)
        done = await client.get(task)
    assert done["result"]["content"][0]["text"].startswith("The person answered 2 days ago")


async def test_a_host_is_told_to_look_less_often_the_longer_it_waits(here: Table) -> None:
    async with task_host(with_inbox(here), forms=False) as client:
        task = (await client.ask())["taskId"]
        often: list[int] = []
        for age in (0, 60, 540):
            here.clock.forward(age)
            often.append((await client.get(task))["pollIntervalMs"])
    assert often == [500, 6_000, 30_000]


# Ending it


async def test_cancelling_a_task_withdraws_the_question_and_again_does_nothing(here: Table) -> None:
    async with task_host(here.server()) as client:
        task, key = await asked(client, here)
        assert await client.cancel(task) == {"resultType": "complete"}
        gone = await client.get(task)
        assert gone["status"] == "cancelled"
        assert "not approved" in gone["statusMessage"]
        assert gone.keys().isdisjoint({"result", "error", "inputRequests"})
        before = await here.names()
        await client.cancel(task)
        await client.update(task, key, response="yes")
        assert await here.names() == before
        handoff = await here.only()
        assert (handoff.state, handoff.end.by, handoff.end.channel) == (State.CANCELLED, "ada", "tasks")
        # Its own caller withdrew it: to ask again is to ask anew.
        assert (await client.ask())["taskId"] != task


async def test_a_host_that_cancels_at_its_own_time_out_leaves_the_question_open(here: Table) -> None:
    async with task_host(here.server(), name="strands") as client:
        task, _ = await asked(client, here, seconds=300)
        assert await client.cancel(task) == {"resultType": "complete"}
        assert (await client.get(task))["status"] == "input_required"
    entries = await here.desk.log()
    assert [entry.details["seconds"] for entry in entries if entry.name == "left"] == ["300.0"]
    assert (await here.only()).state is State.OPEN


async def test_cancelling_a_task_completed_by_not_now_leaves_the_question_open(here: Table) -> None:
    async with task_host(here.server()) as client:
        task_id, key = await asked(client, here)
        await client.update(task_id, key, "cancel")
        assert (await client.get(task_id))["status"] == "completed"
        assert await client.cancel(task_id) == {"resultType": "complete"}
    assert (await here.only()).state is State.OPEN


async def test_cancelling_what_was_answered_leaves_the_answer(here: Table) -> None:
    async with task_host(here.server()) as client:
        task, _ = await asked(client, here)
        await answer(here)
        assert await client.cancel(task) == {"resultType": "complete"}
        assert (await client.get(task))["status"] == "completed"


async def test_what_a_person_withdraws_is_an_outcome_with_its_result(here: Table) -> None:
    async with task_host(here.server()) as client:
        task, _ = await asked(client, here)
        await here.desk.cancel(await here.only(), by="bob", channel="inbox")
        done = await client.get(task)
    assert (done["status"], done["result"]["structuredContent"]["status"]) == ("completed", "CANCELLED")


# Who may ask


@pytest.mark.parametrize("bad", ["h_22222222222222222222", "h_", "nonsense", "", "h_x/../y", "h_" + "x" * 500])
async def test_an_id_of_no_task_gets_the_protocols_error_and_one_line_in_the_log(
    here: Table, bad: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with task_host(here.server()) as client:
        for send in (client.get, client.cancel):
            caplog.clear()
            with caplog.at_level(logging.INFO, "handoffs"), pytest.raises(MCPError) as refused:
                await send(bad)
            assert refused.value.error.code == INVALID_PARAMS
            assert "no such task" in refused.value.error.message
            [line] = [record.getMessage() for record in caplog.records if record.name.startswith("handoffs")]
            assert "refused" in line
        with pytest.raises(MCPError):
            await client.update(bad, bad, response="yes")
    assert await here.names() == []


async def test_a_foreign_task_is_like_one_that_never_was(here: Table) -> None:
    async with task_host(here.server()) as client:
        task, key = await asked(client, here)
        with pytest.raises(MCPError) as unknown:
            await client.get("h_22222222222222222222")
    async with task_host(here.server(subject="eve")) as client:
        for send in (client.get(task), client.update(task, key, response="yes"), client.cancel(task)):
            with pytest.raises(MCPError) as foreign:
                await send
            assert foreign.value.error == unknown.value.error
    assert await here.names() == ["opened"]


async def test_a_client_that_has_not_declared_tasks_gets_none(here: Table) -> None:
    async with task_host(here.server()) as client:
        task, key = await asked(client, here)
    async with task_host(here.server(hold_seconds=0), declared=False) as client:
        assert (await client.ask("Another?"))["resultType"] == "input_required"
        for send in (client.get(task), client.update(task, key, response="yes"), client.cancel(task)):
            with pytest.raises(MCPError) as refused:
                await send
            assert refused.value.error.code == MISSING_REQUIRED_CLIENT_CAPABILITY
            assert "io.modelcontextprotocol/tasks" in str(refused.value.error.data)
    assert await here.names() == ["opened", "opened"]


async def test_in_the_older_era_nobody_gets_a_task(here: Table) -> None:
    async with task_host(here.server(hold_seconds=0), forms=False, era="legacy") as client:
        got = await client.ask()
    assert got["structuredContent"]["status"] == "PENDING"


async def test_a_response_to_what_was_never_handed_out_is_ignored(here: Table) -> None:
    async with task_host(here.server()) as client:
        task = (await client.ask())["taskId"]
        here.clock.forward(20)
        for responses in ({task: {"action": "decline"}}, {"unknown": {"ignored": True}}, {}):
            assert await client.respond(task, responses) == {"resultType": "complete"}
    assert await here.names() == ["opened"]


async def test_a_response_to_no_dialog_is_refused_and_changes_nothing(here: Table) -> None:
    async with task_host(here.server()) as client:
        task, key = await asked(client, here)
        for response in ({"action": "approve"}, "yes", {"action": "accept", "content": "yes"}, None):
            with pytest.raises(MCPError) as refused:
                await client.respond(task, {key: response})
            assert refused.value.error.code == INVALID_PARAMS
        assert (await client.get(task))["status"] == "input_required"
    assert (await here.only()).state is State.OPEN


def claims_in(path: Path) -> int:
    """How many things the store remembers only so that they are done once."""
    with closing(sqlite3.connect(path)) as file:
        return int(file.execute("SELECT count(*) FROM claims").fetchone()[0])


async def test_ids_that_a_client_makes_up_on_its_own_task_do_not_fill_the_store(here: Table, tmp_path: Path) -> None:
    async with task_host(here.server()) as client:
        task = (await client.ask())["taskId"]
        invented = [f"{task}.{number}" for number in (1, 2, 3, 10**17)]
        for each in [task, *invented, *(f"{each}~call" for each in invented)]:
            assert (await client.get(each))["status"] == "input_required"
        assert (
            claims_in(tmp_path / "handoffs.db") == 4
        )  # the form and its moment, for a call without an id and for one with
        for number in range(60):
            await client.get(f"{task}~call-{number}")
        assert claims_in(tmp_path / "handoffs.db") <= 2 * 17


async def test_each_of_two_calls_has_its_own_time_for_its_dialog(here: Table) -> None:
    async with task_host(here.server()) as client:
        first = (await client.call("handoff_to_user", {"claudecode/toolUseId": "toolu_a"}, message="Deploy?"))["taskId"]
        await client.get(first)
        here.clock.forward(20)
        second = (await client.call("handoff_to_user", {"claudecode/toolUseId": "toolu_b"}, message="Deploy?"))[
            "taskId"
        ]
        key = key_of(await client.get(second))
    async with task_host(here.server()) as client:
        await client.update(second, key, "decline")  # at once, in another process: there was nobody
    assert (await here.only()).state is State.OPEN


async def test_a_question_whose_dialogs_keep_failing_is_left_to_other_channels(here: Table) -> None:
    async with task_host(here.server(bounds=Bounds(dialogs=3))) as client:
        shown = 0
        while (task := await client.ask())["status"] == "input_required":
            shown += 1
            await client.update(task["taskId"], key_of(await client.get(task["taskId"])), "cancel")
        assert (shown, task["status"]) == (3, "working")
        assert (await here.only()).state is State.OPEN
        # Nor by an id that says that it begins anew.
        assert (await client.get(f"{(await here.only()).id}.{10**17}"))["status"] == "working"


# Told without asking


async def test_a_host_that_listens_is_told_of_every_change_until_the_end(here: Table, tmp_path: Path) -> None:
    async def do() -> None:
        await until(lambda: len(client.told) == 1)
        await client.update(task, key, response="crimson")
        await until(lambda: len(client.told) == 2)
        async with SqliteStore(tmp_path / "handoffs.db") as store:  # as another process would
            desk = Desk(store=store, clock=here.clock)
            await desk.answer(await desk.get(task), {"response": "green"}, by="bob", channel="inbox")

    async with task_host(here.server()) as client:
        task = (await client.ask("Which?", options=["green", "blue"]))["taskId"]
        key = key_of(await client.get(task))
        here.clock.forward(5)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(do)
            ended = await client.listen(task, task, "nonsense", "h_22222222222222222222")
        fetched = await client.get(task)
        assert ended == {"resultType": "complete"}
        assert [told["status"] for told in client.told] == ["input_required", "input_required", "completed"]
        assert [key_of(told) for told in client.told[:2]] == [key, f"{key}/2"]
        last = client.told[-1]
        assert last.pop("_meta").keys() == {"io.modelcontextprotocol/subscriptionId"}
        assert {**last, "resultType": "complete"} == fetched


async def test_a_host_that_listens_hears_of_the_deadline(here: Table) -> None:
    async def pass_() -> None:
        await until(lambda: len(client.told) == 1 and here.clock.waiting > 0)
        here.clock.forward(DAY)

    async with task_host(with_inbox(here), forms=False) as client:
        task = (await client.ask())["taskId"]
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(pass_)
            await client.listen(task)
        assert [told["status"] for told in client.told] == ["working", "completed"]
        assert client.told[-1]["result"]["structuredContent"]["status"] == "TIMEOUT"


async def test_listening_needs_an_own_task_declared_tasks_and_a_proper_list(
    here: Table,
) -> None:
    async with task_host(here.server()) as client:
        task = (await client.ask())["taskId"]
        for bad in (None, 7):
            with pytest.raises(MCPError) as refused:
                await client.listen(bad)
            assert refused.value.error.code == INVALID_PARAMS
    async with task_host(here.server(subject="eve")) as client:
        await client.listen(task)  # ends at once: there is nothing to tell
        assert client.told == []
    async with task_host(here.server(), declared=False) as client:
        with pytest.raises(MCPError) as refused:
            await client.listen(task)
        assert refused.value.error.code == MISSING_REQUIRED_CLIENT_CAPABILITY


# Over HTTP


async def test_one_caller_cant_take_the_streams_of_all(tmp_path: Path) -> None:
    async with table(tmp_path) as here, served(here, bounds=Bounds(streams=8)) as server, AsyncExitStack() as stack:
        hosts: dict[str, TaskHost] = {}
        for name in ("ada", "ada again", "ada once more", "bob"):
            transport = await stack.enter_async_context(server.transport(name.partition(" ")[0]))
            hosts[name] = await stack.enter_async_context(task_host(transport))
        tasks = await stack.enter_async_context(anyio.create_task_group())
        mine = {name: (await each.ask())["taskId"] for name, each in hosts.items()}
        for name in ("ada", "ada again"):
            tasks.start_soon(hosts[name].listen, mine[name])
            await until(lambda name=name: bool(hosts[name].told))
        with pytest.raises(MCPError, match="Too many of your streams"):
            await hosts["ada once more"].listen(mine["ada"])
        tasks.start_soon(hosts["bob"].listen, mine["bob"])
        await until(lambda: bool(hosts["bob"].told))
        for handoff in await here.desk.newest(open_only=True):
            await here.desk.answer(handoff, {"response": "yes"}, by="ada", channel="inbox")


async def test_a_request_that_tells_routers_of_another_task_is_refused(tmp_path: Path) -> None:
    async def send(method: str, params: dict[str, Any], name: str) -> dict[str, Any]:
        meta = {
            "io.modelcontextprotocol/protocolVersion": "2026-07-28",
            "io.modelcontextprotocol/clientInfo": {"name": "inspector-cli", "version": "1"},
            "io.modelcontextprotocol/clientCapabilities": {"elicitation": {}, "extensions": {TASKS: {}}},
        }
        body = {"jsonrpc": "2.0", "id": 1, "method": method, "params": {**params, "_meta": meta}}
        headers = {
            "accept": "application/json, text/event-stream",
            "mcp-protocol-version": "2026-07-28",
            "mcp-method": method,
            "mcp-name": name,
        }
        got = await http.post(server.url, json=body, headers=headers)
        text = got.text if got.text.startswith("{") else got.text.partition("data: ")[2].partition("\n")[0]
        return dict(json.loads(text))

    async with Home(tmp_path).http() as server, httpx.AsyncClient(headers=server.bearer) as http:
        arguments = {"name": "handoff_to_user", "arguments": {"message": "Deploy?"}}
        task = (await send("tools/call", arguments, "handoff_to_user"))["result"]["taskId"]
        got = await send("tasks/get", {"taskId": task}, task)
        assert got["result"]["status"] == "input_required"
        for method in ("tasks/get", "tasks/cancel", "tasks/update"):
            refused = await send(method, {"taskId": task, "inputResponses": {}}, "h_22222222222222222222")
            assert refused["error"]["code"] == HEADER_MISMATCH
        assert (await send("tasks/get", {"taskId": task}, task))["result"] == got["result"]
