"""What an agent gets, in both eras of the protocol, for everything that a person and a host may do."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import anyio
import pytest
from mcp.shared.exceptions import MCPError
from mcp.types import INVALID_PARAMS, ElicitResult, InputRequiredResult, InputResponses, RequestParamsMeta

from handoffs.core.events import Left
from handoffs.core.model import Caller, State
from tests.days import stamped
from tests.mcp_server.host import CANCEL, DECLINE, ERAS, Dialog, accept, ask, check, host, spoken, table, time_passes
from tests.mcp_server.task_host import plain
from tests.waiting import until

both_eras = pytest.mark.parametrize("era", ERAS)


@both_eras
async def test_a_person_answers_in_the_dialog_and_the_agent_gets_the_result(era: str, tmp_path: Path) -> None:
    async with table(tmp_path) as here:
        dialog = Dialog(here.clock, accept(response="yes"))
        async with host(here.server(), era, dialog) as client:
            got = await ask(client, "Format the drive /dev/sdb?")
        handoff = await here.only()
    assert got == {
        "content": [{"text": "Format the drive /dev/sdb?"}],
        "userInput": [{"text": "yes"}],
        "status": "SUCCESS",
        "toolUseId": handoff.id,
        "handoffId": handoff.id,
        "values": {"response": "yes"},
        "answeredBy": "ada",
        "answeredAt": stamped(12, 0, 5),
        "channel": "elicitation",
        "breakoutOfLoop": False,
        "guidance": "The person answered: yes",
    }
    assert handoff.collected_at is not None
    [shown] = dialog.shown
    assert shown.message == "Format the drive /dev/sdb?"
    assert set(shown.requested_schema) == {"type", "properties", "required"}


@both_eras
async def test_it_is_stored_before_anybody_is_asked(era: str, tmp_path: Path) -> None:
    async with table(tmp_path) as here:
        stored: list[int] = []

        async def look(_: object) -> ElicitResult:
            stored.append(await here.stored())
            return accept(response="yes")

        async with host(here.server(), era, Dialog(here.clock, look)) as client:
            await ask(client)
    assert stored == [1]


@both_eras
async def test_options_are_picked_and_a_form_keeps_its_types(era: str, tmp_path: Path) -> None:
    form = {
        "type": "object",
        "title": "dropped",
        "properties": {
            "port": {"type": "integer", "minimum": 1, "maximum": 65535},
            "tls": {"type": "boolean"},
            "regions": {
                "type": "array",
                "items": {"anyOf": [{"const": "eu", "title": "Europe"}, {"const": "us", "title": "USA"}]},
            },
        },
        "required": ["port"],
    }
    async with table(tmp_path) as here:
        dialog = Dialog(here.clock, accept(response="b"), accept(port=8080, tls=False, regions=["us", "eu"]))
        async with host(here.server(), era, dialog) as client:
            picked = await ask(client, "Which?", options=["a", "b"])
            filled = await ask(client, "How?", form=form)
    assert picked["values"] == {"response": "b"}
    assert filled["values"] == {"port": 8080, "tls": False, "regions": ["us", "eu"]}
    assert [each["text"] for each in filled["userInput"]] == ["8080", "no", "USA (us), Europe (eu)"]
    assert filled["guidance"] == "The person answered:\n- port: 8080\n- tls: no\n- regions: USA (us), Europe (eu)"


@both_eras
async def test_a_slow_decline_is_a_refusal(era: str, tmp_path: Path) -> None:
    async with table(tmp_path) as here, host(here.server(), era, Dialog(here.clock, DECLINE)) as client:
        got = await ask(client)
    assert got["status"] == "DECLINED"
    assert got["userInput"] == [{"text": ""}]
    assert "values" not in got
    assert "not approval" in got["guidance"]


@both_eras
async def test_a_slow_cancel_means_not_now_and_is_not_asked_again_by_check(era: str, tmp_path: Path) -> None:
    async with table(tmp_path) as here:
        dialog = Dialog(here.clock, CANCEL)
        async with host(here.server(), era, dialog) as client:
            got = await ask(client)
            assert got["status"] == "PENDING"
            assert "not now" in got["guidance"]
        async with host(here.server(hold_seconds=0), era, dialog) as client:
            again = await check(client, got["handoffId"])
            assert again["status"] == "PENDING"
            assert len(dialog.shown) == 1
            # The person says that they are ready: the same call shows it again.
            dialog.replies.append(accept(response="now"))
            assert (await here.only()).state == "open"
        async with host(here.server(), era, dialog) as client:
            assert (await ask(client))["values"] == {"response": "now"}
        assert await here.stored() == 1


@both_eras
@pytest.mark.parametrize(
    "reply", [DECLINE, CANCEL, accept(), ElicitResult(action="accept"), accept(response=""), accept(response=None)]
)
async def test_a_host_that_answers_without_a_person_is_not_believed(
    era: str, reply: ElicitResult, tmp_path: Path
) -> None:
    async with table(tmp_path) as here:
        dialog = Dialog(here.clock, reply, seconds=0.2)
        async with host(here.server(), era, dialog) as client, time_passes(here, 45, after="notshown"):
            got = await ask(client)
        assert got["status"] == "PENDING"
        assert "no dialog" in got["guidance"]
        assert await here.names() == ["opened", "notshown"]


@both_eras
async def test_an_empty_accept_is_not_believed_however_long_it_took(era: str, tmp_path: Path) -> None:
    form = {"type": "object", "properties": {"note": {"type": "string", "default": "approved"}}}
    async with table(tmp_path) as here:
        dialog = Dialog(here.clock, accept(), seconds=20)
        async with host(here.server(), era, dialog) as client, time_passes(here, 45, after="notshown"):
            got = await ask(client, form=form)
        assert got["status"] == "PENDING"
        assert (await here.only()).state == "open"


@both_eras
async def test_the_other_channels_stay_open_when_the_host_lies(era: str, tmp_path: Path) -> None:
    async with table(tmp_path) as here, host(here.server(), era, Dialog(here.clock, DECLINE, seconds=0.1)) as client:
        async with anyio.create_task_group() as tasks:

            async def person() -> None:
                await until(here.names, lambda found: "notshown" in found)
                await here.desk.answer(await here.only(), {"response": "go"}, by="bob", channel="inbox")

            tasks.start_soon(person)
            got = await ask(client)
    assert (got["status"], got["answeredBy"], got["channel"]) == ("SUCCESS", "bob", "inbox")


@both_eras
async def test_an_answer_that_does_not_fit_is_asked_again_and_changes_nothing(era: str, tmp_path: Path) -> None:
    async with table(tmp_path) as here:
        dialog = Dialog(here.clock, accept(n=7), accept(n="x"), accept(n=3))
        async with host(here.server(), era, dialog) as client:
            got = await ask(
                client,
                form={"type": "object", "properties": {"n": {"type": "integer", "maximum": 5}}, "required": ["n"]},
            )
        assert got["values"] == {"n": 3}
        assert [p.message.splitlines()[0] for p in dialog.shown] == [
            "Deploy?",
            "That answer does not fit: n: must be 5 or less",
            "That answer does not fit: n: must be a whole number",
        ]
        assert [name for name in await here.names() if name != "reached"] == ["opened", "answered", "collected"]


@both_eras
async def test_a_host_that_never_fits_ends_in_pending_before_its_client_gives_up(era: str, tmp_path: Path) -> None:
    async with table(tmp_path) as here:
        dialog = Dialog(here.clock, *[accept(response=7)] * 20)
        server = here.server(hold_seconds=1000)
        async with host(server, era, dialog) as client, time_passes(here, 1000, after="notshown"):
            got = await ask(client)
        assert got["status"] == "PENDING"
        assert len(dialog.shown) <= 8


async def test_an_answer_elsewhere_withdraws_the_dialog_of_the_older_era(tmp_path: Path) -> None:
    async with table(tmp_path) as here:
        dialog = Dialog(here.clock)
        async with host(here.server(), "legacy", dialog) as client, anyio.create_task_group() as tasks:

            async def person() -> None:
                await dialog.open.wait()
                await here.desk.answer(await here.only(), {"response": "go"}, by="bob", channel="command line")

            tasks.start_soon(person)
            got = await ask(client)
            assert (got["status"], got["values"], got["answeredBy"]) == ("SUCCESS", {"response": "go"}, "bob")
            await until(lambda: dialog.withdrawn)


async def test_a_late_dialog_of_the_newer_era_is_told_that_it_was_not_used(tmp_path: Path) -> None:
    async with table(tmp_path) as here:

        async def answered_meanwhile(_: object) -> ElicitResult:
            await here.desk.decline(await here.only(), by="bob", channel="command line", note="not on a Friday")
            return accept(response="yes")

        async with host(here.server(), "auto", Dialog(here.clock, answered_meanwhile)) as client:
            got = await ask(client)
        assert got["status"] == "DECLINED"
        assert got["userInput"] == [{"text": ""}]
        assert 'They said: "not on a Friday"' in got["guidance"]
        assert "was not used" in got["guidance"]


@both_eras
@pytest.mark.parametrize(
    ("name", "seconds"),
    [("test-host", 45), ("claude-code", 110), ("Visual Studio Code", 600), ("codex-mcp-client", 50)],
)
async def test_without_a_dialog_a_call_waits_as_long_as_the_host_lets_it(
    era: str, name: str, seconds: float, tmp_path: Path
) -> None:
    async with table(tmp_path) as here, host(here.server(), era, name=name) as client:
        got: list[object] = []
        async with anyio.create_task_group() as tasks:

            async def call() -> None:
                got.append((await ask(client))["status"])

            tasks.start_soon(call)
            await until(lambda: here.clock.waiting)
            here.clock.forward(seconds - 1)
            await anyio.sleep(0.05)
            assert got == []
            here.clock.forward(1)
        assert got == ["PENDING"]


async def test_an_older_dialog_is_closed_before_an_unknown_host_gives_up(tmp_path: Path) -> None:
    async with table(tmp_path) as here:
        dialog = Dialog(here.clock)
        async with host(here.server(), "legacy", dialog) as client, anyio.create_task_group() as tasks:

            async def time() -> None:
                await dialog.open.wait()
                while True:  # what waits first need not be the call
                    await anyio.sleep(0.01)
                    if here.clock.waiting:
                        here.clock.forward(45)

            tasks.start_soon(time)
            got = await ask(client)
            tasks.cancel_scope.cancel()
        assert got["status"] == "PENDING"
        assert "check_handoff" in got["guidance"]
        async with host(here.server(), "legacy", dialog) as client:
            await until(lambda: dialog.withdrawn)
            # The agent asks again as it was told, and the person still has the dialog.
            dialog.replies.append(accept(response="late but fine"))
            assert (await check(client, got["handoffId"]))["values"] == {"response": "late but fine"}


@both_eras
async def test_identical_calls_are_one_handoff_and_the_answer_is_given_once(era: str, tmp_path: Path) -> None:
    async with table(tmp_path) as here, host(here.server(hold_seconds=0), era) as client:
        first = await ask(client)
        second = await ask(client, timeout_seconds=600)
        assert first["handoffId"] == second["handoffId"]
        await here.desk.answer(await here.only(), {"response": "yes"}, by="bob", channel="inbox")
        here.clock.forward(125)
        third = await ask(client)
        assert third["status"] == "SUCCESS"
        assert third["guidance"] == f"The person answered 2 minutes ago ({stamped(12)}): yes"
        fourth = await ask(client)
        assert (fourth["status"], fourth["handoffId"] != first["handoffId"]) == ("PENDING", True)
        assert (await check(client, first["handoffId"]))["values"] == {"response": "yes"}


async def test_consent_goes_stale(tmp_path: Path) -> None:
    async with table(tmp_path, join_seconds=60) as here, host(here.server(hold_seconds=0), "auto") as client:
        first = await ask(client)
        await here.desk.answer(await here.only(), {"response": "yes"}, by="bob", channel="inbox")
        here.clock.forward(61)
        second = await ask(client)
        assert second["status"] == "PENDING"
        assert second["handoffId"] != first["handoffId"]


async def test_another_client_or_another_person_asks_its_own_question(tmp_path: Path) -> None:
    async with table(tmp_path) as here:
        ids: set[str] = set()
        for subject, name in (("ada", "a"), ("ada", "b"), ("bob", "a")):
            async with host(here.server(subject=subject, hold_seconds=0), "auto", name=name) as client:
                ids.add((await ask(client))["handoffId"])
        assert len(ids) == 3


async def test_nobody_else_can_check_a_handoff_or_learn_that_it_is_there(tmp_path: Path) -> None:
    async with table(tmp_path) as here:
        async with host(here.server(hold_seconds=0), "auto") as client:
            mine = (await ask(client))["handoffId"]
        async with host(here.server(subject="eve", hold_seconds=0), "auto") as client:
            theirs, nothing = await check(client, mine), await check(client, "h_nothing")
        assert theirs["status"] == nothing["status"] == "ERROR"
        assert theirs["guidance"].replace(mine, "ID") == nothing["guidance"].replace("h_nothing", "ID")


@both_eras
async def test_silence_ends_as_a_timeout_and_is_not_consent(era: str, tmp_path: Path) -> None:
    async with table(tmp_path) as here, host(here.server(hold_seconds=0), era) as client:
        first = await ask(client, timeout_seconds=60)
        here.clock.forward(60)
        got = await check(client, first["handoffId"])
    assert got["status"] == "TIMEOUT"
    assert "not consent" in got["guidance"]
    assert got["userInput"] == [{"text": ""}]


async def test_a_withdrawn_question_decides_nothing(tmp_path: Path) -> None:
    async with table(tmp_path) as here, host(here.server(hold_seconds=0), "auto") as client:
        first = await ask(client)
        await here.desk.cancel(await here.only(), by="bob", channel="command line")
        got = await check(client, first["handoffId"])
    assert got["status"] == "CANCELLED"
    assert "withdrawn by bob" in got["guidance"]
    assert "not approved" in got["guidance"]


@both_eras
@pytest.mark.parametrize(("seconds", "kept"), [(0.001, 30), (300, 300), (1e12, 2_592_000)])
async def test_silly_timeouts_are_clamped(era: str, seconds: float, kept: float, tmp_path: Path) -> None:
    async with table(tmp_path) as here, host(here.server(hold_seconds=0), era) as client:
        await ask(client, timeout_seconds=seconds)
        handoff = await here.only()
    assert (handoff.question.deadline - handoff.created_at).total_seconds() == kept


@both_eras
async def test_a_breakout_is_told_and_not_waited_for(era: str, tmp_path: Path) -> None:
    async with table(tmp_path) as here:
        dialog = Dialog(here.clock)
        async with host(here.server(), era, dialog) as client:
            got = await ask(client, "All done.", breakout_of_loop=True)
        assert dialog.shown == []
        assert (await here.only()).state == "open"
    assert (got["status"], got["userInput"], got["breakoutOfLoop"]) == ("SUCCESS", [{"text": ""}], True)
    assert "End your turn now" in got["guidance"]


@both_eras
@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({}, "`message` must be a string"),
        ({"message": ""}, "`message` is empty"),
        ({"message": " \n"}, "`message` is empty"),
        ({"message": "x" * 20_001}, "20,001 characters"),
        ({"message": "x", "options": ["a", "b"], "form": {"properties": {"a": {"type": "string"}}}}, "not both"),
        ({"message": "x", "options": ["a"]}, "2 to 20"),
        ({"message": "x", "options": ["a", "a"]}, "twice"),
        ({"message": "x", "options": [1, 2]}, "strings"),
        ({"message": "x", "form": {"properties": {"a": {"type": "object"}}}}, "flat"),
        ({"message": "x", "form": {"properties": {"api_key": {"type": "string"}}}}, "secret"),
        ({"message": "x", "timeout_seconds": -1}, "timeout_seconds"),
        ({"message": "x", "timeout_seconds": "NaN"}, "timeout_seconds"),
        ({"message": "x", "timeout_seconds": True}, "timeout_seconds"),
        ({"message": "x", "breakout_of_loop": "maybe"}, "true or false"),
        ({"message": "x", "urgent": True}, "no argument urgent"),
    ],
)
async def test_a_question_that_cant_be_asked_is_a_clear_error_and_is_not_stored(
    era: str, arguments: dict[str, object], says: str, tmp_path: Path
) -> None:
    async with table(tmp_path) as here:
        dialog = Dialog(here.clock)
        async with host(here.server(), era, dialog) as client:
            got = spoken(await client.call_tool("handoff_to_user", arguments))
        assert got["status"] == "ERROR"
        assert says in got["guidance"]
        assert dialog.shown == []
        assert await here.stored() == 0


@both_eras
async def test_lists_and_objects_sent_as_text_are_taken_for_what_they_say(era: str, tmp_path: Path) -> None:
    async with table(tmp_path) as here:
        async with host(here.server(), era, Dialog(here.clock, accept(response="b"))) as client:
            got = await ask(client, options='["a", "b"]', breakout_of_loop="false", timeout_seconds="60")
    assert got["values"] == {"response": "b"}


@both_eras
@pytest.mark.parametrize("key", ["handoffs/toolUseId", "claudecode/toolUseId"])
async def test_the_callers_own_id_of_the_call_comes_back(era: str, key: str, tmp_path: Path) -> None:
    async with table(tmp_path) as here:
        async with host(here.server(), era, Dialog(here.clock, accept(response="yes"))) as client:
            meta = cast("RequestParamsMeta", {key: "tooluse_abc"})
            got = await client.call_tool("handoff_to_user", {"message": "x"}, meta=meta)
    assert spoken(got)["toolUseId"] == "tooluse_abc"


async def test_a_dialog_survives_a_restart_of_the_server_in_the_newer_era(tmp_path: Path) -> None:
    """The state that the client carries is sealed with a kept key: another server process opens it."""
    async with table(tmp_path) as here:
        async with host(here.server(), "auto", Dialog(here.clock)) as client:
            first = await client.session.call_tool("handoff_to_user", {"message": "Deploy?"}, allow_input_required=True)
        assert isinstance(first, InputRequiredResult)
        here.clock.forward(86_000)
        [key] = first.input_requests or {}
        async with host(here.server(), "auto", Dialog(here.clock)) as client:
            got = await client.session.call_tool(
                "handoff_to_user",
                {"message": "Deploy?"},
                input_responses={key: ElicitResult(action="accept", content={"response": "yes"})},
                request_state=first.request_state,
                allow_input_required=True,
            )
            replayed, resent = [
                await client.session.call_tool(
                    "handoff_to_user",
                    {"message": "Deploy?"},
                    input_responses={key: ElicitResult(action="accept", content={"response": response})},
                    request_state=first.request_state,
                    allow_input_required=True,
                )
                for response in ("no", "yes")
            ]
        assert await here.stored() == 1
    assert got.structured_content["values"] == {"response": "yes"}  # type: ignore[union-attr,index]
    assert replayed.structured_content["values"] == {"response": "yes"}  # type: ignore[union-attr,index]
    assert "was not used" in replayed.structured_content["guidance"]  # type: ignore[union-attr,index]
    # Its own answer, sent again because the reply was lost.
    assert resent.structured_content["guidance"] == "The person answered: yes"  # type: ignore[union-attr,index]


@pytest.mark.parametrize("change", ["a letter", "another question", "nothing of ours"])
async def test_a_state_that_was_tampered_with_is_refused_and_records_nothing(change: str, tmp_path: Path) -> None:
    async with table(tmp_path) as here, host(here.server(), "auto", Dialog(here.clock)) as client:
        first = await client.session.call_tool("handoff_to_user", {"message": "Deploy?"}, allow_input_required=True)
        assert isinstance(first, InputRequiredResult)
        state = first.request_state or ""
        before = await here.names()
        tampered = {"a letter": state[:-2] + ("A" if state[-2] != "A" else "B") + state[-1], "nothing of ours": "e30"}
        [key] = first.input_requests or {}
        with pytest.raises(MCPError) as refused:
            await client.session.call_tool(
                "handoff_to_user",
                {"message": "Drop?" if change == "another question" else "Deploy?"},
                input_responses={key: ElicitResult(action="accept", content={"response": "yes"})},
                request_state=tampered.get(change, state),
                allow_input_required=True,
            )
        assert refused.value.error.code == INVALID_PARAMS
        assert await here.names() == before


@both_eras
async def test_hostile_text_is_made_inert_before_the_host_shows_it(era: str, tmp_path: Path) -> None:
    async with table(tmp_path) as here:
        dialog = Dialog(here.clock, accept(response="ok"))
        async with host(here.server(), era, dialog) as client:
            await ask(client, "a\x1b]0;title\x07b\u202egnp.exe\u200b")
    assert dialog.shown[0].message == "a␛]0;title␇b⟨U+202E⟩gnp.exe⟨U+200B⟩"


async def test_a_waiting_call_says_every_ten_seconds_that_it_is_alive(tmp_path: Path) -> None:
    async with table(tmp_path) as here, host(here.server(), "legacy") as client:
        heard: list[tuple[float, str | None]] = []

        async def on_progress(progress: float, total: float | None, message: str | None) -> None:
            heard.append((progress, message))

        async with anyio.create_task_group() as tasks:

            async def time() -> None:
                for said in range(3):
                    await until(lambda said=said: here.clock.waiting and len(heard) >= said)
                    here.clock.forward(10)
                await until(lambda: len(heard) >= 3)
                await here.desk.decline(await here.only(), by="bob", channel="inbox")

            tasks.start_soon(time)
            await client.call_tool("handoff_to_user", {"message": "x"}, progress_callback=on_progress)
        handoff = await here.only()
    assert heard == [
        (n, f"Waiting for a person ({handoff.id}). In a terminal: handoffs answer {handoff.id}") for n in (1, 2, 3)
    ]


async def test_what_a_host_declared_is_kept_with_its_question(tmp_path: Path) -> None:
    async with table(tmp_path) as here:
        async with host(here.server(hold_seconds=0), "legacy", Dialog(here.clock)) as client:
            await ask(client, timeout_seconds=60)
        [opened, *_] = await here.desk.log()
        assert opened.details["version"] == "1"
        assert opened.details["declares"] == "form url"
        assert opened.details["transport"] == "stdio"


async def test_a_call_that_the_host_ends_is_noted_and_leaves_the_question_open(tmp_path: Path) -> None:
    async with table(tmp_path) as here:
        async with host(here.server(), "legacy") as client:
            async with anyio.create_task_group() as calls:
                calls.start_soon(ask, client)
                await until(here.names, lambda found: "opened" in found)
                await anyio.sleep(0.3)  # it waits by now
                calls.cancel_scope.cancel()
            await until(here.names, lambda found: "left" in found)
        assert (await here.only()).state is State.OPEN


APPROVAL = {
    "type": "object",
    "properties": {
        "approve": {"type": "boolean", "default": True},
        "how": {"type": "string", "enum": ["at once", "tonight"], "default": "at once"},
    },
    "required": ["approve"],
}


@both_eras
@pytest.mark.parametrize("content", [{"approve": True}, {"approve": True, "how": "at once"}])
async def test_an_accept_of_prefilled_values_before_any_reading_is_not_believed(
    era: str, content: dict[str, object], tmp_path: Path
) -> None:
    async with table(tmp_path) as here:
        dialog = Dialog(here.clock, accept(**content), seconds=0.02)
        async with host(here.server(), era, dialog) as client, time_passes(here, 60, after="notshown"):
            got = await ask(client, "Drop the table orders?", form=APPROVAL)
        assert (got["status"], "values" in got) == ("PENDING", False)
        assert (await here.only()).state is State.OPEN
        assert await here.names() == ["opened", "notshown"]


@both_eras
async def test_a_person_may_leave_a_form_as_it_came(era: str, tmp_path: Path) -> None:
    async with table(tmp_path) as here, host(here.server(), era, Dialog(here.clock, accept(approve=True))) as client:
        assert (await ask(client, "Drop the table orders?", form=APPROVAL))["values"] == {"approve": True}


async def test_a_dialog_that_returns_long_after_the_decision_is_told_its_age(tmp_path: Path) -> None:
    async with table(tmp_path) as here:

        async def much_later(_: object) -> ElicitResult:
            await here.desk.answer(await here.only(), {"response": "yes"}, by="bob", channel="inbox")
            here.clock.forward(7_200)
            return CANCEL

        async with host(here.server(), "auto", Dialog(here.clock, much_later)) as client:
            got = await ask(client)
    assert got["status"] == "SUCCESS"
    assert "2 hours ago" in got["guidance"]


async def test_not_now_is_remembered_however_much_has_happened_before(tmp_path: Path) -> None:
    async with table(tmp_path) as here:
        dialog = Dialog(here.clock, CANCEL, accept(response="yes"))
        asked = await here.desk.ask(
            message="Deploy?", caller=Caller(subject="ada", client="test-host", project="/home/ada/shop")
        )
        await here.store.record(asked.id, *[Left(at=here.clock.now(), seconds="45")] * 1_000)
        async with host(here.server(hold_seconds=0), "auto", dialog) as client:
            await ask(client)
            assert (await check(client, asked.id))["status"] == "PENDING"
        assert len(dialog.shown) == 1


async def test_a_client_that_declares_no_forms_any_more_is_sent_none(tmp_path: Path) -> None:
    async with table(tmp_path) as here:
        server = here.server(hold_seconds=0)
        async with host(server, "auto", Dialog(here.clock)) as shows, host(server, "auto") as shows_none:
            arguments = {"message": "Which?", "options": ["green", "blue"]}
            first = plain(await shows.session.call_tool("handoff_to_user", arguments, allow_input_required=True))
            [key] = first["inputRequests"]
            here.clock.forward(5)
            reply: InputResponses = {key: ElicitResult(action="accept", content={"response": "crimson"})}
            second = plain(
                await shows_none.session.call_tool(
                    "handoff_to_user",
                    arguments,
                    input_responses=reply,
                    request_state=first["requestState"],
                    allow_input_required=True,
                )
            )
        assert "inputRequests" not in second
        assert second["structuredContent"]["status"] == "PENDING"
        assert (await here.names()).count("notshown") == 1


@pytest.mark.parametrize(("set_to", "still", "over"), [(None, 40, 46), (3_600, 3_500, 3_541), (20, 40, 46)])
async def test_a_call_waits_nearly_as_long_as_the_host_was_set_to_wait(
    set_to: float | None, still: float, over: float, tmp_path: Path
) -> None:
    """What `handoffs install` raises in a host, it tells the server; a host that waits less is not believed."""
    async with table(tmp_path) as here, host(here.server(host_seconds=set_to), "auto") as client:
        got: list[Mapping[str, Any]] = []

        async def call() -> None:
            got.append(await ask(client))

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(call)
            await until(here.names, lambda found: "opened" in found)
            await anyio.wait_all_tasks_blocked()
            here.clock.forward(still)
            await anyio.wait_all_tasks_blocked()
            assert got == []
            here.clock.forward(over - still)
        assert got[0]["status"] == "PENDING"


@both_eras
@pytest.mark.parametrize("name", ["traceparent", "tracestate", "baggage"])
@pytest.mark.parametrize("odd", [5, [7], {}, True, None])
async def test_trace_context_that_is_no_text_ends_no_call(era: str, name: str, odd: object, tmp_path: Path) -> None:
    known = {"traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"}
    async with table(tmp_path) as here, host(here.server(), era, Dialog(here.clock, accept(response="yes"))) as client:
        meta = cast("RequestParamsMeta", known | {name: odd})
        got = await client.call_tool("handoff_to_user", {"message": "x"}, meta=meta)
        assert spoken(got)["values"] == {"response": "yes"}
