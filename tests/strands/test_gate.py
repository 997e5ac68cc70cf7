"""`HandoffGate`: real agents with scripted models, a real store, and people who answer in it as the inbox does."""

from pathlib import Path
from typing import Any

import anyio
import pytest
from strands import Agent, tool
from strands.hooks import AfterToolCallEvent, BeforeToolCallEvent
from strands.middleware import ExecuteToolContext, ExecuteToolStage

from handoffs.core.desk import Desk
from handoffs.core.model import Handoff, State
from handoffs.settings import SettingsError
from handoffs.strands import HandoffClient, ScriptedModel
from handoffs.strands_gate import HandoffGate
from tests.gate.behind import ALLOW, DENY, waiting
from tests.strands.gated import DELETE, EDITED, Gated, says
from tests.strands.programs import nobody, results, text_of


async def test_a_tool_runs_once_a_person_has_allowed_exactly_this_call(gated: Gated) -> None:
    seen: list[Handoff] = []

    async def ada(desk: Desk, handoff: Handoff) -> None:
        assert gated.done == []
        seen.append(handoff)
        await says(ALLOW)(desk, handoff)

    with gated.agent([DELETE]) as agent:
        [result] = await gated.run(agent, ada)
    assert (result["status"], text_of(result)) == ("success", "a.txt was deleted")
    assert gated.done == ["delete a.txt"]
    action = seen[0].question.action
    assert action is not None
    assert (action.server, action.tool, action.arguments) == ("strands", "delete_file", '{"name":"a.txt"}')
    assert "Deletes a file." in seen[0].question.message
    assert await gated.events() == [["opened", "answered", "used", "sent", "result"]]


async def test_a_denial_is_an_error_with_the_persons_reason(gated: Gated) -> None:
    with gated.agent([DELETE]) as agent:
        [result] = await gated.run(agent, says(DENY))
    assert result["status"] == "error"
    assert text_of(result).startswith('Not run: the person denied it. They said: "not that one" Do not try it again')
    assert gated.done == []


async def test_a_person_changes_the_arguments_and_the_model_is_told(gated: Gated) -> None:
    with gated.agent([DELETE]) as agent:
        [result] = await gated.run(agent, says(EDITED))
        [asked] = [block["toolUse"] for block in agent.messages[1]["content"] if "toolUse" in block]
    assert gated.done == ["delete b.txt"]
    assert text_of(result).startswith("A person changed this call before it ran")
    assert text_of(result).endswith("b.txt was deleted")
    assert asked["input"] == {"name": "a.txt"}  # the history stays what the model said
    assert await gated.events() == [["opened", "answered", "used", "edited", "sent", "result"]]


async def test_a_secret_that_a_person_changes_is_not_told_to_the_model(gated: Gated) -> None:
    @tool
    def sign_in(user: str, password: str) -> str:
        """Signs in."""
        gated.done.append(password)
        return "signed in"

    call = ("sign_in", {"user": "ada", "password": "guessed-one"})
    edited = ALLOW | {"arguments": '{"user": "ada", "password": "correct horse"}'}
    with gated.agent([call], tools=[sign_in]) as agent:
        [result] = await gated.run(agent, says(edited))
    assert gated.done == ["correct horse"]
    assert "The person changed `password`" in text_of(result)
    assert "horse" not in str(agent.messages)
    assert "guessed-one" not in text_of(result)


async def test_a_change_that_does_not_fit_the_tool_is_asked_for_again(gated: Gated) -> None:
    with gated.agent([DELETE]) as agent:
        await gated.run(agent, says(ALLOW | {"arguments": '{"name": 7}'}), says(EDITED))
    assert gated.done == ["delete b.txt"]


