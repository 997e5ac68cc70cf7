"""A secret: the person types it into the inbox, a tool uses it by its name, and the model never sees it."""

import hashlib
import hmac
import tempfile
from pathlib import Path

from strands import Agent, tool  # pyright: ignore[reportUnknownVariableType]

from handoffs.secrets import SecretRefused, reveal
from handoffs.strands import HandoffClient, HandoffPlugin, load_env, run, tutorial_model

# The format says that it is a secret. Such a form is filled in the browser, never in a host's dialog or a terminal.
SIGNING_KEY = {
    "type": "object",
    "properties": {"key": {"type": "string", "format": "password", "title": "Signing key"}},
    "required": ["key"],
}
RELEASE = b"release 4.2"


@tool
async def sign_release(key: str) -> str:
    """Sign the release with the key of this name, such as secret:h_…/key."""
    try:
        value = await reveal(key)
    except SecretRefused as refused:
        return f"Not signed: {refused}"
    signature = hmac.digest(value.encode(), RELEASE, hashlib.sha256).hex()
    path = Path(tempfile.mkdtemp(prefix="handoffs-passwords-")) / "release.sig"
    path.write_text(signature)
    return f"Signed: {path}"  # what a tool returns, the model sees


def main() -> None:
    # Elsewhere this client starts no inbox: it asks in the terminal, where a secret must not be typed.
    client = HandoffClient(env={"HANDOFFS_INBOX": "auto"})
    agent = Agent(model=tutorial_model(), tools=[client, sign_release], plugins=[HandoffPlugin()])

    response = agent.tool.handoff_to_user(message="To sign **release 4.2** I need the signing key.", form=SIGNING_KEY)

    if response["status"] != "SUCCESS":
        print(f"Not signed: {response['guidance']}")
        return
    name = response["values"]["key"]
    print(f"The agent has a name for it: {name}")
    print(agent.tool.sign_release(key=name)["content"][0]["text"])


if __name__ == "__main__":
    load_env()
    run(main)
