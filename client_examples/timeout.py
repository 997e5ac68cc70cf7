"""A question with a deadline: when it passes, nothing is approved, and the program takes the safe way."""

from strands import Agent

from handoffs.strands import (
    HandoffClient,
    HandoffPlugin,
    approved,
    format_handoff_summary,
    load_env,
    run,
    tutorial_model,
)

SECONDS = 10


def main() -> None:
    # A server keeps deadlines between 30 seconds and 30 days, whatever a model asks for. This lesson is in a hurry.
    client = HandoffClient(env={"HANDOFFS_MIN_TIMEOUT_SECONDS": str(SECONDS)})
    agent = Agent(model=tutorial_model(), tools=[client], plugins=[HandoffPlugin()])

    response = agent.tool.handoff_to_user(
        message=f"Deploy to production? You have {SECONDS} seconds; then it waits until tomorrow.",
        options=["yes", "no"],
        timeout_seconds=SECONDS,
    )
    print(format_handoff_summary(response, "Deployment Handoff"))

    if approved(response):
        print("Deploying.")
    elif response["status"] == "TIMEOUT":
        print("Nobody answered in time. Silence is not consent: not deploying today.")
    else:
        print("Not deploying.")


if __name__ == "__main__":
    load_env()
    run(main)
