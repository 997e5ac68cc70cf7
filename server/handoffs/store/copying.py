"""Copying a store into another, on any engines, row by row: every table in `TABLES`.

Invitations and sessions of the inbox stay behind: people sign in again at the copy. So does which program sends to
chats.

No row is decoded on the way. Other programs refuse the target until every row of both was compared. Each page is
written in one transaction together with the progress, so that a copy that was stopped continues after its last page.

Every change of a handoff has its line in the log. So the copy catches up with a source that changes meanwhile: new
lines, and the handoffs that they are about, are copied again, until there are no new ones.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Literal, Protocol, TypeAlias, cast

from handoffs.core.errors import StoreError
from handoffs.store.chat_rows import CHAT, CODE, TOLD
from handoffs.store.people_rows import ABSENCE, PASSKEY, PERSON, RECOVERY, Bytes
from handoffs.store.permission_rows import GRANT, PIN, STOP
from handoffs.store.rows import CHANGING, COLUMNS

Row: TypeAlias = tuple[Bytes, ...]
Phase: TypeAlias = Literal["copying", "comparing"]

PAGE = 200
"""Rows that are read, and written in one transaction. A question takes up to some hundred thousand bytes."""

_ROUNDS = 5  # of catching up; a source that still changes then is in use


@dataclass(frozen=True, kw_only=True, slots=True)
class Table:
    """The columns of one table that are copied."""

    name: str
    columns: tuple[str, ...]
    order: tuple[str, ...]
    """The columns that order the pages: unique together, and indexed."""
    page: int = PAGE
    """How many rows are read, and written, at once."""

    @property
    def changing(self) -> tuple[str, ...]:
        """The columns that may differ in a row that was copied before. A line of the log never changes."""
        if self.name == "handoffs":
            return CHANGING
        return () if self.name == "events" else tuple(name for name in self.columns if name not in self.order)


HANDOFFS = Table(name="handoffs", columns=COLUMNS, order=("id",))
EVENTS = Table(
    name="events", columns=("number", "handoff_id", "name", "at", "details", "leaf", "salt"), order=("number",)
)
# The tree over the leaves is built again.
KEPT_LEAVES = Table(name="kept_leaves", columns=("number", "leaf"), order=("number",))
LOG_BEGAN = Table(name="log_began", columns=("one", "number"), order=("one",))
CLAIMS = Table(name="claims", columns=("key", "ends"), order=("key",))
TOKENS = Table(
    name="tokens", columns=("name", "digest", "created_at", "expires_at", "revoked_at", "used_at"), order=("name",)
)
PINS = Table(name="pins", columns=PIN, order=("server", "tool"))
GRANTS = Table(name="grants", columns=GRANT, order=("id",))
STOPS = Table(name="stops", columns=STOP, order=("one",))
PEOPLE = Table(name="people", columns=PERSON, order=("folded",))
ABSENCES = Table(name="absences", columns=ABSENCE, order=("person",))
PASSKEYS = Table(name="passkeys", columns=PASSKEY, order=("credential_id",))
RECOVERIES = Table(name="recoveries", columns=RECOVERY, order=("person",))
CHATS = Table(name="chats", columns=CHAT, order=("id",))
CHAT_MESSAGES = Table(name="chat_messages", columns=TOLD, order=("chat", "handoff_id"))
CHAT_CODES = Table(name="chat_codes", columns=CODE, order=("digest",))
ATTACHMENTS = Table(
    name="attachments", columns=("handoff_id", "number", "data"), order=("handoff_id", "number"), page=4
)
UNLOGGED = (
    CLAIMS, TOKENS, PINS, GRANTS, STOPS, PEOPLE, ABSENCES, PASSKEYS, RECOVERIES, KEPT_LEAVES, LOG_BEGAN,
    CHATS, CHAT_MESSAGES, CHAT_CODES, ATTACHMENTS,
)  # fmt: skip
"""The tables whose changes are in no log."""
TABLES = (HANDOFFS, EVENTS, *UNLOGGED)

BY_CREATION = ("created_at", "place")
"""The order in which handoffs are copied. `place`, a column of the engine, orders those of the same time."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Progress:
    """How far a copy has come. Stored in the target, as JSON."""

    source: str
    """The identity of the source."""
    caught_up: int
    """The line of the source's log up to which all copied handoffs are up to date."""
    handoffs: tuple[int, ...] = ()
    """`BY_CREATION` of the last handoff of the last page."""
    events: int = 0
    """The number of the last copied line."""

    def written(self) -> str:
        """Return the progress as JSON."""
        return json.dumps([self.source, self.caught_up, self.handoffs, self.events])

    @classmethod
    def read(cls, written: str) -> "Progress":
        """Return the progress that `written` returned."""
        source, caught_up, handoffs, events = cast("tuple[str, int, list[int], int]", tuple(json.loads(written)))
        return cls(source=source, caught_up=caught_up, handoffs=tuple(handoffs), events=events)

    def reached(
        self, *, caught_up: int | None = None, handoffs: Row | None = None, events: int | None = None
    ) -> "Progress":
        """Return the progress with these steps added."""
        return Progress(
            source=self.source,
            caught_up=self.caught_up if caught_up is None else caught_up,
            handoffs=self.handoffs if handoffs is None else cast("tuple[int, ...]", handoffs),
            events=self.events if events is None else events,
        )


