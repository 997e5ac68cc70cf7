"""Notes for people about the calls that wait for their answer: how many, and whose."""

from handoffs.core.model import Handoff

UNKNOWN_AGENT = "This question may come through a gateway: it is not known whose agent asks."


def notes_of_calls(handoff: Handoff) -> list[str]:
    """Return sentences to show beside a question: that several calls wait for it, and that its agent is unknown."""
    several = [f"{handoff.calls} calls wait for this answer."] if handoff.calls > 1 else []
    return [*several, *([UNKNOWN_AGENT] if handoff.through_gateway else [])]
