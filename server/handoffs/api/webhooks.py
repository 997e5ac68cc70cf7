"""Webhooks: what becomes of all questions of a store is posted to addresses of the operator, by Standard Webhooks.

- Of all processes on a store, one posts to an address: the one that holds its row among the accounts of chats. A hold
  of some seconds, renewed while it posts, passes to another process when that one ends.
- Beside the hold is the number of the last line of the log that was delivered, or given up. Events go out one by one,
  in the order of the log, at least once: a repeat has the same `webhook-id`.
- An event holds ids, times, the caller's client and the channel of the answer. It holds nothing that anybody wrote, and
  is never the authority of an answer: the receiver asks the server.
- What the receiver does not take is tried again after growing pauses, for a day since it happened. A redirect is not
  followed. 410 ends the posting to that address until the process is started again.
"""

import json
import logging
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from hashlib import sha256
from http import HTTPStatus
from secrets import token_hex
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import anyio
import httpx2
from standardwebhooks import Webhook

from handoffs import __version__
from handoffs.api.events import TOLD, last_line
from handoffs.channels.chats import http
from handoffs.core.desk import Desk
from handoffs.core.display import stamp
from handoffs.core.errors import HandoffError, NotFound, StoreError
from handoffs.core.events import Entry
from handoffs.core.model import Handoff, State
from handoffs.core.retry import growing_pauses
from handoffs.core.untrusted import inert_line

if TYPE_CHECKING:
    from handoffs.core.chat import Chats

SETTING = "HANDOFFS_WEBHOOK"

SEND_SECONDS = 15.0
"""How long a receiver may take to answer."""

HOLD_SECONDS, RENEW_SECONDS, LOOK_SECONDS = 30.0, 10.0, 10.0
"""A post of `SEND_SECONDS` after a hold of `RENEW_SECONDS` is over before another process can take it over."""

FIRST_PAUSE, LONGEST_PAUSE = 2.0, 600.0
GIVE_UP_SECONDS = 86_400.0
"""How long after an event it is tried again."""

_LINES = 500
_LOOK_BACK = 1000
"""Where the receiver is new to the store, the first event of this process is looked for in so many lines of the log."""
_MOST_AFTER = 3600.0

logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True, slots=True)
class Receiver:
    """One address. It may hold passwords, so that it is named by its number and host alone."""

    number: int
    url: str = field(repr=False)
    secrets: Sequence[str] = field(repr=False)
    """Each makes a signature: a receiver that has one of them can check it."""

    @property
    def name(self) -> str:
        """How the log of the server names it."""
        parts = urlsplit(self.url)
        return f"{SETTING} {self.number} ({parts.scheme}://{inert_line(parts.hostname or '', 100)})"

    @property
    def account(self) -> str:
        """By what the store knows it."""
        return f"webhook:{sha256(self.url.encode()).hexdigest()}"


@dataclass(frozen=True, kw_only=True, slots=True)
class Timing:
    """How patient it is, in seconds."""

    send: float = SEND_SECONDS
    hold: float = HOLD_SECONDS
    renew: float = RENEW_SECONDS
    look: float = LOOK_SECONDS
    first_pause: float = FIRST_PAUSE
    longest_pause: float = LONGEST_PAUSE
    give_up: float = GIVE_UP_SECONDS


class NotDelivered(Exception):
    """The receiver did not take it. The text holds no address."""

    def __init__(self, words: str, *, after: float = 0) -> None:
        """Take the reason, and for how many seconds the receiver wants to be left alone."""
        self.after = after
        super().__init__(words)


class ReceiverGone(NotDelivered):
    """The receiver wants no more of them."""


async def run(desk: Desk, receivers: Sequence[Receiver], *, started: datetime, timing: Timing | None = None) -> None:
    """Post what becomes of the questions of a store, until cancelled, as far as no other process does.

    An address that this store has never told anything is told what has happened since `started`.
    """
    timing = timing or Timing()
    agent = {"user-agent": f"handoffs/{__version__}"}
    async with http.client("", agent, seconds=timing.send) as client, anyio.create_task_group() as tasks:
        for receiver in receivers:
            tasks.start_soon(Posting(desk, receiver, client, started=started, timing=timing).run)


