"""A gate before what comes after it: hooks, interventions and middlewares, whichever way it was given to the agent.

The first test shows why the gate decides where the tool runs, and not in `before_tool_call` as interventions do.
"""

from collections.abc import AsyncGenerator, Callable
from typing import Any

import pytest
from strands import Agent
from strands.hooks import AfterToolCallEvent, BeforeToolCallEvent, HookOrder
from strands.interventions import Deny, InterventionHandler, OnError, Proceed, Transform
from strands.middleware import ExecuteToolContext, ExecuteToolStage

from handoffs.core.desk import Desk
from handoffs.core.model import Handoff
from handoffs.strands import ScriptedModel
from handoffs.strands_gate import HandoffGate
from tests.gate.behind import ALLOW, DENY
from tests.strands.gated import DELETE, EDITED, Gated, says
from tests.strands.programs import text_of

WAYS = ("plugins", "interventions")
OTHER = {"name": "etc"}


class Later(InterventionHandler):
    """Changes the input of a call that those before it have decided on."""

    @property
    def name(self) -> str:
        return "later"

    def before_tool_call(self, event: BeforeToolCallEvent, **kwargs: Any) -> Transform:
        def change(event: Any) -> None:
            event.tool_use = {**event.tool_use, "input": OTHER}

        return Transform(apply=change)


class Denies(InterventionHandler):
    """Denies each call."""

    @property
    def name(self) -> str:
        return "denies"

    def before_tool_call(self, event: BeforeToolCallEvent, **kwargs: Any) -> Deny:
        return Deny(reason="no files today")


class Allows(InterventionHandler):
    """Decides on a call as interventions do: allows what it sees."""

    def __init__(self) -> None:
        self.saw: list[object] = []

    @property
    def name(self) -> str:
        return "allows"

    def before_tool_call(self, event: BeforeToolCallEvent, **kwargs: Any) -> Proceed:
        self.saw.append(event.tool_use["input"])
        return Proceed()


def by_hook(agent: Agent) -> None:
    """Change the input in a hook after the interventions."""

    def change(event: BeforeToolCallEvent) -> None:
        event.tool_use = {**event.tool_use, "input": OTHER}

    agent.add_hook(change, BeforeToolCallEvent, order=HookOrder.SDK_LAST)


def by_middleware(agent: Agent) -> None:
    """Change the input in a middleware."""

    async def change(context: ExecuteToolContext, then: Any) -> AsyncGenerator[Any]:
        async for event in then(context.replace(tool_use={**context.tool_use, "input": OTHER})):
            yield event

    agent.add_middleware(ExecuteToolStage, change)


def by_nobody(agent: Agent) -> None:
    """Change nothing here."""


def twice(agent: Agent) -> None:
    """Run each call twice, and have the agent see the second result."""

    async def again(context: ExecuteToolContext, then: Any) -> AsyncGenerator[Any]:
        async for _ in then(context):
            pass
        async for event in then(context):
            yield event

    agent.add_middleware(ExecuteToolStage, again)


def uncancel(agent: Agent) -> None:
    """Take back each denial, in a hook after the interventions."""

    def take_back(event: BeforeToolCallEvent) -> None:
        event.cancel_tool = False

    agent.add_hook(take_back, BeforeToolCallEvent, order=HookOrder.SDK_LAST)


CHANGES: list[tuple[list[InterventionHandler], Callable[[Agent], None]]] = [
    ([Later()], by_nobody),
    ([], by_hook),
    ([], by_middleware),
]
NAMES = ["a later intervention", "a later hook", "a middleware"]


@pytest.mark.parametrize(("beside", "setup"), CHANGES, ids=NAMES)
def test_what_an_intervention_allows_is_not_what_runs(
    gated: Gated, beside: list[InterventionHandler], setup: Callable[[Agent], None]
) -> None:
    allows = Allows()
    model = ScriptedModel([DELETE], "Done.")
    agent = Agent(model=model, tools=gated.tools, interventions=[allows, *beside], callback_handler=None)
    setup(agent)
    agent("Go!")
    assert (allows.saw, gated.done) == ([{"name": "a.txt"}], ["delete etc"])


@pytest.mark.parametrize(
    ("others", "setup", "saw", "done"),
    [
        ([], twice, 1, ["delete a.txt", "delete a.txt"]),
        ([Denies()], uncancel, 0, ["delete a.txt"]),
    ],
    ids=["a second run is not seen", "a denial does not last"],
)
def test_what_an_intervention_decides_is_not_the_last_word(
    gated: Gated, others: list[InterventionHandler], setup: Callable[[Agent], None], saw: int, done: list[str]
) -> None:
    allows = Allows()
    model = ScriptedModel([DELETE], "Done.")
    agent = Agent(model=model, tools=gated.tools, interventions=[*others, allows], callback_handler=None)
    setup(agent)
    agent("Go!")
    assert (len(allows.saw), gated.done) == (saw, done)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(("beside", "setup"), CHANGES, ids=NAMES)
