"""Held calls as tasks, with the SDK's client, a real gate, and a server behind that has tasks itself."""

import sys
import threading
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import anyio
import pytest
from mcp import MCPError, StdioServerParameters, stdio_client
from strands.tools.mcp import MCPClient, TasksConfig

from handoffs.core.desk import Desk
from handoffs.core.model import State
from tests.acceptance.processes import HANDOFFS, Home
from tests.gate.behind import ALLOW, DENY, READ_SECONDS, RULES, SHOP, Shop, waiting
from tests.gate.relay.http_servers import started
from tests.mcp_server.task_host import TaskHost, TasksDeclared, never

PAGE = {"HANDOFFS_INBOX_URL": "https://inbox.example"}
"""An inbox that shows what no dialog does."""


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    return Shop(Home(tmp_path, {"SHOP_TASKS": "1", **PAGE}))


@asynccontextmanager
async def hosted(
    shop: Shop,
    *,
    rules: tuple[str, ...] = RULES,
    name: str = "inspector-cli",
    forms: bool = False,
    declared: bool = True,
) -> AsyncGenerator[TaskHost]:
    """A host whose agent waits for tasks, unless it has another name or declares none."""
    extension = TasksDeclared()
    args = ("gate", "--name", "shop", *rules, "--", sys.executable, str(SHOP), str(shop.journal))
    extensions = [extension] if declared else None
    async with shop.home.stdio("auto", never if forms else None, args=args, name=name, extensions=extensions) as client:
        yield TaskHost(client, extension)


async def becomes(host: TaskHost, task: Mapping[str, Any] | str, *, but: str = "working") -> dict[str, Any]:
    """Look at a task until it is something else."""
    task_id = task if isinstance(task, str) else task["taskId"]
    with anyio.fail_after(120):
        while (told := await host.get(task_id))["status"] == but:
            await anyio.sleep(0.05)
    return told


def said(told: Mapping[str, Any]) -> str:
    """What a result says."""
    result = told.get("result", told)
    return "\n".join(part["text"] for part in result["content"])


async def names(desk: Desk, handoff_id: str) -> list[str]:
    return [entry.name for entry in await desk.history(handoff_id)]


async def test_a_held_call_is_a_task_that_ends_with_its_result(shop: Shop) -> None:
    async with hosted(shop) as host, shop.desk() as desk:
        task = await host.call("delete_order", number=7)
        assert (task["resultType"], task["status"]) == ("task", "working")
        asked = await waiting(desk)
        assert asked.id in task["statusMessage"]
        assert "https://inbox.example" in task["statusMessage"]
        told = await host.get(task["taskId"])
        assert (told["status"], told["resultType"]) == ("working", "complete")
        assert (told["createdAt"], told["taskId"]) == (task["createdAt"], task["taskId"])
        assert told["ttlMs"] > 0
        assert shop.done == []
        await shop.answered(desk, ALLOW)
        ended = await becomes(host, task)
        assert (ended["status"], said(ended), ended["result"]["isError"]) == ("completed", "deleted 7", False)
        assert await host.get(task["taskId"]) == ended | {"pollIntervalMs": ended["pollIntervalMs"]}
        assert await host.cancel(task["taskId"]) == {"resultType": "complete"}
        assert await names(desk, asked.id) == ["opened", "answered", "used", "sent", "result"]
        assert (await host.call("read_order", number=7))["content"][0]["text"] == "order 7"
    assert shop.done == ["delete 7", "read 7"]


async def test_a_call_that_a_person_changes_runs_changed_and_says_so(shop: Shop) -> None:
    async with hosted(shop) as host, shop.desk() as desk:
        task = await host.call("delete_order", number=7)
        await shop.answered(desk, {**ALLOW, "arguments": '{"number": 8}'})
        ended = await becomes(host, task)
    assert "A person changed this call" in said(ended)
    assert "deleted 8" in said(ended)
    assert shop.done == ["delete 8"]


async def test_a_change_that_does_not_fit_is_asked_for_again_in_the_same_task(shop: Shop) -> None:
    async with hosted(shop) as host, shop.desk() as desk:
        task = await host.call("delete_order", number=7)
        first = await shop.answered(desk, {**ALLOW, "arguments": '{"number": "x"}'})
        again = await waiting(desk, but=(first.id,))
        assert again.id in (await becomes(host, task, but="none"))["statusMessage"]
        await desk.answer(again, ALLOW, by="ada", channel="inbox")
        assert said(await becomes(host, task)) == "deleted 7"
    assert shop.done == ["delete 7"]


