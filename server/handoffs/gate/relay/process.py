"""The server behind the gate: its process, how it is started, how it is ended, and what became of it.

It is started before the gate imports anything else, so this module begins with the standard library alone, and imports
anyio where it waits. The guarantees:

- Environment, working folder and standard error are the gate's own. The process leads a session of its own: a Ctrl-C
  at a terminal reaches the gate, which ends the server in order.
- On Linux the kernel kills the process when the gate dies, however it dies (PR_SET_PDEATHSIG). What the process has
  started itself is told by the end of its input.
- Once the process has ended, what is left of its group is killed.
"""

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from anyio import Event

    from handoffs.wire import Data, FileWire, PipeWire, Sink

INPUT_SECONDS: Final = 1.5
"""From the end of its input to SIGTERM. Hosts give the gate two seconds (the MCP SDKs)."""

TERM_SECONDS: Final = 1.0
"""From SIGTERM to SIGKILL."""

NOT_FOUND, NOT_EXECUTABLE = 127, 126
"""What a shell says of a command that can't be started."""

_PIPE_BYTES = 262_144
_POLL_SECONDS = 0.02
_PR_SET_PDEATHSIG = 1


class Behind:
    """A server that was started, or could not be."""

    def __init__(
        self, command: Sequence[str], *, environ: Mapping[str, str] | None = None, input_seconds: float = INPUT_SECONDS,
        term_seconds: float = TERM_SECONDS,
    ) -> None:  # fmt: skip
        """Start it, at once."""
        self.command = list(command)
        self.exit_code: int | None = None
        """What the gate ends with; None while the process runs."""
        self._patience = input_seconds, term_seconds
        self._process: subprocess.Popen[bytes] | None = None
        self._why = ""
        self._wire: FileWire | PipeWire | None = None
        self._event: Event | None = None
        self._pidfd = -1
        try:
            self._process = subprocess.Popen(
                self.command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0, env=environ,
                start_new_session=True, preexec_fn=_dies_with_us(),
            )  # fmt: skip
        except (OSError, ValueError, subprocess.SubprocessError) as error:
            name = self.command[0] if self.command else ""
            found = not isinstance(error, FileNotFoundError)
            self.exit_code = NOT_EXECUTABLE if found else NOT_FOUND
            why = (error.strerror if isinstance(error, OSError) else None) or str(error)
            self._why = f"could not be started: {why}: {name}" if found else f"could not be started: no command {name}"
            return
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                widen(pipe.fileno())
        with contextlib.suppress(AttributeError, OSError):  # before Linux 5.3, and elsewhere
            self._pidfd = os.pidfd_open(self._process.pid)

    @property
    def pid(self) -> int | None:
        """Its process; None where it could not be started."""
        return None if self._process is None else self._process.pid

    @property
    def reason(self) -> str:
        """What became of it, in words that follow *the server behind*."""
        if self._why:
            return self._why
        code = self.exit_code
        if code is None:
            return "runs"
        if code > 128 and (name := _signal_name(code - 128)):
            return f"was ended by {name}"
        return f"has ended with exit code {code}"

    @property
    def idle(self) -> bool:
        """Whether a reader waits for output: nothing that was read is lost when it is cancelled."""
        return self._wire is not None and self._wire.idle

    async def feed(self, sink: "Sink", lost: object = None) -> None:
        """Give what it writes to the sink, until it writes no more. No request is `lost` but at its end."""
        if self._process is not None:
            await self._open().feed(sink)

    def write_now(self, data: bytes) -> bytes:
        """Write what can be written without waiting; return the rest."""
        if self._process is None or self._process.stdin is None or self._process.stdin.closed:
            return data
        return self._open().write_now(data)

    def rest(self) -> bytes:
        """Return what it wrote last and nobody has read; another process may keep the pipe open."""
        if self._process is None or self._process.stdout is None or self._process.stdout.closed:
            return b""
        chunks: list[bytes] = []
        with contextlib.suppress(OSError, ValueError):
            os.set_blocking(self._process.stdout.fileno(), False)
            while chunk := os.read(self._process.stdout.fileno(), 65_536):
                chunks.append(chunk)
        return b"".join(chunks)

    async def write_some(self, data: "Data") -> "Data":
        """Write a part once that is possible; return the rest. Raises ClosedResourceError: it reads no more."""
        import anyio

        if self._process is None or self._process.stdin is None or self._process.stdin.closed:
            raise anyio.ClosedResourceError
        return await self._open().write_some(data)

    async def watch(self) -> None:
        """Return once the process has ended, with what is left of its group killed. For one task alone."""
        import anyio

        if self._process is not None and self.exit_code is None:
            if self._pidfd >= 0:
                await anyio.wait_readable(self._pidfd)
            else:
                while not _has_ended(self._process):  # noqa: ASYNC110 - nothing tells
                    await anyio.sleep(_POLL_SECONDS)
            self._finish()
        self._gone().set()

    async def stop(self, *, at_once: bool = False) -> None:
        """End it, while a task watches: no more input, then SIGTERM, then SIGKILL; `at_once` without the first wait."""
        import anyio

        self.close_input()
        input_seconds, term_seconds = self._patience
        waits: tuple[tuple[float, Callable[[], None]], ...] = (
            (0 if at_once else input_seconds, self._terminate), (term_seconds, self._kill)
        )  # fmt: skip
        for seconds, then in waits:
            with anyio.move_on_after(seconds):
                await self._gone().wait()
            if self.exit_code is not None:
                return
            then()
        await self._gone().wait()

    def close_input(self) -> None:
        """Say that nothing more comes."""
        if self._process is not None and self._process.stdin is not None:
            with contextlib.suppress(OSError):
                self._process.stdin.close()

    def close(self) -> None:
        """Kill what still runs, and close the pipes."""
        if self._process is None:
            return
        if self.exit_code is None:
            self._kill()
            self._finish()
        self.close_input()
        if self._process.stdout is not None:
            self._process.stdout.close()
        if self._pidfd >= 0:
            os.close(self._pidfd)
            self._pidfd = -1

    def _gone(self) -> "Event":
        if self._event is None:
            import anyio

            self._event = anyio.Event()
        return self._event

    def _open(self) -> "FileWire | PipeWire":
        if self._wire is None:
            from handoffs.wire import FileWire, PipeWire

            assert self._process is not None
            assert self._process.stdin is not None
            assert self._process.stdout is not None
            pipes = self._process.stdout.fileno(), self._process.stdin.fileno()
            if sys.platform != "win32":
                for fd in pipes:
                    os.set_blocking(fd, False)
            self._wire = FileWire(*pipes) if sys.platform == "win32" else PipeWire(*pipes)
        return self._wire

    def _terminate(self) -> None:
        if sys.platform == "win32":
            if self._process is not None:
                self._process.terminate()
        else:
            self._signal(signal.SIGTERM)

    def _kill(self) -> None:
        if sys.platform == "win32":
            if self._process is not None:
                self._process.kill()
        else:
            self._signal(signal.SIGKILL)

    def _signal(self, number: int) -> None:
        # The leader has not been waited for, so the group's number is still its own.
        if sys.platform != "win32" and self._process is not None and self.exit_code is None:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self._process.pid, number)

    def _finish(self) -> None:
        assert self._process is not None
        if self.exit_code is None:
            if sys.platform != "win32":
                self._signal(signal.SIGKILL)
            code = self._process.wait()
            self.exit_code = 128 - code if code < 0 else code


def widen(pipe: int) -> None:
    """Let a long message through in fewer turns. A user may have so many pages; past them, pipes stay as they are."""
    if sys.platform == "linux":
        import fcntl

        with contextlib.suppress(OSError):
            fcntl.fcntl(pipe, fcntl.F_SETPIPE_SZ, _PIPE_BYTES)


def _has_ended(process: "subprocess.Popen[bytes]") -> bool:
    if sys.platform == "win32":
        return process.poll() is not None
    return os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None


def _dies_with_us() -> Callable[[], None] | None:
    """Return what a child does before it becomes the server; None where the kernel has no such thing."""
    if sys.platform != "linux":
        return None
    import ctypes

    try:
        prctl = ctypes.CDLL(None, use_errno=True).prctl
    except (OSError, AttributeError):
        return None
    parent = os.getpid()

    def before() -> None:
        prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        if os.getppid() != parent:
            os._exit(1)  # the gate has died before the kernel knew

    return before


def _signal_name(number: int) -> str | None:
    with contextlib.suppress(ValueError):
        return signal.Signals(number).name
    return None
