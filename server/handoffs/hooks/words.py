"""What the agent is told of a use of a tool that a hook did not let run."""

from handoffs.channels import may_permit
from handoffs.core.action_form import ALLOW, REASON
from handoffs.core.form import DECISION
from handoffs.core.model import SCRIPT, Handoff, State

AGAIN = "Do not do it in another way either: go on without it, or stop and say what is missing."

IN_DIALOG = (
    "Not run: this was answered in a dialog or a card of the host, which can't permit what the host itself asks for. "
    "Use the tool again: a person is asked in the inbox or on the terminal."
)

BY_SCRIPT = f"Not run: a script answered this, and no script decides whether a tool may run. {AGAIN}"

UNANSWERED = (
    "Not answered: the person sent no answer to any of the questions. Take none of the options for granted: go on "
    "without, or stop and say what you need to know."
)
"""About Claude Code's own questions that were sent back without an answer."""


def no_permission(handoff: Handoff) -> str:
    """Return why a question that has ended permits nothing; empty where a person allowed it."""
    end, values = handoff.end, handoff.values or {}
    note = end.note if end is not None else ""
    if handoff.state is State.ANSWERED and values.get(DECISION) == ALLOW:
        if end is not None and may_permit(end.channel):
            return ""
        return BY_SCRIPT if end is not None and end.channel == SCRIPT else IN_DIALOG
    match handoff.state:
        case State.ANSWERED | State.DECLINED:
            why = str(values.get(REASON) or note)
            said = f' They said: "{why}" Follow that, and nothing more.' if why else f" {AGAIN}"
            return f"Not run: the person denied it. Do not ask for the same again.{said}"
        case State.CANCELLED:
            return f"Not run: the question was withdrawn, so nothing was decided. {AGAIN}"
        case _:
            return f"Not run: nobody decided before the deadline. Silence is not consent. {AGAIN}"
