"""A Strands agent that is paused before it pays. A person allows the refund, changes it, or denies it with a reason.

Strands' own `HumanInTheLoop` pauses it, and its session keeps it: run the lesson again after Ctrl-C, and it goes on
with the same question. A scripted model plays the agent.
"""

from strands import Agent, tool  # pyright: ignore[reportUnknownVariableType]
from strands.session import FileSessionManager
from strands.types.content import Messages
from strands.vended_interventions.hitl import HumanInTheLoop

from handoffs.bridges.strands import resume_sync
from handoffs.strands import Said, ScriptedModel, last_result


@tool
def refund(customer: str, euros: int) -> str:
    """Pay money back to a customer."""
    print(f"Paid {euros} euros to {customer}.")
    return f"{customer} got {euros} euros."


def scripted(messages: Messages) -> Said:
    """Want a refund, and then say what it was told."""
    if told := last_result(messages):
        return f"I was told: {told}"
    return [("refund", {"customer": "Ada", "euros": 1200})]


def main() -> None:
    agent = Agent(
        model=ScriptedModel(scripted, scripted),
        tools=[refund],
        interventions=[HumanInTheLoop()],
        session_manager=FileSessionManager("order-1200", storage_dir="sessions"),
        callback_handler=None,
    )
    if not agent.messages:
        agent("Ada wants her 120 euros back.")
    result = resume_sync(agent, server="shop")
    print(f"Agent: {result}")


if __name__ == "__main__":
    main()
