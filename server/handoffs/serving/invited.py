"""The inbox of a store, as a server that asks uses it: what starts it is imported when somebody must be reached."""

from contextlib import suppress
from typing import TYPE_CHECKING

import anyio.to_thread

from handoffs.core.model import Handoff
from handoffs.settings import data_folder
from handoffs.store import StoreAddress

if TYPE_CHECKING:
    from handoffs.inbox_process.start import BackgroundInbox


class InboxWhenNeeded:
    """The inbox of a store. What starts it is imported when somebody must be reached, which most servers never do.

    Without `start` it is used where one runs already, and left alone where none does. With a `url`, people reach it
    there: whoever said so has it run.
    """

    def __init__(self, store: StoreAddress, *, start: bool, url: str | None = None) -> None:
        """Take the store; nothing is started yet."""
        self._store, self._start, self._url = store, start, url
        self._inbox: BackgroundInbox | None = None

    async def invite(self, handoff: Handoff) -> str | None:
        """Have it show the handoff, and return the address there, which signs nobody in; None where there is none."""
        if self._url is not None:
            from handoffs.inbox_process.record import page_at

            return page_at(self._url, handoff.id)
        if not self._start:
            with suppress(OSError):
                return await anyio.to_thread.run_sync(_page, self._store, handoff.id)
            return None
        if self._inbox is None:
            from handoffs.inbox_process.start import BackgroundInbox

            self._inbox = BackgroundInbox(store=self._store, data=data_folder())
        return await self._inbox.invite(handoff)


def _page(store: StoreAddress, handoff_id: str) -> str | None:
    """The page of a handoff, where an inbox runs; it signs nobody in."""
    from handoffs.inbox_process.record import InboxRecord  # only where somebody is told

    running = InboxRecord(store=store, data=data_folder()).running()
    return running.address(handoff_id) if running is not None else None
