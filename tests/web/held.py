"""Held calls in an inbox of a test, as a gate asks about them."""

import json
from datetime import timedelta
from typing import Any

from handoffs.core.action import Action, Asker
from handoffs.core.action_form import action_form
from handoffs.core.action_shown import message_of
from handoffs.core.desk import Desk
from handoffs.core.grant import Grant, Reach, new_grant_id
from handoffs.core.model import Caller, Handoff
from handoffs.core.remembering import conditions_of, offered
from tests.web.serving import CLAUDE

DEFINITION: dict[str, Any] = {"name": "delete_order", "description": "Deletes an order for good.", "inputSchema": {}}


def call(
    tool: str = "delete_order", arguments: dict[str, object] | None = None, *, server: str = "shop", **more: Any
) -> Action:
    """A call that a gate holds."""
    given = {"id": 7} if arguments is None else arguments
    more.setdefault("definition", json.dumps(DEFINITION | {"name": tool}))
    return Action(asker=Asker.GATE, server=server, tool=tool, arguments=json.dumps(given), **more)


async def hold(
    desk: Desk,
    action: Action | None = None,
    *,
    caller: Caller = CLAUDE,
    editable: bool = True,
    scoped: bool = False,
    **shown: Any,
) -> Handoff:
    """Ask about a call, with every choice of what may be remembered."""
    held = action or call()
    choices = offered({"exact", "tool", "session"}, None)
    form = action_form(editable=editable, remember=choices, conditions=[*conditions_of(held)], scoped=scoped)
    return await desk.ask(message=message_of(held, **shown), caller=caller, form=form, action=held, max_message=200_000)


async def given(desk: Desk, *, tool: str = "delete_order", handoff: Handoff | None = None, **more: Any) -> Grant:
    """Give a permission for later calls."""
    now = desk.clock.now()
    if handoff is not None and handoff.question.action is not None:
        more = {"reach": Reach.EXACT, "arguments_digest": handoff.question.action.digest} | more
    terms: dict[str, Any] = {"reach": Reach.TOOL, "expires_at": now + timedelta(hours=1), "by": "ada"}
    grant = Grant(
        id=new_grant_id(),
        subject="ada",
        project="/srv/shop",
        server="shop",
        tool=tool,
        definition="d" * 64,
        created_at=now,
        channel="inbox",
        handoff_id="" if handoff is None else handoff.id,
        **(terms | more),
    )
    await desk.permissions.grant(grant)
    return grant
