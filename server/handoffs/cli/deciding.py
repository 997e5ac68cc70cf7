"""`handoffs answer`, `decline` and `cancel`: a person's decision, from arguments or at a prompt."""

import sys
import unicodedata
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import anyio

from handoffs.assembly import open_desk
from handoffs.cli.files import read_files
from handoffs.cli.looking import earlier_of, is_there, text_of
from handoffs.console import UsageError
from handoffs.core.attachment import GivenFile, refused
from handoffs.core.choices import joined
from handoffs.core.desk import Desk
from handoffs.core.document import redacted
from handoffs.core.errors import AnswerRefused, NotFound, NotProved, NotTheirDecision
from handoffs.core.form import Form, Kind, Value
from handoffs.core.lifecycle import already_ended
from handoffs.core.model import Handoff
from handoffs.core.untrusted import inert_line
from handoffs.inbox_process.record import InboxRecord
from handoffs.os_user import current_user
from handoffs.settings import Settings, data_folder
from handoffs.terminal import Filled, Interrupted, Later, Outcome, Refused, Request, Terminal, open_terminal
from handoffs.terminal.form_state import read_value, unnamed

CHANNEL = "command line"


@dataclass(frozen=True, kw_only=True, slots=True)
class Given:
    """The arguments of `handoffs answer`; without any, the person is asked."""

    value: str | None = None
    named: Sequence[str] = ()
    """The `NAME=VALUE` arguments; a list may have several."""
    other: str | None = None
    """An answer in other words than the options."""
    again: bool = False
    """Whether to repeat the earlier answer."""
    note: str = ""
    attach: Sequence[Path] = ()
    """The files that go with it."""


async def answer(settings: Settings, prefix: str, given: Given) -> tuple[Handoff, bool]:
    """Answer with the given arguments, or ask the person.

    Returns the ended handoff, and whether the person was asked and so has seen the outcome.

    Raises:
        UsageError: The answer does not fit, or the question asks for a secret; nothing was recorded.
        AlreadyEnded: Somebody was first.
        KeyboardInterrupt: Ctrl-C at the prompt.
    """
    ways = [given.value is not None, bool(given.named), given.other is not None, given.again]
    if sum(ways) > 1:
        raise UsageError("Give one of VALUE, --set NAME=VALUE, --other and --again.")
    if given.attach and not any(ways):
        raise UsageError("Give the answer, too: --attach goes with VALUE, --set, --other or --again.")
    files = await read_files(given.attach)
    _check_there(settings, prefix)
    page = _page(settings)
    async with open_desk(settings, page=page) as desk:
        handoff = await _open(desk, prefix)
        if handoff.question.form.secret:
            # A shell's history and a terminal's screen would keep the secret.
            raise UsageError(f"{handoff.id} asks for a secret, which is typed into the inbox: run `handoffs inbox`.")
        _check_seat(desk, handoff)
        if not any(ways):
            # Standard output is for the result, which a script may read.
            async with open_terminal(output=sys.stderr) as terminal:
                return await ask_here(desk, terminal, handoff, page=page, note=given.note), True
        try:
            outcome = await _outcome_of(desk, handoff, given)
            unseen = await text_of(desk, redacted(handoff)) if handoff.question.takes_proof else ""
            return await _decided(desk, handoff, outcome, given.note, page, unseen=unseen, files=files), False
        except NotTheirDecision:
            raise
        except NotProved as unproved:
            raise UsageError(f"Nothing was recorded: {unproved}.") from None
        except AnswerRefused as wrong:
            raise UsageError(_refusal(handoff, wrong, given)) from None


async def _outcome_of(desk: Desk, handoff: Handoff, given: Given) -> Filled | Refused:
    if given.again:
        earlier = await earlier_of(desk, handoff)
        if earlier is None:
            raise UsageError(f"{handoff.id} was not decided before: there is no answer to give again.")
        return earlier.outcome
    if given.other is not None:
        return Filled({}, other=given.other)
    form = handoff.question.form
    return Filled(_values(form, _typed(form, given.value, given.named)))


async def _decided(
    desk: Desk,
    handoff: Handoff,
    outcome: Filled | Refused,
    note: str,
    page: str | None,
    *,
    unseen: str = "",
    files: Sequence[GivenFile] = (),
) -> Handoff:
    by, note, proof = current_user(), outcome.note or note, None
    if isinstance(outcome, Refused):
        if files:
            raise refused("go only with an answer")
        return await desk.decline(handoff, by=by, channel=CHANNEL, note=note)
    values, other = outcome.values, outcome.other
    if handoff.question.takes_proof:
        decision = await desk.to_sign(handoff, values, by=by, channel=CHANNEL, note=note, other=other, files=files)
        if decision is not None:
            from handoffs.cli.usb_key import sign  # imports fido2, which no other answer needs

            proof = await sign(decision, page, unseen=unseen)
    return await desk.answer(handoff, values, by=by, channel=CHANNEL, note=note, other=other, proof=proof, files=files)


def _page(settings: Settings) -> str | None:
    """Return the address of the inbox, which passkeys are made for; None where none ever ran."""
    if settings.inbox_url is not None:
        return settings.inbox_url
    port = InboxRecord(store=settings.store, data=data_folder()).last_port()
    return f"http://localhost:{port}" if port else None


