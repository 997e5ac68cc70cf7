"""The texts for the agent that are needed before anything else is imported."""

WAITING = (
    "Not run: a person was asked whether this tool may run, and has not decided in the time that the host gives. Do "
    "not act as if it had run. The question stays open; do what does not need it, or stop. Exactly the same use of the "
    "tool, tried again later in this session, gets their decision."
)

FORM_WAITING = (
    "Nobody filled the form in in the time that the host gives, so it was cancelled. The question stays open: the same "
    "form, asked again later in this session, gets the answer."
)

FAILED = "Not run: Handoffs failed inside, so nothing was decided. Tell the person."

TOO_MUCH = "Not run: the host wrote more than a person could be shown, so nobody was asked. Do it in smaller steps."


def unreadable(why: str) -> str:
    """Return the text about input that is no event of a host's."""
    return f"Not run: {why}. Nobody was asked. Tell the person."


def not_asked(why: str) -> str:
    """Return the text about a question that could not be asked, for a reason that is a sentence."""
    return f"Not run: the person could not be asked. {why}"
