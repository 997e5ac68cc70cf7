"""An agent loop that ends with a handover: the model tells the person, and is not called again."""

from strands import Agent, tool  # pyright: ignore[reportUnknownVariableType]

from handoffs.strands import format_handoff_summary, handoff_to_user, load_env, run, tutorial_model

TASK = (
    "Run the tests, then hand the release over to me: call handoff_to_user with breakout_of_loop true and what I need "
    "to know. Do not deploy."
)
HANDOVER = {"message": "All 212 tests pass. Deploying is yours: `make deploy`.", "breakout_of_loop": True}


@tool
def run_tests() -> str:
    """Run the tests."""
    print("Tests run.")
    return "212 passed"


@tool
def deploy() -> str:
    """Deploy the release."""
    print("Deployed.")
    return "deployed"


def main() -> None:
    # Without a key the model says these turns. It wants to deploy beside the handover; that does not run, and the third
    # turn is never asked for.
    model = tutorial_model(
        [("run_tests", {})],
        [("handoff_to_user", HANDOVER), ("deploy", {})],
        "Nobody hears this.",
    )
    agent = Agent(model=model, tools=[handoff_to_user, run_tests, deploy], callback_handler=None)

    result = agent(TASK)

    handoff = result.state.get("handoff")
    if handoff is None:
        print(f"The model ended without a handover: {str(result).strip()}")
        return
    # The question stays open until the person has dealt with it; no call waits for that.
    print(f"The loop ended: {result.stop_reason}.")
    print(format_handoff_summary(handoff, "Release Handoff"))


if __name__ == "__main__":
    load_env()
    run(main)
