"""Two handoffs: the agent asks before a dangerous step, and hands over when it is done."""

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


def main() -> None:
    agent = Agent(model=tutorial_model(), tools=[HandoffClient()], plugins=[HandoffPlugin()])

    # The agent waits for the person, and goes on with the answer.
    approval = agent.tool.handoff_to_user(
        message="I am about to format the drive /dev/sdb. Do you approve? (yes/no)",
        breakout_of_loop=False,
    )
    print(format_handoff_summary(approval, "Approval Handoff"))

    # SUCCESS says that a person answered. Whether they said yes is another question.
    work = "The drive would be formatted now" if approved(approval) else "The drive was left alone"

    # The agent tells the person, does not wait, and stops.
    completion = agent.tool.handoff_to_user(
        message=f"{work}. The task is complete; please review the results.",
        breakout_of_loop=True,
    )
    print(format_handoff_summary(completion, "Completion Handoff"))


if __name__ == "__main__":
    load_env()
    run(main)
