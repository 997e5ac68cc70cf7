"""`handoffs grants` and `handoffs gate stop`: what people gave permission for, and how that ends."""

import json
from collections.abc import Sequence
from datetime import datetime

from handoffs.assembly import missing_store, open_desk, store_at
from handoffs.clock import SystemClock
from handoffs.console import UsageError, print_out
from handoffs.core.display import stamp
from handoffs.core.grant import Grant, Reach
from handoffs.core.ports import Permissions
from handoffs.core.stopping import resume as resume_grant
from handoffs.core.stopping import stop_everything
from handoffs.core.untrusted import inert_line
from handoffs.os_user import current_user
from handoffs.settings import Settings

CHANNEL = "command line"


async def grants(settings: Settings, revoke: str | None, resume: str | None, as_json: bool) -> None:
    """Print the grants, or end or resume one."""
    if revoke is not None and resume is not None:
        raise UsageError("Give --revoke or --resume, not both.")
    if missing_store(settings) is not None:
        print_out("[]" if as_json else "Nobody gave a permission for later.")
        return
    clock = SystemClock()
    async with store_at(settings.store, clock) as store:
        await store.ready()
        kept = store.permissions
        if revoke is not None:
            found = await _find(kept, revoke)
            await kept.revoke(found.id, at=clock.now())
            print_out(f"{found.id} allows nothing any more.")
            return
        if resume is not None:
            found = await _find(kept, resume)
            async with open_desk(settings, store=store, clock=clock) as desk:
                resumed = await resume_grant(desk, found)
            if not resumed:
                raise UsageError(f"{found.id} is not suspended.")
            print_out(f"{found.id} counts again.")
            return
        found = await kept.grants()
        stopped = await kept.stopped()
        if as_json:
            print_out(json.dumps([_as_json(each, clock.now()) for each in found], indent=2))
            return
        if stopped is not None:
            print_out(
                f"Everything was stopped by {inert_line(stopped.by, 60)} at {stamp(stopped.at)}: no grant counts. "
                "`handoffs gate stop --lift` ends that."
            )
        print_out("\n".join(_line(each, clock.now()) for each in found) or "Nobody gave a permission for later.")


async def stop(settings: Settings, lift: bool) -> None:
    """Stop everything, or lift it."""
    clock = SystemClock()
    async with store_at(settings.store, clock) as store, open_desk(settings, store=store, clock=clock) as desk:
        await store.ready()
        kept = store.permissions
        if lift:
            lifted = await kept.lift()
            print_out("Calls are asked about again, and grants count." if lifted else "Nothing was stopped.")
            return
        denied = await stop_everything(desk, by=current_user(), channel=CHANNEL)
        calls = "1 call that waited was" if denied == 1 else f"{denied} calls that waited were"
        print_out(f"Everything is stopped; {calls} denied. `handoffs gate stop --lift` ends that.")


async def _find(kept: Permissions, start: str) -> Grant:
    whole = start if start.startswith("g_") else f"g_{start}"
    found = [each for each in await kept.grants(limit=100_000) if each.id.startswith(whole)]
    match found:
        case [only]:
            return only
        case []:
            raise UsageError(f"There is no grant {inert_line(start, 40)}; `handoffs grants` lists them.")
        case _:
            raise UsageError(f"Several grants begin with {inert_line(start, 40)}: give more of the id.")


def _line(grant: Grant, now: datetime) -> str:
    reach = "these exact arguments" if grant.reach is Reach.EXACT else "any arguments"
    if grant.conditions:
        reach = f"arguments where {inert_line(' and '.join(each.words for each in grant.conditions))}"
    until = "this session" if grant.session else "revoked" if grant.expires_at is None else stamp(grant.expires_at)
    used = f"used {grant.uses}×" + ("" if grant.last_used_at is None else f", last {stamp(grant.last_used_at)}")
    tool = f"{inert_line(grant.tool, 60)} of {inert_line(grant.server, 60)}"
    by = f"by {inert_line(grant.by, 40)} at {stamp(grant.created_at)}"
    left = "" if grant.uses_left is None else f", {grant.uses_left} left"
    return f"{grant.id}  {grant.state(now):<9}  {tool}, {reach}, until {until}; {by}; {used}{left}"


def _as_json(grant: Grant, now: datetime) -> dict[str, object]:
    times: Sequence[datetime | None] = (grant.expires_at, grant.last_used_at, grant.revoked_at, grant.suspended_at)
    expires, last, revoked, suspended = (None if each is None else stamp(each) for each in times)
    return {
        "id": grant.id,
        "state": grant.state(now),
        "server": grant.server,
        "tool": grant.tool,
        "reach": grant.reach.value,
        "conditions": [{"name": each.name, "kind": each.kind, "value": each.value} for each in grant.conditions],
        "session": bool(grant.session),
        "subject": grant.subject,
        "project": grant.project,
        "by": grant.by,
        "channel": grant.channel,
        "handoffId": grant.handoff_id,
        "createdAt": stamp(grant.created_at),
        "expiresAt": expires,
        "uses": grant.uses,
        "usesLeft": grant.uses_left,
        "lastUsedAt": last,
        "revokedAt": revoked,
        "suspendedAt": suspended,
    }
