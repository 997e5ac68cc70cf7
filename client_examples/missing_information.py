"""What only the person knows: several typed fields at once, checked before the agent sees them."""

from strands import Agent

from handoffs.strands import HandoffClient, HandoffPlugin, load_env, run, tutorial_model

# MCP's own elicitation schema: a flat object of texts, numbers, yes-or-no, and choices.
BOOKING = {
    "type": "object",
    "properties": {
        "date": {"type": "string", "format": "date", "title": "Date"},
        "people": {"type": "integer", "minimum": 1, "maximum": 20, "title": "How many people"},
        "room": {"type": "string", "enum": ["Ada", "Grace", "Margaret"], "title": "Room"},
        "coffee": {"type": "boolean", "title": "Coffee"},
        "note": {"type": "string", "title": "Anything else"},
    },
    "required": ["date", "people", "room", "coffee"],
}


def main() -> None:
    agent = Agent(model=tutorial_model(), tools=[HandoffClient()], plugins=[HandoffPlugin()])

    response = agent.tool.handoff_to_user(message="I can book the meeting, but I don't know these:", form=BOOKING)

    if response["status"] != "SUCCESS":
        print(f"Nothing was booked: {response['guidance']}")
        return
    wanted = response["values"]  # with their types; userInput has the same as text
    coffee = "with coffee" if wanted["coffee"] else "without coffee"
    print(f"Booked room {wanted['room']} on {wanted['date']} for {wanted['people']}, {coffee}.")
    if "note" in wanted:
        print(f"Note: {wanted['note']}")


if __name__ == "__main__":
    load_env()
    run(main)