class Source(Protocol):
    """A store that is read. Every method raises StoreError if it can't be used."""

    @property
    def identity(self) -> str:
        """What identifies this store, without a password."""
        ...

    @property
    def shown(self) -> str:
        """Its address for people, without a password."""
        ...

    async def count(self, table: Table) -> int:
        """Return the number of rows."""
        ...

    async def last_line(self) -> int:
        """Return the number of the last line of the log; 0 for an empty log."""
        ...

    async def page(self, table: Table, after: Row, order: tuple[str, ...]) -> Sequence[Row]:
        """Return the next rows in `order`, each followed by its position; `after` is the last row's position, or ()."""
        ...

    async def some(self, ids: Sequence[str]) -> Sequence[Row]:
        """Return the handoffs with these ids that exist, as `page` does."""
        ...


class Target(Source, Protocol):
    """A store that is written."""

    async def begin(self, progress: Progress) -> Progress:
        """Lock an empty store against other programs, or return the progress of a copy that was begun before.

        Raises:
            StoreError: The store has rows already.
        """
        ...

    async def write(self, table: Table, rows: Sequence[Row], before: Progress, after: Progress) -> None:
        """Write rows, over those with the same key, together with the new progress.

        Raises:
            StoreError: The stored progress is not `before`: another copy into this store is running.
        """
        ...

    async def finish(self, before: Progress) -> None:
        """Unlock the store for other programs."""
        ...


@dataclass(frozen=True, kw_only=True, slots=True)
class Copied:
    """The result of a copy, compared."""

    rows: Mapping[str, int]
    """The number of rows by table."""
    digest: str
    """The digest of all rows, the same in both."""


async def copy(source: Source, target: Target, *, told: Callable[[Phase, int, int], None]) -> Copied:
    """Copy a store into an empty one, or continue a copy that was begun, and compare both.

    `told` is called with the phase, the rows done, and the rows in total.

    Raises:
        StoreError: A store can't be used; both are the same store; the target has other rows; the source does not stop
            changing, or differs from the copy.
    """
    if source.identity == target.identity:
        raise StoreError(f"{source.shown} can't be copied into itself. Name another store.")
    begun = Progress(source=source.identity, caught_up=await source.last_line())
    progress = await target.begin(begun)
    if progress.source != source.identity:
        raise StoreError(
            f"{target.shown} holds half a copy of another store. Continue that copy, or name an empty store."
        )
    copying = _Copying(source, target, progress, told)
    for _ in range(_ROUNDS):
        await copying.run()
        rows, ours, theirs = await copying.compare()
        if await source.last_line() != copying.progress.caught_up:
            continue
        if ours != theirs:
            differs = ", ".join(name for name in ours if ours[name] != theirs[name])
            raise StoreError(
                f"The copy in {target.shown} differs from {source.shown}: {differs}. One of them was changed "
                "meanwhile; the copy can't be used. Stop what uses them, remove what is in the target, and copy again."
            )
        await target.finish(copying.progress)
        return Copied(rows=rows, digest=sha256(json.dumps(ours).encode()).hexdigest())
    raise StoreError(f"{source.shown} does not stop changing. Stop the servers that use it, then copy again.")


