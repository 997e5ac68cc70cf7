"""Gates that hold nothing, as real processes."""

import os
import subprocess
import sys
import threading
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

HERE = Path(__file__).parent
GATE = [sys.executable, str(HERE.parents[2] / "benchmarks" / "yardsticks" / "open_gate.py")]
RECORDER = [sys.executable, str(HERE / "recorder.py")]


class Gate:
    """A gate that runs. It is killed after a minute: then what a test reads is empty."""

    def __init__(self, process: "subprocess.Popen[bytes]") -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        self.process, self.stdout = process, process.stdout
        self._stdin: IO[bytes] = process.stdin

    def send(self, *lines: bytes) -> None:
        """Write at once; from a thread, as a pipe holds little."""
        threading.Thread(target=self._write, args=(b"".join(lines),), daemon=True).start()

    def write(self, data: bytes) -> None:
        """Write, and wait until it is written."""
        self._write(data)

    def read(self) -> bytes:
        """Return the next line."""
        return self.stdout.readline()

    def close(self) -> bytes:
        """Close the input; return what was still said."""
        self._stdin.close()
        return self.stdout.read()

    def _write(self, data: bytes) -> None:
        left = memoryview(data)
        try:
            while left:
                left = left[os.write(self._stdin.fileno(), left) :]
        except (OSError, ValueError):
            pass


@contextmanager
def gate(*command: str, stdin: int = subprocess.PIPE) -> Generator[Gate]:
    """Run a gate before a command."""
    process = subprocess.Popen([*GATE, *command], stdin=stdin, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    alarm = threading.Timer(60, process.kill)
    alarm.start()
    try:
        yield Gate(process)
    finally:
        alarm.cancel()
        process.kill()
        process.wait()
        for wire in (process.stdin, process.stdout, process.stderr):
            if wire is not None:
                wire.close()
