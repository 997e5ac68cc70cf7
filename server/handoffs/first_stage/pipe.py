"""The pipe until the server is there: a thread reads it, answers what the snapshot holds, and keeps all that came."""

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
from handoffs.first_stage.snapshot import Place

_CHUNK = 65_536


class Answering:
    """What came through a pipe, and what of it was answered. Pure; answers what `answers` holds, by key, and a ping."""

    def __init__(self, answers: Mapping[str, str]) -> None:
        """Begin with a pipe from which nothing was read."""
        self.front = Front()
        self.steps: list[Step] = []
        """What the server has still to be given, in order: what was answered is in it, too."""
        self.answered: dict[str | int, str] = {}
        """The results that were sent, as JSON, by the id of their request."""
        self._answers = {ping_key(): "{}", **answers}
        self._requests = Requests()

    def take(self, chunk: bytes) -> list[bytes]:
        """Take a piece of the input, and return what is to be written."""
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
        """Take the answers; `start` begins."""
        self.answering = Answering(answers)
        self.ended = False
        """Whether the client has closed its end."""
        self.unwritten = bytearray()
        """What the client has not read yet of the answers; once it is stopped, the caller's to write."""
        self._stdin, self._stdout = stdin, stdout
        self._stop, self._stopped = os.pipe()
        self._thread = threading.Thread(target=self._run, name="handoffs: first stage", daemon=True)

    def start(self) -> None:
        """Begin to read."""
        self._thread.start()

    def stop(self) -> None:
        """Return once nothing is read any more. From then on the pipe is the caller's, with all that is kept here."""
        os.write(self._stopped, b".")
        self._thread.join()
        os.close(self._stop)
        os.close(self._stopped)

    def _run(self) -> None:
        with contextlib.suppress(OSError):  # nobody reads any more: the server finds that out, too
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
        # No more than goes in for certain: a client that does not read must not hold up the server's start.
        with contextlib.suppress(BlockingIOError):
            del self.unwritten[: os.write(self._stdout, self.unwritten[: select.PIPE_BUF])]


def find_place() -> Place | None:
    """Return where this process's snapshot is or would be; None where a start has but one stage.

    That is so on Windows, and where standard input or output is no pipe or socket, or nothing can be kept.
    """
    if sys.platform == "win32" or not (is_pipe(0) and is_pipe(1)):
        return None
    return snapshot.place_of(_data_folder(), os.environ)


def begin(place: Place) -> FirstStage | None:
    """Begin to answer from the snapshot; None where there is none that holds."""
    answers = snapshot.load(place)
    if answers is None:
        return None
    stage = FirstStage(answers)
    stage.start()
    return stage


def _data_folder() -> str:
    """Return what `settings.data_folder` does; to import what it takes that from costs half of this stage."""
    home = os.path.expanduser("~")
    default = os.path.join(
        home, *(("Library", "Application Support") if sys.platform == "darwin" else (".local", "share"))
    )
    return os.path.join(os.environ.get("XDG_DATA_HOME", "").strip() or default, "handoffs")


def is_pipe(fd: int) -> bool:
    """Say whether a descriptor is of a pipe or a socket, as every host makes them."""
    try:
        mode = os.fstat(fd).st_mode
    except OSError:
        return False
    return stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode)
