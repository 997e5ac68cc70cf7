"""The statements of a PostgreSQL store. Each write is one statement, and so a transaction, with no round trip inside.

**Asked once.** A new handoff takes the next number of its fingerprint (`nth`) after the highest that its statement saw.
If two servers ask the same at once, the unique constraint refuses one, which then finds the other's. The number of a
caller's questions (`asked`) works the same way under a quota: a handoff that was not counted can't be opened. What
prevented the opening is read only if nothing was opened.

**The first outcome stands.** A change names the version that it was computed from, and changes nothing if another
change came first; its server then reads again.

**In order.** A line of the log takes its number while it holds the lock of the log, until the commit. So a reader that
has read up to line N has missed none before it: without the lock, a transaction with a lower number could commit later.
The lock costs no throughput: NOTIFY serializes commits anyway. Every statement locks the row before the log, so two
statements never wait for each other.

**Committed or not.** Lines carry the number of their write. After a broken connection, a server looks for it.
"""

from dataclasses import dataclass

from handoffs.store.postgres.layout import lock_key
from handoffs.store.rows import CHANGING, COLUMNS, OUTLINE

_COLUMNS = ", ".join(COLUMNS)


@dataclass(frozen=True, kw_only=True, slots=True)
class Statements:
    """The statements for one schema, each with its parameters → and its result."""

    find: str
    """id → the row"""
    find_again: str
    """id, write → the row, and whether that write was committed"""
    open: str
    """COLUMNS, then collect after, then `_logged` → lines, and the earlier one; none if an identical one can be
    joined"""
    open_counted: str
    """COLUMNS, then collect after, the quota's open, bytes and calls less one a minute, this one's bytes, a minute ago,
    then `_logged` → the same; none if the quota is used up, too"""
    alike: str
    """fingerprint, collect after, id, write, session, tool use → rows, each with: joinable, committed by this write"""
    usage: str
    """subject, now, a minute ago, calls less one a minute → open, bytes, first deadline, full since"""
    turn: str
    """lock → nothing, once the lock is free"""
    change: str
    """CHANGING, id, version, then `_logged` → lines"""
    change_with_files: str
    """CHANGING, id, version, the bytes of each file, then `_logged` → lines"""
    change_unsynced: str
    """as `change`; the commit does not wait for the disk"""
    change_unless_stopped: str
    """as `change`; changes nothing while a stop stands"""
    content: str
    """id, number → the bytes of a file"""
    stopped: str
    """→ a row while a stop stands"""
    claim: str
    """key, now, until, write → a row if the key was free, or claimed by this very write"""
    extend_claim: str
    """key, its end, until, write → a row if the claim ended then, or was extended by this very write"""
    forget: str
    """now → nothing"""
    ids: str
    """from, below, limit"""
    newest: str
    """a cursor's time, its id, skip, limit"""
    newest_open: str
    """a cursor's time, its id, skip, limit"""
    outlines: str
    """a cursor's time, its id, since, limit → OUTLINE"""
    outlines_ended: str
    """a cursor's time, its id, since, limit → OUTLINE"""
    get_all: str
    """ids → rows in no order"""
    count_open: str
    has_chats: str
    next_deadline: str
    """→ how many, the first deadline, the number of the newest line"""
    newest_of: str
    """subject, limit"""
    newest_open_of: str
    """subject, limit"""
    ended_of_action: str
    """digest, subject, limit"""
    overdue: str
    """now, limit"""
    log: str
    """after, limit"""
    log_of: str
    """after, limit, id"""
    last: str
    """→ the number of the newest line; 0 for an empty log"""
    news: str
    """after → numbers and handoffs"""