async def test_rules_decide_without_a_person(gated: Gated) -> None:
    calls = [("read_file", {"name": "a.txt"}), DELETE]
    with gated.agent(calls, allow=["read_*"], deny=["delete_*"]) as agent:
        read, deleted = await gated.run(agent)
    assert text_of(read) == "a text"
    assert "the policy denies it (rule --deny delete_*)" in text_of(deleted)
    assert gated.done == ["read a.txt"]
    assert await gated.events() == []


async def test_a_policy_says_what_is_asked_and_silence_denies_at_its_deadline(gated: Gated) -> None:
    policy = gated.home.folder / "policy.toml"
    policy.write_text('[[rule]]\nserver = "files"\ntool = "delete_*"\ndo = "ask"\ndeadline = 1\n')
    with gated.agent([DELETE], policy=policy, server="files") as agent:
        [result] = await gated.run(agent)
    assert result["status"] == "error"
    assert "Silence is not consent" in text_of(result)
    assert gated.done == []


async def test_a_permission_is_remembered_and_suspended_by_a_denial(gated: Gated) -> None:
    turns = [[DELETE], [DELETE], [("delete_file", {"name": "c.txt"})], [DELETE]]
    with gated.agent(*turns) as agent:
        await gated.run(agent, says(ALLOW | {"remember": "exact-hour"}), says(DENY), says(DENY))
    assert gated.done == ["delete a.txt", "delete a.txt"]


async def test_two_calls_of_one_turn_are_two_questions(gated: Gated) -> None:
    calls = [DELETE, ("delete_file", {"name": "c.txt"})]

    with gated.agent(calls) as agent, anyio.fail_after(60):
        async with gated.desk() as desk, anyio.create_task_group() as tasks:

            async def answers() -> None:
                while len(found := await desk.newest(open_only=True)) < 2:
                    await anyio.sleep(0.02)
                assert gated.done == []
                for handoff in found:
                    assert handoff.question.action is not None
                    wanted = "a.txt" in handoff.question.action.arguments
                    await says(ALLOW if wanted else DENY)(desk, handoff)

            tasks.start_soon(answers)
            await agent.invoke_async("Go!")
        allowed, denied = results(agent)
    assert (allowed["status"], denied["status"]) == ("success", "error")
    assert gated.done == ["delete a.txt"]


async def test_two_equal_calls_of_one_turn_need_two_approvals(gated: Gated) -> None:
    with gated.agent([DELETE, DELETE]) as agent:
        found = await gated.run(agent, says(ALLOW), says(DENY))
    assert sorted(each["status"] for each in found) == ["error", "success"]
    assert gated.done == ["delete a.txt"]


async def test_a_tool_of_an_mcp_server_is_held_by_the_servers_own_names(gated: Gated) -> None:
    seen: list[Handoff] = []

    async def ada(desk: Desk, handoff: Handoff) -> None:
        seen.append(handoff)
        await says(ALLOW | {"arguments": '{"number": 8, "force": true}'})(desk, handoff)

    calls = [("my_read_order", {"number": 7}), ("my_delete_order", {"number": 7})]
    with gated.agent(calls, tools=[gated.shop(prefix="my")], allow=["read_*"]) as agent:
        read, deleted = await gated.run(agent, ada)
    assert text_of(read) == "order 7"
    assert text_of(deleted).endswith("deleted 8")
    assert sorted(gated.ran) == ["delete 8 by force", "read 7"]
    action = seen[0].question.action
    assert action is not None
    assert (action.server, action.tool) == ("shop", "delete_order")
    assert action.described["inputSchema"]
    assert (await gated.events())[0][-1] == "result"


async def test_a_server_that_ends_in_a_call_leaves_it_unknown(gated: Gated) -> None:
    with gated.agent([("crash", {})], tools=[gated.shop()]) as agent:
        [result] = await gated.run(agent, says(ALLOW))
    assert result["status"] == "error"
    assert text_of(result).startswith("It may have run")
    assert await gated.events() == [["opened", "answered", "used", "sent", "unknown"]]


