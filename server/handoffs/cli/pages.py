"""Handoffs and the log as a person reads them in a terminal.

What an agent wrote is made inert and stands behind a gutter or at the end of a line, so that none of it can pass for a
line of ours. So is what people wrote: they paste from anywhere.
"""

import unicodedata
from collections.abc import Sequence
from datetime import datetime

from handoffs.core.events import Entry
from handoffs.core.form import Field
from handoffs.core.lifecycle import stamp
from handoffs.core.model import ID_PREFIX, Handoff, State
from handoffs.core.spans import left, span
from handoffs.core.untrusted import inert, inert_line
from handoffs.terminal.sheet import asker_of

_SHORT = len(ID_PREFIX) + 8
_ASKER = 32
_HEAD = ("ID", "AGE", "LEFT", "FROM", "MESSAGE")


def table(handoffs: Sequence[Handoff], *, now: datetime, width: int | None) -> str:
    """Return a table of handoffs, a line each, of at most `width` cells; None does not cut."""
    short = {handoff.id[:_SHORT] for handoff in handoffs}
    size = _SHORT if len(short) == len(handoffs) else None
    rows = [_HEAD] + [
        (
            handoff.id[:size],
            span(now - handoff.created_at),
            left(handoff.question.deadline - now) if handoff.state is State.OPEN else handoff.state.value,
            _cut(inert_line(asker_of(handoff.caller)), _ASKER),
            inert_line(inert(handoff.question.message).strip().partition("\n")[0]),
        )
        for handoff in handoffs
    ]
    widths = [max(_cells(row[at]) for row in rows) for at in range(len(_HEAD) - 1)]
    lines: list[str] = []
    for row in rows:
        cells = [text + " " * (most - _cells(text)) for text, most in zip(row, widths, strict=False)]
        lines.append(_cut("  ".join([*cells, row[-1]]), width).rstrip())
    return "\n".join(lines)


def page(handoff: Handoff, entries: Sequence[Entry], *, now: datetime) -> str:
    """Return all there is about a handoff."""
    caller, question = handoff.caller, handoff.question
    asker = inert_line(asker_of(caller)) or "an agent"
    lines = [
        f"{handoff.id}  {_state(handoff, now)}",
        f"asked by {asker}, for {inert_line(caller.subject)}, {_moment(handoff.created_at, now)}",
        f"{'open' if handoff.end is None else 'was open'} until {stamp(question.deadline)}",
        "",
        *_quoted(question.message),
        "",
    ]
    for field in question.form.fields:
        lines += _field(field)
    if handoff.end is not None and handoff.state is not State.EXPIRED:
        end = handoff.end
        lines += ["", f"{handoff.state} by {inert_line(end.by)} through {end.channel}, {_moment(end.at, now)}"]
        for field in question.form.fields:
            if handoff.values is not None and field.name in handoff.values:
                lines += [f"{inert_line(field.title)}:", *_quoted(field.text(handoff.values[field.name]))]
        if end.note:
            lines += ["note:", *_quoted(end.note)]
    return "\n".join([*lines, "", *map(line, entries)])


def line(entry: Entry) -> str:
    """Return a line of the log."""
    details = "  ".join(f"{name}: {inert_line(text)}" for name, text in entry.details.items())
    return f"{stamp(entry.at)}  {inert_line(entry.handoff_id)}  {entry.name:<9}  {details}".rstrip()


def _state(handoff: Handoff, now: datetime) -> str:
    if handoff.state is not State.OPEN:
        return handoff.state.value
    return f"open, {left(handoff.question.deadline - now)} left"


def _moment(at: datetime, now: datetime) -> str:
    return f"{span(now - at)} ago ({stamp(at)})"


def _field(field: Field) -> list[str]:
    what = f"{field.hint}{'' if field.required else ', may be left out'}"
    title = inert_line(field.title)
    named = title if title == field.name else f"{field.name} ({title})"
    default = "" if field.default is None else f", default {inert_line(field.text(field.default))}"
    lines = [f"{named}: {what}{default}"]
    if field.description:
        lines += _quoted(field.description)
    for choice in field.choices:
        value = inert_line(choice.value)
        title = inert_line(choice.title)
        lines.append(f"  - {value}" if value == title else f"  - {value} ({title})")
    return lines


def _quoted(text: str) -> list[str]:
    return [f"│ {each}".rstrip() for each in inert(text).strip("\n").split("\n")]


def _cut(line: str, width: int | None) -> str:
    if width is None or _cells(line) <= width:
        return line
    used = 0
    for at, char in enumerate(line):
        used += _cells(char)
        if used >= width:
            return line[:at] + "…"
    return line


def _cells(text: str) -> int:
    # Near enough for a table. What measures exactly takes longer to import than the command to run.
    return sum(
        0 if unicodedata.category(char) in {"Mn", "Me"} else 2 if unicodedata.east_asian_width(char) in "WF" else 1
        for char in text
    )
