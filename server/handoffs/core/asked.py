"""A question as it was asked: the new handoff that the store opens, or joins to one that is there."""

import hashlib
from datetime import datetime
from typing import TYPE_CHECKING

from handoffs.core.action import Action
from handoffs.core.form import Form
from handoffs.core.model import Caller, Handoff, Question, fingerprint_of

if TYPE_CHECKING:  # only a question with a rule needs them
    from handoffs.core.deciders import Deciders


def asked_handoff(
    handoff_id: str,
    *,
    caller: Caller,
    message: str,
    form: Form,
    asked: datetime,
    deadline: datetime,
    breakout_of_loop: bool = False,
    action: Action | None = None,
    deciders: "Deciders | None" = None,
    session: str = "",
    tool_use: str = "",
    files: bool = False,
) -> Handoff:
    """Return the handoff, with the fingerprint by which the same question of the same caller is found."""
    return Handoff(
        id=handoff_id,
        caller=caller,
        question=Question(
            message=message,
            form=form,
            deadline=deadline,
            breakout_of_loop=breakout_of_loop,
            action=action,
            deciders=deciders,
            files=files,
        ),
        created_at=asked,
        fingerprint=fingerprint_of(
            caller, message=message, form=form, breakout_of_loop=breakout_of_loop, action=action
        ),
        session=session,
        tool_use=tool_use,
    )


def digest_of_key(key: str) -> str:
    """Return what stands for a program's key in the store, which keeps no more of it; empty without a key."""
    return hashlib.sha256(key.encode(errors="backslashreplace")).hexdigest()[:40] if key else ""
