"""`handoffs answer --watch`: asks each open question as it comes."""

import sys

from handoffs.assembly import open_desk
from handoffs.channels.terminal import TerminalChannel
from handoffs.cli.looking import EVERY, LOOK_SECONDS
from handoffs.console import UsageError
from handoffs.core.desk import Desk
from handoffs.os_user import current_user
from handoffs.settings import Settings
from handoffs.terminal import Terminal, is_console, open_terminal


async def watched(settings: Settings) -> None:
    """Ask the open questions on this terminal, oldest first, and then new ones, until Ctrl-C.

    A question that the person puts off stays open, and is not asked again here. One that is decided elsewhere is
    withdrawn.

    Raises:
        UsageError: There is no terminal. A pipe's lines would answer questions that no person has seen.
        KeyboardInterrupt: Ctrl-C. Nothing is decided by it.
    """
    if not is_console():
        raise UsageError("--watch asks a person at a terminal, and standard input is none: use `handoffs answer ID`.")
    async with open_terminal(output=sys.stderr) as terminal:
        channel = TerminalChannel(terminal, by=current_user())
        async with open_desk(settings, channels=[channel]) as desk:
            await _ask_as_they_come(desk, terminal)


async def _ask_as_they_come(desk: Desk, terminal: Terminal) -> None:
    await terminal.tell("Each open question is asked here as it comes. Ctrl-C leaves; what is open stays open.")
    asked: set[str] = set()
    async with desk.watch() as watch:
        while True:
            for handoff in reversed(await desk.newest(open_only=True, limit=EVERY)):
                if handoff.id not in asked:
                    asked.add(handoff.id)
                    desk.present(handoff, again=True)
            with desk.clock.limit(LOOK_SECONDS):
                await watch.changed()
