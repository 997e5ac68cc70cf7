"""Every seam of the desk, on one page: where handoffs are kept, how a person is reached, what time it is."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AbstractContextManager
from datetime import datetime
from typing import Protocol

from handoffs.core.events import Entry, Event, Opened
from handoffs.core.grant import Grant, Pin, Stop
from handoffs.core.model import Cursor, Handoff, OpenCount, Outline
from handoffs.core.quota import Quota
from handoffs.core.token import Token


class Alarm(Protocol):
    """Something that is going to be called."""

    def cancel(self) -> object:
        """Don't; does nothing once it has been."""
        ...


class Clock(Protocol):
    """Tells the time, in UTC, and ends what takes too long."""

    def now(self) -> datetime:
        """Return the time, timezone-aware."""
        ...

    def limit(self, seconds: float | None) -> AbstractContextManager[object]:
        """Return a block that is left, without an error, after `seconds`; None never."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Return after `seconds`."""
        ...

    def monotonic(self) -> float:
        """Return seconds since some moment, by a clock that nobody sets."""
        ...

    def alarm(self, seconds: float, ring: Callable[[], None]) -> Alarm:
        """Have `ring` called once after `seconds`, which costs less than a task that waits."""
        ...


class Watch(Protocol):
    """Hears of changes from the moment it was made, of this process and of every other on the same store."""

    async def changed(self) -> Mapping[str, int] | None:
        """Return the handoffs that may have changed since the last time this returned; None says any of them may.

        Each with its version, where that is known; a higher one than any otherwise. May return for nothing.
        """
        ...


class Tokens(Protocol):
    """Where the tokens are kept. Every method raises StoreError where that can't be used."""

    async def add(self, token: Token) -> bool:
        """Keep a token; False, and nothing is changed, where there is a good one of this name."""
        ...

    async def find(self, digest: str) -> Token | None:
        """Return the token with this digest, good or not."""
        ...

    async def all(self) -> Sequence[Token]:
        """Return every token there has been, by name."""
        ...

    async def revoke(self, name: str, *, at: datetime) -> bool:
        """Let nobody in with the token of this name from now on; False where there is none, or it was before."""
        ...

    async def used(self, digest: str, *, at: datetime) -> None:
        """Note when a token was last seen."""
        ...


class Permissions(Protocol):
    """Where pins, grants and the stop of all are kept. Safe for any number of processes at once.

    Every method raises StoreError where the store can't be used. What a method has returned has been made durable, and
    the next read of every process finds it. No watch is woken.
    """

    async def pins(self, server: str) -> Mapping[str, Pin]:
        """Return the pins of a server, by tool."""
        ...

    async def pin(self, pins: Sequence[Pin]) -> None:
        """Keep pins, all or none, each in place of the one of the same server and tool."""
        ...

    async def unpin(self, server: str, tools: Sequence[str]) -> None:
        """Forget the pins of these tools of a server."""
        ...

    async def grant(self, grant: Grant) -> None:
        """Keep a new grant. Raises ValueError: There is another one with this id."""
        ...

    async def grants(
        self,
        *,
        subject: str | None = None,
        server: str | None = None,
        tool: str | None = None,
        active_at: datetime | None = None,
        limit: int = 1000,
    ) -> Sequence[Grant]:
        """Return grants, newest first, at most `limit`: those of a subject, server and tool; those `Grant.active`."""
        ...

    async def use(self, grant_id: str, *, at: datetime) -> Grant | None:
        """Count one use of a grant, and return the grant as it is then; all of it is one commit.

        None, and nothing is written, where it is not `Grant.active`, where there is none, or while a stop stands.
        """
        ...

    async def revoke(self, grant_id: str, *, at: datetime) -> bool:
        """End a grant for good; False where there is none, or it was revoked before."""
        ...

    async def suspend(self, grant_id: str, *, at: datetime) -> bool:
        """Let a grant allow nothing until it is resumed; False where there is none, or it is revoked or suspended."""
        ...

    async def resume(self, grant_id: str) -> bool:
        """Let a suspended grant count again; False where there is none, or it is revoked or not suspended."""
        ...

    async def end_grants(self, *, server: str, tool: str, at: datetime) -> int:
        """Revoke every grant for a tool, whoever's, also those suspended or expired; return how many those were."""
        ...

    async def stop(self, stop: Stop) -> bool:
        """Let no grant be used until this is lifted; False, and nothing is changed, where a stop stands already."""
        ...

    async def lift(self) -> bool:
        """End the stop; False where there is none."""
        ...

    async def stopped(self) -> Stop | None:
        """Return the stop that stands, if any."""
        ...


