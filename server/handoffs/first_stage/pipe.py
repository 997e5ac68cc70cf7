"""The pipe until the server is ready: a thread reads it, answers from the snapshot, and keeps all messages."""

import contextlib
import json
import os
import select
import stat
import sys
import threading
from collections.abc import Mapping

from handoffs.first_stage import snapshot
from handoffs.first_stage.front import Front, Reply, Step
from handoffs.first_stage.requests import Requests, ping_key
from handoffs.first_stage.snapshot import SnapshotFile

_CHUNK = 65_536


class Answering:
    """The messages of a pipe, and the replies to them. Pure; answers from `answers`, by key, and answers pings."""

    def __init__(self, answers: Mapping[str, str]) -> None:
        """Begin with a pipe that has not been read."""
        self.front = Front()
        self.steps: list[Step] = []
        """The messages for the server, in order, including the answered ones."""
        self.answered: dict[str | int, str] = {}
        """The results that were sent, as JSON, by the id of their request."""
        self._answers = {ping_key(): "{}", **answers}
        self._requests = Requests()

    def take(self, chunk: bytes) -> list[bytes]:
        """Take a piece of the input, and return the messages to write."""
        written: list[bytes] = []
        for step in self.front.take(chunk):
            if isinstance(step, Reply):
                written.append(self.front.wrap(step.text))
                continue
            self.steps.append(step)
            request = self._requests.next(step.text)
            result = None if request is None else self._answers.get(request.key)
            if request is None or result is None or request.id in self.answered:
                continue
            self.answered[request.id] = result
            reply = f'{{"jsonrpc":"2.0","id":{json.dumps(request.id)},"result":{result}}}'
            written.append(self.front.wrap(reply))
        return written


class FirstStage:
    """The thread that reads standard input and answers on standard output, until the server takes both over."""

    def __init__(self, answers: Mapping[str, str], *, stdin: int = 0, stdout: int = 1) -> None:
        """Take the answers. `start` starts the thread."""
        self.answering = Answering(answers)
        self.ended = False
        """Whether the client has closed its end."""
        self.unwritten = bytearray()
        """Replies that the client has not read yet; after `stop`, the caller writes them."""
        self._stdin, self._stdout = stdin, stdout
        self._stop, self._stopped = os.pipe()
        self._thread = threading.Thread(target=self._run, name="handoffs: first stage", daemon=True)

    def start(self) -> None:
        """Start reading."""
        self._thread.start()

    def stop(self) -> None:
        """Stop reading. When this returns, the caller owns the pipe, and everything that was read."""
        os.write(self._stopped, b".")
        self._thread.join()
        os.close(self._stop)
        os.close(self._stopped)

    def _run(self) -> None:
        with contextlib.suppress(OSError):  # the client has closed the pipe: the server notices that, too
            while self.unwritten or not self.ended:
                read = [self._stop] if self.ended else [self._stop, self._stdin]
                readable, writable, _ = select.select(read, [self._stdout] if self.unwritten else [], [])
                if self._stop in readable:
                    return
                if self._stdin in readable:
                    chunk = os.read(self._stdin, _CHUNK)
                    self.ended = not chunk
                    self.unwritten += b"".join(self.answering.take(chunk))
                if writable:
                    self._write()

    def _write(self) -> None:
        # No more than fits for certain: a client that does not read must not delay the server's start.
        with contextlib.suppress(BlockingIOError):
            del self.unwritten[: os.write(self._stdout, self.unwritten[: select.PIPE_BUF])]


def find_file() -> SnapshotFile | None:
    """Return the location of this process's snapshot; None if this start has only one stage.

    That is so on Windows, if standard input or output is no pipe or socket, or if no file can be kept safely.
    """
    if sys.platform == "win32" or not (is_pipe(0) and is_pipe(1)):
        return None
    return snapshot.file_of(_data_folder(), os.environ)


def begin(file: SnapshotFile) -> FirstStage | None:
    """Start answering from the snapshot; None if there is no valid one."""
    answers = snapshot.load(file)
    if answers is None:
        return None
    stage = FirstStage(answers)
    stage.start()
    return stage


def _data_folder() -> str:
    """Return the same folder as `settings.data_folder`, whose imports would cost half of this stage."""
    home = os.path.expanduser("~")
    default = os.path.join(
        home, *(("Library", "Application Support") if sys.platform == "darwin" else (".local", "share"))
    )
    return os.path.join(os.environ.get("XDG_DATA_HOME", "").strip() or default, "handoffs")


def is_pipe(fd: int) -> bool:
    """Return whether a descriptor is a pipe or a socket, as all hosts make them."""
    try:
        mode = os.fstat(fd).st_mode
    except OSError:
        return False
    return stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode)
