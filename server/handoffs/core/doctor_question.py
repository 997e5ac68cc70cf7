"""The question with which `handoffs doctor` tests a host. The agent asks it; it is recognized by its words."""

from handoffs.core.model import Handoff

TRIAL_MESSAGE = (
    "Handoffs doctor: can you see this question?\n\nIt tries how this host asks you. Nothing depends on your answer; "
    "take your time, a minute at best, so that it shows how long the host waits."
)
"""The message of the question; the agent is told to send it word for word."""

TRIAL_OPTIONS = ("I see it in the host itself", "I see it somewhere else")
"""The options of the question."""


def is_trial(handoff: Handoff) -> bool:
    """Return whether this is the doctor's question. Only the first line counts: a model may have changed the rest."""
    return handoff.question.message.startswith(TRIAL_MESSAGE.partition("\n")[0])
