"""Whose a token of `handoffs token add` is."""

import logging
from collections.abc import Sequence
from contextlib import suppress
from datetime import timedelta

from mcp.server.auth.provider import AccessToken

from handoffs.access.principals import token_principal
from handoffs.access.tokens import digest_of
from handoffs.access.unavailable import Unavailable
from handoffs.core.errors import StoreError
from handoffs.core.ports import Clock, Tokens

logger = logging.getLogger(__name__)

USED = timedelta(hours=1)
"""How coarsely it is noted when a token was last seen: a write for each call would be too much."""


class _Kept(AccessToken):
    """What the bearer of a kept token was let in by."""


class StaticTokens:
    """Knows the bearers of kept tokens."""

    kind = _Kept

    def __init__(self, tokens: Tokens, clock: Clock, *, scopes: Sequence[str] = ()) -> None:
        """Take where they are kept, and the scopes that each is good for."""
        self._tokens, self._clock, self._scopes = tokens, clock, list(scopes)

    async def verify_token(self, token: str) -> AccessToken | None:
        """Return whose token it is; None where it is nobody's, has expired or was revoked.

        Raises:
            Unavailable: The store can't be used.
        """
        try:
            return await self._known(token)
        except StoreError as error:
            logger.warning("A token can't be checked: %s", error)
            raise Unavailable("the store can't be used") from error

    async def lapsed(self, tokens: Sequence[AccessToken]) -> Sequence[AccessToken]:
        """Return those that have expired or were revoked since; none more where the store can't be used."""
        lapsed: list[AccessToken] = []
        with suppress(StoreError):  # every new request, and every probe, says so
            for token in tokens:
                kept = await self._tokens.find(token.token)
                if kept is None or not kept.good(self._clock.now()):
                    lapsed.append(token)
        return lapsed

    async def _known(self, token: str) -> AccessToken | None:
        now = self._clock.now()
        kept = await self._tokens.find(digest_of(token))
        if kept is None or not kept.good(now):
            why = "unknown" if kept is None else "revoked" if kept.revoked_at is not None else "expired"
            logger.warning("A token is refused: it is %s.", why)
            return None
        if kept.used_at is None or now - kept.used_at >= USED:
            await self._tokens.used(kept.digest, at=now)
        return _Kept(
            token=kept.digest,  # nobody needs the token itself any more
            client_id=token_principal(kept.name),
            scopes=self._scopes,
            subject=token_principal(kept.name),
            # When it expires is checked above, by the clock that everything else goes by.
        )
