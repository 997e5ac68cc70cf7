"""The interfaces that the desk depends on: store, channels, clock, sealer."""

from __future__ import annotations  # the packages of its types take longer to import than a hook that asks nobody

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AbstractContextManager
from datetime import datetime
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from handoffs.core.chat import Chats
    from handoffs.core.events import Entry, Event, Opened
    from handoffs.core.grant import Grant, Pin, PinnedServer, Stop
    from handoffs.core.leaves import Leaves
    from handoffs.core.model import Cursor, Handoff, OpenCount, Outline
    from handoffs.core.people import People
    from handoffs.core.quota import Quota
    from handoffs.core.token import Token


class Alarm(Protocol):
    """A callback that is scheduled."""

    def cancel(self) -> object:
        """Cancel the callback. Does nothing once it has run."""
        ...


class Clock(Protocol):
    """Tells the time in UTC, and limits how long things take."""

    def now(self) -> datetime:
        """Return the time, with its zone."""
        ...

    def limit(self, seconds: float | None) -> AbstractContextManager[object]:
        """Return a block that is left, without an error, after `seconds`; None sets no limit."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Return after `seconds`."""
        ...

    def monotonic(self) -> float:
        """Return seconds since some moment, by a clock that can't be set."""
        ...

    def alarm(self, seconds: float, ring: Callable[[], None]) -> Alarm:
        """Schedule `ring` to be called once after `seconds`. Costs less than a task that waits."""
        ...


class Watch(Protocol):
    """Reports changes since it was made, by this process and all others on the same store."""

    async def changed(self) -> Mapping[str, int] | None:
        """Return the handoffs that may have changed since the last call; None if any of them may have.

        Each comes with its version if that is known, otherwise with a higher one than any. May return without a change.
        """
        ...


class Tokens(Protocol):
    """Keeps the tokens. Every method raises StoreError if the store can't be used."""

    async def add(self, token: Token) -> bool:
        """Add a token. Returns False, and changes nothing, if a valid token has this name."""
        ...

    async def find(self, digest: str) -> Token | None:
        """Return the token with this digest, valid or not."""
        ...

    async def all(self) -> Sequence[Token]:
        """Return all tokens, also expired and revoked ones, by name."""
        ...

    async def revoke(self, name: str, *, at: datetime) -> bool:
        """Revoke the token of this name. Returns False if there is none, or it was revoked before."""
        ...

    async def used(self, digest: str, *, at: datetime) -> None:
        """Record when a token was last used."""
        ...


class Permissions(Protocol):
    """Where pins, grants and the stop of all are kept. Safe for any number of processes at once.

    Every method raises StoreError where the store can't be used. What a method has returned has been made durable, and
    the next read of every process finds it. Only `stop` and `lift` wake watches: those of all handoffs.
    """

    async def pins(self, server: str) -> Mapping[str, Pin]:
        """Return the pins of a server, by tool."""
        ...

    async def servers(self, *, limit: int = 1000) -> Sequence[PinnedServer]:
        """Return the servers that have pins, the newest first, at most `limit`."""
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

    Every method raises StoreError if the store can't be used. When a method returns, its changes are durable.
    """

    @property
    def permissions(self) -> Permissions:
        """The pins, grants and the stop of all of this store."""
        ...

    @property
    def leaves(self) -> Leaves:
        """The leaves of the verifiable log, and the tree over them."""
        ...

    @property
    def people(self) -> People:
        """The people of this store, and what signs them in."""
        ...

    @property
    def chats(self) -> Chats:
        """Where people are told of questions and answer them, apart from the inbox."""
        ...

    async def has_chats(self) -> bool:
        """Return whether there is a chat. Costs next to nothing, and loads nothing."""
        ...

    async def ready(self) -> None:
        """Open the store, if it is not open yet. From then on the clock follows the store's knowledge of the time."""
        ...

    async def open(
        self,
        handoff: Handoff,
        *,
        collect_after: datetime,
        opened: Opened | None = None,
        quota: Quota | None = None,
    ) -> Handoff:
        """Store a new handoff and its `Opened`, or join an existing one. Returns the stored or the joined handoff.

        It joins the newest one that `Handoff.joined_by` allows since `collect_after`. A new one gets as `earlier` the
        one that was decided last. `opened` is the log's entry of a new one, if it says more than the time.

        Raises:
            QuotaUsedUp: It would be a new one, and its subject has reached `quota`.
        """
        ...

    async def record(
        self,
        handoff_id: str,
        *events: Event,
        known: Handoff | None = None,
        durable: bool = True,
        unless_stopped: bool = False,
        contents: Sequence[bytes] = (),
    ) -> Handoff:
        """Record events, all or none: read, `advance`, write the row and the lines of the log, in one transaction.

        `known` is the handoff as the caller last saw it: a store with slow reads may start from it. Without `durable`,
        the events may be lost in a power cut. With `unless_stopped`, nothing is recorded while a stop stands.
        `contents` are the bytes of the files of an `Answered`, kept if it is what ended the handoff.

        Raises:
            NotFound: There is no such handoff.
            AlreadyEnded: It has an outcome already, or its deadline had passed (which is then recorded).
            AlreadyReminded: Another process has claimed this stage.
            AlreadyUsed: Another tool use has the approval.
            Stopped: A stop stands, and the events are not to be recorded then.
        """
        ...

    async def get(self, handoff_id: str) -> Handoff:
        """Return one handoff by its whole id. Raises NotFound."""
        ...

    async def content(self, handoff_id: str, number: int) -> bytes | None:
        """Return the bytes of a file of an answer, the first of which has number 1; None if there are none."""
        ...

    async def ids(self, prefix: str, *, limit: int = 10) -> Sequence[str]:
        """Return the ids that start with `prefix`, at most `limit`, in order."""
        ...

    async def newest(
        self, *, open_only: bool, before: Cursor | None = None, skip: int = 0, limit: int = 1000
    ) -> Sequence[Handoff]:
        """Return handoffs, newest first, at most `limit`: those after `before`, without the first `skip`."""
        ...

    async def outlines(
        self, *, ended_only: bool, since: datetime, before: Cursor | None = None, limit: int = 1000
    ) -> Sequence[Outline]:
        """Return outlines, newest first, at most `limit`: those after `before`, created at `since` or later."""
        ...

    async def get_all(self, handoff_ids: Sequence[str]) -> Sequence[Handoff]:
        """Return the handoffs with these ids, in this order, without those that do not exist."""
        ...

    async def count_open(self) -> OpenCount:
        """Return the number of open handoffs, the next deadline, and the newest line of the log, in one snapshot."""
        ...

    async def next_deadline(self) -> datetime | None:
        """Return when the next open handoff expires; None where none is open. Costs the same for any number."""
        ...

    async def newest_of(self, subject: str, *, open_only: bool, limit: int = 1000) -> Sequence[Handoff]:
        """Return the handoffs of one subject, newest first, at most `limit`. Those of others do not count."""
        ...

    async def ended_of_action(self, subject: str, digest: str, *, limit: int) -> Sequence[Handoff]:
        """Return the ended handoffs of one subject about the action with this digest, newest first, at most `limit`.

        Those that were stored by a version without digests are not found.
        """
        ...

    async def overdue(self, now: datetime, *, limit: int = 1000) -> Sequence[str]:
        """Return the ids of open handoffs whose deadline has passed."""
        ...

    async def log(self, *, handoff_id: str | None = None, after: int = 0, limit: int = 1000) -> Sequence[Entry]:
        """Return lines of the audit log after line number `after`, in order, of one handoff or all."""
        ...

    async def claim(self, key: str, *, now: datetime, until: datetime) -> bool:
        """Claim a key that may be used once. True for the first of all processes that try before `until`."""
        ...

    async def extend_claim(self, key: str, *, held: datetime, until: datetime) -> bool:
        """Let the claim that ends at `held` end at `until`. False where it is another's by now, or gone."""
        ...

    def watch(self, handoff_id: str | None = None) -> AbstractAsyncContextManager[Watch]:
        """Return a watch on one handoff, or on the whole store."""
        ...


