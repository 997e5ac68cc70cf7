"""An AG-UI run that is interrupted before it pays. A person allows the refund, changes it, or denies it with a reason.

Run it with AG-UI installed: `uv run --extra ag-ui python client_examples/ag_ui_agent.py`. A scripted agent stands for
the one that your program reaches over HTTP; its events are AG-UI's.
"""

import asyncio
import json
from pathlib import Path

from ag_ui.core import (
    Interrupt,
    RunAgentInput,
    RunFinishedEvent,
    RunFinishedInterruptOutcome,
    RunFinishedSuccessOutcome,
)

from handoffs.bridges.ag_ui import resume_sync

KEPT = Path("interrupted-run.json")

REFUND = {"customer": "Ada", "euros": 1200}
CALL = {"id": "call_1", "type": "function", "function": {"name": "refund", "arguments": json.dumps(REFUND)}}
MESSAGES = [
    {"id": "m1", "role": "user", "content": "Ada wants her 120 euros back."},
    {"id": "m2", "role": "assistant", "toolCalls": [CALL]},
]
TOOL = {
    "name": "refund",
    "description": "Pay money back to a customer.",
    "parameters": {"type": "object", "properties": {"customer": {"type": "string"}, "euros": {"type": "integer"}}},
}
ANSWER = {
    "type": "object",
    "properties": {"approved": {"type": "boolean"}, "editedArgs": {"type": "object"}, "reason": {"type": "string"}},
    "required": ["approved"],
}


def agent(given: RunAgentInput) -> RunFinishedEvent:
    """Want a refund, and do with it what it is told."""
    if not given.resume:
        wish = Interrupt(id="int_1", reason="tool_call", tool_call_id="call_1", response_schema=ANSWER)
        outcome = RunFinishedInterruptOutcome(interrupts=[wish])
    else:
        (told,) = given.resume
        if told.status == "resolved" and told.payload["approved"]:
            paid = told.payload.get("editedArgs", REFUND)
            print(f"Paid {paid['euros']} euros to {paid['customer']}.")
        else:
            print(f"The agent reads: {(told.payload or {}).get('reason', told.status)}")
        outcome = RunFinishedSuccessOutcome()
    return RunFinishedEvent(thread_id=given.thread_id, run_id=given.run_id, outcome=outcome)


async def run(entries=()) -> RunFinishedEvent:
    """Run the agent, and keep how the run ended: another process can go on with it."""
    given = RunAgentInput(
        thread_id="order-1200", run_id="run-2" if entries else "run-1", messages=MESSAGES, resume=list(entries) or None
    )
    finished = agent(given)
    keep(finished)
    return finished


def keep(finished: RunFinishedEvent) -> None:
    KEPT.write_text(finished.model_dump_json(by_alias=True, exclude_none=True))


def main() -> None:
    if not KEPT.exists():
        asyncio.run(run())
    finished = resume_sync(run, KEPT.read_text(), messages=MESSAGES, tools=[TOOL], server="shop")
    print(f"The run ended: {finished.outcome.type}.")
    KEPT.unlink()


if __name__ == "__main__":
    main()
