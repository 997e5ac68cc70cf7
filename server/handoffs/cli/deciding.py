"""`handoffs answer`, `decline` and `cancel`: a person decides, from what was typed with the command or at a prompt."""

import sys
import unicodedata
from collections.abc import Sequence

import anyio

from handoffs.assembly import current_user, open_desk
from handoffs.cli.ending import UsageError
from handoffs.core.desk import Desk
from handoffs.core.errors import AnswerRefused
from handoffs.core.form import Form
from handoffs.core.lifecycle import already_ended
from handoffs.core.model import Handoff
from handoffs.core.untrusted import inert_line
from handoffs.settings import Settings
from handoffs.terminal import Filled, Interrupted, Later, Outcome, Refused, Sheet, Terminal, open_terminal

CHANNEL = "command line"


async def answer(
    settings: Settings, prefix: str, *, value: str | None, named: Sequence[str], note: str
) -> tuple[Handoff, bool]:
    """Answer with `value` or the `NAME=VALUE`s of `named`, or else ask for it.

    Returns the handoff as it ended, and whether the person was asked, and so has seen how it went.

    Raises:
        UsageError: What was typed does not fit, or it is a secret that is asked for; nothing was recorded.
        AlreadyEnded: Somebody was first.
        KeyboardInterrupt: Ctrl-C at the prompt.
    """
    async with open_desk(settings) as desk:
        handoff = await _open(desk, prefix)
        if handoff.question.form.secret:
            # A shell keeps what is typed in its history, and a terminal on its screen.
            raise UsageError(f"{handoff.id} asks for a secret, which is typed into the inbox: run `handoffs inbox`.")
        if value is None and not named:
            # What a script reads from standard output is the result.
            async with open_terminal(output=sys.stderr) as terminal:
                return await _asked(desk, terminal, handoff, note), True
        try:
            values = handoff.question.form.coerce(_typed(handoff.question.form, value, named))
        except AnswerRefused as refused:
            raise UsageError(f"Nothing was recorded: {inert_line(str(refused))}.") from None
        return await desk.answer(handoff, values, by=current_user(), channel=CHANNEL, note=note), False


async def decline(settings: Settings, prefix: str, *, note: str) -> Handoff:
    """Refuse to answer. Raises AlreadyEnded."""
    async with open_desk(settings) as desk:
        return await desk.decline(await _open(desk, prefix), by=current_user(), channel=CHANNEL, note=note)


async def cancel(settings: Settings, prefix: str, *, note: str) -> Handoff:
    """Withdraw the question for good. Raises AlreadyEnded."""
    async with open_desk(settings) as desk:
        return await desk.cancel(await _open(desk, prefix), by=current_user(), channel=CHANNEL, note=note)


async def _open(desk: Desk, prefix: str) -> Handoff:
    handoff = await desk.find(prefix)
    if handoff.end is not None:
        raise already_ended(handoff)  # before anything is said about the answer, which no longer matters
    return handoff


def _typed(form: Form, value: str | None, named: Sequence[str]) -> dict[str, str]:
    names = [field.name for field in form.fields]
    if value is not None and named:
        raise UsageError("Give VALUE or --set NAME=VALUE, not both.")
    if value is not None:
        if len(names) > 1:
            raise UsageError(f"This form has {len(names)} fields, {', '.join(names)}: use --set NAME=VALUE for each.")
        return {names[0]: value}
    typed: dict[str, str] = {}
    for each in named:
        # A name may have an equals sign of its own: the longest one that fits is meant.
        cuts = [(at, each[at + 1 :]) for at, char in enumerate(each) if char == "="]
        fitting = [(name, value) for at, value in cuts for name in names if _composed(name) == _composed(each[:at])]
        if not fitting:
            raise UsageError(
                f"--set {inert_line(each, 60)!r} sets no field: write NAME=VALUE; this form has {', '.join(names)}."
            )
        name, value = fitting[-1]
        if name in typed:
            raise UsageError(f"--set has {name} twice.")
        typed[name] = value
    return typed


def _composed(name: str) -> str:
    # A shell, or a file it reads, may write the letters of a name in another way than the agent.
    return unicodedata.normalize("NFC", name)


async def _asked(desk: Desk, terminal: Terminal, handoff: Handoff, note: str) -> Handoff:
    problem = ""
    while True:
        outcome = await _outcome(desk, terminal, handoff, problem)
        by = current_user()
        match outcome:
            case Filled():
                try:
                    return await desk.answer(handoff, outcome.values, by=by, channel=CHANNEL, note=outcome.note or note)
                except AnswerRefused as refused:
                    problem = str(refused)
            case Refused():
                return await desk.decline(handoff, by=by, channel=CHANNEL, note=outcome.note or note)
            case Later():
                raise UsageError(f"No answer was given; {handoff.id} stays open.")


async def _outcome(desk: Desk, terminal: Terminal, handoff: Handoff, problem: str) -> Outcome:
    """What the person did at the prompt, which goes away when somebody else was first. Raises AlreadyEnded then."""
    got: list[Outcome] = []
    shown, interrupted = anyio.Event(), anyio.Event()

    async def note_reached() -> None:
        await shown.wait()
        await desk.reached(handoff, channel=CHANNEL)

    async def give_way() -> None:
        await desk.wait(handoff.id, seconds=None)
        tasks.cancel_scope.cancel()

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(note_reached)
        tasks.start_soon(give_way)
        try:
            got.append(await terminal.ask(Sheet.of(handoff, problem=problem), shown=shown.set))
        except Interrupted:
            interrupted.set()
        tasks.cancel_scope.cancel()
    if interrupted.is_set():
        raise KeyboardInterrupt
    if not got:
        raise already_ended(await desk.get(handoff.id))
    return got[0]