async def test_a_tool_that_fails_is_noted_and_the_model_reads_why(gated: Gated) -> None:
    with gated.agent([("fail", {"name": "x"})]) as agent:
        [result] = await gated.run(agent, says(ALLOW))
    assert "no such disk" in text_of(result)
    assert (await gated.events())[0][-1] == "result"


async def test_without_the_store_only_what_a_rule_allows_runs(gated: Gated) -> None:
    gated.store.mkdir()
    with gated.agent([("read_file", {"name": "a.txt"}), DELETE], allow=["read_*"]) as agent:
        await agent.invoke_async("Go!")
        read, deleted = results(agent)
    assert text_of(read) == "a text"
    assert "the store that keeps permissions can't be used" in text_of(deleted)
    assert gated.done == ["read a.txt"]


async def test_a_retry_needs_an_approval_of_its_own(gated: Gated) -> None:
    tries: list[str] = []

    def again(event: AfterToolCallEvent) -> None:
        tries.append(event.result["status"])
        event.retry = len(tries) == 1

    with gated.agent([DELETE], hooks=[(again, AfterToolCallEvent)]) as agent:
        [result] = await gated.run(agent, says(ALLOW), says(DENY))
    assert tries == ["success", "error"]
    assert result["status"] == "error"
    assert gated.done == ["delete a.txt"]


async def test_what_a_hook_makes_of_a_call_is_what_a_person_is_shown(gated: Gated) -> None:
    def change(event: BeforeToolCallEvent) -> None:
        event.tool_use = {**event.tool_use, "input": {"name": "etc"}}

    async def ada(desk: Desk, handoff: Handoff) -> None:
        assert handoff.question.action is not None
        assert handoff.question.action.arguments == '{"name":"etc"}'
        await says(DENY)(desk, handoff)

    with gated.agent([DELETE], hooks=[(change, BeforeToolCallEvent)]) as agent:
        await gated.run(agent, ada)
    assert gated.done == []


async def test_what_a_middleware_makes_of_a_call_is_what_a_person_is_shown(gated: Gated) -> None:
    def change(context: ExecuteToolContext) -> ExecuteToolContext:
        return context.replace(tool_use={**context.tool_use, "input": {"name": "etc"}})

    async def ada(desk: Desk, handoff: Handoff) -> None:
        assert handoff.question.action is not None
        assert handoff.question.action.arguments == '{"name":"etc"}'
        await says(ALLOW)(desk, handoff)

    with gated.agent([DELETE]) as agent:
        agent.add_middleware(ExecuteToolStage.Input, change)
        await gated.run(agent, ada)
    assert gated.done == ["delete etc"]


async def test_agents_of_one_gate_share_no_permission_for_a_session(gated: Gated) -> None:
    with HandoffGate() as gate:
        for person in (says(ALLOW | {"remember": "session"}), says(DENY)):
            model = ScriptedModel([DELETE], [DELETE] if not gated.done else "Done.", "Done.")
            agent = Agent(model=model, tools=gated.tools, plugins=[gate], callback_handler=None)
            await gated.run(agent, person)
    assert gated.done == ["delete a.txt", "delete a.txt"]


async def test_an_agent_as_a_tool_is_one_call_to_a_person(gated: Gated) -> None:
    helper = Agent(name="helper", model=ScriptedModel("I helped."), callback_handler=None)
    with gated.agent([("helper", {"input": "Help!"})], tools=[helper.as_tool(delegate=True)]) as agent:
        async with gated.desk() as desk, anyio.create_task_group() as tasks:

            async def answers() -> None:
                await says(ALLOW)(desk, await waiting(desk))

            tasks.start_soon(answers)
            result = await agent.invoke_async("Go!")
    assert str(result).strip() == "I helped."
    assert await gated.events() == [["opened", "answered", "used", "sent", "result"]]


