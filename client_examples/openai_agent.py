"""An agent of the OpenAI Agents SDK that is paused before it pays. The SDK takes no edits: a person allows or denies.

Run it with the SDK installed: `uv run --extra openai-agents python client_examples/openai_agent.py`. A scripted model
plays the agent.
"""

import json
from pathlib import Path

from agents import Agent, Model, ModelResponse, Runner, Usage, function_tool, set_tracing_disabled
from openai.types.responses import ResponseFunctionToolCall, ResponseOutputMessage, ResponseOutputText

from handoffs.bridges.openai_agents import resume_sync

PAUSED = Path("paused-run.json")


class Scripted(Model):
    """Wants a refund, and then says what it was told."""

    async def get_response(self, system_instructions, input, *more, **options):  # noqa: A002 - its name there
        told = [item["output"] for item in input if item.get("type") == "function_call_output"]
        if told:
            text = ResponseOutputText(text=f"I was told: {told[-1]}", type="output_text", annotations=[])
            said = ResponseOutputMessage(id="m1", content=[text], role="assistant", status="completed", type="message")
        else:
            arguments = json.dumps({"customer": "Ada", "euros": 1200})
            said = ResponseFunctionToolCall(arguments=arguments, call_id="call_1", name="refund", type="function_call")
        return ModelResponse(output=[said], usage=Usage(), response_id=None)

    async def stream_response(self, *more, **options):
        raise NotImplementedError
        yield


@function_tool(needs_approval=True)
def refund(customer: str, euros: int) -> str:
    """Pay money back to a customer."""
    print(f"Paid {euros} euros to {customer}.")
    return f"{customer} got {euros} euros."


def keep(result) -> None:
    """Keep the run while it is paused: another process can go on with it."""
    if result.interruptions:
        PAUSED.write_text(result.to_state().to_string())
    else:
        PAUSED.unlink(missing_ok=True)


def main() -> None:
    set_tracing_disabled(True)
    agent = Agent(name="Shop", model=Scripted(), tools=[refund])
    if not PAUSED.exists():
        keep(Runner.run_sync(agent, "Ada wants her 120 euros back."))
    result = resume_sync(agent, PAUSED.read_text(), keep=keep, server="shop")
    print(f"Agent: {result.final_output}")


if __name__ == "__main__":
    main()
