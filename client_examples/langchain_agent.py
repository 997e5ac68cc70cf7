"""A LangChain agent that is paused before it pays. A person allows the refund, changes it, or denies it with a reason.

Run it with LangChain installed: `uv run --extra langchain python client_examples/langchain_agent.py`. A scripted model
plays the agent.
"""

from langchain.agents import create_agent
from langchain.agents.middleware import HumanInTheLoopMiddleware
from langchain_core.language_models import GenericFakeChatModel
from langchain_core.messages import AIMessage
from langgraph.checkpoint.memory import InMemorySaver

from handoffs.bridges.langchain import resume_sync

REFUND = {"name": "refund", "args": {"customer": "Ada", "euros": 1200}, "id": "call_1"}


class Scripted(GenericFakeChatModel):
    """Says its turns, whatever tools it is given."""

    def bind_tools(self, tools, **more):
        return self


def refund(customer: str, euros: int) -> str:
    """Pay money back to a customer."""
    print(f"Paid {euros} euros to {customer}.")
    return f"{customer} got {euros} euros."


def main() -> None:
    turns = [AIMessage("", tool_calls=[REFUND]), AIMessage("That is all.")]
    agent = create_agent(
        Scripted(messages=iter(turns)),
        tools=[refund],
        middleware=[HumanInTheLoopMiddleware({"refund": True})],
        # A process that may end while people think keeps its threads in a database instead.
        checkpointer=InMemorySaver(),
    )
    thread = {"configurable": {"thread_id": "order 1200"}}
    agent.invoke({"messages": [("user", "Ada wants her 120 euros back.")]}, thread)
    values = resume_sync(agent, thread, server="shop")
    for message in values["messages"]:
        if message.type == "tool":
            print(f"The model reads: {message.content}")


if __name__ == "__main__":
    main()
