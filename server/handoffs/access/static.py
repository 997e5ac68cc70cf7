"""Authentication by tokens of `handoffs token add`."""

import logging
from collections.abc import Sequence
from contextlib import suppress
from datetime import timedelta

from mcp.server.auth.provider import AccessToken

from handoffs.access.tokens import digest_of
from handoffs.access.unavailable import Unavailable
from handoffs.core.errors import StoreError
from handoffs.core.ports import Clock, Tokens
from handoffs.core.principals import token_principal

logger = logging.getLogger(__name__)

USED = timedelta(hours=1)
"""How often the last use of a token is recorded: a write for each call would be too much."""


class _StoredToken(AccessToken):
    """The access token for a stored token."""


class StaticTokens:
    """Verifies the tokens in the store."""

    kind = _StoredToken

    def __init__(self, tokens: Tokens, clock: Clock, *, scopes: Sequence[str] = ()) -> None:
        """Take the stored tokens, and the scopes that each of them has."""
        self._tokens, self._clock, self._scopes = tokens, clock, list(scopes)

    async def verify_token(self, token: str) -> AccessToken | None:
        """Return the verified token; None if it is unknown, expired or revoked.

        Raises:
            Unavailable: The store can't be used.
        """
        try:
            return await self._known(token)
        except StoreError as error:
            logger.warning("A token can't be checked: %s", error)
            raise Unavailable("the store can't be used") from error

    async def lapsed(self, tokens: Sequence[AccessToken]) -> Sequence[AccessToken]:
        """Return the tokens that have expired or were revoked; none if the store can't be used."""
        lapsed: list[AccessToken] = []
        with suppress(StoreError):  # every new request, and every probe, reports it
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
        return _StoredToken(
            token=kept.digest,  # the token itself is not needed any more
            client_id=token_principal(kept.name),
            scopes=self._scopes,
            subject=token_principal(kept.name),
            # Its expiry is checked above, by the clock that deadlines go by, too.
        )
