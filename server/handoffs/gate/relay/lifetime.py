"""How long a relay on pipes goes on: until the process behind has ended, or a signal comes."""

import signal
import sys
import threading
from collections.abc import Callable

import anyio

from handoffs.gate.relay.peers import Server


async def end_output(behind: Server, output: anyio.CancelScope) -> None:
    """Stop reading once the process has ended, though a process that it started may keep its output open."""
    await behind.watch()
    while not behind.idle:  # noqa: ASYNC110 - what is read is being written; most often the output ends first
        await anyio.sleep(0.01)
    await anyio.sleep(0.05)
    if behind.idle:
        output.cancel()


def may_receive_signals() -> bool:
    """Say whether signals can be waited for here."""
    return sys.platform != "win32" and threading.current_thread() is threading.main_thread()


async def stop_on_signal(behind: Server, hear: Callable[[], object]) -> None:
    """End the process behind, each time that this one is told to end; `hear` is told before."""
    with anyio.open_signal_receiver(signal.SIGTERM, signal.SIGINT, signal.SIGHUP) as signals:
        async for _ in signals:
            hear()
            await behind.stop(at_once=True)
