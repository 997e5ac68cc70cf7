"""An agent of LangChain whose tools need permission, and graphs that interrupt; in an environment of its own.

Its argument is a JSON object: `do` is `start` or `resume`, `kind` which graph, and more for some. It prints what the
thread holds. `pay` notes each payment in `paid.txt` of the working folder.
"""

import asyncio
import json
import operator
import os
import sys
import time
from pathlib import Path
from typing import Annotated, Any, TypedDict

from langchain.agents import create_agent
from langchain.agents.middleware import HumanInTheLoopMiddleware
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, HumanMessage
from langchain_core.outputs import ChatGeneration, ChatResult
from langchain_core.tools import tool
from langgraph.checkpoint.sqlite import SqliteSaver
from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver
from langgraph.graph import START, StateGraph
from langgraph.types import interrupt

from handoffs.bridges.langchain import resume, resume_sync
from handoffs.bridges.pauses import StillPaused
from handoffs.client import NotAnswered
from handoffs.core.errors import HandoffError

JOB = json.loads(sys.argv[1])
THREAD = {"configurable": {"thread_id": JOB.get("thread", "t")}}
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


@tool
def ask_user(question: str) -> str:
    """Ask the user."""
    raise AssertionError("a person answers in its place")


class Scripted(BaseChatModel):
    """Wants the calls after the user's message, and is done after their results."""

    @property
    def _llm_type(self) -> str:
        return "scripted"

    def bind_tools(self, tools: Any, **more: Any) -> Any:
        return self

    def _generate(self, messages: Any, stop: Any = None, run_manager: Any = None, **more: Any) -> ChatResult:
        said = AIMessage("Done.")
        if isinstance(messages[-1], HumanMessage):
            calls = [{"name": name, "args": args, "id": f"c{at}"} for at, (name, args) in enumerate(CALLS)]
            said = AIMessage("", tool_calls=calls)
        return ChatResult(generations=[ChatGeneration(message=said)])


class Got(TypedDict):
    got: Annotated[list[Any], operator.add]


def asking(value: Any, schema: Any = None) -> Any:
    def node(state: Got) -> Got:
        with Path("asked.txt").open("a") as noted:
            noted.write("once\n")
        return {"got": [interrupt(value) if schema is None else interrupt(value, response_schema=schema)]}

    return node


def graph(checkpointer: Any) -> Any:
    kind = JOB["kind"]
    if kind in ("batched", "per_call"):
        on = {"pay": JOB.get("allowed") or True, "ask_user": {"allowed_decisions": ["respond"]}}
        gate = HumanInTheLoopMiddleware(on, interrupt_mode=kind)
        return create_agent(Scripted(), tools=[pay, ask_user], middleware=[gate], checkpointer=checkpointer)
    built = StateGraph(Got)
    schemas = {"bool": bool, "none": None}
    for at, (value, schema) in enumerate(JOB["interrupts"]):
        built.add_node(f"n{at}", asking(value, schemas.get(schema)))
        built.add_edge(START, f"n{at}")
    return built.compile(checkpointer=checkpointer)


def shown(values: Any) -> Any:
    if "messages" not in values:
        return values["got"]
    return [
        [each.type, each.content, *([each.status] if each.type == "tool" else [])] for each in values["messages"][2:]
    ]


def ways() -> dict[str, Any]:
    found: dict[str, Any] = {name: JOB[name] for name in ("wait", "timeout") if name in JOB}
    if "unanswered" in JOB:
        found["unanswered"] = lambda ended: JOB["unanswered"]
    return found


async def run_async() -> Any:
    async with AsyncSqliteSaver.from_conn_string("threads.db") as checkpointer:
        agent = graph(checkpointer)
        if JOB["do"] == "start":
            await agent.ainvoke(BEGIN, THREAD)
            return len((await agent.aget_state(THREAD)).interrupts)
        return shown(await resume(agent, THREAD, **ways()))


def run() -> Any:
    with SqliteSaver.from_conn_string("threads.db") as checkpointer:
        agent = graph(checkpointer)
        if JOB["do"] == "start":
            agent.invoke(BEGIN, THREAD)
            return len(agent.get_state(THREAD).interrupts)
        return shown(resume_sync(agent, THREAD, **ways()))


BEGIN: Any = {"messages": [("user", "Pay!")]} if JOB["kind"] in ("batched", "per_call") else {"got": []}
try:
    result = asyncio.run(run_async()) if JOB.get("async") else run()
except StillPaused as paused:
    result = {"paused": paused.handoff_ids}
except NotAnswered as ended:
    result = {"ended": type(ended).__name__}
except HandoffError as wrong:
    result = {"wrong": type(wrong).__name__, "said": str(wrong)}
print(json.dumps(result))  # noqa: T201
