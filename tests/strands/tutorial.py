"""The tutorial's program in its own shape: only the line that imports the tool is ours."""
# ruff: noqa: T201

import os
from typing import Any

from dotenv import load_dotenv
from strands import Agent
from strands.models.litellm import LiteLLMModel

from handoffs.strands import handoff_to_user  # in the tutorial: from strands_tools import handoff_to_user

load_dotenv()


def create_interactive_agent() -> Agent:
    model = LiteLLMModel(
        client_args={"api_key": os.getenv("NEBIUS_API_KEY")},
        model_id="nebius/deepseek-ai/DeepSeek-V3-0324",
    )
    return Agent(
        tools=[handoff_to_user],
        model=model,
        system_prompt="You help, and ask for approval before anything that can't be undone.",
    )


def format_handoff_summary(response: dict[str, Any], title: str) -> str:
    message = response.get("content", [{}])[0].get("text", "")
    user_input = response.get("userInput", [{}])[0].get("text", "")
    return (
        f"--- {title} ---\n"
        f'Agent Message: "{message}"\n'
        f"Status       : {response.get('status')}\n"
        f"Reference ID : {response.get('toolUseId')}\n"
        f'User Response: "{user_input}"'
    )


def main() -> None:
    agent = create_interactive_agent()

    approval = agent.tool.handoff_to_user(
        message="I am about to format the drive /dev/sdb. Do you approve? (yes/no)",
        breakout_of_loop=False,
    )
    print(format_handoff_summary(approval, "Approval Handoff"))

    completion = agent.tool.handoff_to_user(
        message="The task is complete. Please review the results.",
        breakout_of_loop=True,
    )
    print(format_handoff_summary(completion, "Completion Handoff"))


if __name__ == "__main__":
    main()
