"""`handoffs demo`: an agent, the server and a person, from the question to the action."""

import sys
from importlib.util import find_spec

from handoffs.console import ended


def run() -> int:
    """Run the demonstration and return its exit code: 0 for any decision, 1 when it could not run."""
    if find_spec("strands") is None:
        return _play_without()
    sys.stdout.write("An agent wants to delete a file. Before it may, it has to ask you.\n\n")
    sys.stdout.flush()
    from handoffs.strands.demo import play  # imports the agent's framework, which takes seconds, after the text above

    return play()


def _play_without() -> int:
    from handoffs.extras import command_to_add

    sys.stdout.write("An agent wants to delete a file. Before it may, it has to ask you.\n")
    sys.stdout.write(f"(A script plays it. A real Strands agent comes with: {command_to_add('strands')})\n\n")
    sys.stdout.flush()
    from handoffs.cli.plain_demo import play  # imports an MCP client, which only this needs

    codes: list[int] = []
    return ended(lambda: codes.append(play())) or next(iter(codes), 0)