async def test_nobody_is_asked_about_a_call_that_a_hook_has_cancelled(gated: Gated) -> None:
    def cancel(event: BeforeToolCallEvent) -> None:
        event.cancel_tool = "no files today"

    with gated.agent([DELETE], hooks=[(cancel, BeforeToolCallEvent)]) as agent:
        [result] = await gated.run(agent)
    assert text_of(result) == "no files today"
    assert await gated.events() == []


async def test_a_tool_that_asks_its_program_does_so_within_one_approval(gated: Gated) -> None:
    with gated.agent([("ask_why", {"name": "a"})]) as agent:
        async with gated.desk() as desk, anyio.create_task_group() as tasks:

            async def answers() -> None:
                await says(ALLOW)(desk, await waiting(desk))

            tasks.start_soon(answers)
            stopped = await agent.invoke_async("Go!")
        assert stopped.stop_reason == "interrupt"
        assert stopped.interrupts
        reply: Any = [{"interruptResponse": {"interruptId": stopped.interrupts[0].id, "response": "broken"}}]
        await agent.invoke_async(reply)
    assert gated.done == ["a: broken"]
    assert await gated.events() == [["opened", "answered", "used", "sent", "result"]]


async def test_a_cancelled_agent_runs_nothing_and_its_question_stays_open(gated: Gated) -> None:
    with gated.agent([DELETE]) as agent:

        async def stop(desk: Desk, handoff: Handoff) -> None:
            agent.cancel()

        await gated.run(agent, stop)
        async with gated.desk() as desk:
            [handoff] = await desk.newest(open_only=False)
            with anyio.fail_after(120):
                while "left" not in [entry.name for entry in await desk.history(handoff.id)]:
                    await anyio.sleep(0.02)
            assert handoff.state is State.OPEN
            await says(ALLOW)(desk, handoff)
    with gated.agent([DELETE]) as agent:  # another start of the program collects the approval
        await gated.run(agent)
    assert gated.done == ["delete a.txt"]


def test_a_direct_call_of_the_program_is_held_too(gated: Gated) -> None:
    with gated.agent(deny=["delete_*"]) as agent:
        result = agent.tool.delete_file(name="a.txt", record_direct_tool_call=False)
        odd = agent.tool.read_file(name=("a", "b"), record_direct_tool_call=False)
    assert "the policy denies it" in text_of(result)
    assert "not what JSON can hold" in text_of(odd)
    assert gated.done == []


async def test_asking_a_person_needs_no_permission(gated: Gated) -> None:
    client = HandoffClient(env=gated.home.env, elicitation_callback=nobody)
    hand_over = ("handoff_to_user", {"message": "Over to you.", "breakout_of_loop": True})
    with gated.agent([hand_over], tools=[client]) as agent:
        result = await agent.invoke_async("Go!")
    assert result.stop_reason == "cancelled"


async def test_a_changed_definition_asks_whatever_the_rule_allows(gated: Gated) -> None:
    for about in ("Deletes an order.", "Deletes all orders."):
        gated.home.extra["SHOP_ABOUT"] = about
        people = [says(DENY)] if "all" in about else []
        with gated.agent([("delete_order", {"number": 1})], tools=[gated.shop()], allow=["*"]) as agent:
            await gated.run(agent, *people)
    assert gated.ran == ["delete 1"]


def test_rules_and_a_policy_do_not_go_together(gated: Gated, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="not both"):
        HandoffGate(ask=["*"], policy=tmp_path / "gate.toml")
    with pytest.raises(SettingsError, match=r"gate\.toml"):
        HandoffGate(policy=tmp_path / "gate.toml")


def test_a_dotenv_of_the_folder_does_not_say_where_questions_go(
    gated: Gated, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".env").write_text("HANDOFFS_STORE=/tmp/theirs.db\n")
    monkeypatch.setenv("HANDOFFS_STORE", "/tmp/theirs.db")
    with pytest.raises(SettingsError, match="HANDOFFS_STORE, which it may not"):
        HandoffGate()
