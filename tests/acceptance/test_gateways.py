"""Several people behind one client's name: what one of their agents asked or was told reaches no other by its words."""

import json
from pathlib import Path
from typing import Any

import anyio
import pytest

from handoffs.core.call_notes import UNKNOWN_AGENT, notes_of_calls
from handoffs.core.model import Handoff
from handoffs.store.sqlite.store import SqliteStore
from tests.acceptance.processes import ERAS, Home
from tests.acceptance.test_delivery import TOOL_USE, kept
from tests.acceptance.test_pipe import outcome, piped


def home_of(folder: Path, hold: str = "0", **extra: str) -> Home:
    return Home(folder, {"HANDOFFS_HOLD_SECONDS": hold, **extra})


@pytest.mark.parametrize(("name", "extra"), [("mcp-proxy", {}), ("mcp", {}), ("test-host", {"HANDOFFS_JOIN": "off"})])
def test_another_pipe_with_the_same_words_gets_no_question_and_no_outcome(
    name: str, extra: dict[str, str], tmp_path: Path
) -> None:
    home = home_of(tmp_path, **extra)
    with piped(home, name=name) as ada, piped(home, name=name) as bob:
        for pipe in (ada, bob):
            pipe.initialize()
        first = outcome(ada.answer_to(ada.call()))["handoffId"]
        assert outcome(ada.answer_to(ada.call()))["handoffId"] == first  # on her own pipe it is hers
        second = outcome(bob.answer_to(bob.call()))["handoffId"]
        assert second != first
        assert home.run("answer", first, "yes").returncode == 0
        assert home.run("answer", second, "no").returncode == 0
        # Late, it may be anybody's: the person sees what they answered, and gives it again.
        third = outcome(ada.answer_to(ada.call()))
        assert (third["status"], third["handoffId"] in (first, second)) == ("PENDING", False)
        # By the id, which only its agent was told, each has their own.
        for pipe, handoff_id, said in ((ada, first, "yes"), (bob, second, "no")):
            got = outcome(pipe.answer_to(pipe.call(tool="check_handoff", handoff_id=handoff_id)))
            assert got["values"] == {"response": said}
        for method, params in (
            ("resources/list", {}),
            ("resources/read", {"uri": "handoff://open"}),
            (
                "completion/complete",
                {"ref": {"type": "ref/resource", "uri": "handoff://{id}"}, "argument": {"name": "id", "value": "h_"}},
            ),
        ):
            assert "h_" not in json.dumps(ada.answer_to(ada.send(method, params))["result"]), method
    assert {each["id"]: bool(each["earlier"]) for each in kept(home)} == {
        first: False, second: False, third["handoffId"]: True,
    }  # fmt: skip


def test_the_same_tool_use_sent_again_by_another_process_gets_its_outcome(tmp_path: Path) -> None:
    home = home_of(tmp_path)
    call: dict[str, Any] = {
        "name": "handoff_to_user", "arguments": {"message": "Deploy?"}, "_meta": {TOOL_USE: "toolu_1"},
    }  # fmt: skip
    with piped(home, name="mcp-hub") as pipe:
        pipe.initialize()
        asked = outcome(pipe.answer_to(pipe.send("tools/call", call)))["handoffId"]
    assert home.run("answer", asked, "yes").returncode == 0
    for _ in range(2):
        with piped(home, name="mcp-hub") as pipe:
            pipe.initialize()
            assert outcome(pipe.answer_to(pipe.send("tools/call", call)))["values"] == {"response": "yes"}
    assert len(kept(home)) == 1


async def test_people_see_how_many_calls_wait_and_that_the_agent_is_unknown(tmp_path: Path) -> None:
    home = home_of(tmp_path, "30")
    with piped(home, name="supergateway") as pipe:
        pipe.initialize()
        numbers = [pipe.call() for _ in range(2)]
        async with SqliteStore(home.store) as store, store.watch() as watch:

            async def waited_for_by(calls: int) -> Handoff:
                with anyio.fail_after(50):
                    while True:
                        found = await store.newest(open_only=True)
                        if found and found[0].calls == calls:
                            return found[0]
                        await watch.changed()

            assert notes_of_calls(await waited_for_by(2)) == ["2 calls wait for this answer.", UNKNOWN_AGENT]
            pipe.send("notifications/cancelled", {"requestId": numbers[0]}, notify=True)
            asked = await waited_for_by(1)
            assert notes_of_calls(asked) == [UNKNOWN_AGENT]
            assert (await home.command("answer", asked.id, "yes")).returncode == 0
        assert outcome(pipe.answer_to(numbers[1]))["values"] == {"response": "yes"}


@pytest.mark.parametrize("era", ERAS)
async def test_over_http_a_gateway_s_sessions_are_kept_apart(era: str, tmp_path: Path) -> None:
    home = home_of(tmp_path)
    async with (
        home.http() as server,
        server.client(era, name="mcp-hub") as ada,
        server.client(era, name="mcp-hub") as bob,
    ):

        async def asked(client: Any) -> str:
            result = await client.call_tool("handoff_to_user", {"message": "Deploy?"})
            return str(result.structured_content["handoffId"])

        first, second = await asked(ada), await asked(bob)
        assert first != second
        # From 2026-07-28 there are no sessions.
        assert (await asked(ada) == first) == (era == "legacy")
        listed = await ada.list_resources()
        assert not [each for each in listed.resources if "h_" in str(each.uri)]
