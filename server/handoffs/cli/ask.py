"""`handoffs ask` and `wait`: a script's question, its answer on standard output, and an exit code for every end.

A question is stored before anything is imported that only waiting needs: a host's job, which runs a hundred of these,
pays little for each. Only the expected answer ends with 0.
"""

import json
import signal
import sys
from collections.abc import AsyncGenerator, Callable, Generator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from datetime import timedelta
from types import FrameType
from typing import TYPE_CHECKING, cast

from handoffs.cli.plain_settings import Plain, plain_settings
from handoffs.core.asked import asked_handoff, digest_of_key
from handoffs.core.display import stamp, where
from handoffs.core.errors import HandoffError, QuestionRefused
from handoffs.core.events import Collected, Opened
from handoffs.core.form import RESPONSE, Form
from handoffs.core.ids import new_id
from handoffs.core.model import APART, Caller, Handoff, State
from handoffs.core.question import form_of
from handoffs.os_user import current_user
from handoffs.printing import Exit, OutputLost, failed, print_out, spell_what_cant_be_printed

if TYPE_CHECKING:
    from handoffs.cli.saved_files import Saved
    from handoffs.client.questions import Questions

CLIENT = "handoffs ask"
"""The program's name, which the person reads, and by which the same command joins."""

_AGAIN = "run the same command again, or without --save-files for the answer alone."

_CODES = {State.DECLINED: Exit.DECLINED, State.CANCELLED: Exit.CANCELLED, State.EXPIRED: Exit.EXPIRED}


@dataclass(frozen=True, kw_only=True, slots=True)
class Given:
    """The arguments of `handoffs ask`, or of `handoffs wait` with an `id`."""

    message: str = ""
    id: str = ""
    options: tuple[str, ...] = ()
    form: str | None = None
    """The file of the schema; `-` for standard input."""
    expect: tuple[str, ...] = ()
    any_answer: bool = False
    timeout: str | None = None
    wait: str | None = None
    key: str = ""
    server: str | None = None
    save_files: str | None = None
    """The folder for the files of the answer; None where the script takes none."""
    json: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class _Read:
    """The arguments, as values."""

    given: Given
    form: dict[str, object] | None = None
    timeout: float | None = None
    wait: float | None = None


class WrongUsage(HandoffError):
    """The command line is wrong; nothing was asked."""


class _Terminated(BaseException):
    """The process was told to end: SIGTERM."""


def run(given: Given) -> int:
    """Ask, or wait for what was asked; print the answer, and return the exit code."""
    spell_what_cant_be_printed()
    asked: list[Handoff] = []
    try:
        with _terminating():
            read = _read(given)
            plain = None if given.id or given.server else plain_settings()
            code = None if plain is None else _at_once(read, plain, asked)
            return _by_waiting(read, asked) if code is None else code
    except KeyboardInterrupt:
        return _left_open(asked, Exit.INTERRUPTED)
    except _Terminated:
        return _left_open(asked, Exit.TERMINATED)
    except (HandoffError, OutputLost) as wrong:
        from handoffs.console import code_of  # imports the settings, which a quick command does without

        return code_of(wrong)


def _at_once(read: _Read, plain: Plain, asked: list[Handoff]) -> int | None:
    """Store the question without an event loop, and end if its answer is there; None where somebody must be waited for.

    Without an entry in `asked`, nothing was stored: the question needs more than this.
    """
    given = read.given
    form = form_of(given.message, given.options or None, read.form)
    if form.secret:
        return None
    from handoffs.store.sqlite.at_once import AtOnce

    key = digest_of_key(given.key)
    with AtOnce(plain.store) as store:
        now, limits = store.clock.now(), plain.limits
        seconds = limits.exact(read.timeout)
        handoff = asked_handoff(
            new_id(),
            caller=Caller(subject=current_user(), client=CLIENT, project=plain.project),
            message=given.message,
            form=form,
            asked=now,
            deadline=limits.deadline(now, None) if seconds is None else now + timedelta(seconds=seconds),
            session=f"{APART}{key}" if key else "",
            tool_use=key,
            files=given.save_files is not None,
        )
        kept = store.open(
            handoff,
            collect_after=now - timedelta(seconds=limits.join_seconds),
            opened=Opened(at=now, transport="program"),
            quota=limits.quota,
        )
        asked.append(kept)
        if kept.state is State.OPEN or kept.question.deciders is not None or (kept.attachments and given.save_files):
            return None
        code = _finish(kept, given)
        if kept.collected_at is None:
            store.record(kept.id, Collected(at=store.clock.now(), tool_use=key), durable=False)
        return code


