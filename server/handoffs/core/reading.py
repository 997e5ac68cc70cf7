"""Reads handoffs and the log. A handoff past its deadline is expired before it is returned."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from handoffs.core.errors import AlreadyEnded, Ambiguous, FileChanged, NotFound
from handoffs.core.events import Entry
from handoffs.core.ids import ID_PREFIX
from handoffs.core.lifecycle import expiry
from handoffs.core.model import Cursor, Handoff, OpenCount, Outline
from handoffs.core.ports import Clock, Permissions, Store

if TYPE_CHECKING:  # most servers need none of it
    from handoffs.core.chat import Chats

_BEGINNING = datetime.min.replace(tzinfo=UTC)

_PAGE = 1000
"""Lines of the log that are read in one query."""


class Reader:
    """The part of the desk that reads."""

    def __init__(self, *, store: Store, clock: Clock) -> None:
        """Take the store, and the clock that deadlines go by."""
        self._store = store
        self._clock = clock

    @property
    def permissions(self) -> Permissions:
        """The pins, grants and the stop of all of this store."""
        return self._store.permissions

    @property
    def chats(self) -> "Chats":
        """Where people are told of questions and answer them, apart from the inbox."""
        return self._store.chats

    async def has_chats(self) -> bool:
        """Return whether somebody has set a chat up. Loads nothing for those who have not."""
        return await self._store.has_chats()

    async def get(self, handoff_id: str) -> Handoff:
        """Return one handoff by its whole id; past its deadline, as expired. Raises NotFound."""
        handoff = await self._store.get(handoff_id)
        if not handoff.overdue(self._clock.now()):
            return handoff
        return await self._expire(handoff)

    async def content(self, handoff: Handoff, number: int) -> bytes:
        """Return the bytes of a file of its answer, the first of which has the number 1.

        Raises:
            NotFound: There is no file of this number.
            FileChanged: It is not in the store as the person gave it.
        """
        if not 0 < number <= len(handoff.attachments):
            raise NotFound(f"{handoff.id}/{number}")
        content = await self._store.content(handoff.id, number)
        if content is None or not handoff.attachments[number - 1].holds(content):
            raise FileChanged(handoff.id, number)
        return content

    async def find(self, prefix: str) -> Handoff:
        """Return the one handoff whose id starts with `prefix`, with or without its `h_`.

        Raises:
            NotFound: No id starts like this.
            Ambiguous: Several ids start like this.
        """
        whole = prefix if prefix.startswith(ID_PREFIX) or ID_PREFIX.startswith(prefix) else ID_PREFIX + prefix
        ids = list(await self._store.ids(whole)) if prefix else []
        if whole in ids:
            return await self.get(whole)
        match ids:
            case []:
                raise NotFound(prefix)
            case [only]:
                return await self.get(only)
            case _:
                raise Ambiguous(prefix, tuple(ids))

    async def newest(
        self, *, open_only: bool, before: Cursor | None = None, skip: int = 0, limit: int = 1000
    ) -> Sequence[Handoff]:
        """Return handoffs, newest first, at most `limit`: those after `before`, without the first `skip`."""
        await self._expire_all()
        return await self._store.newest(open_only=open_only, before=before, skip=skip, limit=limit)

    async def outlines(
        self, *, ended_only: bool, since: datetime = _BEGINNING, before: Cursor | None = None, limit: int = 1000
    ) -> Sequence[Outline]:
        """Return outlines, newest first, at most `limit`: those after `before`, created at `since` or later."""
        await self._expire_all()
        return await self._store.outlines(ended_only=ended_only, since=since, before=before, limit=limit)

    async def get_all(self, handoff_ids: Sequence[str]) -> Sequence[Handoff]:
        """Return the handoffs with these ids, in this order, without those that do not exist."""
        await self._expire_all()
        return await self._store.get_all(handoff_ids)

    async def count_open(self) -> OpenCount:
        """Return the number of open handoffs, the next deadline, and the newest line of the log, in one snapshot."""
        await self._expire_all()
        return await self._store.count_open()

    async def next_deadline(self) -> datetime | None:
        """Return when the next open handoff expires; None where none is open. Costs the same for any number."""
        return await self._store.next_deadline()

    async def newest_of(self, subject: str, *, open_only: bool, limit: int = 1000) -> Sequence[Handoff]:
        """Return the handoffs of one subject, newest first, at most `limit`."""
        await self._expire_all()
        return await self._store.newest_of(subject, open_only=open_only, limit=limit)

    async def ended_of_action(self, subject: str, digest: str, *, limit: int) -> Sequence[Handoff]:
        """Return the ended handoffs of one subject about the action with this digest, newest first, at most `limit`."""
        return await self._store.ended_of_action(subject, digest, limit=limit)

    async def log(self, *, handoff_id: str | None = None, after: int = 0, limit: int = 1000) -> Sequence[Entry]:
        """Return lines of the audit log after line number `after`, in order, of one handoff or all."""
        await self._expire_all()
        return await self._store.log(handoff_id=handoff_id, after=after, limit=limit)

    async def history(self, handoff_id: str) -> Sequence[Entry]:
        """Return all lines of the audit log of one handoff, in order. There may be thousands."""
        lines = list(await self._store.log(handoff_id=handoff_id, limit=_PAGE))
        while lines and len(lines) % _PAGE == 0:
            more = await self._store.log(handoff_id=handoff_id, after=lines[-1].number, limit=_PAGE)
            if not more:
                break
            lines.extend(more)
        return lines

    async def _expire(self, handoff: Handoff) -> Handoff:
        try:
            return await self._store.record(handoff.id, expiry(handoff), known=handoff)
        except AlreadyEnded:
            return await self._store.get(handoff.id)

    async def _expire_all(self) -> None:
        await self._store.ready()
        while overdue := await self._store.overdue(self._clock.now()):
            for handoff_id in overdue:
                await self._expire(await self._store.get(handoff_id))