class Sealer(Protocol):
    """Seals texts. Any process with the same keys can open them, also after a restart; no other can."""

    async def obstacle(self) -> str:
        """Return why sealed texts could not be opened later, and what to do about it; empty if they can."""
        ...

    async def seal(self, text: str, *, context: str) -> str:
        """Return `text` sealed. Opening it needs the same `context`, which is not in it. Raises SecretRefused."""
        ...

    async def unseal(self, sealed: str, *, context: str) -> str:
        """Return what was sealed. Raises SecretRefused: another key or context sealed it, or it was changed."""
        ...


class Reply(Protocol):
    """What a channel may do with the question that it was given."""

    async def earlier(self) -> Handoff | None:
        """Return the same question as it was decided a short while ago; see `Handoff.earlier`."""
        ...

    async def reached(self) -> None:
        """Report that a person has the question before them."""
        ...

    async def dismissed(self) -> None:
        """Report that a person put the question off (*not now*)."""
        ...

    async def answer(self, values: Mapping[str, object], *, by: str, note: str = "", other: str = "") -> None:
        """Answer, with values or with something `other` than the options.

        Raises:
            AnswerRefused: The answer does not fit. Show the reason, and ask again.
            AlreadyEnded: The handoff has an outcome already. Show who decided.
        """
        ...

    async def decline(self, *, by: str, note: str = "") -> None:
        """Refuse to answer. Raises AlreadyEnded."""
        ...


class Overview(Protocol):
    """The part of the desk for a channel that follows all open questions, not one that it was given."""

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
        """Return handoffs, newest first, at most `limit`: those after `before`, without the first `skip`."""
        ...

    def watch(self, handoff_id: str | None = None) -> AbstractAsyncContextManager[Watch]:
        """Return a watch on one handoff, or on all of them."""
        ...

    async def remind(self, handoff: Handoff, *, channel: str, stage: str) -> bool:
        """Claim the reminder of this stage. True for the first of all processes that try."""
        ...

    async def log_head(self) -> str:
        """Return the head of the verifiable log as a line; empty where there is none. Raises StoreError."""
        ...

    async def not_shown(self, handoff: Handoff, *, channel: str, reason: str) -> None:
        """Record that a channel could not tell a person. The question stays open elsewhere."""
        ...


class Channel(Protocol):
    """One way to reach a person."""

    @property
    def name(self) -> str:
        """The name of the channel in the answer: `terminal`."""
        ...

    async def present(self, handoff: Handoff, reply: Reply) -> None:
        """Show the question until it is answered or put off here. Cancelled when it ends elsewhere: leave no trace.

        A question with `breakout_of_loop` is shown, but not asked here.
        """
        ...
