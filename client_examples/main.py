"""Two handoffs: the agent asks before a dangerous step, and hands over when it is done."""

import os

from strands import Agent
from strands.models.litellm import LiteLLMModel

from handoffs.strands import approved, format_handoff_summary, handoff_to_user, load_env, run


def main() -> None:
    # The program asks, not the model: this lesson needs no key. `handoff_to_user` brings its server with it.
    model = LiteLLMModel(
        client_args={"api_key": os.getenv("NEBIUS_API_KEY")},
        model_id="nebius/deepseek-ai/DeepSeek-V3-0324",
    )
    agent = Agent(model=model, tools=[handoff_to_user])

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