async def test_a_denial_and_silence_complete_the_task_with_a_result_that_says_so(shop: Shop) -> None:
    shop.home.extra["HANDOFFS_MIN_TIMEOUT_SECONDS"] = "1"
    policy = shop.home.folder / "gate.toml"
    policy.write_text('[[rule]]\ntool = "*"\ndo = "ask"\ndeadline = "2s"\n')
    async with hosted(shop, rules=("--policy", str(policy))) as host, shop.desk() as desk:
        denied = await host.call("delete_order", number=7)
        await shop.answered(desk, DENY)
        ended = await becomes(host, denied)
        assert (ended["status"], ended["result"]["isError"]) == ("completed", True)
        assert 'They said: "not that one"' in said(ended)
        silent = await becomes(host, await host.call("delete_order", number=8))
        assert "nobody decided before the deadline" in said(silent)
    assert shop.done == []


async def test_a_cancelled_task_withdraws_the_question(shop: Shop) -> None:
    async with hosted(shop) as host, shop.desk() as desk:
        task = await host.call("delete_order", number=7)
        asked = await waiting(desk)
        assert await host.cancel(task["taskId"]) == {"resultType": "complete"}
        assert (await host.get(task["taskId"]))["status"] == "cancelled"
        assert (await desk.get(asked.id)).state is State.CANCELLED
        again = await host.call("delete_order", number=7)
        assert (await waiting(desk)).id != asked.id
        await shop.answered(desk, ALLOW)
        assert said(await becomes(host, again)) == "deleted 7"
    assert shop.done == ["delete 7"]


async def test_a_host_that_gives_up_leaves_the_question_open(shop: Shop) -> None:
    async with hosted(shop, name="strands") as host, shop.desk() as desk:
        task = await host.call("delete_order", number=7)
        await host.cancel(task["taskId"])
        assert (await host.get(task["taskId"]))["status"] == "cancelled"
        await shop.answered(desk, ALLOW)
        await anyio.sleep(0.3)
        assert shop.done == []
        assert said(await host.call("delete_order", number=7)) == "deleted 7"
    assert shop.done == ["delete 7"]


@pytest.mark.parametrize(
    ("tasks", "name", "declared"),
    [("", "inspector-cli", True), ("1", "test-host", True), ("1", "inspector-cli", False)],
)
async def test_without_tasks_on_either_side_a_call_is_held(shop: Shop, tasks: str, name: str, declared: bool) -> None:
    shop.home.extra |= {"SHOP_TASKS": tasks, "HANDOFFS_HOLD_SECONDS": "1"}
    async with hosted(shop, name=name, declared=declared) as host, shop.desk() as desk:
        result = await host.call("delete_order", number=7)
        assert result["isError"]
        assert "Exactly the same call, sent again" in said(result)
        await shop.answered(desk, ALLOW)
        assert said(await host.call("delete_order", number=7)) == "deleted 7"
    assert shop.done == ["delete 7"]


