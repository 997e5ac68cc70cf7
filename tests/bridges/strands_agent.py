"""A Strands agent whose tools need approval, as a program of its own.

Its argument is a JSON object: `do` is `start`, `resume`, `ask` or `stale`, `kept` where its session is, and more for
some. It prints what came of it. `pay` notes each payment in `paid.txt` of the working folder.
"""

import json
import os
import sys
import time
from pathlib import Path
from typing import Any

from strands import Agent, ToolContext, tool
from strands.hooks import BeforeToolCallEvent, HookOrder
from strands.session import FileSessionManager, SnapshotSessionManager
from strands.storage import LocalFileStorage
from strands.types import Snapshot
from strands.types.content import Messages
from strands.types.exceptions import EventLoopException
from strands.vended_interventions.hitl import HumanInTheLoop
from strands.vended_tools.handoff_to_user import handoff_to_user

from handoffs.bridges.pauses import GoneOn, StillPaused, Ways
from handoffs.bridges.strands import Approvals, resume_sync
from handoffs.client import NotAnswered
from handoffs.strands.scripted import Said, ScriptedModel, last_result

JOB = json.loads(sys.argv[1])
CALLS = JOB.get("calls") or [["pay", {"name": "bob", "amount": 10}], ["pay", {"name": "eve", "amount": 20}]]


@tool
def pay(name: str, amount: int) -> str:
    """Pay somebody."""
    if JOB.get("die"):
        os._exit(9)
    time.sleep(JOB.get("slow", 0))
    with Path("paid.txt").open("a") as paid:
        paid.write(f"{name} {amount!r}\n")
    return f"paid {name} {amount}"


@tool(context=True)
def choose(tool_context: ToolContext) -> str:
    """Have somebody choose."""
    return f"chosen: {tool_context.interrupt('choice', reason={'which': ['a', 'b']})}"


class Scripted(ScriptedModel):
    """Wants the calls after the user's message, and is done after their results."""

    def __init__(self) -> None:
        super().__init__(*[self._turn] * 9)
        if JOB.get("fixed"):
            self._part = "same"  # tool uses of the same ids in other sessions, too

    def _turn(self, messages: Messages) -> Said:
        if any("toolResult" in block for block in messages[-1]["content"]):
            return "Done."
        return [(name, arguments) for name, arguments in CALLS]


def changed(event: BeforeToolCallEvent) -> None:
    if JOB.get("change"):
        event.tool_use = {**event.tool_use, "input": {"name": "mallory", "amount": 10}}


SNAPSHOT = Path("snapshot.json")


def keep(of: Agent) -> None:
    """Keep the agent as a program does that has no session manager."""
    SNAPSHOT.write_text(json.dumps(of.take_snapshot(preset="session").to_dict()))


def session() -> Any:
    if JOB.get("kept") == "own":
        return None
    if JOB.get("kept", "file") == "file":
        return FileSessionManager(JOB.get("session", "s"), storage_dir="sessions")
    return SnapshotSessionManager(JOB.get("session", "s"), storage=LocalFileStorage("snapshots"))


def agent(*, inline: bool = False) -> Agent:
    approvals = Approvals(**ways())
    asking = {"ask": approvals.ask, "evaluate": approvals.evaluate} if inline else {}
    built = Agent(
        model=Scripted(),
        tools=[pay, choose, handoff_to_user],
        agent_id="shop",
        session_manager=session(),
        interventions=[HumanInTheLoop(allowed_tools=["choose", "handoff_to_user"], **asking)],
        hooks=[approvals] if JOB.get("hooked", inline) else [],
        callback_handler=None,
    )
    built.add_hook(changed, BeforeToolCallEvent, order=HookOrder.INTERVENTION_INPUT + 1)
    if JOB.get("kept") == "own" and SNAPSHOT.exists():
        built.load_snapshot(Snapshot.from_dict(json.loads(SNAPSHOT.read_text())))
    if not JOB.get("nested"):
        return built
    outer = ScriptedModel([("shop", {"input": "Pay!"})], lambda messages: f"It said: {last_result(messages)}")
    return Agent(model=outer, tools=[built.as_tool(name="shop", description="Pays.")], callback_handler=None)


def ways() -> Ways:
    found: Any = {name: JOB[name] for name in ("wait", "timeout") if name in JOB}
    return found


def results(of: Agent) -> list[Any]:
    """What the model was told of each call, and what its history says that it had asked for."""
    blocks = [block for message in of.messages for block in message["content"]]
    told = [block["toolResult"] for block in blocks if "toolResult" in block]
    return [["".join(part.get("text", "") for part in each["content"]), each["status"]] for each in told]


def run() -> Any:
    if JOB["do"] == "ask":
        asked = agent(inline=True)
        asked("Pay!")
        return results(asked)
    first = agent()
    if JOB["do"] == "start":
        found = first("Pay!").interrupts or []
        keep(first)
        return [each.id for each in found]
    if JOB["do"] == "nested":
        first("Pay!")
    if JOB["do"] == "stale":
        stale = agent()
        resume_sync(first, **ways())
        resume_sync(stale, **ways())
    unanswered = (lambda ended: JOB["unanswered"]) if "unanswered" in JOB else None
    own: Any = {"session": "order 7", "keep": lambda result: keep(first)} if JOB.get("kept") == "own" else {}
    result = resume_sync(first, unanswered=unanswered, **own, **ways())
    return None if result is None else [result.stop_reason, *results(first)]


try:
    shown = run()
except StillPaused as paused:
    shown = {"paused": paused.handoff_ids}
except GoneOn:
    shown = {"gone": True}
except NotAnswered as ended:
    shown = {"ended": type(ended).__name__}
except EventLoopException as wrong:
    shown = {"wrong": str(wrong)}
print(json.dumps(shown))  # noqa: T201
