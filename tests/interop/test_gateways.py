"""Several people behind real gateways: nobody's agent gets another's consent, and each gets the answer to its own."""

import json
from functools import partial
from pathlib import Path
from typing import Any

import anyio
import pytest
from mcp import Client, MCPError
from mcp.types import ElicitResult, ResourceTemplateReference

from handoffs.core.call_notes import UNKNOWN_AGENT
from handoffs.core.model import Handoff
from handoffs.mcp_server.sdk.duplicate_ids import MIXED_UP
from handoffs.store.sqlite.store import SqliteStore
from tests.acceptance.processes import Home, ask, nobody
from tests.interop.conftest import missing
from tests.interop.gateways import MCP_REMOTE, NEEDS, PATIENCE, SUPERGATEWAY, Gateway, gateway_of

DIALOGS = {
    "mcp-proxy": {"legacy": 0},
    "FastMCP": {"legacy": 0, "auto": 1},
    "supergateway": {"legacy": 1},
    "supergateway, stateful": {"legacy": 1, "auto": 1},
    "mcp-remote": {"legacy": 1, "auto": 1},
}
"""How many dialogs of one question reach the person, by the era that the client is of."""

SHOWN_AS = {
    ("mcp-proxy", "legacy"): "mcp",
    ("FastMCP", "legacy"): "fastmcp",
    ("FastMCP", "auto"): "fastmcp",
    ("mcp-remote", "legacy"): "test-host (via mcp-remote 0.15.1)",
}
"""Who asks, where that is not the client's own name."""

ONE_PIPE = ("mcp-proxy", "FastMCP")
"""Those that don't tell the server that several clients share its pipe."""

LONG = {"HANDOFFS_HOLD_SECONDS": str(PATIENCE)}
"""For calls that return once they are answered, however slow the machine is; those of a library wait 4 s by default."""

READS = 1.2
"""Seconds that a person looks at a dialog; who answers at once is taken for a script."""


@pytest.fixture(params=NEEDS)
def gateway(request: pytest.FixtureRequest) -> Any:
    """A gateway's name, and what starts it in front of a home's server."""
    return _gateway(request, request.param)


def _gateway(request: pytest.FixtureRequest, name: str) -> Any:
    program: str = request.getfixturevalue(NEEDS[name])
    package = {"mcp-proxy": Path(program).with_name("mcp-proxy"), "mcp-remote": MCP_REMOTE}.get(name)
    if name.startswith("supergateway"):
        package = SUPERGATEWAY
    if package is not None and not package.exists():
        missing(name)
    return name, partial(gateway_of, name, program)


async def until_open(home: Home, calls: int = 1) -> Handoff:
    """Return the newest question, once so many calls wait for it."""
    with anyio.fail_after(PATIENCE):
        async with SqliteStore(home.store) as store, store.watch() as watch:
            while True:
                found = await store.newest(open_only=True)
                if found and found[0].calls == calls:
                    return found[0]
                await watch.changed()


async def answer(home: Home, handoff_id: str, said: str) -> None:
    done = await home.command("answer", handoff_id, said)
    assert done.returncode == 0, done.stderr


async def check(client: Client, handoff_id: str) -> dict[str, Any]:
    result = await client.call_tool("check_handoff", {"handoff_id": handoff_id})
    assert result.structured_content is not None
    return result.structured_content


async def listed(client: Client) -> str:
    """Return all that a client is told of questions whose ids it does not know."""
    told = [(await client.list_resources()).model_dump_json()]
    opened = (await client.read_resource("handoff://open")).model_dump(mode="json")
    assert json.loads(opened["contents"][0]["text"]) == []
    try:
        named = ResourceTemplateReference(type="ref/resource", uri="handoff://{id}")
        told.append((await client.complete(named, {"name": "id", "value": "h_"})).model_dump_json())
    except MCPError as refused:  # not every gateway passes completions on
        told.append(str(refused))
    return "\n".join(told)


async def test_an_answer_arrives_wherever_the_person_gave_it(gateway: Any, tmp_path: Path) -> None:
    name, behind = gateway
    home = Home(tmp_path, LONG)
    async with behind(home) as front:
        for era, dialogs in DIALOGS[name].items():
            await _asked_and_answered(front, era, dialogs, SHOWN_AS.get((name, era), "test-host"))


async def _asked_and_answered(front: Gateway, era: str, dialogs: int, shown_as: str) -> None:
    shown = 0

    async def dialog(context: object, params: object) -> ElicitResult:
        nonlocal shown
        shown += 1
        await seen.wait()
        await anyio.sleep(READS)
        return ElicitResult(action="accept", content={"response": "yes"})

    async def person() -> None:
        asked.append(await until_open(front.home))
        seen.set()
        if not dialogs:
            await answer(front.home, asked[0].id, "yes")

    asked: list[Handoff] = []
    seen = anyio.Event()
    async with front.client(name="test-host", era=era, dialog=dialog) as client, anyio.create_task_group() as tasks:
        tasks.start_soon(person)
        got = await ask(client, f"Deploy, {era}?")
        assert shown == dialogs
        assert asked[0].caller.client == shown_as
        assert (got["status"], got["values"], got["handoffId"]) == ("SUCCESS", {"response": "yes"}, asked[0].id)
        assert (await check(client, asked[0].id))["values"] == {"response": "yes"}