class _Copying:
    def __init__(
        self, source: Source, target: Target, progress: Progress, told: Callable[[Phase, int, int], None]
    ) -> None:
        self._source, self._target, self.progress, self._told = source, target, progress, told
        self._phase: Phase = "copying"
        self._done = self._of = 0

    async def run(self) -> None:
        """Copy until there are no new rows."""
        self._phase, self._of = "copying", sum([await self._source.count(table) for table in TABLES])
        self._done = sum([await self._target.count(table) for table in (HANDOFFS, EVENTS)])
        self._step(0)
        while rows := await self._source.page(HANDOFFS, self.progress.handoffs, BY_CREATION):
            await self._write(HANDOFFS, rows, self.progress.reached(handoffs=rows[-1][-len(BY_CREATION) :]))
        while rows := await self._source.page(EVENTS, _after(self.progress.events), EVENTS.order):
            await self._write(EVENTS, rows, self.progress.reached(events=cast("int", rows[-1][-1])))
        await self._catch_up()
        # Their changes are in no log. There are few rows, so all are copied again.
        for table in UNLOGGED:
            after: Row = ()
            while rows := await self._source.page(table, after, table.order):
                await self._write(table, rows, self.progress)
                after = rows[-1][-len(table.order) :]

    async def compare(self) -> tuple[dict[str, int], dict[str, str], dict[str, str]]:
        """Return the rows of both by table, and a digest of each table of the source and of the target."""
        self._phase, self._done, self._of = "comparing", 0, 2 * sum([await self._source.count(each) for each in TABLES])
        rows: dict[str, int] = {}
        digests: list[dict[str, str]] = [{}, {}]
        for side, into in zip((self._source, self._target), digests, strict=True):
            for table in TABLES:
                rows[table.name], into[table.name] = await self._digest(side, table)
        return rows, digests[0], digests[1]

    async def _digest(self, side: Source, table: Table) -> tuple[int, str]:
        count, digest, after = 0, sha256(), cast("Row", ())
        while rows := await side.page(table, after, table.order):
            for row in rows:
                digest.update(json.dumps(row[: len(table.columns)], default=bytes.hex).encode() + b"\n")
            count += len(rows)
            after = rows[-1][-len(table.order) :]
            self._step(len(rows))
        return count, digest.hexdigest()

    async def _catch_up(self) -> None:
        """Copy the handoffs again whose log has new lines."""
        after = _after(self.progress.caught_up)
        while lines := await self._source.page(EVENTS, after, EVENTS.order):
            after = lines[-1][-1:]
            ids = sorted({cast("str", line[1]) for line in lines if cast("int", line[0]) <= self.progress.events})
            if ids:
                rows = await self._source.some(ids)
                await self._write(HANDOFFS, rows, self.progress, new=False)
        await self._write(HANDOFFS, (), self.progress.reached(caught_up=self.progress.events), new=False)

    async def _write(self, table: Table, rows: Sequence[Row], after: Progress, *, new: bool = True) -> None:
        written = [row[: len(table.columns)] for row in rows]
        await self._target.write(table, written, self.progress, after)
        self.progress = after
        if new:
            self._step(len(rows))

    def _step(self, rows: int) -> None:
        self._done += rows
        self._told(self._phase, self._done, max(self._of, self._done))


def _after(number: int) -> Row:
    return (number,) if number else ()
