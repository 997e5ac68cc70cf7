"""Act only on a yes: anything else, silence and errors among it, leaves the file where it is."""

import tempfile
from pathlib import Path

from strands import Agent

from handoffs.strands import HandoffClient, HandoffPlugin, approved, load_env, run, tutorial_model


def main() -> None:
    agent = Agent(model=tutorial_model(), tools=[HandoffClient()], plugins=[HandoffPlugin()])
    log = Path(tempfile.mkdtemp(prefix="handoffs-conditional-"), "server.log")
    log.write_text("a log that nobody has read yet\n")

    response = agent.tool.handoff_to_user(message=f"May I delete `{log}`?", options=["yes", "no"])

    if approved(response):
        log.unlink()
        print(f"Deleted {log}.")
    elif response["status"] == "SUCCESS":
        print(f"You said {response['userInput'][0]['text']}: {log} is still there.")
    else:
        print(f"{response['status']}: that is no approval, {log} is still there.")


if __name__ == "__main__":
    load_env()
    run(main)
