"""How pins, grants and the stop are written as rows, and read back as equal values; and how grants are looked for."""

import json
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import TypeAlias, cast

from handoffs.core.grant import Condition, Grant, Kind, Pin, PinnedServer, Reach, Stop
from handoffs.core.storable import storable
from handoffs.store.values import Cell, Unreadable, micros, moment

PIN = ("server", "tool", "digest", "definition", "pinned_at")
"""The columns of a pin."""

# In the order of `encode_grant` and `decode_grant`.
GRANT = (
    "id", "subject", "project", "server", "tool", "definition", "reach", "arguments_digest", "conditions", "session",
    "created_at", "granted_by", "channel", "handoff_id", "expires_at", "uses_left", "uses", "last_used_at",
    "revoked_at", "suspended_at",
)  # fmt: skip
"""The columns of a grant."""

STOP = ("one", "stopped_by", "stopped_at")
"""The columns of the stop, of which there is one row at most: `one` is always 1."""

_GrantRow: TypeAlias = tuple[
    str, str, str, str, str, str, str, str, str, str,
    int, str, str, str, int | None, int | None, int, int | None,
    int | None, int | None,
]  # fmt: skip


def encode_pin(pin: Pin) -> tuple[Cell, ...]:
    """Return a pin as a row of `PIN`."""
    return *map(storable, (pin.server, pin.tool, pin.digest, pin.definition)), micros(pin.pinned_at)


def servers(pins: str, limit: str) -> str:
    """Return the query for the servers in a table of pins, as rows for `decode_server`."""
    return f"""SELECT server, min(pinned_at) AS first, count(*) FROM {pins}
        GROUP BY server ORDER BY first DESC, server LIMIT {limit}"""  # noqa: S608


def decode_server(row: tuple[object, ...]) -> PinnedServer:
    """Return the server that a row of `servers` tells of. Raises Unreadable."""
    server, first, tools = row
    return PinnedServer(server=cast("str", server), first=moment(cast("int", first)), tools=cast("int", tools))


def decode_pin(row: tuple[object, ...]) -> Pin:
    """Return the pin that a row of `PIN` holds. Raises Unreadable."""
    server, tool, digest, definition, pinned_at = cast("tuple[str, str, str, str, int]", row)
    try:
        return Pin(server=server, tool=tool, digest=digest, definition=definition, pinned_at=moment(pinned_at))
    except (ValueError, TypeError, OverflowError) as wrong:
        raise Unreadable(f"the pin of {server}/{tool} can't be read: {wrong}") from wrong


def encode_grant(grant: Grant) -> tuple[Cell, ...]:
    """Return a grant as a row of `GRANT`."""
    conditions = [[each.name, each.kind, each.value] for each in grant.conditions]
    return (
        *map(storable, (grant.id, grant.subject, grant.project, grant.server, grant.tool, grant.definition)),
        grant.reach.value,
        storable(grant.arguments_digest),
        json.dumps(conditions, separators=(",", ":")),
        storable(grant.session),
        micros(grant.created_at),
        *map(storable, (grant.by, grant.channel, grant.handoff_id)),
        _stored(grant.expires_at),
        grant.uses_left,
        grant.uses,
        *map(_stored, (grant.last_used_at, grant.revoked_at, grant.suspended_at)),
    )


def decode_grant(row: tuple[object, ...]) -> Grant:
    """Return the grant that a row of `GRANT` holds. Raises Unreadable."""
    (
        grant_id, subject, project, server, tool, definition, reach, arguments_digest, conditions, session,
        created_at, granted_by, channel, handoff_id, expires_at, uses_left, uses, last_used_at,
        revoked_at, suspended_at,
    ) = cast("_GrantRow", row)  # fmt: skip
    try:
        written = cast("list[tuple[str, Kind, object]]", json.loads(conditions))
        return Grant(
            id=grant_id,
            subject=subject,
            project=project,
            server=server,
            tool=tool,
            definition=definition,
            reach=Reach(reach),
            arguments_digest=arguments_digest,
            conditions=tuple(Condition(name=name, kind=_kind(kind), value=value) for name, kind, value in written),
            session=session,
            created_at=moment(created_at),
            by=granted_by,
            channel=channel,
            handoff_id=handoff_id,
            expires_at=_moment(expires_at),
            uses_left=uses_left,
            uses=uses,
            last_used_at=_moment(last_used_at),
            revoked_at=_moment(revoked_at),
            suspended_at=_moment(suspended_at),
        )
    except (ValueError, TypeError, OverflowError) as wrong:
        raise Unreadable(f"the row of grant {grant_id} can't be read: {wrong}") from wrong


def encode_stop(stop: Stop) -> tuple[Cell, ...]:
    """Return a stop as a row of `STOP`."""
    return 1, storable(stop.by), micros(stop.at)


def decode_stop(row: tuple[object, ...]) -> Stop:
    """Return the stop that a row of `STOP` holds. Raises Unreadable."""
    _, by, at = cast("tuple[int, str, int]", row)
    try:
        return Stop(by=by, at=moment(at))
    except (ValueError, TypeError, OverflowError) as wrong:
        raise Unreadable(f"the stop of all can't be read: {wrong}") from wrong


def active(at: str) -> str:
    """Return the condition that a row is `Grant.active` at a parameter."""
    return (
        f"revoked_at IS NULL AND suspended_at IS NULL AND (expires_at IS NULL OR expires_at > {at}) "
        "AND (uses_left IS NULL OR uses_left > 0)"
    )


def wanted(
    mark: Callable[[int], str],
    *,
    subject: str | None,
    server: str | None,
    tool: str | None,
    active_at: datetime | None,
    limit: int,
) -> tuple[str, Sequence[Cell]]:
    """Return what follows `SELECT … FROM grants`, and its parameters; `mark` writes one by its number, from 1."""
    where: list[str] = []
    given: list[Cell] = []
    for column, value in (("subject", subject), ("server", server), ("tool", tool)):
        if value is not None:
            given.append(storable(value))
            where.append(f"{column} = {mark(len(given))}")
    if active_at is not None:
        given.append(micros(active_at))
        where.append(active(mark(len(given))))
    given.append(limit)
    only = f"WHERE {' AND '.join(where)} " if where else ""
    # Two that were made in one moment keep their order in a copy.
    return f"{only}ORDER BY created_at DESC, id DESC LIMIT {mark(len(given))}", given


def _kind(kind: str) -> Kind:
    if kind not in {"equals", "prefix"}:
        raise ValueError(f"no condition is of the kind {kind}")
    return cast("Kind", kind)


def _stored(at: datetime | None) -> int | None:
    return None if at is None else micros(at)


def _moment(stored: int | None) -> datetime | None:
    return None if stored is None else moment(stored)