def statements(schema: str) -> Statements:
    """Return the statements for the tables in `schema`."""
    handoffs, events, claims, stops = (f'"{schema}".{table}' for table in ("handoffs", "events", "claims", "stops"))
    select = f"SELECT {_COLUMNS} FROM {handoffs}"  # noqa: S608
    newest = "ORDER BY created_at DESC, place DESC LIMIT"
    # If no handoff has that id, its place is null, and the comparison is by time alone.
    after = f"(created_at, place) < ($1::bigint, (SELECT place FROM {handoffs} WHERE id = $2::text))"  # noqa: S608
    outlines = f"SELECT {', '.join(OUTLINE)} FROM {handoffs} WHERE {after} AND created_at >= $3"  # noqa: S608
    last = f"SELECT coalesce(max(number), 0) FROM {events}"  # noqa: S608
    entries = f"SELECT number, handoff_id, name, at, details FROM {events} WHERE number > $1"  # noqa: S608
    # The rule of `Handoff.joined_by`.
    joinable = """((state = 'open' OR ended_at >= {since}) AND (
        ({tool_use} <> '' AND {tool_use} IN (tool_use, handed_to))
        OR (session = {session} AND (state = 'open' OR (session = '' AND collected_at IS NULL)))))"""
    like_this = joinable.format(since="$2", session="$5::text", tool_use="$6::text")
    alike = f"""SELECT {_COLUMNS}, fingerprint = $1 AND coalesce({like_this}, false) AS joinable,
            id = $3 AND EXISTS (SELECT FROM {events} WHERE handoff_id = $3 AND write_id = $4) AS kept
        FROM {handoffs} WHERE id = $3 OR (fingerprint = $1 AND {like_this})
        ORDER BY created_at DESC, nth DESC"""  # noqa: S608
    usage = f"""SELECT count(*) AS open, coalesce(sum(size), 0)::bigint AS bytes, min(deadline) AS first, (
            SELECT created_at FROM {handoffs} WHERE subject = {{subject}} AND created_at > {{minute_ago}}
            ORDER BY created_at DESC LIMIT 1 OFFSET {{skipped}}) AS full_since
        FROM {handoffs} WHERE state = 'open' AND subject = {{subject}} AND deadline > {{now}}"""  # noqa: S608
    logged = _Logged(schema=schema, events=events)
    changes = ", ".join(f"{name} = ${number}" for number, name in enumerate(CHANGING, 1))
    changing, columns = len(CHANGING), len(COLUMNS)

    def changed(only: str = "") -> str:
        return f"""WITH changed AS (
                UPDATE {handoffs} SET {changes} WHERE id = ${changing + 1} AND version = ${changing + 2} {only}
                RETURNING id
            )"""  # noqa: S608

    of = {name: f"${number}" for number, name in enumerate(COLUMNS, 1)}
    since, most_open, most_bytes, skipped, size, minute_ago = (f"${columns + number}" for number in range(1, 7))
    joined = joinable.format(since=since, session=of["session"], tool_use=of["tool_use"])
    # The earlier one is known to nobody before.
    given = of | {
        "earlier": f"""coalesce((SELECT id FROM {handoffs} WHERE fingerprint = {of["fingerprint"]}
            AND state IN ('answered', 'declined') AND ended_at >= {since}
            ORDER BY ended_at DESC, id DESC LIMIT 1), {of["earlier"]})""",  # noqa: S608
    }
    used = usage.format(subject=of["subject"], now=of["created_at"], minute_ago=minute_ago, skipped=skipped)

    def opened(place: str, *, counted: str = "", taken: int) -> str:
        """Return what opens a handoff: its `place` among the subject's, and what is `counted` before."""
        # Two statements, so that PostgreSQL plans neither anew for each handoff: it would if what is counted depended
        # on a parameter.
        return f"""WITH changed AS (
                INSERT INTO {handoffs} ({_COLUMNS}, nth, asked)
                SELECT {", ".join(given.values())},
                    (SELECT coalesce(max(nth), 0) + 1 FROM {handoffs} WHERE fingerprint = {of["fingerprint"]}), {place}
                {f"FROM ({used}) AS used" if counted else ""}
                WHERE NOT EXISTS (SELECT FROM {handoffs} WHERE fingerprint = {of["fingerprint"]} AND {joined}) {counted}
                ON CONFLICT DO NOTHING RETURNING id, earlier
            ), {logged.after(taken, also="(SELECT earlier FROM changed)")}"""  # noqa: S608

    return Statements(
        find=f"{select} WHERE id = $1",
        find_again=f"""SELECT {_COLUMNS}, EXISTS (SELECT FROM {events} WHERE handoff_id = $1 AND write_id = $2)
            FROM {handoffs} WHERE id = $1""",  # noqa: S608
        open=opened("NULL", taken=columns + 1),
        open_counted=opened(
            f"(SELECT coalesce(max(asked), 0) + 1 FROM {handoffs} WHERE subject = {of['subject']})",  # noqa: S608
            counted=f"AND full_since IS NULL AND open < {most_open} AND bytes + {size} <= {most_bytes}",
            taken=columns + 6,
        ),
        alike=alike,
        usage=usage.format(subject="$1", now="$2", minute_ago="$3", skipped="$4"),
        turn="SELECT pg_advisory_xact_lock($1)",
        change=f"{changed()}, {logged.after(changing + 2)}",
        change_with_files=f"""{changed()}, files AS (
                INSERT INTO "{schema}".attachments (handoff_id, number, data)
                SELECT changed.id, file.number, file.data
                FROM changed, unnest(${changing + 3}::bytea[]) WITH ORDINALITY AS file (data, number)
            ), {logged.after(changing + 3)}""",  # noqa: S608
        content=f'SELECT data FROM "{schema}".attachments WHERE handoff_id = $1 AND number = $2',  # noqa: S608
        change_unless_stopped=f"{changed(f'AND NOT EXISTS (SELECT FROM {stops})')}, {logged.after(changing + 2)}",
        stopped=f"SELECT true FROM {stops}",  # noqa: S608
        # The setting is this transaction's alone.
        change_unsynced=f"""{changed()}, {
            logged.after(changing + 2, also="set_config('synchronous_commit', 'off', true)")
        }""",
        claim=f"""INSERT INTO {claims} AS there (key, ends, write_id) VALUES ($1, $3, $4)
            ON CONFLICT (key) DO UPDATE SET ends = excluded.ends, write_id = excluded.write_id
            WHERE there.ends <= $2 OR there.write_id = $4 RETURNING true""",  # noqa: S608
        extend_claim=f"""UPDATE {claims} SET ends = $3, write_id = $4
            WHERE key = $1 AND (ends = $2 OR write_id = $4) RETURNING true""",  # noqa: S608
        forget=f"""DELETE FROM {claims} WHERE key IN (
            SELECT key FROM {claims} WHERE ends <= $1 LIMIT 100 FOR UPDATE SKIP LOCKED)""",  # noqa: S608
        ids=f"SELECT id FROM {handoffs} WHERE id >= $1 AND id < $2 ORDER BY id LIMIT $3",  # noqa: S608
        newest=f"{select} WHERE {after} {newest} $4 OFFSET $3",
        newest_open=f"{select} WHERE state = 'open' AND {after} {newest} $4 OFFSET $3",
        outlines=f"{outlines} {newest} $4",
        outlines_ended=f"{outlines} AND state <> 'open' {newest} $4",
        get_all=f"{select} WHERE id = ANY($1::text[])",
        count_open=f"SELECT count(*), min(deadline), ({last}) FROM {handoffs} WHERE state = 'open'",  # noqa: S608
        has_chats=f'SELECT true FROM "{schema}".chats LIMIT 1',  # noqa: S608
        next_deadline=f"SELECT min(deadline) FROM {handoffs} WHERE state = 'open'",  # noqa: S608
        newest_of=f"{select} WHERE subject = $1 {newest} $2",
        newest_open_of=f"{select} WHERE state = 'open' AND subject = $1 {newest} $2",
        ended_of_action=f"""{select} WHERE action_digest <> '' AND action_digest = $1 AND subject = $2
            AND state <> 'open' {newest} $3""",
        overdue=f"""SELECT id FROM {handoffs} WHERE state = 'open' AND deadline <= $1
            ORDER BY deadline LIMIT $2""",  # noqa: S608
        log=f"{entries} ORDER BY number LIMIT $2",
        log_of=f"{entries} AND handoff_id = $3 ORDER BY number LIMIT $2",
        last=last,
        news=f"SELECT number, handoff_id FROM {events} WHERE number > $1 ORDER BY number",  # noqa: S608
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class _Logged:
    schema: str
    events: str

    def after(self, taken: int, also: str = "NULL") -> str:
        """Return the rest of a write, after `changed`: inserts the lines in order, numbers them and notifies.

        Each returned line comes with the expression `also`.

        The parameters: arrays of handoff, name, time, details, leaf, salt, and the number of the write.
        """
        handoff, name, at, details, leaf, salt, write = (f"${number}" for number in range(taken + 1, taken + 8))
        return f"""turn AS MATERIALIZED (
                SELECT pg_advisory_xact_lock({lock_key("log", self.schema)}) FROM changed
            ), told AS (
                INSERT INTO {self.events} (number, handoff_id, name, at, details, leaf, salt, write_id)
                SELECT nextval('"{self.schema}".events_number'), handoff_id, name, at, details, leaf, salt,
                    {write}::bigint
                FROM (
                    SELECT line.*
                    FROM turn, unnest({handoff}::text[], {name}::text[], {at}::bigint[], {details}::text[],
                            {leaf}::text[], {salt}::text[])
                        WITH ORDINALITY AS line (handoff_id, name, at, details, leaf, salt, place) ORDER BY place
                ) AS lines
                RETURNING number, handoff_id
            ) SELECT number, handoff_id, pg_notify('{self.schema}', number || ' ' || handoff_id), {also} FROM told"""  # noqa: S608
