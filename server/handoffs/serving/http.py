"""`handoffs serve --http`: the MCP server for any number of clients.

Imported only for that command. When it stops, the waiting calls end with PENDING. Their questions are in the store, for
the next server process.
"""

import sys
from contextlib import AsyncExitStack, suppress
from functools import partial

import anyio
from mcp.server.transport_security import TransportSecuritySettings
from starlette.types import ASGIApp

from handoffs.access.admission import Admission
from handoffs.access.challenges import Challenges
from handoffs.access.local import LocalToken
from handoffs.assembly import store_at
from handoffs.clock import SystemClock
from handoffs.core.desk import Desk
from handoffs.core.errors import StoreError
from handoffs.mcp_server.asking.shutdown import Shutdown
from handoffs.mcp_server.token_expiry import TokenExpiry
from handoffs.serving.admission import admitted, announcement, checked, reachable_at, way_in
from handoffs.serving.binding import bound, parsed
from handoffs.serving.desk import serving_desk
from handoffs.serving.http_process import Opened, serve_until_signalled
from handoffs.serving.mcp import build
from handoffs.serving.stack import AtFirstRequest, mcp_app
from handoffs.settings import Settings


def serve_http(settings: Settings, address: str) -> None:
    """Serve any number of clients on `HOST:PORT` until a signal; port 0 takes a free one, and says which.

    Raises:
        CannotServe: The address is invalid or taken, or callers on other machines would not be authenticated.
        StoreError: The store has a newer layout, or is damaged: waiting would not help.
    """
    host, port = parsed(address)
    known = False
    with suppress(StoreError):  # a store that comes up later is checked then
        anyio.run(checked, settings, host)
        known = True
    draining = Shutdown()
    with bound(host, port) as listener:
        serve = partial(
            serve_until_signalled,
            announce=partial(_announced, settings),
            open=partial(_open, settings, draining),
            drain=draining.begin,
            checked_before=known,
        )
        anyio.run(serve, settings, listener, host)


def _announced(settings: Settings, local: LocalToken | None, base: str) -> str:
    asked = announcement(settings, local, f"{base}/mcp")
    return f"Handoffs serves MCP at {base}/mcp (Ctrl-C stops it).\n{asked}"


def _programs(
    settings: Settings,
    desk: Desk,
    admission: Admission | None,
    security: TransportSecuritySettings,
    expiry: TokenExpiry | None,
    base: str,
) -> ASGIApp:
    from handoffs.serving.programs import programs_app  # most servers are asked by agents alone

    return programs_app(settings, desk, admission, security=security, expiry=expiry, base=base)


async def _open(
    settings: Settings, draining: Shutdown, stack: AsyncExitStack, base: str, local: LocalToken | None
) -> Opened:
    at_console = settings.terminal != "off" and sys.stdin.isatty() and sys.stderr.isatty()
    clock = SystemClock()
    store = await stack.enter_async_context(store_at(settings.store, clock))
    admission = admitted(settings, store.tokens, base=settings.url or base, local=local)
    desk = await stack.enter_async_context(
        serving_desk(settings, terminal=at_console, device=False, store=store, clock=clock)
    )
    expiry = None if admission is None else TokenExpiry(admission.verifier, desk.clock)
    server = build(settings, desk, admission, expiry=expiry, draining=draining)
    if server.deliveries is not None:
        stack.push_async_callback(server.deliveries.finish)
    challenges = partial(Challenges, scopes=settings.oauth_scopes, way_in=way_in(settings, local))
    security, reached = reachable_at(base, settings.url), settings.url or base
    app, sessions, _ = mcp_app(
        server,
        security=security,
        api=AtFirstRequest(partial(_programs, settings, desk, admission, security, expiry, reached)),
        challenges=None if admission is None else challenges,
        expiry=expiry,
    )
    await stack.enter_async_context(server.session_manager.run())
    tasks = await stack.enter_async_context(anyio.create_task_group())
    stack.callback(tasks.cancel_scope.cancel)
    if sessions is not None:
        tasks.start_soon(sessions.sweep)
    if expiry is not None:
        tasks.start_soon(expiry.watch)
    return Opened(app=app, desk=desk)
