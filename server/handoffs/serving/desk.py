"""The desk of a server that runs for long: it notifies, and asks on the terminal where that is lent to it."""

import sys
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager

from handoffs.assembly import current_user, notifying, open_desk
from handoffs.clock import SystemClock
from handoffs.core.desk import Desk
from handoffs.core.ports import Channel
from handoffs.serving.binding import CannotServe
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
    """Give the desk, asking on the terminal if it may (the console or the controlling device itself), and notifying."""
    async with AsyncExitStack() as stack:
        channels = [await _terminal_channel(stack, device=device)] if terminal else []
        desk = await stack.enter_async_context(open_desk(settings, channels=channels, store=store, clock=clock))
        await stack.enter_async_context(notifying(settings, desk))
        yield desk


async def _terminal_channel(stack: AsyncExitStack, *, device: bool) -> Channel:
    # Only who asks on a terminal pays for importing it.
    from handoffs.channels.terminal import TerminalChannel
    from handoffs.terminal import NoTerminal, open_terminal, prints_above

    if not device:
        stack.enter_context(prints_above())  # the log of the server, too
    try:
        screen = await stack.enter_async_context(open_terminal(device=device, output=sys.stderr))
    except NoTerminal as error:
        raise CannotServe(str(error)) from None
    return TerminalChannel(screen, by=current_user())
