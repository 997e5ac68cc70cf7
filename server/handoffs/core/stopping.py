"""Stopping everything: no permission for later counts, and each held call that waits is denied."""

from handoffs.core.action import Asker
from handoffs.core.desk import Desk
from handoffs.core.errors import AlreadyEnded
from handoffs.core.grant import Stop

STOPPED = "Everything was stopped."
"""The note with which each call that waits is denied."""

MOST_CALLS = 10_000
"""Open questions that are looked through for held calls."""


async def stop_everything(desk: Desk, *, by: str, channel: str) -> int:
    """Stop everything until it is lifted, and return how many calls that waited were denied."""
    await desk.permissions.stop(Stop(by=by, at=desk.clock.now()))
    denied = 0
    for handoff in await desk.newest(open_only=True, limit=MOST_CALLS):
        action = handoff.question.action
        if action is None or action.asker is not Asker.GATE:
            continue
        # What others decide by votes, nobody else declines: it is withdrawn.
        end = desk.decline if handoff.question.deciders is None else desk.cancel
        try:
            await end(handoff, by=by, channel=channel, note=STOPPED)
            denied += 1
        except AlreadyEnded:
            continue  # somebody was faster; what they allow is not sent while everything is stopped
    return denied
