"""`handoffs inbox --status` and `--stop`: shows and ends the inbox of a store."""

import os
import signal

import anyio

from handoffs.assembly import open_desk
from handoffs.console import Exit, UsageError, print_out
from handoffs.serving.inbox import FIND_SECONDS, record_of, where_it_is
from handoffs.settings import Settings


async def tell_status(settings: Settings) -> Exit:
    """Print where the inbox of this store runs, and how many questions are open; NOT_FOUND if none runs."""
    running = record_of(settings).running()
    async with open_desk(settings) as desk:
        count = (await desk.count_open()).handoffs
    if running is None:
        print_out(f"No inbox runs for {settings.store}; {count} open.")
        return Exit.NOT_FOUND
    where = where_it_is(settings.inbox_url, running.url)
    print_out(f"The inbox of {settings.store} runs at {where} (process {running.pid}); {count} open.")
    return Exit.DONE


async def stop(settings: Settings) -> None:
    """End the inbox of this store. Open questions stay open.

    Raises:
        UsageError: It does not end.
    """
    record = record_of(settings)
    running = record.running()
    if running is None:
        print_out(f"No inbox runs for {settings.store}.")
        return
    os.kill(running.pid, signal.SIGTERM)
    with anyio.move_on_after(FIND_SECONDS):
        while (lock := record.claim()) is None:  # noqa: ASYNC110 - no event tells when another process ends
            await anyio.sleep(0.02)
        lock.release()
        print_out(f"The inbox at {running.url} has ended.")
        return
    raise UsageError(f"The inbox (process {running.pid}) was told to end and has not: end that process.")
