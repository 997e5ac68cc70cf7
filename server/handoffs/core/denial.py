"""Denials of calls and tool uses, and what they suspend: the permissions of the same tool, of the same caller."""

from datetime import datetime

from handoffs.core.action_form import ALLOW
from handoffs.core.form import DECISION
from handoffs.core.grant import MOST_GRANTS
from handoffs.core.model import Handoff, State
from handoffs.core.ports import Permissions

STOPPED = "Everything was stopped."
"""The note with which each call that waits is denied by a stop: no permission counts then, and each does after it."""


def is_denial(handoff: Handoff) -> bool:
    """Say whether a person has denied a use of a tool. Silence, and a stop of everything, deny none by itself."""
    if handoff.question.action is None or handoff.end is None:
        return False
    if handoff.state is State.ANSWERED:
        return (handoff.values or {}).get(DECISION) != ALLOW
    return handoff.state is State.DECLINED and handoff.end.note != STOPPED


async def suspend_denied(permissions: Permissions, handoff: Handoff, *, at: datetime) -> None:
    """Suspend the permissions of a tool whose use was denied; nothing where none was.

    Raises:
        StoreError: Some may still count.
    """
    action = handoff.question.action
    if action is None or not is_denial(handoff):
        return
    caller = handoff.caller
    found = await permissions.grants(
        subject=caller.subject, server=action.server, tool=action.tool, active_at=at, limit=MOST_GRANTS
    )
    for grant in found:
        if grant.project == caller.project:
            await permissions.suspend(grant.id, at=at)
