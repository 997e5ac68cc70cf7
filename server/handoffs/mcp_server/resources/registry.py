"""The registry of subscriptions: which session is subscribed to what, with which token, and what ends that.

Up to 2025-11-25 a subscription outlives the request that made it, so a record must be kept of it; here is the only one.
A record ends when the session unsubscribes, when it can't be told any more, when it is the oldest of too many, when the
server stops, and when its token has lapsed: `handoffs.mcp_server.token_expiry` asks for `tokens` and says which lapsed.

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
from handoffs.mcp_server.callers.fair_share import Held
from handoffs.mcp_server.callers.subject import token_key
from handoffs.mcp_server.resources.caller_watch import SharedWatch

logger = logging.getLogger(__name__)

SENDING_SECONDS = 5
"""How long a client may take to accept one notification; who takes longer has stopped reading, and is forgotten."""


@dataclass(eq=False)
class _Subscriber:
    subject: str
    session: ServerSession
    watch: SharedWatch
    token: AccessToken | None
    uris: set[str] = field(default_factory=set[str])
    end: Callable[[], None] | None = None
    """Ends its being told; None until it is."""
    lapsed: bool = False
    """Whether its token had lapsed at the last look."""


class SubscriptionRegistry:
    """The sessions that have subscribed."""

    def __init__(self, clock: Clock, bounds: Bounds = BOUNDS) -> None:
        """Begin with none. The clock limits how long a client may take to accept a notification."""
        self._clock, self._bounds = clock, bounds
        self._known: dict[str, _Subscriber] = {}
        self._held: Held[str] = Held()

    def __len__(self) -> int:
        """Return how many sessions have subscribed."""
        return len(self._known)

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
        """Add one address of the session of this name. Raises StoreError where nothing can be watched."""
        known = self._known.get(name)
        if known is None:
            known = self._known[name] = _Subscriber(subject, session, watch, token)
        self._held.add(name, subject)  # again: as the newest
        if len(known.uris) >= (most := self._bounds.uris):
            raise MCPError(INVALID_PARAMS, f"A session can subscribe to {most:,} resources; unsubscribe from some.")
        known.uris.add(uri)
        if (oldest := self._held.one_too_many(subject, most=self._bounds.sessions)) is not None:
            self._forget(oldest)
        if known.end is None:
            await self._begin(name, known)

    def unsubscribe(self, name: str, uri: str) -> None:
        """Drop one address of a session; one that it has not is no error."""
        known = self._known.get(name)
        if known is not None:
            known.uris.discard(uri)
            if not known.uris:
                self._forget(name)

    def end_all(self, watch: SharedWatch) -> None:
        """End what this watch told of: the server stops."""
        for name, known in list(self._known.items()):
            if known.watch is watch:
                self._forget(name)

    # Tokens

    @property
    def tokens(self) -> list[AccessToken]:
        """The tokens by which sessions are subscribed now."""
        return [known.token for known in self._known.values() if known.token is not None]

    def renew(self, name: str, token: AccessToken) -> None:
        """Note that a session goes on with this token: clients of an issuer get a new one every hour or so."""
        known = self._known.get(name)
        # Anybody can name any session; only the caller whose it is goes on with it.
        if known is None or known.token is None or principal_components(known.token) != principal_components(token):
            return
        known.token, known.lapsed = token, False

    def end_lapsed(self, lapsed: Collection[str]) -> Sequence[AccessToken]:
        """End the subscriptions whose token is among these, by its key; return the token of each session ended.

        A session loses them at the second look. Its stream ends at the first, so it is told nothing from then on. A
        client that comes back at once, with the next token of its issuer, does not expect to have lost them.
        """
        ended: list[AccessToken] = []
        for name, known in list(self._known.items()):
            if known.token is None or token_key(known.token) not in lapsed:
                continue
            if known.lapsed:
                self._forget(name)
                ended.append(known.token)
            known.lapsed = True
        return ended

    # What is told

    async def _begin(self, name: str, known: _Subscriber) -> None:
        try:
            end = await known.watch.begin(known.subject, partial(self._tell, name, known))
        except HandoffError:
            self._forget(name, known)
            raise
        if known.end is None and self._known.get(name) is known:
            known.end = end
        else:
            end()  # it has been forgotten meanwhile, or another request of it was as fast

    async def _tell(self, name: str, known: _Subscriber, events: list[ServerEvent]) -> None:
        for uri in [event.uri for event in events if isinstance(event, ResourceUpdated)]:
            if uri in known.uris and not await self._sent(known.session, uri):
                self._forget(name, known)
                return

    async def _sent(self, session: ServerSession, uri: str) -> bool:
        with self._clock.limit(SENDING_SECONDS):
            try:
                await session.send_resource_updated(uri)
            except Exception as broken:  # noqa: BLE001 - whatever it is, this session can't be told
                logger.warning("a subscriber can't be told: %s", type(broken).__name__)
                return False
            return True
        return False

    def _forget(self, name: str, only: _Subscriber | None = None) -> None:
        known = self._known.get(name)
        if known is None or only not in (None, known):
            return
        del self._known[name]
        self._held.discard(name)
        known.uris.clear()
        if known.end is not None:
            known.end()