def _by_waiting(read: _Read, asked: list[Handoff]) -> int:
    if asked and asked[0].state is State.OPEN:
        _tell(where(asked[0], None))
    import anyio

    from handoffs.console import ended

    codes: list[int] = []

    async def work() -> None:
        codes.append(await _waited(read, asked))

    failure = ended(lambda: anyio.run(work))
    if failure == Exit.INTERRUPTED:
        raise KeyboardInterrupt
    return codes[0] if codes else failure


async def _waited(read: _Read, asked: list[Handoff]) -> int:
    import anyio

    given, signalled = read.given, list[int]()
    async with _opened(given) as asking:
        handoff = await _found(asking, read, asked)

        async def leave_on_a_signal() -> None:
            with anyio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as received:
                async for number in received:
                    signalled.append(number)
                    tasks.cancel_scope.cancel()

        async with anyio.create_task_group() as tasks:
            if sys.platform != "win32":
                tasks.start_soon(leave_on_a_signal)
            handoff = await asking.decided(handoff, wait=read.wait, tell=_telling(where(handoff, None)))
            tasks.cancel_scope.cancel()
        if signalled:
            return _left_open(asked, Exit.INTERRUPTED if signalled[0] == signal.SIGINT else Exit.TERMINATED)
        if handoff.state is State.OPEN:
            return _left_open(asked, Exit.OPEN)
        if handoff.state is State.ANSWERED:
            await asking.check(handoff)
        saved = await _saved(asking, handoff, given)
        if saved is None:
            return Exit.FILES
        code = _finish(handoff, given, saved)
        await asking.hand_over(handoff, key=given.key)
        return code


@asynccontextmanager
async def _opened(given: Given) -> "AsyncGenerator[Questions]":
    from handoffs.settings import read_settings

    settings = read_settings()
    server = given.server or settings.server
    if server is not None:
        from handoffs.client.remote import open_remote

        async with open_remote(server, settings.server_token, client=CLIENT, tell=_tell) as asking:
            yield asking
        return
    from handoffs.client.opening import open_asking

    async with open_asking(settings, client=CLIENT) as asking:
        yield asking


async def _found(asking: "Questions", read: _Read, asked: list[Handoff]) -> Handoff:
    given = read.given
    if asked:
        return await asking.get(asked[0].id)
    if given.id:
        from handoffs.client.asking import Asking

        # At a server, an id is written whole: others have asked there, too.
        handoff = await (asking.desk.find(given.id) if isinstance(asking, Asking) else asking.get(given.id))
        check_expected(given, handoff.question.form)
    else:
        handoff = await asking.open(
            given.message,
            options=given.options or None,
            form=read.form,
            timeout=read.timeout,
            key=given.key,
            files=given.save_files is not None,
        )
    asked.append(handoff)
    if handoff.state is State.OPEN:
        _tell(where(handoff, None))
    return handoff


async def _saved(asking: "Questions", handoff: Handoff, given: Given) -> "Sequence[Saved] | None":
    """Write the files of the answer; return None, and say why, where one is lost or can't be written."""
    if given.save_files is None or not handoff.attachments:
        return ()
    from handoffs.cli.saved_files import NotSaved, fetch_and_save

    try:
        return await fetch_and_save(asking, handoff, given.save_files)
    except NotSaved as wrong:
        failed(f"{wrong}\n{handoff.id} was answered, and its answer is not used up: {_AGAIN}", Exit.FILES)
        return None


def _finish(handoff: Handoff, given: Given, saved: "Sequence[Saved]" = ()) -> int:
    """Print how a question has ended, and return the exit code."""
    if given.json:
        from handoffs.cli import documents

        print_out(documents.document(handoff, reader=current_user(), paths=[str(each.path) for each in saved]))
    if handoff.state is not State.ANSWERED:
        words = {
            State.DECLINED: "A person declined to answer {}. That is not approval.",
            State.CANCELLED: "{} was withdrawn. Nothing was decided: that is not approval.",
            State.EXPIRED: "Nobody answered {} before the deadline. Silence is not consent.",
        }
        return failed(words[handoff.state].format(handoff.id), _CODES[handoff.state])
    if not given.json:
        for each in saved:
            _tell(each.told)
        print_out(_text(handoff))
    if handoff.attachments and not saved:
        _tell(f"Files came with it: handoffs wait {handoff.id} --save-files DIR")
    return Exit.DONE if _is_expected(handoff, given) else Exit.OTHER