async def test_what_a_person_allowed_one_agent_no_other_gets_by_the_same_words(gateway: Any, tmp_path: Path) -> None:
    _, behind = gateway
    home = Home(tmp_path, {"HANDOFFS_HOLD_SECONDS": "0"})
    async with behind(home) as front, front.client() as ada, front.client() as bob:
        mine = await ask(ada)
        named = {tool.name for tool in (await ada.list_tools()).tools}
        assert {"handoff_to_user", "check_handoff"} <= named
        assert "check_handoff" in mine["guidance"]
        assert "__" not in mine["guidance"]
        assert (await check(ada, mine["handoffId"]))["status"] == "PENDING"
        await answer(home, mine["handoffId"], "yes")
        theirs = await ask(bob)
        assert theirs["status"] == "PENDING"
        assert theirs["handoffId"] != mine["handoffId"]
        for client in (ada, bob):
            assert "h_" not in await listed(client)
        await answer(home, theirs["handoffId"], "no")
        # Late, it may be anybody's: who asks again is asked about again.
        assert (await ask(ada))["handoffId"] not in (mine["handoffId"], theirs["handoffId"])
        # By the id, which only its agent was told, each has their own.
        assert (await check(ada, mine["handoffId"]))["values"] == {"response": "yes"}
        assert (await check(bob, theirs["handoffId"]))["values"] == {"response": "no"}


async def test_identical_calls_wait_for_one_answer_and_people_are_told_of_it(gateway: Any, tmp_path: Path) -> None:
    name, behind = gateway
    home = Home(tmp_path, LONG)
    async with behind(home) as front, front.client() as ada:
        got: list[dict[str, Any]] = []

        async def call(client: Client) -> None:
            got.append(await ask(client))

        async def calls(*clients: Client) -> None:
            async with anyio.create_task_group() as tasks:
                for client in clients:
                    tasks.start_soon(call, client)
                asked = await until_open(home, len(clients))
                shown = (await home.command("show", asked.id)).stdout.decode()
                assert "2 calls wait for this answer." in shown
                assert UNKNOWN_AGENT in shown
                await answer(home, asked.id, "yes")

        if name in ONE_PIPE:
            async with front.client() as bob:
                await calls(ada, bob)
        else:
            await calls(ada, ada)
        assert [each["values"] for each in got] == [{"response": "yes"}] * 2
        assert got[0]["handoffId"] == got[1]["handoffId"]


async def test_a_second_client_of_one_server_gets_no_dialog_and_joins_nothing(
    request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    _, behind = _gateway(request, "supergateway")
    home = Home(tmp_path, {"HANDOFFS_HOLD_SECONDS": "2"})
    shown: list[object] = []

    async def dialog(context: object, params: object) -> ElicitResult:
        shown.append(params)
        return await nobody(context, params)

    async with (
        behind(home) as front,
        front.client(name="test-host", dialog=dialog) as ada,
        front.client(name="test-host", dialog=dialog) as bob,
        front.client(name="test-host", dialog=dialog) as cy,
    ):
        asked = [(await ask(client))["handoffId"] for client in (ada, bob, cy, ada)]
        assert len(set(asked)) == 4
        assert not shown
        await answer(home, asked[1], "go")
        assert (await check(bob, asked[1]))["values"] == {"response": "go"}
        assert "h_" not in await listed(ada)
    assert front.log.read_text().count("A second client has sent `initialize` on this pipe") == 1


async def test_where_every_reply_goes_to_all_no_client_gets_anothers_outcome(
    request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    _, behind = _gateway(request, "supergateway")
    home = Home(tmp_path, LONG)
    async with behind(home) as front, front.client() as ada, front.client() as bob:
        said: list[str] = []

        async def call(client: Client, message: str) -> None:
            with pytest.raises(MCPError) as refused:
                await ask(client, message)
            said.append(str(refused.value))

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(call, ada, "Deploy for Ada?")
            await until_open(home)
            tasks.start_soon(call, bob, "Deploy for Bob?")
        assert said == [MIXED_UP] * 2
        # Hers is still open; its outcome reaches neither, as neither waits for it.
        await answer(home, (await until_open(home)).id, "yes")


async def test_mcp_remote_names_itself_to_people_and_to_nothing_else(
    request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    _, behind = _gateway(request, "mcp-remote")
    home = Home(tmp_path, {"HANDOFFS_HOLD_SECONDS": "0"})
    async with behind(home) as front, front.client(name="test-host") as client:
        asked = await ask(client)
        shown = (await home.command("show", asked["handoffId"])).stdout.decode()
        assert "asked by test-host (via mcp-remote 0.15.1)" in shown
        assert UNKNOWN_AGENT not in shown
        assert front.server is not None
        # The same person's same host, without it: the same question.
        async with front.server.client("legacy") as direct:
            assert (await ask(direct))["handoffId"] == asked["handoffId"]
    # What is known of a host is known of it behind mcp-remote: Claude Code has a tool of its own.
    async with behind(home) as front, front.client(name="claude-code") as client:
        assert "approve_tool_use" in {tool.name for tool in (await client.list_tools()).tools}
