"""Somebody at a real pseudo-terminal: types keys, and sees what a terminal emulator makes of a program's output."""

import os
import sys
import termios
from collections.abc import Callable, Generator
from pathlib import Path

from tests.terminals import KIND, Terminal

READY = "Ctrl-D not now"
"""The end of the key help: from here on the prompt takes keys."""

PRELUDE = """
import os, signal, sys, threading
from datetime import UTC, datetime, timedelta
import anyio
from handoffs.core.schema import options_form, parse, response_form
from handoffs.terminal import *

def form(required=(), **properties):
    return parse({"type": "object", "properties": properties, "required": list(required)})

YES_NO = form(["ok"], ok={"type": "boolean", "title": "Go on"})

async def told():  # by the test: SIGUSR1
    with anyio.open_signal_receiver(signal.SIGUSR1) as signals:
        print("listening", flush=True)
        async for _ in signals:
            return

async def ask_each(forms):  # hardly a moment to settle: the test types after it has seen the key help
    from handoffs.terminal.screen import Screen
    for number, one in enumerate(forms, 1):
        terminal = Screen(sys.stdin, sys.stdout, settle=0.05)
        show((number, await terminal.ask(Request(message=f"Question {number}", form=one))))

def show(outcome):
    print("->", outcome, flush=True)
"""


class Person(Terminal):
    """Sits before one program of ours."""

    def __init__(self, folder: Path, body: str, *, rows: int = 24, columns: int = 80, **env: str) -> None:
        """Start `body`, the lines of a Python program, behind the prelude."""
        program = folder / "program.py"
        program.write_text(PRELUDE + body)
        plain = {k: v for k, v in os.environ.items() if k not in {"NO_COLOR", "PROMPT_TOOLKIT_COLOR_DEPTH"}}
        self._read_before_typing = 0
        super().__init__([sys.executable, str(program)], plain | KIND | env, rows=rows, columns=columns)

    def may_type(self) -> None:
        """Wait until the prompt takes keys: until it has drawn its key help since the last ones were pressed.

        What is on the screen does not say so: the help of the field before may stand there still, below the head of
        the next one, and keys that come before that has settled are dropped.
        """
        self.waits_for(lambda: READY in self.raw[self._read_before_typing :], "the prompt to take keys")

    def sees(self, text: str) -> None:
        """Wait until the screen shows `text`; of the key help, until it was drawn since the last keys, too."""
        super().sees(text)
        if text == READY:
            self.may_type()

    def types(self, keys: str) -> None:
        """Press keys."""
        self._read_before_typing = len(self.raw)
        super().types(keys)

    @property
    def terminal_is_usual(self) -> bool:
        """Whether the terminal echoes, edits lines and makes signals, as it did before."""
        flags = termios.tcgetattr(self.child.child_fd)[3]
        usual = termios.ECHO | termios.ICANON | termios.ISIG
        return flags & usual == usual


Starts = Callable[..., Person]
"""Takes the lines of a program, and what else a Person does."""


def people(folder: Path, before: str = "") -> Generator[Starts]:
    """Give what puts somebody before a program that starts with `before`; end them all afterwards. For a fixture."""
    started: list[Person] = []

    def start(body: str, *, rows: int = 24, columns: int = 80, **env: str) -> Person:
        started.append(Person(folder, before + body, rows=rows, columns=columns, **env))
        return started[-1]

    yield start
    for person in started:
        person.stop()
