"""Somebody at a real pseudo-terminal: types keys, and sees what a terminal emulator makes of a program's output."""

import os
import signal
import sys
import termios
import time
from collections.abc import Callable, Generator
from pathlib import Path

import pexpect
import pyte

PATIENCE = 20.0
"""Seconds after which what should have been seen never comes."""

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
        show((number, await terminal.ask(Sheet(message=f"Question {number}", form=one))))

def show(outcome):
    print("->", outcome, flush=True)
"""


class Terminal:
    """A program on a terminal of its own, and what an emulator shows of it."""

    def __init__(
        self,
        command: list[str],
        *,
        env: dict[str, str],
        rows: int = 24,
        columns: int = 80,
        folder: Path | None = None,
        patience: float = PATIENCE,
        replies: bool = False,
    ) -> None:
        """Start the command; one that `replies` tells the program where its cursor is, when that is asked."""
        self.screen = pyte.Screen(columns, rows)
        self.raw: str = ""
        self._patience = patience
        self._read_before_typing = 0
        self._stream = pyte.Stream(self.screen)
        self.child = pexpect.spawn(
            command[0],
            command[1:],
            dimensions=(rows, columns),
            env=env,
            cwd=folder,
            encoding="utf-8",
            echo=True,
        )
        self.child.delaybeforesend = None
        if replies:
            self.screen.write_process_input = self.child.send

    @property
    def lines(self) -> list[str]:
        """What is on the screen, without what is blank at the right and below."""
        lines = [line.rstrip() for line in self.screen.display]
        while lines and not lines[-1]:
            lines.pop()
        return lines

    def sees(self, text: str) -> None:
        """Wait until the screen shows `text`."""
        self._look(lambda: any(text in line for line in self.lines), f"the screen to show {text!r}")

    def sees_last(self, line: str) -> None:
        """Wait until the last line on the screen is `line`."""
        self._look(lambda: self.lines[-1:] == [line], f"the last line to be {line!r}")

    def no_longer_sees(self, text: str) -> None:
        """Wait until the screen does not show `text` any more."""
        self._look(lambda: not any(text in line for line in self.lines), f"{text!r} to vanish")

    def types(self, keys: str) -> None:
        """Press keys."""
        self._read_before_typing = len(self.raw)
        self.child.send(keys)

    def signals(self, number: int = signal.SIGUSR1) -> None:
        """Send the program a signal."""
        self.child.kill(number)

    def ends(self) -> int:
        """Wait for the end of the program; return its exit status, negative for a signal."""
        self._look(lambda: False, "the end", until_end=True)
        self.child.wait()
        return self.child.exitstatus if self.child.exitstatus is not None else -(self.child.signalstatus or 0)

    def hangs_up(self) -> None:
        """Close the terminal's window; the program is left to itself."""
        nothing = os.open(os.devnull, os.O_RDWR)
        os.dup2(nothing, self.child.child_fd)
        os.close(nothing)

    def stop(self) -> None:
        """End the program, whatever it does."""
        self.child.close(force=True)

    @property
    def terminal_is_usual(self) -> bool:
        """Whether the terminal echoes, edits lines and makes signals, as it did before."""
        flags = termios.tcgetattr(self.child.child_fd)[3]
        usual = termios.ECHO | termios.ICANON | termios.ISIG
        return flags & usual == usual

    def _look(self, seen: Callable[[], bool], what: str, *, until_end: bool = False) -> None:
        end = time.monotonic() + self._patience
        while not seen():
            try:
                piece = self.child.read_nonblocking(4096, timeout=max(end - time.monotonic(), 0))
            except pexpect.EOF:
                if until_end:
                    return
                raise AssertionError(f"ended before {what}:\n" + "\n".join(self.lines)) from None
            except pexpect.TIMEOUT:
                raise AssertionError(f"waited in vain for {what}:\n" + "\n".join(self.lines)) from None
            self.raw += piece
            self._stream.feed(piece)


class Person(Terminal):
    """Runs lines of Python on a terminal and looks at it."""

    def __init__(self, folder: Path, body: str, *, rows: int = 24, columns: int = 80, **env: str) -> None:
        """Start `body`, the lines of a Python program, behind the prelude."""
        program = folder / "program.py"
        program.write_text(PRELUDE + body)
        plain = {k: v for k, v in os.environ.items() if k not in {"NO_COLOR", "PROMPT_TOOLKIT_COLOR_DEPTH"}}
        shown = {**plain, "TERM": "xterm-256color", **env}
        super().__init__([sys.executable, str(program)], env=shown, rows=rows, columns=columns)

    def may_type(self) -> None:
        """Wait until the prompt takes keys: until it has drawn its key help since the last ones were pressed.

        What is on the screen does not say so: the help of the field before may stand there still, below the head of
        the next one, and keys that come before that has settled are dropped.
        """
        self._look(lambda: READY in self.raw[self._read_before_typing :], "the prompt to take keys")


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
