"""A program on a real pseudo-terminal, and what a terminal emulator makes of its output."""

import os
import signal
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import pexpect
import pyte

KIND = {"TERM": "xterm-256color"}
"""What a program is told of the emulator, in its environment."""

PATIENCE = 20.0
"""Seconds after which what should have been seen never comes."""


class Terminal:
    """Runs one program on a terminal of its own and looks at it."""

    def __init__(
        self,
        command: Sequence[str],
        env: Mapping[str, str],
        *,
        cwd: Path | None = None,
        rows: int = 24,
        columns: int = 80,
        patience: float = PATIENCE,
        replies: bool = False,
    ) -> None:
        """Start a program there; where the emulator `replies`, it says where the cursor is, when that is asked."""
        self.patience = patience
        self.screen = pyte.Screen(columns, rows)
        self.raw = ""
        self._stream = pyte.Stream(self.screen)
        self.child: pexpect.spawn[str] = pexpect.spawn(
            command[0],
            list(command[1:]),
            dimensions=(rows, columns),
            env=dict(env),
            cwd=cwd,
            encoding="utf-8",
            echo=True,
        )
        self.child.delaybeforesend = None
        if replies:
            self.screen.write_process_input = self._reply

    def _reply(self, data: str) -> None:
        self.child.send(data)

    @property
    def lines(self) -> list[str]:
        """What is on the screen, without what is blank at the right and below."""
        lines = [line.rstrip() for line in self.screen.display]
        while lines and not lines[-1]:
            lines.pop()
        return lines

    def shows(self, text: str) -> bool:
        """Say whether `text` is on the screen, as far as it was read."""
        return any(text in line for line in self.lines)

    def sees(self, text: str) -> None:
        """Wait until the screen shows `text`."""
        self.waits_for(lambda: self.shows(text), f"the screen to show {text!r}")

    def sees_last(self, line: str) -> None:
        """Wait until the last line on the screen is `line`."""
        self.waits_for(lambda: self.lines[-1:] == [line], f"the last line to be {line!r}")

    def no_longer_sees(self, text: str) -> None:
        """Wait until the screen does not show `text` any more."""
        self.waits_for(lambda: not self.shows(text), f"{text!r} to vanish")

    def watches(self, seconds: float) -> None:
        """Look at the screen for so long, whatever comes."""
        end = time.monotonic() + seconds
        self.waits_for(lambda: time.monotonic() >= end, "time to pass")

    def types(self, keys: str) -> None:
        """Press keys."""
        self.child.send(keys)

    def signals(self, number: int = signal.SIGUSR1) -> None:
        """Send the program a signal."""
        self.child.kill(number)

    def ends(self) -> int:
        """Wait for the end of the program; return its exit status, negative for a signal."""
        self.waits_for(lambda: False, "the end", until_end=True)
        self.child.wait()
        return self.child.exitstatus if self.child.exitstatus is not None else -(self.child.signalstatus or 0)

    def hangs_up(self) -> None:
        """Close the terminal's window; the program is left to itself."""
        nothing = os.open(os.devnull, os.O_RDWR)
        os.dup2(nothing, self.child.child_fd)
        os.close(nothing)

    def stop(self) -> None:
        """End the program, whatever it does."""
        # To close it by force gives a busy machine a tenth of a second for each signal.
        for number, seconds in ((signal.SIGHUP, 2.0), (signal.SIGKILL, 60.0)):
            ends = time.monotonic() + seconds
            if self.child.isalive():
                self.child.kill(number)
            while self.child.isalive() and time.monotonic() < ends:
                time.sleep(0.02)
        self.child.close(force=True)

    def waits_for(self, seen: Callable[[], bool], what: str, *, until_end: bool = False) -> None:
        """Read what the program writes until something is so, on the screen or elsewhere."""
        end = time.monotonic() + self.patience
        while not seen():
            if time.monotonic() > end:
                raise AssertionError(f"waited in vain for {what}:\n" + "\n".join(self.lines))
            try:
                # Not for all of the time that is left: what is so elsewhere gives no sign here.
                piece = self.child.read_nonblocking(4096, timeout=0.1)
            except pexpect.TIMEOUT:
                continue
            except pexpect.EOF:
                if until_end:
                    return
                raise AssertionError(f"ended before {what}:\n" + "\n".join(self.lines)) from None
            self.raw += piece
            self._stream.feed(piece)
