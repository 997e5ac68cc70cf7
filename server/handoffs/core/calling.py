"""What people are told of the calls that wait for their answer, where that is more than *who asks*."""

from handoffs.core.model import Handoff

UNKNOWN_AGENT = "Perhaps through a gateway: whose agent this is, is not known."


def notes_of_calls(handoff: Handoff) -> list[str]:
    """Return sentences to be shown beside a question: that several calls wait for it, and that the agent is unknown."""
    several = [f"{handoff.calls} calls wait for this answer."] if handoff.calls > 1 else []
    return [*several, *([UNKNOWN_AGENT] if handoff.through_gateway else [])]
