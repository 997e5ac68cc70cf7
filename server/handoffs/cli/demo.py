"""`handoffs demo`: an agent, the server and a person, from the question to what is done about the answer."""

import sys
from importlib.util import find_spec


def run() -> int:
    """Run the demonstration and return its exit code: 0 however the person decided, 1 where it could not be run."""
    if find_spec("strands") is None:
        from handoffs.extras import command_to_add

        sys.stderr.write(f"The demo's agent needs the extra strands: {command_to_add('strands')}\n")
        return 1
    sys.stdout.write("An agent wants to delete a file. Before it may, it has to ask you.\n\n")
    sys.stdout.flush()
    from handoffs.strands.demo import play  # the agent's framework: seconds, in which there is something to read

    return play()