async def test_what_others_make_of_a_call_is_what_a_person_is_shown(
    gated: Gated, way: str, beside: list[InterventionHandler], setup: Callable[[Agent], None]
) -> None:
    async def ada(desk: Desk, handoff: Handoff) -> None:
        assert handoff.question.action is not None
        assert handoff.question.action.arguments == '{"name":"etc"}'
        await says(ALLOW)(desk, handoff)

    gated.way = way
    with gated.agent([DELETE], beside=beside) as agent:
        setup(agent)
        await gated.run(agent, ada)
    assert gated.done == ["delete etc"]


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(("beside", "setup"), CHANGES, ids=NAMES)
async def test_nobody_changes_what_a_person_has_edited(
    gated: Gated, way: str, beside: list[InterventionHandler], setup: Callable[[Agent], None]
) -> None:
    gated.way = way
    with gated.agent([DELETE], beside=beside) as agent:
        setup(agent)
        [result] = await gated.run(agent, says(EDITED))
    assert gated.done == ["delete b.txt"]
    assert text_of(result).startswith("A person changed this call before it ran")


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("setup", [by_nobody, uncancel])
async def test_a_denial_lasts(gated: Gated, way: str, setup: Callable[[Agent], None]) -> None:
    gated.way = way
    with gated.agent([DELETE]) as agent:
        setup(agent)
        [result] = await gated.run(agent, says(DENY))
    assert result["status"] == "error"
    assert gated.done == []


@pytest.mark.parametrize("way", WAYS)
async def test_a_denial_that_was_taken_back_is_asked_about(gated: Gated, way: str) -> None:
    gated.way = way
    with gated.agent([DELETE], beside=[Denies()]) as agent:
        uncancel(agent)
        [result] = await gated.run(agent, says(DENY))
    assert 'They said: "not that one"' in text_of(result)
    assert gated.done == []


@pytest.mark.parametrize("way", WAYS)
async def test_a_call_that_a_middleware_runs_twice_needs_two_approvals(gated: Gated, way: str) -> None:
    gated.way = way
    with gated.agent([DELETE]) as agent:
        twice(agent)
        [result] = await gated.run(agent, says(ALLOW), says(DENY))
    assert result["status"] == "error"
    assert gated.done == ["delete a.txt"]


@pytest.mark.parametrize("way", WAYS)
async def test_a_retry_by_a_hook_needs_an_approval_of_its_own(gated: Gated, way: str) -> None:
    tries: list[str] = []

    def again(event: AfterToolCallEvent) -> None:
        tries.append(event.result["status"])
        event.retry = len(tries) == 1

    gated.way = way
    with gated.agent([DELETE], hooks=[(again, AfterToolCallEvent)]) as agent:
        await gated.run(agent, says(ALLOW), says(DENY))
    assert (tries, gated.done) == (["success", "error"], ["delete a.txt"])


async def test_an_intervention_that_denies_asks_nobody(gated: Gated) -> None:
    gated.way = "interventions"
    with gated.agent([DELETE], beside=[Denies()]) as agent:
        [result] = await gated.run(agent)
    assert text_of(result) == "DENIED: no files today"
    assert await gated.events() == []


async def test_two_calls_of_one_turn_are_two_questions(gated: Gated) -> None:
    gated.way = "interventions"
    with gated.agent([DELETE, DELETE]) as agent:
        found = await gated.run(agent, says(ALLOW), says(DENY))
    assert sorted(each["status"] for each in found) == ["error", "success"]
    assert gated.done == ["delete a.txt"]


def test_the_programs_own_first_call_is_held(gated: Gated) -> None:
    gated.way = "interventions"
    with gated.agent(deny=["delete_*"]) as agent:
        result = agent.tool.delete_file(name="a.txt", record_direct_tool_call=False)
    assert "the policy denies it" in text_of(result)
    assert gated.done == []


async def test_a_gate_that_is_given_both_ways_asks_once(gated: Gated) -> None:
    with HandoffGate() as gate:
        model = ScriptedModel([DELETE], "Done.")
        agent = Agent(model=model, tools=gated.tools, plugins=[gate], interventions=[gate], callback_handler=None)
        await gated.run(agent, says(ALLOW))
    assert gated.done == ["delete a.txt"]
    assert await gated.events() == [["opened", "answered", "used", "sent", "result"]]


async def test_one_gate_holds_the_tools_of_several_agents(gated: Gated) -> None:
    with HandoffGate() as gate:
        for _ in range(2):
            model = ScriptedModel([DELETE], "Done.")
            agent = Agent(model=model, tools=gated.tools, interventions=[gate], callback_handler=None)
            await gated.run(agent, says(DENY))
    assert gated.done == []


async def test_an_intervention_that_fails_open_leaves_the_gate_shut(gated: Gated) -> None:
    class Fails(Allows):
        @property
        def on_error(self) -> OnError:
            return "proceed"

        def before_tool_call(self, event: BeforeToolCallEvent, **kwargs: Any) -> Proceed:
            raise RuntimeError("broken")

    gated.way = "interventions"
    with gated.agent([DELETE], deny=["*"], beside=[Fails()]) as agent:
        [result] = await gated.run(agent)
    assert "the policy denies it" in text_of(result)
    assert gated.done == []


@pytest.mark.parametrize("way", WAYS)
async def test_a_call_in_the_background_is_held(gated: Gated, way: str) -> None:
    gated.way = way
    with gated.agent([DELETE], background_tasks={"always": ["delete_file"]}) as agent:
        await gated.run(agent, says(EDITED))
    assert gated.done == ["delete b.txt"]