def _text(handoff: Handoff) -> str:
    form, values = handoff.question.form, handoff.values or {}
    if handoff.other:
        return handoff.other
    texts = {
        # Of a secret, a program reads the name: `handoffs.secrets.reveal`.
        field.name: str(values[field.name]) if field.secret else field.text(values[field.name])
        for field in form.fields
        if field.name in values
    }
    if len(form.fields) == 1:
        return "".join(texts.values())
    return "\n".join(f"{name}: {text}" for name, text in texts.items())


def _is_expected(handoff: Handoff, given: Given) -> bool:
    """Say whether the script goes on with this answer. Of options it is the first, if the script names none."""
    form, values = handoff.question.form, handoff.values or {}
    if given.any_answer:
        return True
    if handoff.other or not form.is_options:  # what somebody writes may be a no
        return False
    first = form.fields[0].choices[0].value
    return values.get(RESPONSE) in (given.expect or (first,))


def check_expected(given: Given, form: Form) -> None:
    """Return if what the script expects can be answered. Raises WrongUsage."""
    if given.expect and given.any_answer:
        raise WrongUsage("Give --expect or --any, not both.")
    if not given.expect:
        return
    if not form.is_options:
        raise WrongUsage("--expect names one of the options, and the question has none: leave it out.")
    known = [str(choice.value) for choice in form.fields[0].choices]
    for each in given.expect:
        if each not in known:
            raise WrongUsage(f"--expect {each!r} is none of the options: {', '.join(known)}.")


def _read(given: Given) -> _Read:
    read = _checked(given)
    if given.save_files is not None:
        from handoffs.cli.saved_files import NotSaved, ready

        try:
            ready(given.save_files)  # before somebody has answered
        except NotSaved as wrong:
            raise WrongUsage(f"--save-files: {wrong}") from None
    return read


def _checked(given: Given) -> _Read:
    if given.id:
        return _Read(given=given, wait=_length("--wait", given.wait))
    form = None if given.form is None else _schema(given.form)
    asked = form_of(given.message, given.options or None, form)
    check_expected(given, asked)
    if not (asked.is_options or given.any_answer):
        raise WrongUsage(
            "Without --options no answer is the expected one. Add --any: then every answer ends with 0, a no, too."
        )
    return _Read(
        given=given, form=form, timeout=_length("--timeout", given.timeout), wait=_length("--wait", given.wait)
    )


def _length(option: str, written: str | None) -> float | None:
    if written is None:
        return None
    from handoffs.policy_text.tables import read_length

    seconds = float(written) if written.isascii() and written.isdigit() else read_length(written)
    if seconds is None:
        raise WrongUsage(f"{option} {written!r} is no length of time. Write 90s, 20m, 2h or 1d.")
    return seconds


def _schema(path: str) -> dict[str, object]:
    try:
        if path == "-":
            text = sys.stdin.read()
        else:
            with open(path, encoding="utf-8") as file:
                text = file.read()
        read = cast("object", json.loads(text))
    except OSError as wrong:
        raise WrongUsage(f"--form {path} can't be read: {wrong.strerror or wrong}.") from None
    except (ValueError, RecursionError) as wrong:
        raise WrongUsage(f"--form {path} is no JSON: {wrong}.") from None
    if not isinstance(read, dict):
        raise QuestionRefused(f"--form {path} must hold an elicitation schema: a JSON object.")
    return cast("dict[str, object]", read)


def _left_open(asked: Sequence[Handoff], code: Exit) -> int:
    if not asked:
        return code
    it = asked[0]
    return failed(
        f"{it.id} is still open until {stamp(it.question.deadline)}. Nothing was decided. Run the same command "
        f"again to go on waiting, or: handoffs wait {it.id}",
        code,
    )


def _telling(told: str) -> Callable[[str], object]:
    def tell(line: str) -> None:
        if line != told:  # it has a link now
            _tell(line)

    return tell


def _tell(line: str) -> None:
    if sys.stderr is not None:
        sys.stderr.write(f"{line}\n")
        sys.stderr.flush()


@contextmanager
def _terminating() -> Generator[None]:
    """Have SIGTERM end the block with an error, until an event loop takes it over."""

    def caught(number: int, frame: FrameType | None) -> None:
        raise _Terminated

    before = signal.signal(signal.SIGTERM, caught)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
