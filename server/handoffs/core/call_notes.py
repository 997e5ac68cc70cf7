"""Notes for people about the calls that wait for their answer: how many, and whose."""

from handoffs.core.model import Handoff
from handoffs.core.sentences import say, say_n

UNKNOWN_AGENT = say("This question may come through a gateway: it is not known whose agent asks.")


def notes_of_calls(handoff: Handoff) -> list[str]:
    """Return sentences to show beside a question: that several calls wait for it, and that its agent is unknown."""
    several = [_waiting(handoff.calls)] if handoff.calls > 1 else []
    return [*several, *([UNKNOWN_AGENT] if handoff.through_gateway else [])]


def _waiting(calls: int) -> str:
    return say_n("{count} call waits for this answer.", "{count} calls wait for this answer.", calls)
