"""An agent of Pydantic AI that is paused before it pays. A person allows the refund, changes it, or denies it.

Run it with Pydantic AI installed: `uv run --extra pydantic-ai python client_examples/pydantic_agent.py`. A scripted
model plays the agent.
"""

from pydantic import TypeAdapter
from pydantic_ai import Agent, DeferredToolRequests
from pydantic_ai.messages import ModelResponse, TextPart, ToolCallPart, ToolReturnPart
from pydantic_ai.models.function import FunctionModel

from handoffs.bridges.pydantic_ai import resume_sync


def scripted(messages, info) -> ModelResponse:
    """Wants a refund, and then says what it was told."""
    told = [part.content for part in messages[-1].parts if isinstance(part, ToolReturnPart)]
    if told:
        return ModelResponse([TextPart(f"I was told: {told[-1]}")])
    return ModelResponse([ToolCallPart("refund", {"customer": "Ada", "euros": 1200})])


agent = Agent(FunctionModel(scripted), output_type=[str, DeferredToolRequests])


@agent.tool_plain(requires_approval=True)
def refund(customer: str, euros: int) -> str:
    """Pay money back to a customer."""
    print(f"Paid {euros} euros to {customer}.")
    return f"{customer} got {euros} euros."


def main() -> None:
    paused = agent.run_sync("Ada wants her 120 euros back.")
    # A process that may end while people think keeps both in a file, and gives `keep=` to have the next ones kept, too.
    messages = paused.all_messages_json()
    requests = TypeAdapter(DeferredToolRequests).dump_json(paused.output)
    result = resume_sync(agent, messages, requests, server="shop")
    print(f"Agent: {result.output}")


if __name__ == "__main__":
    main()
