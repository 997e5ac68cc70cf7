"""Stopping everything: no permission for later counts, and each held call or use of a tool that waits is denied.

And resuming one permission.
"""

from handoffs.core.action import Asker
from handoffs.core.denial import STOPPED
from handoffs.core.desk import Desk
from handoffs.core.errors import AlreadyEnded, NotFound, NotProved
from handoffs.core.grant import Grant, Stop
from handoffs.core.sentences import say

MOST_CALLS = 10_000
"""Open questions that are looked through for held calls."""


async def stop_everything(desk: Desk, *, by: str, channel: str) -> int:
    """Stop everything until it is lifted, and return how many calls that waited were denied."""
    await desk.permissions.stop(Stop(by=by, at=desk.clock.now()))
    denied = 0
    for handoff in await desk.newest(open_only=True, limit=MOST_CALLS):
        action = handoff.question.action
        # Of a host that does not name itself, the permission tool asks: it remembers nothing, and is not stopped.
        if action is None or (action.asker is not Asker.GATE and not action.server):
            continue
        # What others decide by votes, nobody else declines: it is withdrawn.
        end = desk.decline if handoff.question.deciders is None else desk.cancel
        try:
            await end(handoff, by=by, channel=channel, note=STOPPED)
            denied += 1
        except AlreadyEnded:
            continue  # somebody was faster; what they allow is not sent while everything is stopped
    return denied


async def resume(desk: Desk, grant: Grant) -> bool:
    """Let a suspended permission count again; False where it is not suspended.

    Raises:
        NotProved: A passkey is demanded for what it allows, and nobody signs that it counts again.
    """
    try:
        deciders = (await desk.get(grant.handoff_id)).question.deciders
    except NotFound:  # its question was deleted
        deciders = None
    if desk.proof_demanded or (deciders is not None and deciders.proof):
        raise NotProved(
            say(
                "What takes a passkey is not resumed: the next call asks again, and whoever allows it can have it "
                "remembered anew"
            )
        )
    return await desk.permissions.resume(grant.id)
