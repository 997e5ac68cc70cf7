"""An agent of Pydantic AI whose tool needs approval; in an environment of its own.

Its argument is a JSON object: `do` is `start` or `resume`. The paused run is in `messages.json` and `requests.json`.
`pay` notes each payment in `paid.txt` of the working folder.
"""

import asyncio
import json
import os
import sys
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter
from pydantic_ai import Agent, DeferredToolRequests
from pydantic_ai.messages import ModelResponse, TextPart, ToolCallPart, ToolReturnPart
from pydantic_ai.models.function import FunctionModel

from handoffs.bridges.pauses import GoneOn, StillPaused
from handoffs.bridges.pydantic_ai import resume

JOB = json.loads(sys.argv[1])
MESSAGES, REQUESTS = Path("messages.json"), Path("requests.json")
CALLS = JOB.get("calls") or [["pay", {"name": "bob", "amount": 10}], ["pay", {"name": "eve", "amount": 20}]]


def scripted(messages: Any, info: Any) -> ModelResponse:
    """Wants the calls first, and then tells what they returned."""
    returned = [part.content for part in messages[-1].parts if isinstance(part, ToolReturnPart)]
    if returned:
        return ModelResponse([TextPart(" | ".join(map(str, returned)))])
    calls = [ToolCallPart(name, args, tool_call_id=f"c{at}") for at, (name, args) in enumerate(CALLS)]
    return ModelResponse(calls)


agent = Agent(FunctionModel(scripted), output_type=[str, DeferredToolRequests])


@agent.tool_plain(requires_approval=True)
async def pay(name: str, amount: int) -> str:
    """Pay somebody."""
    if JOB.get("die"):
        os._exit(9)
    await asyncio.sleep(JOB.get("slow", 0))
    with Path("paid.txt").open("a") as paid:
        paid.write(f"{name} {amount!r}\n")
    return f"paid {name} {amount}"


def keep(result: Any) -> None:
    if isinstance(result.output, DeferredToolRequests):
        MESSAGES.write_bytes(result.all_messages_json())
        REQUESTS.write_bytes(TypeAdapter(DeferredToolRequests).dump_json(result.output))


async def main() -> Any:
    if JOB["do"] == "start":
        result = await agent.run("Pay!")
        keep(result)
        return len(result.output.approvals)
    try:
        done = await resume(agent, MESSAGES.read_bytes(), REQUESTS.read_bytes(), keep=keep, wait=JOB.get("wait"))
    except StillPaused as paused:
        return {"paused": paused.handoff_ids}
    except GoneOn:
        return {"gone": True}
    return done.output


print(json.dumps(asyncio.run(main())))  # noqa: T201
