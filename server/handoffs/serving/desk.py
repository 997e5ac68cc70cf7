"""The desk of a long-running server: it notifies, and asks on the terminal if it may."""

import sys
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager

from handoffs.assembly import chatting, notifying, open_desk
from handoffs.clock import SystemClock
from handoffs.core.desk import Desk
from handoffs.core.ports import Channel
from handoffs.os_user import current_user
from handoffs.serving.binding import CannotServe
from handoffs.serving.webhooks import posting_webhooks
from handoffs.settings import Settings
from handoffs.store import OpenStore


@asynccontextmanager
async def serving_desk(
    settings: Settings,
    *,
    terminal: bool,
    device: bool,
    store: OpenStore | None = None,
    clock: SystemClock | None = None,
) -> AsyncGenerator[Desk]:
    """Yield a desk that notifies and posts webhooks.

    With `terminal`, it asks on the console or (`device`) on the controlling terminal.
    """
    async with AsyncExitStack() as stack:
        channels = [await _terminal_channel(stack, device=device)] if terminal else []
        desk = await stack.enter_async_context(open_desk(settings, channels=channels, store=store, clock=clock))
        await stack.enter_async_context(notifying(settings, desk))
        await stack.enter_async_context(chatting(settings, desk, at_once=not device))
        await stack.enter_async_context(posting_webhooks(settings, desk, at_once=not device))
        yield desk


async def _terminal_channel(stack: AsyncExitStack, *, device: bool) -> Channel:
    # Imported only for servers that ask on a terminal.
    from handoffs.channels.terminal import TerminalChannel
    from handoffs.terminal import NoTerminal, open_terminal, prints_above

    if not device:
        stack.enter_context(prints_above())  # the log of the server, too
    try:
        screen = await stack.enter_async_context(open_terminal(device=device, output=sys.stderr))
    except NoTerminal as error:
        raise CannotServe(str(error)) from None
    return TerminalChannel(screen, by=current_user())
