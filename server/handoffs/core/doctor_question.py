"""The question with which `handoffs doctor` tries a host: asked by the agent like any other, and known by its words."""

from handoffs.core.model import Handoff

TRIAL_MESSAGE = (
    "Handoffs doctor: can you see this question?\n\nIt tries how this host asks you. Nothing depends on your answer; "
    "take your time, a minute at best, so that it shows how long the host waits."
)
"""The message of the question, word for word."""

TRIAL_OPTIONS = ("I see it in the host itself", "I see it somewhere else")
"""What the person picks from."""


def is_trial(handoff: Handoff) -> bool:
    """Say whether this is the doctor's question; a model may have changed the words that follow the first line."""
    return handoff.question.message.startswith(TRIAL_MESSAGE.partition("\n")[0])
