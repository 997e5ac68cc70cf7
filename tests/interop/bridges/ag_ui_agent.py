"""Agents that are reached by AG-UI, and a program that runs them; in an environment of its own.

Its argument is a JSON object: `do` is `start` or `resume`, `kind` is `pydantic` (an agent of Pydantic AI, served here)
or `langgraph` (a graph whose threads are in a database), and more for some. The interrupted run and the messages of the
thread are in `run.json`. `pay` notes each payment in `paid.txt` of the working folder.
"""

import asyncio
import json
import os
import sys
import uuid
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import httpx
from ag_ui.core import RunAgentInput, RunFinishedEvent

from handoffs.bridges.ag_ui import resume
from handoffs.bridges.pauses import GoneOn, StillPaused
from handoffs.core.errors import HandoffError

JOB = json.loads(sys.argv[1])
KEPT = Path("run.json")
CALLS = JOB.get("calls") or [["pay", {"name": "bob", "amount": 10}], ["pay", {"name": "eve", "amount": 20}]]
TOOLS = [
    {
        "name": "pay",
        "description": "Pay somebody.",
        "parameters": {
            "type": "object",
            "properties": {"name": {"type": "string"}, "amount": {"type": "integer"}},
            "required": ["name", "amount"],
            "additionalProperties": False,
        },
    }
]


def paid(name: str, amount: int) -> str:
    if JOB.get("die"):
        os._exit(9)
    with Path("paid.txt").open("a") as noted:
        noted.write(f"{name} {amount!r}\n")
    return f"paid {name} {amount}"


def pydantic() -> Any:
    """Return an application that serves an agent whose tool needs approval."""
    from pydantic_ai import Agent, DeferredToolRequests
    from pydantic_ai.messages import ToolReturnPart
    from pydantic_ai.models.function import DeltaToolCall, FunctionModel
    from pydantic_ai.ui.ag_ui import AGUIAdapter
    from starlette.applications import Starlette
    from starlette.routing import Route

    async def scripted(messages: Any, info: Any) -> Any:
        told = [part.content for part in messages[-1].parts if isinstance(part, ToolReturnPart)]
        if told:
            yield json.dumps(told)
            return
        yield {
            at: DeltaToolCall(name=name, json_args=json.dumps(args), tool_call_id=f"c{at}")
            for at, (name, args) in enumerate(CALLS)
        }

    agent = Agent(FunctionModel(stream_function=scripted), output_type=[str, DeferredToolRequests])

    @agent.tool_plain(requires_approval=True)
    def pay(name: str, amount: int) -> str:
        return paid(name, amount)

    async def run(request: Any) -> Any:
        return await AGUIAdapter.dispatch_request(request, agent=agent)

    return Starlette(routes=[Route("/", run, methods=["POST"])])


async def run_pydantic(given: RunAgentInput) -> Sequence[dict[str, Any]]:
    transport = httpx.ASGITransport(pydantic())
    async with httpx.AsyncClient(transport=transport, base_url="http://agent") as http:
        body = given.model_dump(mode="json", by_alias=True, exclude_none=True)
        reply = await http.post("/", json=body, headers={"Accept": "text/event-stream"}, timeout=60)
        reply.raise_for_status()
    return [json.loads(line[5:]) for line in reply.text.splitlines() if line.startswith("data:")]


async def run_langgraph(given: RunAgentInput) -> Sequence[dict[str, Any]]:
    from ag_ui_langgraph import LangGraphAgent
    from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver
    from langgraph.graph import START, StateGraph
    from langgraph.types import interrupt
    from typing_extensions import TypedDict

    class Got(TypedDict, total=False):
        messages: list[Any]
        got: Any

    async def node(state: Got) -> Got:
        got = interrupt(JOB["value"])
        with Path("got.txt").open("a") as noted:
            noted.write(f"{json.dumps(got)}\n")
        return {"got": got}

    async with AsyncSqliteSaver.from_conn_string("threads.db") as saver:
        graph = StateGraph(Got).add_node("node", node).add_edge(START, "node").compile(checkpointer=saver)
        agent = LangGraphAgent(name="shop", graph=graph, emit_interrupt_outcome=True)
        found = [event async for event in agent.run(given)]
    return [each if isinstance(each, dict) else each.model_dump(mode="json", by_alias=True, exclude_none=True)
            for each in found if not isinstance(each, str)]  # fmt: skip


def said_by(events: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the messages of the assistant and of tools that a run added, as a client makes them of its events."""
    text, calls, results = "", dict[str, Any](), list[Any]()
    for event in events:
        match event["type"]:
            case "TEXT_MESSAGE_CONTENT":
                text += event["delta"]
            case "TOOL_CALL_START":
                name = event["toolCallName"]
                calls[event["toolCallId"]] = {"id": event["toolCallId"], "type": "function",
                                              "function": {"name": name, "arguments": ""}}  # fmt: skip
            case "TOOL_CALL_ARGS":
                calls[event["toolCallId"]]["function"]["arguments"] += event["delta"]
            case "TOOL_CALL_RESULT":
                results.append({"id": uuid.uuid4().hex, "role": "tool", "toolCallId": event["toolCallId"],
                                "content": event["content"]})  # fmt: skip
            case _:
                pass
    said: dict[str, Any] = {"id": uuid.uuid4().hex, "role": "assistant"}
    said |= ({"content": text} if text else {}) | ({"toolCalls": [*calls.values()]} if calls else {})
    return [*results, said] if len(said) > 2 else results


async def main() -> Any:
    kept: dict[str, Any] = json.loads(KEPT.read_text()) if KEPT.exists() else {"messages": []}
    messages: list[Any] = kept["messages"]
    run = run_pydantic if JOB["kind"] == "pydantic" else run_langgraph

    async def go_on(entries: Sequence[Any]) -> Any:
        given = RunAgentInput.model_validate({
            "threadId": JOB.get("thread", "t"), "runId": uuid.uuid4().hex, "messages": messages, "state": {},
            "tools": [], "context": [], "forwardedProps": {}, "protocolVersion": "1.0",
        })  # fmt: skip
        given.resume = [*entries] or None
        events = await run(given)
        messages.extend(said_by(events))
        wrong = [each["message"] for each in events if each["type"] == "RUN_ERROR"]
        assert not wrong, wrong
        (finished,) = [each for each in events if each["type"] == "RUN_FINISHED"]
        KEPT.write_text(json.dumps({"messages": messages, "finished": finished}))
        return finished

    if JOB["do"] == "start":
        messages.append({"id": "m0", "role": "user", "content": "Pay!"})
        finished = await go_on([])
        return [each["id"] for each in finished["outcome"]["interrupts"]]
    found = kept["finished"]
    for at, more in enumerate(JOB.get("interrupts", [])):
        found["outcome"]["interrupts"][at].update(more)
    done: RunFinishedEvent = await resume(
        go_on, json.dumps(found), messages=messages, tools=TOOLS, **({"wait": JOB["wait"]} if "wait" in JOB else {})
    )
    told = messages[-1].get("content") if messages else None
    return [getattr(done.outcome, "type", None), told]


try:
    result = asyncio.run(main())
except StillPaused as paused:
    result = {"paused": paused.handoff_ids}
except GoneOn:
    result = {"gone": True}
except HandoffError as wrong:
    result = {"wrong": str(wrong)}
print(json.dumps(result))  # noqa: T201
