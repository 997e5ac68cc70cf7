"""The texts for the agent about a tool use that was not approved."""

from handoffs.channels import may_permit
from handoffs.core.action_form import ALLOW, REASON
from handoffs.core.form import DECISION
from handoffs.core.model import SCRIPT, Handoff, State

NEXT = "Do not do it in another way either: go on without it, or stop and say what is missing."
SMALLER = "Do it in smaller steps, or stop and say what is missing."

MALFORMED = "Not approved: `tool_name` must be a string and `input` an object. Nobody was asked."
NO_JSON = "Not approved: `input` can't be shown as JSON, so nobody was asked."

WAITING = (
    "Not approved: the person has not decided yet. Do not act as if they had. The question stays open for them; do "
    "what does not need it, or stop. Exactly the same use of the tool, tried again later, gets their decision."
)
"""When the host's patience ends before the decision."""

WAITING_FOR_NOBODY = (
    "Not approved: the person has not decided yet. Do not act as if they had. Do what does not need it, or stop. "
    "Exactly the same use of the tool, tried again, asks them anew: what they decide now is for this use alone."
)
"""The same when the next call can't be known to come from the same project."""

IN_DIALOG = (
    "Not approved: this was answered in a dialog or a card of the host, which can't approve what the host itself asks "
    "for. Use the tool again, and do not ask the person about it yourself: they are asked in the inbox or on the "
    "terminal."
)
"""About an approval through a channel that needs no person."""

BY_SCRIPT = f"Not approved: a script answered this, and no script decides whether a tool may run. {NEXT}"
"""About an answer that a script gave."""

UNANSWERED = (
    "Not approved: the person sent no answer to any of the questions. Nothing was answered, so take none of the "
    "options for granted: go on without, or stop and say what you need to know."
)
"""About questions that were sent back without an answer."""


def no_approval(handoff: Handoff) -> str:
    """Return why an ended request approves nothing; empty when a person allowed it."""
    end = handoff.end
    allowed = handoff.state is State.ANSWERED and (handoff.values or {}).get(DECISION) == ALLOW
    if not allowed:
        return refusal(handoff)
    if end is not None and may_permit(end.channel):
        return ""
    # The agent has asked the same with handoff_to_user, or has checked it; then the host, which asks for permission,
    # has approved it in its own dialog.
    return BY_SCRIPT if end is not None and end.channel == SCRIPT else IN_DIALOG


def refusal(handoff: Handoff) -> str:
    """Return the text about a request that ended without an approval."""
    end = handoff.end
    note = end.note if end is not None else ""
    match handoff.state:
        case State.ANSWERED | State.DECLINED:
            why = str((handoff.values or {}).get(REASON) or note)
            return f"The person denied it. Do not ask for the same again. {_as_they_said(why)}"
        case State.CANCELLED:
            return f"The question was withdrawn; nothing was decided, so it is not approved. {NEXT}"
        case _:
            return f"Nobody decided before the deadline. Silence is not consent: it is not approved. {NEXT}"


def too_long(characters: int) -> str:
    """Return the text about an input that is too long to be shown."""
    why = f"the input is too long to be shown to the person ({characters:,} characters)"
    return f"Not approved: {why}, and nobody approves what they can't see. {SMALLER}"


def too_many_edits(count: int) -> str:
    """Return the text about too many edits that can't be used."""
    return f"Not approved: {count} edits in a row could not be used. {NEXT}"


def cant_be_asked(why: str) -> str:
    """Return the text about questions that no form can ask."""
    return f"Not approved, and nobody was asked: {why} Ask it otherwise, or stop and say what you need to know."


def _as_they_said(why: str) -> str:
    return f'They said: "{why}" Follow that, and nothing more.' if why else NEXT
