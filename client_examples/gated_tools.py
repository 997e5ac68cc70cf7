"""A gate before an agent's own Python tools: whatever the model thinks, no money moves before a person has allowed it.

Looking an order up runs at once. Each refund waits for the person, who may allow it, deny it, or change it. Change this
one, which is ten times too much: allow it, change the arguments, and give

    {"order": "A-17", "amount": 25}

Then that is paid back, once, and the model is told that a person has changed its call.
"""

from strands import Agent, tool  # pyright: ignore[reportUnknownVariableType]
from strands.types.content import Messages

from handoffs.strands import Said, last_result, load_env, run, tutorial_model
from handoffs.strands_gate import HandoffGate

RULES = "You look after a shop. A person may change your calls before they run. At the end say what was done."
TASK = "Order A-17 came a week late. Refund what is fair."

paid_back: list[str] = []


@tool
def find_order(order: str) -> str:
    """Look an order up."""
    return f"{order}: a lamp for 250, seven days late. Being late is worth a tenth of the price."


@tool
def refund(order: str, amount: int) -> str:
    """Pay an amount back to the customer of an order. It can't be taken back."""
    paid_back.append(f"{amount} for {order}")
    return f"{amount} paid back for {order}."


def main() -> None:
    # Without a key the model says these three turns. It asks nobody: it has no tool for that.
    model = tutorial_model([("find_order", {"order": "A-17"})], pay, report)
    # What no rule names is asked about, so a tool that somebody adds tomorrow is held, too.
    gate = HandoffGate(allow=["find_*"], server="shop")
    agent = Agent(model=model, system_prompt=RULES, tools=[find_order, refund], plugins=[gate], callback_handler=None)
    print(f"Agent: {str(agent(TASK)).strip()}")
    print(f"Paid back: {', '.join(paid_back) or 'nothing'}")


def pay(messages: Messages) -> Said:
    print(f"It looked the order up, unasked: {last_result(messages)}")
    return [("refund", {"order": "A-17", "amount": 250})]


def report(messages: Messages) -> Said:
    return f"I asked for a refund of 250. What came back: {last_result(messages)}"


if __name__ == "__main__":
    load_env()
    run(main)
