"""`handoffs hook HOST [--timeout SECONDS]`: from standard input to the one JSON object on standard output."""

import os
import sys
import threading
import time
from collections.abc import Callable, Sequence

from handoffs.hooks import plain_words, replies
from handoffs.hooks.events import ELICITATION, Heard, event_in, read_event
from handoffs.hosts.hooks import HOOK_HOSTS, HookHost

MAX_READ = 16_000_000
"""The most bytes of an event that are read. Far fewer can be shown."""

MARGIN_SECONDS = 5.0
"""How long before the host's time-out a question is given up: as long as a busy machine may take to say so."""


class Outlet:
    """Standard output, which takes one reply; a reply that comes later is dropped."""

    def __init__(self) -> None:
        self._lock, self._done = threading.Lock(), False

    def put(self, reply: str) -> bool:
        """Write a reply, and say whether it was the first."""
        with self._lock:
            if self._done:
                return False
            self._done = True
            data = memoryview(reply.encode() + b"\n")
            try:
                while data:
                    data = data[os.write(1, data) :]
            except OSError:
                pass  # the host has closed its end, and hears nothing
            return True


def run(arguments: Sequence[str]) -> int:
    """Answer one event, and return the exit code. The first argument is the name of a host in the table."""
    began = time.monotonic()
    host, outlet = HOOK_HOSTS.get(arguments[0]), Outlet()
    if host is None:  # in no host's shape: the exit code is the one that most of them read as a refusal
        print(f"handoffs hook: give one of {', '.join(HOOK_HOSTS)} as the host", file=sys.stderr)  # noqa: T201
        return 2
    text = b""
    name = host.events[0].name
    try:
        seconds = _timeout(arguments[1:], host)
        watchdog = _watch(outlet, host, seconds - _margin(seconds) * 0.6, lambda: event_in(host, text))
        read = _read()
        if read is None:
            outlet.put(replies.deny(host, event_in(host, text), plain_words.TOO_MUCH))
            return 0
        text = read
        try:
            heard = read_event(host, text)
        except ValueError as wrong:
            outlet.put(replies.deny(host, event_in(host, text), plain_words.unreadable(str(wrong))))
            return 0
        name = heard.name or name
        outlet.put(_answer(heard, began + seconds - _margin(seconds)))
        watchdog.cancel()
    except BaseException as broken:  # noqa: BLE001 - of no failure a host may make "no hook": its word is a denial
        told = str(broken) if _is_ours(broken) else ""
        outlet.put(replies.deny(host, name, plain_words.not_asked(told) if told else plain_words.FAILED))
        if not told:
            print(f"handoffs hook: {type(broken).__name__}", file=sys.stderr)  # noqa: T201
    return 0


def _answer(heard: Heard, until: float) -> str:
    """Return the reply; `until` is when it has to be there, by the monotonic clock."""
    from handoffs.hooks import quick

    if heard.ran or heard.over:
        if heard.session and quick.is_asked(heard.session):
            from handoffs.hooks.asking import withdraw

            withdraw(heard)
        return replies.NOTHING
    if heard.name == ELICITATION and heard.host.name == "claude-code":
        from handoffs.hooks.asking import answer_form

        return answer_form(heard, until)
    if heard.asks is None:
        wrong = f"`handoffs hook` does not know the event {heard.name[:60]!r} of {heard.host.title}"
        return replies.deny(heard.host, heard.name, plain_words.unreadable(wrong))
    try:
        action = heard.action
        # What it asks the person itself, no permission answers.
        if heard.tool != "AskUserQuestion" and quick.is_allowed(heard, action):
            return replies.allow(heard.host, heard.name)
        from handoffs.hooks.asking import ask

        return ask(heard, until)
    except (ValueError, RecursionError) as wrong:
        why = "it is nested too deeply" if isinstance(wrong, RecursionError) else str(wrong)
        said = f"what {heard.host.title} wrote can't be shown to a person: {why}"
        return replies.deny(heard.host, heard.name, plain_words.unreadable(said))


def _timeout(arguments: Sequence[str], host: HookHost) -> float:
    """Return how long the host waits for this hook. Raises _Wrong."""
    match [*arguments]:
        case []:
            return host.unset_seconds
        case ["--timeout", written]:
            pass
        case [one] if one.startswith("--timeout="):
            written = one.removeprefix("--timeout=")
        case _:
            raise _Wrong("`handoffs hook` takes the name of a host and --timeout SECONDS, and nothing else")
    try:
        seconds = float(written)
    except ValueError:
        seconds = 0.0
    if not 1 <= seconds <= 30 * 86_400:
        raise _Wrong("--timeout takes seconds, from 1 to 2592000, as the host's file has them")
    return seconds


class _Wrong(Exception):
    """The command line is wrong."""


def _is_ours(broken: BaseException) -> bool:
    if isinstance(broken, _Wrong):
        return True
    from handoffs.core.errors import HandoffError

    return isinstance(broken, HandoffError)


def _margin(seconds: float) -> float:
    return min(MARGIN_SECONDS, seconds / 2)


def _read() -> bytes | None:
    """Return what the host writes, to its end; None where it is too much, which is read and forgotten."""
    parts, size = list[bytes](), 0
    while part := os.read(0, 1_048_576):
        size += len(part)
        if size <= MAX_READ:
            parts.append(part)
    return b"".join(parts) if size <= MAX_READ else None


def _watch(outlet: Outlet, host: HookHost, seconds: float, event: Callable[[], str]) -> threading.Timer:
    """Deny once it is nearly too late, whatever holds this process up: its input, a lock, an import."""

    def end() -> None:
        if outlet.put(replies.deny(host, event(), plain_words.WAITING)):
            os._exit(0)

    timer = threading.Timer(seconds, end)
    timer.daemon = True
    timer.start()
    return timer