class Store(Protocol):
    """Keeps handoffs and their events. Safe for any number of processes at once.

    Every method raises StoreError where the store can't be used. What a method has returned has been made durable.
    """

    async def ready(self) -> None:
        """Open the store, where nothing has yet: from then on the clock goes by what the store knows of it."""
        ...

    async def open(
        self,
        handoff: Handoff,
        *,
        collect_after: datetime,
        opened: Opened | None = None,
        quota: Quota | None = None,
    ) -> Handoff:
        """Keep a new handoff and its `Opened`, unless it joins one that is there; return the one that counts.

        It joins the newest that `Handoff.joined_by` allows since `collect_after`. A new one has the `earlier` that was
        decided last. `opened` is what the log says of a new one where there is more to say than when.

        Raises:
            QuotaUsedUp: It would be a new one, and its subject has as much as `quota` allows.
        """
        ...

    async def record(
        self, handoff_id: str, *events: Event, known: Handoff | None = None, durable: bool = True
    ) -> Handoff:
        """Let events happen, all or none: read, `advance`, write the row and the lines of the log, in one transaction.

        `known` is the handoff as the caller saw it last: a store for which reading is dear may begin from there. What
        is not `durable` may be lost in a power cut.

        Raises:
            NotFound: There is no such handoff.
            AlreadyEnded: It has an outcome already, or its deadline had passed (which is then recorded).
            AlreadyReminded: Another process has claimed this stage.
            AlreadyUsed: The approval is another tool use's.
        """
        ...

    async def get(self, handoff_id: str) -> Handoff:
        """Return one handoff by its whole id. Raises NotFound."""
        ...

    async def ids(self, prefix: str, *, limit: int = 10) -> Sequence[str]:
        """Return the ids that start with `prefix`, at most `limit` of them, in order."""
        ...

    async def newest(
        self, *, open_only: bool, before: Cursor | None = None, skip: int = 0, limit: int = 1000
    ) -> Sequence[Handoff]:
        """Return handoffs, newest first, at most `limit`: those that come after `before`, less the first `skip`."""
        ...

    async def outlines(
        self, *, ended_only: bool, since: datetime, before: Cursor | None = None, limit: int = 1000
    ) -> Sequence[Outline]:
        """Return outlines, newest first, at most `limit`: those that come after `before`, made at `since` or later."""
        ...

    async def get_all(self, handoff_ids: Sequence[str]) -> Sequence[Handoff]:
        """Return the handoffs with these ids in this order; one that is not there is left out."""
        ...

    async def count_open(self) -> OpenCount:
        """Return how many are open, when the next expires, and the newest line of the log, all of one moment."""
        ...

    async def newest_of(self, subject: str, *, open_only: bool, limit: int = 1000) -> Sequence[Handoff]:
        """Return the handoffs of one subject, newest first, at most `limit`, however many others have."""
        ...

    async def overdue(self, now: datetime, *, limit: int = 1000) -> Sequence[str]:
        """Return the ids of the open handoffs whose deadline has passed."""
        ...

    async def log(self, *, handoff_id: str | None = None, after: int = 0, limit: int = 1000) -> Sequence[Entry]:
        """Return lines of the audit log in order, of one handoff or all, that come after line number `after`."""
        ...

    async def claim(self, key: str, *, now: datetime, until: datetime) -> bool:
        """Use up a key that may be used once: True for one of all who ever try before `until`, in whatever process."""
        ...

    def watch(self, handoff_id: str | None = None) -> AbstractAsyncContextManager[Watch]:
        """Return a watch on one handoff, or on all of the store."""
        ...


class Sealer(Protocol):
    """Seals texts so that only who has its keys can open them, in whatever process, also after a restart."""

    async def obstacle(self) -> str:
        """Return why nothing can be sealed here so that it can be opened later, and what to do; empty where it can."""
        ...

    async def seal(self, text: str, *, context: str) -> str:
        """Return `text` sealed; `context` is not in it, and must be given again to open it. Raises SecretRefused."""
        ...

    async def unseal(self, sealed: str, *, context: str) -> str:
        """Return what was sealed. Raises SecretRefused: by another key, for another context, or changed since."""
        ...


class Reply(Protocol):
    """What a channel may do with the one question it was given."""

    async def earlier(self) -> Handoff | None:
        """Return how the same question was decided a short while ago; see `Handoff.earlier`."""
        ...

    async def reached(self) -> None:
        """Say that somebody has the question before them."""
        ...

    async def dismissed(self) -> None:
        """Say that a person put the question off: not now."""
        ...

    async def answer(self, values: Mapping[str, object], *, by: str, note: str = "", other: str = "") -> None:
        """Answer, or say something `other` than the options.

        Raises:
            AnswerRefused: Ask again, with the reason.
            AlreadyEnded: Say who was first.
        """
        ...

    async def decline(self, *, by: str, note: str = "") -> None:
        """Refuse to answer. Raises AlreadyEnded."""
        ...


class Overview(Protocol):
    """What of the desk a channel uses that looks after every open question at once, not after one it was given."""

    @property
    def clock(self) -> Clock:
        """The clock by which deadlines are kept."""
        ...

    async def get(self, handoff_id: str) -> Handoff:
        """Return one handoff as it is now. Raises NotFound."""
        ...

    async def newest(
        self, *, open_only: bool, before: Cursor | None = None, skip: int = 0, limit: int = 1000
    ) -> Sequence[Handoff]:
        """Return handoffs, newest first, at most `limit`: those that come after `before`, less the first `skip`."""
        ...

    def watch(self, handoff_id: str | None = None) -> AbstractAsyncContextManager[Watch]:
        """Return a watch on one handoff, or on all of them."""
        ...

    async def remind(self, handoff: Handoff, *, channel: str, stage: str) -> bool:
        """Take it on to tell a person at this stage; True for one of all who ever try, in whatever process."""
        ...

    async def not_shown(self, handoff: Handoff, *, channel: str, reason: str) -> None:
        """Note that a channel could not tell anybody; the question stays open elsewhere."""
        ...


class Channel(Protocol):
    """One way to reach a person."""

    @property
    def name(self) -> str:
        """What the answer says it came through: `terminal`."""
        ...

    async def present(self, handoff: Handoff, reply: Reply) -> None:
        """Show the question until it is answered or put off here; cancelled, to leave no trace, when it ends elsewhere.

        A question with `breakout_of_loop` is told, not asked.
        """
        ...
