"""One store copied into another, on whichever engine, row by row: every table in `TABLES`.

Nothing is decoded on the way. The target is no store to anybody else until every row of both was compared. Each page is
written in one transaction with how far it goes, so a copy that was stopped, however, goes on behind its last page.

Every change of a handoff has its line in the log. So a source that changed meanwhile is caught up with: its new lines,
and the handoffs that they are about, are copied again, until nothing is new.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Literal, Protocol, TypeAlias, cast

from handoffs.core.errors import StoreError
from handoffs.store.permission_rows import GRANT, PIN, STOP
from handoffs.store.rows import CHANGING, COLUMNS, Cell

Row: TypeAlias = tuple[Cell, ...]
Phase: TypeAlias = Literal["copying", "comparing"]

PAGE = 200
"""How many rows are read, and written in one transaction. A question takes up to some hundred thousand bytes."""

_ROUNDS = 5  # to catch up with a source that changes; one that still does is in use


@dataclass(frozen=True, kw_only=True, slots=True)
class Table:
    """What is copied of one table."""

    name: str
    columns: tuple[str, ...]
    order: tuple[str, ...]
    """Columns that are unique together, and indexed. The pages are read in this order."""

    @property
    def changing(self) -> tuple[str, ...]:
        """The columns that may differ in a row that was copied before; a line of the log stays as it is."""
        if self.name == "handoffs":
            return CHANGING
        return () if self.name == "events" else tuple(name for name in self.columns if name not in self.order)


HANDOFFS = Table(name="handoffs", columns=COLUMNS, order=("id",))
EVENTS = Table(name="events", columns=("number", "handoff_id", "name", "at", "details"), order=("number",))
CLAIMS = Table(name="claims", columns=("key", "ends"), order=("key",))
TOKENS = Table(
    name="tokens", columns=("name", "digest", "created_at", "expires_at", "revoked_at", "used_at"), order=("name",)
)
PINS = Table(name="pins", columns=PIN, order=("server", "tool"))
GRANTS = Table(name="grants", columns=GRANT, order=("id",))
STOPS = Table(name="stops", columns=STOP, order=("one",))
UNLOGGED = (CLAIMS, TOKENS, PINS, GRANTS, STOPS)
"""The tables whose changes are in no log."""
TABLES = (HANDOFFS, EVENTS, *UNLOGGED)

AS_MADE = ("created_at", "place")
"""The order in which handoffs are copied; `place`, an engine's own, tells apart two that were made in one moment."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Progress:
    """How far a copy goes. Kept in the target, as JSON."""

    source: str
    """The identity of the store that is copied."""
    caught_up: int
    """The last line of the source's log at which every handoff copied so far was as it is in the target."""
    handoffs: tuple[int, ...] = ()
    """`AS_MADE` of the last handoff of the last page."""
    events: int = 0
    """The number of the last line."""

    def written(self) -> str:
        """Return it as JSON."""
        return json.dumps([self.source, self.caught_up, self.handoffs, self.events])

    @classmethod
    def read(cls, written: str) -> "Progress":
        """Return what `written` wrote."""
        source, caught_up, handoffs, events = cast("tuple[str, int, list[int], int]", tuple(json.loads(written)))
        return cls(source=source, caught_up=caught_up, handoffs=tuple(handoffs), events=events)

    def reached(
        self, *, caught_up: int | None = None, handoffs: Row | None = None, events: int | None = None
    ) -> "Progress":
        """Return it, further on."""
        return Progress(
            source=self.source,
            caught_up=self.caught_up if caught_up is None else caught_up,
            handoffs=self.handoffs if handoffs is None else cast("tuple[int, ...]", handoffs),
            events=self.events if events is None else events,
        )


class Source(Protocol):
    """A store that is read. Every method raises StoreError where it can't be."""

    @property
    def identity(self) -> str:
        """What tells it from every other store, without a password."""
        ...

    @property
    def shown(self) -> str:
        """Where it is, for a person, without a password."""
        ...

    async def count(self, table: Table) -> int:
        """Return how many rows there are."""
        ...

    async def last_line(self) -> int:
        """Return the number of the last line of the log, 0 where there is none."""
        ...

    async def page(self, table: Table, after: Row, order: tuple[str, ...]) -> Sequence[Row]:
        """Return the next rows in an order, each followed by its place in it; `after` is the last one's place or ()."""
        ...

    async def some(self, ids: Sequence[str]) -> Sequence[Row]:
        """Return handoffs by their ids, as `page` does, those that are there."""
        ...


