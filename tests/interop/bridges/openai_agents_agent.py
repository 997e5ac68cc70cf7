"""An agent of the OpenAI Agents SDK whose tool needs approval; in an environment of its own.

Its argument is a JSON object: `do` is `start` or `resume`, `model` the address of a scripted model. The paused run is
in `state.json`. `pay` notes each payment in `paid.txt` of the working folder.
"""

import asyncio
import json
import os
import sys
from pathlib import Path
from typing import Any

from agents import Agent, OpenAIResponsesModel, Runner, function_tool
from openai import AsyncOpenAI

from handoffs.bridges.openai_agents import resume
from handoffs.bridges.pauses import GoneOn, StillPaused

JOB = json.loads(sys.argv[1])
STATE = Path("state.json")


@function_tool(needs_approval=True)
async def pay(name: str, amount: int) -> str:
    """Pay somebody."""
    if JOB.get("die"):
        os._exit(9)
    await asyncio.sleep(JOB.get("slow", 0))
    with Path("paid.txt").open("a") as paid:
        paid.write(f"{name} {amount!r}\n")
    return f"paid {name} {amount}"


def keep(result: Any) -> None:
    if result.interruptions:
        STATE.write_text(result.to_state().to_string())


async def main() -> Any:
    model = OpenAIResponsesModel("gpt-5", AsyncOpenAI(base_url=JOB["model"], api_key="none"))
    agent = Agent(name="Shop", model=model, tools=[pay])
    if JOB["do"] == "start":
        result = await Runner.run(agent, "Pay!")
        keep(result)
        return len(result.interruptions)
    try:
        done = await resume(agent, STATE.read_text(), keep=keep, wait=JOB.get("wait"))
    except StillPaused as paused:
        return {"paused": paused.handoff_ids}
    except GoneOn:
        return {"gone": True}
    return done.final_output


print(json.dumps(asyncio.run(main())))  # noqa: T201