async def test_an_id_that_is_not_this_callers_names_no_task(shop: Shop, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    other = Shop(Home(tmp_path / "other", {"SHOP_TASKS": "1", **PAGE}))
    async with hosted(other) as host:
        foreign = (await host.call("delete_order", number=7))["taskId"]
    async with hosted(shop) as host, shop.desk() as desk:
        own = (await host.call("delete_order", number=7))["taskId"]
        for each in (
            foreign,
            own[:-1] + ("0" if own[-1] != "0" else "1"),
            "handoffs-gate:task.h_1.c_1.00",
            "handoffs-gate:",
        ):
            for request in (host.get, host.cancel):
                with pytest.raises(MCPError, match="There is no such task"):
                    await request(each)
        assert (await waiting(desk)).state is State.OPEN
        with pytest.raises(MCPError, match="no such task here"):  # the server's words, for what is the server's
            await host.get("ship-7")


async def test_a_rule_that_denies_by_now_denies_what_a_person_allowed(shop: Shop) -> None:
    policy = shop.home.folder / "gate.toml"
    policy.write_text('[[rule]]\ntool = "*"\ndo = "ask"\n')
    async with hosted(shop, rules=("--policy", str(policy))) as host, shop.desk() as desk:
        task = await host.call("delete_order", number=7)
        policy.write_text('[[rule]]\ntool = "delete_*"\ndo = "deny"\nreason = "closed"\n')
        await shop.answered(desk, ALLOW)
        ended = await becomes(host, task)
    assert "the policy denies it" in said(ended)
    assert "closed" in said(ended)
    assert shop.done == []


async def test_a_tool_that_has_changed_meanwhile_is_asked_about_anew(shop: Shop) -> None:
    async with hosted(shop, rules=(*RULES, "--allow", "relabel")) as host, shop.desk() as desk:
        task = await host.call("delete_order", number=7)
        await host.call("relabel")
        first = await shop.answered(desk, ALLOW)
        again = await waiting(desk, but=(first.id,))
        assert "Deletes what it likes." in again.question.message
        assert shop.done == ["relabel"]
        assert again.id in (await host.get(task["taskId"]))["statusMessage"]
        await desk.answer(again, ALLOW, by="ada", channel="inbox")
        assert said(await becomes(host, task)) == "deleted 7"
    assert shop.done == ["relabel", "delete 7"]


async def test_stopping_everything_denies_what_waits_as_a_task(shop: Shop) -> None:
    async with hosted(shop) as host:
        task = await host.call("delete_order", number=7)
        assert (await shop.home.command("gate", "stop")).returncode == 0
        ended = await becomes(host, task)
    assert ended["result"]["isError"]
    assert "Not run" in said(ended)
    assert shop.done == []


async def test_of_two_equal_calls_one_approval_runs_one(shop: Shop) -> None:
    async with hosted(shop) as host, shop.desk() as desk:
        tasks = [await host.call("delete_order", number=7) for _ in range(2)]
        assert tasks[0]["taskId"] != tasks[1]["taskId"]
        first = await shop.answered(desk, ALLOW)
        again = await waiting(desk, but=(first.id,))
        assert shop.done == ["delete 7"]
        status = sorted([(await host.get(task["taskId"]))["status"] for task in tasks])
        assert status == ["completed", "working"]
        await desk.answer(again, DENY, by="ada", channel="inbox")
        results = [await becomes(host, task) for task in tasks]
    assert sorted(each["result"]["isError"] for each in results) == [False, True]
    assert shop.done == ["delete 7"]


async def test_one_of_two_equal_calls_is_cancelled_without_the_other(shop: Shop) -> None:
    async with hosted(shop) as host, shop.desk() as desk:
        left, cancelled = [await host.call("delete_order", number=7) for _ in range(2)]
        await host.cancel(cancelled["taskId"])
        await shop.answered(desk, ALLOW)
        assert said(await becomes(host, left)) == "deleted 7"
        assert (await host.get(cancelled["taskId"]))["status"] == "cancelled"
    assert shop.done == ["delete 7"]


async def test_the_clients_dialog_shows_the_question_in_the_task(shop: Shop) -> None:
    async with hosted(shop, forms=True) as host, shop.desk() as desk:
        task = await host.call("delete_order", number=7)
        told = await host.get(task["taskId"])
        assert told["status"] == "input_required"
        [(key, asked)] = told["inputRequests"].items()
        assert asked["method"] == "elicitation/create"
        assert '"number": 7' in asked["params"]["message"]
        await anyio.sleep(READ_SECONDS)
        await host.update(task["taskId"], key, decision="perhaps")
        told = await host.get(task["taskId"])
        [(again, asked)] = told["inputRequests"].items()
        assert again != key
        assert "does not fit" in asked["params"]["message"]
        await host.update(task["taskId"], key, decision="allow")  # of the dialog of before
        assert shop.done == []
        await host.update(task["taskId"], again, decision="allow")
        assert said(await becomes(host, task)) == "deleted 7"
        [asked] = await desk.newest(open_only=False)
        assert asked.end is not None
        assert asked.end.channel == "elicitation"
    assert shop.done == ["delete 7"]


async def test_a_dialog_that_nobody_can_have_seen_leaves_the_question_elsewhere(shop: Shop) -> None:
    async with hosted(shop, forms=True) as host, shop.desk() as desk:
        task = await host.call("delete_order", number=7)
        guessed = "handoffs-gate:decision/1"
        await host.update(task["taskId"], guessed, decision="allow")  # before it was handed out
        [key] = (await host.get(task["taskId"]))["inputRequests"]
        assert key == guessed
        await host.update(task["taskId"], key, decision="allow")  # faster than a person reads
        told = await host.get(task["taskId"])
        assert told["status"] == "working"
        assert "https://inbox.example" in told["statusMessage"]
        assert shop.done == []
        await shop.answered(desk, ALLOW)
        assert said(await becomes(host, task)) == "deleted 7"
    assert shop.done == ["delete 7"]


async def test_the_servers_own_task_is_followed_under_the_gates_id(shop: Shop) -> None:
    async with hosted(shop, forms=True) as host, shop.desk() as desk:
        task = await host.call("ship", number=7)
        await shop.answered(desk, ALLOW)
        await becomes(host, task, but="input_required")  # our own dialog
        told = await becomes(host, task)
        assert (told["status"], told["taskId"]) == ("input_required", task["taskId"])
        assert [*told["inputRequests"]] == ["carrier"]
        assert await names(desk, (await desk.newest(open_only=False))[0].id) == ["opened", "answered", "used", "sent"]
        await host.update(task["taskId"], "carrier", why="mail")
        ended = await becomes(host, task)
        assert (ended["status"], ended["taskId"], said(ended)) == ("completed", task["taskId"], "shipped, see ship-7")
        await anyio.sleep(0.2)
        [asked] = await desk.newest(open_only=False)
        assert (await names(desk, asked.id))[-1] == "result"
        await host.get(task["taskId"])
        assert (await names(desk, asked.id)).count("result") == 1
    assert shop.done == ["ship 7", "ship-7 by mail"]


async def test_the_servers_own_task_is_cancelled_under_the_gates_id(shop: Shop) -> None:
    async with hosted(shop) as host, shop.desk() as desk:
        task = await host.call("ship", number=7)
        await shop.answered(desk, ALLOW)
        await becomes(host, task)
        await host.cancel(task["taskId"])
        assert (await host.get(task["taskId"]))["status"] == "cancelled"
    assert shop.done == ["ship 7", "ship-7 cancelled"]


async def test_what_is_not_held_passes_with_its_own_task(shop: Shop) -> None:
    async with hosted(shop, rules=("--allow", "*")) as host:
        task = await host.call("ship", number=7)
        assert task["taskId"] == "ship-7"
        assert (await host.get("ship-7"))["taskId"] == "ship-7"
        await host.cancel("ship-7")
    assert shop.done == ["ship 7", "ship-7 cancelled"]


async def test_a_server_that_asks_by_itself_asks_in_the_task(shop: Shop) -> None:
    async with hosted(shop) as host, shop.desk() as desk:
        task = await host.call("refund", number=7)
        await shop.answered(desk, ALLOW)
        told = await becomes(host, task)
        assert told["status"] == "input_required"
        [(key, asked)] = told["inputRequests"].items()
        assert asked["params"]["message"] == "Why?"
        await host.update(task["taskId"], key, why="broken")
        assert said(await becomes(host, task)) == "paid back 7"
        [asked] = await desk.newest(open_only=False)
        assert (await names(desk, asked.id)).count("used") == 1
    assert shop.done == ["refund 7: broken"]


async def test_a_call_that_runs_is_cancelled_at_its_server_and_may_have_run(shop: Shop) -> None:
    async with hosted(shop) as host, shop.desk() as desk:
        task = await host.call("pack", number=7)
        await shop.answered(desk, ALLOW)
        with anyio.fail_after(120):
            while shop.done != ["pack 7"]:
                await anyio.sleep(0.05)
        await host.cancel(task["taskId"])
        told = await host.get(task["taskId"])
        assert told["status"] == "cancelled"
        assert "it may have run" in told["statusMessage"]
        with anyio.fail_after(120):
            while shop.done != ["pack 7", "pack 7 cancelled"]:
                await anyio.sleep(0.05)


async def test_after_a_restart_nothing_runs_by_itself(shop: Shop) -> None:
    async with hosted(shop) as host:
        task = (await host.call("delete_order", number=7))["taskId"]
        asked = (await host.call("delete_order", number=8))["taskId"]
    async with hosted(shop) as host, shop.desk() as desk:
        for handoff in await desk.newest(open_only=True):
            if handoff.question.action is not None and "7" in handoff.question.action.arguments:
                await desk.answer(handoff, ALLOW, by="ada", channel="inbox")
        for each in (task, asked):
            told = await host.get(each)
            assert (told["status"], told["result"]["isError"], told["taskId"]) == ("completed", True, each)
            assert "Exactly the same call, sent again" in said(told)
        assert shop.done == []
        assert said(await host.call("delete_order", number=7)) == "deleted 7"
        await host.cancel(asked)
        assert await desk.newest(open_only=True) == []
        assert (await host.get(asked))["status"] == "cancelled"
    assert shop.done == ["delete 7"]


async def test_what_was_sent_before_a_crash_may_have_run(shop: Shop) -> None:
    async with hosted(shop) as host, shop.desk() as desk:
        task = (await host.call("crash"))["taskId"]
        await shop.answered(desk, ALLOW)
        with anyio.fail_after(120):
            while shop.done != ["crash"]:
                await anyio.sleep(0.05)
        await anyio.sleep(0.5)
    async with hosted(shop) as host, shop.desk() as desk:
        told = await host.get(task)
        assert told["result"]["isError"]
        assert "It may have run" in said(told)
        [asked] = await desk.newest(open_only=False)
        assert (await names(desk, asked.id))[-1] == "unknown"
    assert shop.done == ["crash"]


async def test_before_a_server_over_http_a_call_is_a_task(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHOP_TASKS", "1")
    extension = TasksDeclared()
    with started(str(SHOP), str(shop.journal)) as url:
        args = ("gate", "--name", "shop", *RULES, "--url", url)
        async with shop.home.stdio("auto", args=args, name="inspector-cli", extensions=[extension]) as client:
            host = TaskHost(client, extension)
            async with shop.desk() as desk:
                task = await host.call("ship", number=7)
                await shop.answered(desk, ALLOW)
                await becomes(host, task)
                assert [*(await becomes(host, task))["inputRequests"]] == ["carrier"]
                await host.update(task["taskId"], "carrier", why="mail")
                assert said(await becomes(host, task)) == "shipped, see ship-7"
    assert shop.done == ["ship 7", "ship-7 by mail"]


def test_strands_waits_for_the_decision_in_a_task(shop: Shop) -> None:
    args = [*HANDOFFS[1:], "gate", "--name", "shop", *RULES, "--", sys.executable, str(SHOP), str(shop.journal)]
    parameters = StdioServerParameters(command=HANDOFFS[0], args=args, env=shop.home.env)

    def ada() -> None:
        async def allow() -> None:
            async with shop.desk() as desk:
                asked = await waiting(desk)
                await anyio.sleep(3)  # longer than a request of this client may take
                await desk.answer(asked, ALLOW, by="ada", channel="inbox")

        anyio.run(allow)

    config = TasksConfig(poll_timeout=timedelta(minutes=1), request_timeout=timedelta(seconds=2))
    person = threading.Thread(target=ada)
    with MCPClient(lambda: stdio_client(parameters), tasks_config=config) as client:  # pyright: ignore
        person.start()
        result = client.call_tool_sync("1", "delete_order", {"number": 7})
    person.join(60)
    assert result["content"] == [{"text": "deleted 7"}]
    assert result["status"] == "success"
    assert shop.done == ["delete 7"]


async def test_over_http_a_call_is_a_task_and_the_ids_of_clients_do_not_meet(shop: Shop) -> None:
    args = ("gate", "--name", "shop", *RULES, "--", sys.executable, str(SHOP), str(shop.journal))
    async with shop.home.http(args=args) as server, shop.desk() as desk:
        extension, other = TasksDeclared(), TasksDeclared()
        async with (
            server.client(name="inspector-cli", extensions=[extension]) as client,
            server.client(name="inspector-cli", extensions=[other]) as second,
        ):
            host, beside = TaskHost(client, extension), TaskHost(second, other)
            task = await host.call("delete_order", number=7)
            await beside.call("pack", number=8)
            for each in await desk.newest(open_only=True):
                await desk.answer(each, ALLOW, by="ada", channel="inbox")
            assert said(await becomes(host, task)) == "deleted 7"
        async with server.client(name="inspector-cli", extensions=[TasksDeclared()]) as client:
            told = await TaskHost(client, extension).get(task["taskId"])  # the same caller, who has come back
            assert said(told) == "deleted 7"
    assert "delete 7" in shop.done
