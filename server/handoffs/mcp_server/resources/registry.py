"""The registry of subscriptions: the sessions, the addresses they are subscribed to, and their tokens.

Up to 2025-11-25 a subscription outlives the request that made it, so a record must be kept; this is the only one. A
record ends when the session unsubscribes, when it can't be notified any more, when it is the oldest of too many, when
the server stops, and when its token has lapsed: `handoffs.mcp_server.token_expiry` checks `tokens`.

From 2026-07-28 a subscription is an open request. It needs no record: it ends with the request, as a call does.
"""

import logging
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from functools import partial

from mcp.server.auth.provider import AccessToken, principal_components
from mcp.server.session import ServerSession
from mcp.server.subscriptions import ResourceUpdated, ServerEvent
from mcp.shared.exceptions import MCPError
from mcp.types import INVALID_PARAMS

from handoffs.core.errors import HandoffError
from handoffs.core.ports import Clock
from handoffs.mcp_server.callers.bounds import BOUNDS, Bounds
from handoffs.mcp_server.callers.fair_share import EvictionOrder
from handoffs.mcp_server.callers.subject import token_key
from handoffs.mcp_server.resources.caller_watch import SharedWatch

logger = logging.getLogger(__name__)

SENDING_SECONDS = 5
"""How long a client may take to accept one notification; a slower one has stopped reading, and is removed."""


@dataclass(eq=False)
class _Subscriber:
    subject: str
    session: ServerSession
    watch: SharedWatch
    token: AccessToken | None
    uris: set[str] = field(default_factory=set[str])
    end: Callable[[], None] | None = None
    """Ends its notifications; None until they have begun."""
    lapsed: bool = False
    """Whether its token had lapsed at the last check."""


class SubscriptionRegistry:
    """The sessions that have subscribed."""

    def __init__(self, clock: Clock, bounds: Bounds = BOUNDS) -> None:
        """Take the clock, which limits how long a client may take to accept a notification, and the bounds."""
        self._clock, self._bounds = clock, bounds
        self._subscribers: dict[str, _Subscriber] = {}
        self._order: EvictionOrder[str] = EvictionOrder()

    def __len__(self) -> int:
        """Return how many sessions have subscribed."""
        return len(self._subscribers)

    async def subscribe(
        self,
        name: str,
        uri: str,
        session: ServerSession,
        *,
        subject: str,
        watch: SharedWatch,
        token: AccessToken | None = None,
    ) -> None:
        """Add one address of the session of this name. Raises StoreError when the store can't be watched."""
        subscriber = self._subscribers.get(name)
        if subscriber is None:
            subscriber = self._subscribers[name] = _Subscriber(subject, session, watch, token)
        self._order.add(name, subject)  # again: as the newest
        if len(subscriber.uris) >= (most := self._bounds.uris):
            raise MCPError(INVALID_PARAMS, f"A session can subscribe to {most:,} resources; unsubscribe from some.")
        subscriber.uris.add(uri)
        if (oldest := self._order.to_evict(subject, most=self._bounds.sessions)) is not None:
            self._forget(oldest)
        if subscriber.end is None:
            await self._begin(name, subscriber)

    def unsubscribe(self, name: str, uri: str) -> None:
        """Remove one address of a session; an unknown address is no error."""
        subscriber = self._subscribers.get(name)
        if subscriber is not None:
            subscriber.uris.discard(uri)
            if not subscriber.uris:
                self._forget(name)

    def end_all(self, watch: SharedWatch) -> None:
        """End all subscriptions on this watch: the server stops."""
        for name, subscriber in list(self._subscribers.items()):
            if subscriber.watch is watch:
                self._forget(name)

    # Tokens

    @property
    def tokens(self) -> list[AccessToken]:
        """The current tokens of the subscribed sessions."""
        return [subscriber.token for subscriber in self._subscribers.values() if subscriber.token is not None]

    def renew(self, name: str, token: AccessToken) -> None:
        """Replace the token of a session: clients of an OAuth issuer get a new one about every hour."""
        subscriber = self._subscribers.get(name)
        # A request can name any session; only the session's own caller may renew its token.
        if (
            subscriber is None
            or subscriber.token is None
            or principal_components(subscriber.token) != principal_components(token)
        ):
            return
        subscriber.token, subscriber.lapsed = token, False

    def end_lapsed(self, lapsed: Collection[str]) -> Sequence[AccessToken]:
        """End the subscriptions with these lapsed tokens, given by key; return the token of each ended session.

        A session's subscriptions end at the second check. Its stream ends at the first, so it gets nothing from then
        on. A client that comes back at once, with its next token, expects to keep them.
        """
        ended: list[AccessToken] = []
        for name, subscriber in list(self._subscribers.items()):
            if subscriber.token is None or token_key(subscriber.token) not in lapsed:
                continue
            if subscriber.lapsed:
                self._forget(name)
                ended.append(subscriber.token)
            subscriber.lapsed = True
        return ended

    # Notifications

    async def _begin(self, name: str, subscriber: _Subscriber) -> None:
        try:
            end = await subscriber.watch.begin(subscriber.subject, partial(self._tell, name, subscriber))
        except HandoffError:
            self._forget(name, subscriber)
            raise
        if subscriber.end is None and self._subscribers.get(name) is subscriber:
            subscriber.end = end
        else:
            end()  # it was removed meanwhile, or another request of the session has begun it

    async def _tell(self, name: str, subscriber: _Subscriber, events: list[ServerEvent]) -> None:
        for uri in [event.uri for event in events if isinstance(event, ResourceUpdated)]:
            if uri in subscriber.uris and not await self._sent(subscriber.session, uri):
                self._forget(name, subscriber)
                return

    async def _sent(self, session: ServerSession, uri: str) -> bool:
        with self._clock.limit(SENDING_SECONDS):
            try:
                await session.send_resource_updated(uri)
            except Exception as broken:  # noqa: BLE001 - on any error this session can't be notified
                logger.warning("a subscriber can't be told: %s", type(broken).__name__)
                return False
            return True
        return False

    def _forget(self, name: str, only: _Subscriber | None = None) -> None:
        subscriber = self._subscribers.get(name)
        if subscriber is None or only not in (None, subscriber):
            return
        del self._subscribers[name]
        self._order.discard(name)
        subscriber.uris.clear()
        if subscriber.end is not None:
            subscriber.end()
