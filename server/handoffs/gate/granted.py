"""The permission for later that one answer gives: for what, of whom, and for how long. Computed, not read.

So a permission in the store can be compared with the answer that it is said to come from.
"""

from datetime import datetime, timedelta

from handoffs.core.action import Action
from handoffs.core.action_form import CONDITIONS, REMEMBER, USES
from handoffs.core.grant import Grant, Reach, grant_id_of
from handoffs.core.model import Handoff
from handoffs.core.remembering import CHOICES, conditions_of


def choice_of(handoff: Handoff) -> str:
    """Return what a person chose to have remembered; empty for nothing."""
    return str((handoff.values or {}).get(REMEMBER) or "")


def granted(
    handoff: Handoff, action: Action, *, subject: str, project: str, session: str, now: datetime, edited: bool
) -> Grant | None:
    """Return the permission that the answer to a question about this call gives now; None where it gives none.

    `edited` says that the person changed the arguments: then what ran is not what the agent asks for.

    Raises:
        ValueError: The call's arguments are no JSON object that every reader reads alike.
    """
    end, values = handoff.end, handoff.values or {}
    meant = CHOICES.get(choice_of(handoff))
    if end is None or meant is None or (edited and meant.reach is Reach.EXACT):
        return None
    picked, possible, uses = values.get(CONDITIONS), conditions_of(action), values.get(USES)
    wanted = picked if meant.reach is Reach.TOOL and isinstance(picked, list) else []
    if not possible.keys() >= set(wanted):
        return None  # another version offered it: without the condition, it would allow more
    return Grant(
        id=grant_id_of(handoff.id),
        subject=subject,
        project=project,
        server=action.server,
        tool=action.tool,
        definition=action.known_by,
        reach=meant.reach,
        arguments_digest=action.digest if meant.reach is Reach.EXACT else "",
        conditions=tuple(possible[each] for each in wanted),
        session=session if meant.session else "",
        created_at=now,
        by=end.by,
        channel=end.channel,
        handoff_id=handoff.id,
        expires_at=None if meant.seconds is None else now + timedelta(seconds=meant.seconds),
        uses_left=int(uses) if isinstance(uses, int | float) else None,
    )
