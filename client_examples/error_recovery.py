"""When automation fails: the person is told what went wrong and asked how to go on."""

import tempfile
from pathlib import Path

from strands import Agent

from handoffs.strands import HandoffClient, HandoffPlugin, load_env, run, tutorial_model

RETRY, KEEP, STOP = "try again", "keep it on this machine", "give up"


def main() -> None:
    agent = Agent(model=tutorial_model(), tools=[HandoffClient()], plugins=[HandoffPlugin()])
    backup = Path(tempfile.mkdtemp(prefix="handoffs-error-recovery-"), "backup.tar")
    attempt = 0
    while True:
        attempt += 1
        try:
            upload(backup, attempt)
        except ConnectionError as error:
            response = agent.tool.handoff_to_user(
                message=f"Upload {attempt} of {backup.name} failed: {error}. How shall I go on?",
                options=[RETRY, KEEP, STOP],
            )
        else:
            print(f"Uploaded at attempt {attempt}.")
            return
        if response["status"] != "SUCCESS":
            print(f"{response['status']}: nobody said how to go on, so it stops here.")
            return
        choice = response["values"]["response"]
        if choice == KEEP:
            backup.write_text("a backup\n")
            print(f"Kept it as {backup}.")
        if choice != RETRY:
            print("Not uploaded.")
            return


def upload(backup: Path, attempt: int) -> None:
    """Upload to a failing server, which accepts the third attempt."""
    if attempt < 3:
        raise ConnectionError("the server closed the connection")


if __name__ == "__main__":
    load_env()
    run(main)
