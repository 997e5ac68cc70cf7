"""`handoffs gate --http`: the gate for any number of clients, each with a server of its own behind.

Callers are let in as by `handoffs serve --http`. What a caller is allowed is kept under its name; with
HANDOFFS_TOKENS=off, everybody on this machine has the local user's.
"""

import json
import sys
from collections.abc import Callable
from contextlib import AsyncExitStack, suppress
from functools import partial

import anyio
from starlette.types import Scope

from handoffs.access.challenges import Challenges
from handoffs.access.local import LocalToken, LocalTokenError
from handoffs.assembly import store_at
from handoffs.clock import SystemClock
from handoffs.core.errors import StoreError
from handoffs.gate.policy import Policy
from handoffs.gate.relay.front import Front
from handoffs.gate.relay.front_wire import HttpFront
from handoffs.gate.server_name import unmarked
from handoffs.mcp_server.callers.subject import NotAuthenticated, token_of
from handoffs.mcp_server.token_expiry import TokenExpiry
from handoffs.os_user import current_user
from handoffs.serving.admission import ADDED_WAY_IN, admitted, checked, configuration, reachable_at
from handoffs.serving.binding import CannotServe, bound, parsed
from handoffs.serving.desk import serving_desk
from handoffs.serving.gate_session import Gate, MakeBehind
from handoffs.serving.gate_stack import gate_app
from handoffs.serving.http_process import Opened, serve_until_signalled
from handoffs.serving.invited import InboxWhenNeeded
from handoffs.settings import Settings

LOCAL_WAY_IN = "Callers on this machine must show its token: `handoffs token local` prints it."

UNAUTHENTICATED = (
    "HANDOFFS_TOKENS is off: every program on this machine, of every user, can call its tools as {user}, with what "
    "{user} has allowed for later, and answer in a dialog of its own. Unset it, and callers must show a token."
)


def serve_gate(
    settings: Settings, address: str, *, server: str, policy: Callable[[], Policy], behind: MakeBehind
) -> None:
    """Serve any number of clients on `HOST:PORT` until a signal; port 0 takes a free one, and says which.

    Raises:
        CannotServe: The address is invalid or taken, or callers would not be authenticated.
        StoreError: The store has a newer layout, or is damaged: waiting would not help.
    """
    host, port = parsed(address)
    known = False
    with suppress(StoreError):  # a store that comes up later is checked then
        anyio.run(checked, settings, host)
        known = True
    with bound(host, port) as listener:
        serving = _Serving(settings, server, policy, behind)
        serve = partial(
            serve_until_signalled,
            announce=serving.announced,
            open=serving.opened,
            drain=serving.drained,
            checked_before=known,
        )
        anyio.run(serve, settings, listener, host)


class _Serving:
    """One gate on HTTP."""

    def __init__(self, settings: Settings, server: str, policy: Callable[[], Policy], behind: MakeBehind) -> None:
        self._settings, self._server, self._policy, self._behind = settings, server, policy, behind
        self._front: Front | None = None

    def announced(self, local: LocalToken | None, base: str) -> str:
        """Return what is said at the start. Raises CannotServe: the local user's token can't be stored."""
        url = f"{base}/mcp"
        said = f"The gate stands before {self._server}, at {url} (Ctrl-C stops it).\n"
        if self._settings.tokens == "off" and self._settings.oauth_issuer is None:
            return said + UNAUTHENTICATED.format(user=current_user())
        said += "Callers must show a token"
        if local is None:
            return f"{said}."
        try:
            token, is_new = local.ensure()
        except LocalTokenError as why:
            raise CannotServe(str(why)) from None
        said += ": `handoffs token local` prints this machine's."
        if not is_new:
            return said
        shown = json.dumps(configuration(url, token, name=unmarked(self._server)))
        return f"{said}\nIt was made just now and is shown this once. By hand, most hosts read it like this:\n{shown}"

    async def opened(self, stack: AsyncExitStack, base: str, local: LocalToken | None) -> Opened:
        """Open what is served."""
        settings, clock = self._settings, SystemClock()
        at_console = settings.terminal != "off" and sys.stdin.isatty() and sys.stderr.isatty()
        store = await stack.enter_async_context(store_at(settings.store, clock))
        admission = admitted(settings, store.tokens, base=settings.url or base, local=local)
        desk = await stack.enter_async_context(
            serving_desk(settings, terminal=at_console, device=False, store=store, clock=clock)
        )
        gate = Gate(
            settings,
            desk,
            store.permissions,
            server=self._server,
            policy=self._policy,
            inbox=InboxWhenNeeded(settings.store, start=settings.inbox != "off", url=settings.inbox_url),
        )

        async def serve(front: HttpFront, subject: str) -> None:
            await gate.relay(front, self._behind(), subject=subject, transport="http", streams=front)

        self._front = Front(serve, _local_user if admission is None else _principal)
        expiry = None if admission is None else TokenExpiry(admission.verifier, desk.clock)
        way_in = None if settings.oauth_issuer is not None else ADDED_WAY_IN if local is None else LOCAL_WAY_IN
        app = gate_app(
            self._front,
            admission=admission,
            security=reachable_at(base, settings.url),
            challenges=partial(Challenges, scopes=settings.oauth_scopes, way_in=way_in),
            expiry=expiry,
        )
        await stack.enter_async_context(self._front.running())
        tasks = await stack.enter_async_context(anyio.create_task_group())
        stack.callback(tasks.cancel_scope.cancel)
        if expiry is not None:
            tasks.start_soon(expiry.watch)
        return Opened(app=app, desk=desk)

    async def drained(self) -> None:
        """End every session; what waits is answered."""
        if self._front is not None:
            await self._front.end_all()


def _local_user(scope: Scope) -> str:
    return current_user()


def _principal(scope: Scope) -> str:
    token = token_of(scope)
    if token is None or not token.subject:
        raise NotAuthenticated
    return token.subject
