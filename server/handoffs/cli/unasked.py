"""A server on this machine that asks nobody for a token, and serves nobody any more once there are tokens.

Whether callers are asked is decided when a server starts. Who adds the first token means to let in its bearers alone,
and must not have to know which servers run.
"""

import logging

import anyio
from starlette.types import ASGIApp, Receive, Scope, Send

from handoffs.access.tokens import Tokens
from handoffs.cli.entrance import come_again, refuse
from handoffs.core.errors import StoreError

logger = logging.getLogger(__name__)

LOOK_SECONDS = 4.0
"""How old what was last seen of the tokens may be. Looked is when a request comes: nothing runs while none does."""

STORE_SECONDS = 5.0
"""How long the store may take to say it."""

RETRY_SECONDS = 1.0
"""How long a store that could not say it is left alone."""

ADDED = "Tokens were added after this server started; start it again."


class Unasked:
    """ASGI middleware: serves everybody, until anybody has been given a token.

    Calls that were let in before are not cut off: there was nobody to ask them.
    """

    def __init__(self, app: ASGIApp, tokens: Tokens) -> None:
        """Take what is served, and where the tokens are kept."""
        self._app, self._tokens = app, tokens
        self._turn = anyio.Lock()
        self._looked: float | None = None
        self._trouble: str | None = None
        self._shut = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request, or say why not."""
        try:
            shut = scope["type"] == "http" and await self.shut()
        except StoreError:
            await come_again(scope, receive, send)  # nobody can say who may call
            return
        if shut:
            await refuse(send, ADDED)
        else:
            await self._app(scope, receive, send)

    async def shut(self) -> bool:
        """Say whether there are tokens by now; those that were revoked count. Raises StoreError: nobody can say."""
        if self._is_due():
            async with self._turn:
                if self._is_due():  # of all that come at once, one looks
                    await self._look()
                    self._looked = anyio.current_time()
        if self._trouble is not None:
            raise StoreError(self._trouble)
        return self._shut

    def _is_due(self) -> bool:
        fresh = LOOK_SECONDS if self._trouble is None else RETRY_SECONDS
        return not self._shut and (self._looked is None or anyio.current_time() - self._looked >= fresh)

    async def _look(self) -> None:
        self._trouble = f"The store has not answered for {STORE_SECONDS:g} seconds."
        with anyio.move_on_after(STORE_SECONDS):
            try:
                self._shut = bool(await self._tokens.all())
                self._trouble = None
            except StoreError as wrong:
                self._trouble = str(wrong)
        if self._shut:
            logger.warning(ADDED)