class Target(Source, Protocol):
    """A store that is written."""

    async def begin(self, progress: Progress) -> Progress:
        """Close an empty store to everybody else; or return how far a copy goes that was begun.

        Raises:
            StoreError: It has rows already.
        """
        ...

    async def put(self, table: Table, rows: Sequence[Row], before: Progress, after: Progress) -> None:
        """Write rows over those of the same key, and how far it goes now.

        Raises:
            StoreError: It does not go as far as `before`: somebody else copies into it.
        """
        ...

    async def finish(self, before: Progress) -> None:
        """Open the store to everybody."""
        ...


@dataclass(frozen=True, kw_only=True, slots=True)
class Copied:
    """What was copied, and compared."""

    rows: Mapping[str, int]
    """By table."""
    digest: str
    """Of every row of both."""


async def copy(source: Source, target: Target, *, told: Callable[[Phase, int, int], None]) -> Copied:
    """Copy a store into an empty one, or go on with the copy that was begun, and compare both.

    `told` is called with what is being done, how many rows of it are done, and of how many.

    Raises:
        StoreError: One of its kinds; or the two are one store; or the target has other rows; or the source does not
            stop changing, or is not as the copy is.
    """
    if source.identity == target.identity:
        raise StoreError(f"{source.shown} can't be copied into itself. Name another store.")
    begun = Progress(source=source.identity, caught_up=await source.last_line())
    progress = await target.begin(begun)
    if progress.source != source.identity:
        raise StoreError(
            f"{target.shown} is half a copy of another store. Go on with that one, or name an empty store."
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
                f"The copy in {target.shown} is not as {source.shown} is: {differs}. One of them was changed "
                "meanwhile; nobody can use the copy. Stop what uses them, remove what is in the target, and copy again."
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
        """Copy until nothing is new."""
        self._phase, self._of = "copying", sum([await self._source.count(table) for table in TABLES])
        self._done = sum([await self._target.count(table) for table in (HANDOFFS, EVENTS)])
        self._step(0)
        while rows := await self._source.page(HANDOFFS, self.progress.handoffs, AS_MADE):
            await self._put(HANDOFFS, rows, self.progress.reached(handoffs=rows[-1][-len(AS_MADE) :]))
        while rows := await self._source.page(EVENTS, _after(self.progress.events), EVENTS.order):
            await self._put(EVENTS, rows, self.progress.reached(events=cast("int", rows[-1][-1])))
        await self._catch_up()
        # Their rows are few, and are all copied again.
        for table in UNLOGGED:
            after: Row = ()
            while rows := await self._source.page(table, after, table.order):
                await self._put(table, rows, self.progress)
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
                digest.update(json.dumps(row[: len(table.columns)]).encode() + b"\n")
            count += len(rows)
            after = rows[-1][-len(table.order) :]
            self._step(len(rows))
        return count, digest.hexdigest()

    async def _catch_up(self) -> None:
        """Copy again the handoffs that the log says something new of, as far as it was copied."""
        after = _after(self.progress.caught_up)
        while lines := await self._source.page(EVENTS, after, EVENTS.order):
            after = lines[-1][-1:]
            ids = sorted({cast("str", line[1]) for line in lines if cast("int", line[0]) <= self.progress.events})
            if ids:
                rows = await self._source.some(ids)
                await self._put(HANDOFFS, rows, self.progress, new=False)
        await self._put(HANDOFFS, (), self.progress.reached(caught_up=self.progress.events), new=False)

    async def _put(self, table: Table, rows: Sequence[Row], after: Progress, *, new: bool = True) -> None:
        written = [row[: len(table.columns)] for row in rows]
        await self._target.put(table, written, self.progress, after)
        self.progress = after
        if new:
            self._step(len(rows))

    def _step(self, rows: int) -> None:
        self._done += rows
        self._told(self._phase, self._done, max(self._of, self._done))


def _after(number: int) -> Row:
    return (number,) if number else ()