def _refusal(handoff: Handoff, wrong: AnswerRefused, given: Given) -> str:
    hint = ""
    if handoff.question.takes_other and given.value is not None:
        hint = f' To say something else than the options: handoffs answer {handoff.id} --other "your words"'
    elif given.other is not None and not handoff.question.takes_other:
        hint = f" `handoffs show {handoff.id}` shows what it asks for."
    # The person has never seen the field name of a plain question.
    plain = {field.name for field in handoff.question.form.fields if unnamed(field)}
    why = "; ".join(_problem(name, what, plain) for name, what in wrong.problems.items())
    return f"Nothing was recorded: {inert_line(why)}.{hint}"


def _problem(name: str, what: str, plain: Collection[str]) -> str:
    if name in plain:
        return f"the answer {what}"
    if not name or name[0] == " ":  # of the form, or of what stands beside it
        return f"{name} {what}".strip()
    return f"{name}: {what}"


async def decline(settings: Settings, prefix: str, *, note: str) -> Handoff:
    """Refuse to answer. Raises AlreadyEnded."""
    _check_there(settings, prefix)
    async with open_desk(settings) as desk:
        return await desk.decline(await _open(desk, prefix), by=current_user(), channel=CHANNEL, note=note)


async def cancel(settings: Settings, prefix: str, *, note: str) -> Handoff:
    """Withdraw the question for good. Raises AlreadyEnded."""
    _check_there(settings, prefix)
    async with open_desk(settings) as desk:
        return await desk.cancel(await _open(desk, prefix), by=current_user(), channel=CHANNEL, note=note)


def _check_there(settings: Settings, prefix: str) -> None:
    # Opening creates a store, which a mistyped path must not do.
    if not is_there(settings):
        raise NotFound(prefix)


def _check_seat(desk: Desk, handoff: Handoff) -> None:
    """Refuse before a person fills in a form for nothing. Raises NotTheirDecision."""
    deciders = handoff.question.deciders
    if deciders is not None and deciders.seat_of(current_user(), desk.clock.now()) is None:
        from handoffs.core.voting import not_yours  # only for a question with a rule

        raise not_yours(deciders)


async def _open(desk: Desk, prefix: str) -> Handoff:
    handoff = await desk.find(prefix)
    if handoff.end is not None:
        raise already_ended(handoff)  # before any error in the answer, which no longer matters
    return handoff


def _typed(form: Form, value: str | None, named: Sequence[str]) -> dict[str, str]:
    """Return the text for each field; the items of a list are joined."""
    names = [field.name for field in form.fields]
    lists = {field.name for field in form.fields if field.kind is Kind.CHOICES}
    if value is not None:
        if len(names) > 1:
            raise UsageError(f"This form has {len(names)} fields, {', '.join(names)}: use --set NAME=VALUE for each.")
        return {names[0]: value}
    typed: dict[str, list[str]] = {}
    for each in named:
        # A field name may contain an equals sign: the longest matching name counts.
        cuts = [(at, each[at + 1 :]) for at, char in enumerate(each) if char == "="]
        fitting = [(name, value) for at, value in cuts for name in names if _composed(name) == _composed(each[:at])]
        if not fitting:
            raise UsageError(
                f"--set {inert_line(each, 60)!r} sets no field: write NAME=VALUE; this form has {', '.join(names)}."
            )
        name, value = fitting[-1]
        if name in typed and name not in lists:
            raise UsageError(f"--set has {name} twice.")
        typed.setdefault(name, []).append(value)
    return {name: joined(texts) if len(texts) > 1 else texts[0] for name, texts in typed.items()}


def _composed(name: str) -> str:
    # A shell, or a file it reads, may compose letters differently than the agent.
    return unicodedata.normalize("NFC", name)


def _values(form: Form, typed: Mapping[str, str]) -> dict[str, Value]:
    """Return the typed answer. Raises AnswerRefused, with all problems."""
    try:
        return form.coerce(typed)
    except AnswerRefused as refused:
        problems = dict(refused.problems)
    # For a time without a zone, the problem has the time in this machine's zone.
    for field in form.fields:
        if field.name in problems and field.name in typed:
            try:
                read_value(field, typed[field.name])
            except ValueError as wrong:
                problems[field.name] = str(wrong)
    raise AnswerRefused(problems)


async def ask_here(
    desk: Desk, terminal: Terminal, handoff: Handoff, *, page: str | None = None, note: str = ""
) -> Handoff:
    """Ask a person on a terminal, and return the ended handoff. `page` is the address of the inbox, for passkeys.

    Raises:
        UsageError: They put it off.
        AlreadyEnded: Somebody was first.
        KeyboardInterrupt: Ctrl-C.
    """
    earlier, problem = await earlier_of(desk, handoff), ""
    while True:
        handoff = await desk.get(handoff.id) if problem else handoff  # others may have voted since
        request = Request.of(handoff, problem=problem, earlier=earlier, reader=current_user(), now=desk.clock.now())
        outcome = await _outcome(desk, terminal, handoff, request)
        if isinstance(outcome, Later):
            raise UsageError(f"No answer was given; {handoff.id} stays open.")
        try:
            return await _decided(desk, handoff, outcome, note, page)
        except NotTheirDecision:
            raise
        except AnswerRefused as refused:
            problem = str(refused)


async def _outcome(desk: Desk, terminal: Terminal, handoff: Handoff, request: Request) -> Outcome:
    """Return the outcome of the prompt. Withdraws it and raises AlreadyEnded when another person was first."""
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
            got.append(await terminal.ask(request, shown=shown.set))
        except Interrupted:
            interrupted.set()
        tasks.cancel_scope.cancel()
    if interrupted.is_set():
        raise KeyboardInterrupt
    if not got:
        raise already_ended(await desk.get(handoff.id))
    return got[0]