class Posting:
    """Posts to one receiver."""

    def __init__(
        self, desk: Desk, receiver: Receiver, client: httpx2.AsyncClient, *, started: datetime, timing: Timing
    ) -> None:
        """Take the parts; see `run`."""
        self._desk, self._receiver, self._client = desk, receiver, client
        self._started, self._timing = started, timing
        self._holder = token_hex(8)
        self._held_at = 0.0
        self._read, self._lines = 0, deque[Entry]()
        self._pauses: Iterator[float] | None = None  # while the receiver fails

    async def run(self) -> None:
        """Post until cancelled, or until the receiver is gone."""
        while True:
            try:
                position = await self._hold()
                if position is not None:
                    await self._post_while_held(position)
            except ReceiverGone:
                logger.warning(
                    "%s wants no more of them (410). It is told nothing until the server is started again.",
                    self._receiver.name,
                )
                return
            except StoreError:
                pass  # the callers whose questions can't be stored report this
            except Exception as broken:  # noqa: BLE001 - no server may end over a webhook
                logger.warning("%s: it failed with %s.", self._receiver.name, type(broken).__name__)
            await self._desk.clock.sleep(self._timing.look)

    # The hold

    @property
    def _chats(self) -> "Chats":
        return self._desk.chats

    async def _hold(self) -> str | None:
        now, asked = self._desk.clock.now(), self._desk.clock.monotonic()
        until = now + timedelta(seconds=self._timing.hold)
        position = await self._chats.hold(self._receiver.account, self._holder, at=now, until=until)
        self._held_at = asked
        return position

    async def _is_held(self) -> bool:
        """Say whether no other process posts, and renew that if it is time."""
        if self._desk.clock.monotonic() - self._held_at < self._timing.renew:
            return True
        return await self._hold() is not None

    async def _post_while_held(self, position: str) -> None:
        try:
            self._read = int(position) if position else await self._begin()
            self._lines.clear()
            async with self._desk.watch() as watch:
                while await self._is_held():
                    entry = await self._next()
                    if entry is not None:
                        await self._deliver(entry)
                        continue
                    with self._desk.clock.limit(self._timing.renew):
                        await watch.changed()
        finally:
            with anyio.CancelScope(shield=True), suppress(HandoffError):
                await self._chats.leave(self._receiver.account, self._holder)

    async def _begin(self) -> int:
        """Return the number of the last line before this process was started, and keep it."""
        last = await last_line(self._desk)
        lines = await self._desk.log(after=max(0, last - _LOOK_BACK), limit=_LOOK_BACK)
        since = next((line.number - 1 for line in lines if line.at >= self._started), last)
        await self._chats.move(self._receiver.account, str(since))
        return since

    # Events

    async def _next(self) -> Entry | None:
        """Return the next line that is told, which stays the next one until it is done; None while there is none."""
        while True:
            while self._lines:
                if self._lines[0].name in TOLD:
                    return self._lines[0]
                self._lines.popleft()
            found = await self._desk.log(after=self._read, limit=_LINES)
            if not found:
                return None
            self._lines.extend(found)
            self._read = found[-1].number

    async def _deliver(self, entry: Entry) -> None:
        """Post one event, once. It is done then, or tried again after a pause, or given up."""
        try:
            handoff = await self._desk.get(entry.handoff_id)
        except NotFound:  # it was pruned
            await self._done(entry)
            return
        try:
            await self._post(f"{entry.handoff_id}_{entry.number}", event_of(entry, handoff))
        except ReceiverGone:
            raise
        except NotDelivered as wrong:
            await self._failed(entry, wrong)
        else:
            if self._pauses is not None:
                logger.warning("%s takes them again.", self._receiver.name)
            self._pauses = None
            await self._done(entry)

    async def _failed(self, entry: Entry, wrong: NotDelivered) -> None:
        if self._pauses is None:
            self._pauses = growing_pauses(self._timing.first_pause, self._timing.longest_pause)
            logger.warning("%s: %s. It is tried again.", self._receiver.name, wrong)
        if (self._desk.clock.now() - entry.at).total_seconds() > self._timing.give_up:
            logger.warning(
                "%s: %s. It is not told that %s was %s: that was too long ago to be tried again.",
                self._receiver.name, wrong, entry.handoff_id, entry.name,
            )  # fmt: skip
            await self._done(entry)
        clock = self._desk.clock
        again = clock.monotonic() + max(next(self._pauses), min(wrong.after, _MOST_AFTER))
        while (left := again - clock.monotonic()) > 0:
            await clock.sleep(min(left, self._timing.renew))
            if not await self._is_held():
                return

    async def _done(self, entry: Entry) -> None:
        await self._chats.move(self._receiver.account, str(entry.number))
        self._lines.popleft()

    async def _post(self, name: str, event: dict[str, object]) -> None:
        """Post an event. Raises NotDelivered."""
        body = json.dumps(event)
        now = self._desk.clock.now()  # the time of this try: an old one is refused
        signatures = [Webhook(secret).sign(name, now, body) for secret in self._receiver.secrets]
        headers = {
            "content-type": "application/json",
            "webhook-id": name,
            "webhook-timestamp": str(int(now.timestamp())),
            "webhook-signature": " ".join(signatures),
        }
        try:
            with anyio.fail_after(self._timing.send):
                # What it says besides the status is not read.
                async with self._client.stream(
                    "POST", self._receiver.url, content=body.encode(), headers=headers, follow_redirects=False
                ) as response:
                    status, after = response.status_code, response.headers.get("retry-after", "")
        except TimeoutError:
            raise NotDelivered(f"no answer within {self._timing.send:g} s") from None
        except (httpx2.HTTPError, httpx2.InvalidURL, OSError) as broken:
            raise NotDelivered(f"it can't be reached ({type(broken).__name__})") from None
        if status == HTTPStatus.GONE:
            raise ReceiverGone("it answers 410")
        if not HTTPStatus.OK <= status < HTTPStatus.MULTIPLE_CHOICES:
            raise NotDelivered(f"it answers {status}", after=float(after) if _is_number(after) else 0)


def event_of(entry: Entry, handoff: Handoff) -> dict[str, object]:
    """Return a line of the log as an event: nothing that anybody wrote, and no name of a person."""
    return {
        "type": f"handoff.{entry.name}",
        "timestamp": stamp(entry.at),
        "data": {
            "id": handoff.id,
            "state": State.OPEN.value if entry.name == "opened" else entry.name,
            "createdAt": stamp(handoff.created_at),
            "deadline": stamp(handoff.question.deadline),
            "client": handoff.caller.client,
            "channel": entry.details.get("channel") or None,
        },
    }


def _is_number(written: str) -> bool:
    return written.isascii() and written.isdigit() and len(written) < 10
