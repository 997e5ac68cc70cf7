"""Handoffs and the log as text for a person at a terminal.

An agent's text is made inert and is behind a gutter or at the end of a line, continued behind the gutter. Lines are
wrapped here, not by the terminal, so that no agent's text can look like a line of ours. The same holds for people's
text, which may be pasted.
"""

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from handoffs.core.call_notes import notes_of_calls
from handoffs.core.display import asker_of, left, span, stamp
from handoffs.core.events import Entry
from handoffs.core.form import Field
from handoffs.core.ids import ID_PREFIX
from handoffs.core.masking import MASK
from handoffs.core.model import Handoff, State
from handoffs.core.untrusted import inert, inert_line
from handoffs.terminal import Earlier, render
from handoffs.terminal.render import earlier_words
from handoffs.terminal.wrapping import Line, cells, wrap

_SHORT = len(ID_PREFIX) + 8
_ASKER = 32
_LOOKS = {"strong": "1", "emphasis": "3", "fact": "2", "code": "36", "gutter": "36"}
_HEAD = ("ID", "AGE", "LEFT", "FROM", "MESSAGE")


def table(handoffs: Sequence[Handoff], *, now: datetime, width: int | None) -> str:
    """Return a table of handoffs, one line each, cut to `width` cells; None does not cut."""
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


@dataclass(frozen=True, kw_only=True, slots=True)
class Page:
    """A handoff with its log, and the options of its page."""

    handoff: Handoff
    entries: Sequence[Entry]
    now: datetime
    width: int
    drawn: bool = False
    """Whether Markdown is rendered, for a terminal; elsewhere it is printed as written."""
    earlier: Earlier | None = None
    reader: str = ""
    """The person who reads it."""

    @property
    def lines(self) -> list[Line]:
        """The lines, of `width` cells at most."""
        question = self.handoff.question
        return [
            *self._head(),
            [],
            *self._message(),
            *self._masked(),
            [],
            *(line for field in question.form.fields for line in self._field(field)),
            *self._other_ways(),
            *self._votes(),
            *self._end(),
            [],
            *(each for entry in self.entries for each in broken(line(entry), self.width)),
        ]

    def _head(self) -> list[Line]:
        handoff, caller, now = self.handoff, self.handoff.caller, self.now
        asker = inert_line(asker_of(caller)) or "an agent"
        lines = [
            f"{handoff.id}  {_state(handoff, now)}",
            f"asked by {asker}, for {inert_line(caller.subject)}, {_moment(handoff.created_at, now)}",
            f"{'open' if handoff.end is None else 'was open'} until {stamp(handoff.question.deadline)}",
            *(notes_of_calls(handoff) if handoff.end is None else []),
        ]
        return [each for text in lines for each in broken(text, self.width)]

    def _message(self) -> list[Line]:
        if self.drawn:
            return render.formatted(self.handoff.question.message, self.width)
        return render.message(self.handoff.question.message, self.width)

    def _masked(self) -> list[Line]:
        if MASK not in self.handoff.question.message or self.handoff.question.action is None:
            return []
        return [[], *broken(f"Secrets are masked. To see them: handoffs show {self.handoff.id} --secrets", self.width)]

    def _field(self, field: Field) -> list[Line]:
        what = f"{field.hint}{'' if field.required else ', may be left out'}"
        title = inert_line(field.title)
        named = title if title == field.name else f"{field.name} ({title})"
        default = "" if field.default is None else f", default {inert_line(field.text(field.default))}"
        lines = broken(f"{named}: {what}{default}", self.width)
        if field.description:
            lines += self._quoted(field.description)
        for choice in field.choices:
            value, title = inert_line(choice.value), inert_line(choice.title)
            lines += broken(f"  - {value}" if value == title else f"  - {value} ({title})", self.width)
            if choice.description:
                lines += self._quoted(choice.description)
        return lines

    def _other_ways(self) -> list[Line]:
        handoff = self.handoff
        if handoff.end is not None:
            return []
        lines: list[Line] = []
        if handoff.question.takes_other:
            lines += broken(f'  - something else: handoffs answer {handoff.id} --other "your words"', self.width)
        if self.earlier is not None:
            words = earlier_words(self.earlier, now=self.now)
            lines += [[], *broken(inert_line(words), self.width)]
            lines += broken(f"The same again: handoffs answer {handoff.id} --again", self.width)
        return lines

    def _votes(self) -> list[Line]:
        handoff, question = self.handoff, self.handoff.question
        if question.deciders is None:
            return []
        from handoffs.core.standing import notes_of_votes  # only for a question with a rule

        ended = handoff.end is not None
        notes = notes_of_votes(question.deciders, handoff.votes, self.now, reader=self.reader, ended=ended)
        return [[], *(each for note in notes for each in broken(note, self.width))]

    def _end(self) -> list[Line]:
        handoff, end = self.handoff, self.handoff.end
        if end is None or handoff.state is State.EXPIRED:
            return []
        said = f"{handoff.state} by {inert_line(end.by)} through {end.channel}, {_moment(end.at, self.now)}"
        lines: list[Line] = [[], *broken(said, self.width)]
        for field in handoff.question.form.fields:
            if handoff.values is not None and field.name in handoff.values:
                lines += broken(f"{inert_line(field.title)}:", self.width)
                lines += self._quoted(field.text(handoff.values[field.name]))
        if handoff.other:
            lines += [[("", "something else than the options:")], *self._quoted(handoff.other)]
        for number, each in enumerate(handoff.attachments, 1):
            lines += broken(f"file {number}: {inert_line(each.about)}", self.width)
        if handoff.attachments:
            lines += broken(f"To write them: handoffs show {handoff.id} --save DIR", self.width)
        if end.note:
            lines += [[("", "note:")], *self._quoted(end.note)]
        return lines

    def _quoted(self, text: str) -> list[Line]:
        return render.quoted([[("", each)] for each in wrap(inert(text).strip("\n"), self.width - 2)])


_LONG = frozenset({"lines", "public_key"})
"""Details that only a program reads: `--json` has them."""


def line(entry: Entry) -> str:
    """Return a line of the log."""
    told = {name: text for name, text in entry.details.items() if name not in _LONG}
    details = "  ".join(f"{name}: {inert_line(text)}" for name, text in told.items())
    return f"{stamp(entry.at)}  {inert_line(entry.handoff_id)}  {entry.name:<9}  {details}".rstrip()


def broken(text: str, width: int) -> list[Line]:
    """Return one line of ours, wrapped: the agent's text at its end is continued behind the gutter."""
    if cells(text) <= width:
        return [[("", text)]]
    first = wrap(text, width)[0]
    rest = wrap(text[len(first) :].lstrip(), width - 2)
    return [[("", first)], *render.quoted([[("", each)] for each in rest])]


def painted(lines: Sequence[Line], *, looks: bool) -> str:
    """Return lines as text; with `looks`, with terminal styles."""
    if not looks:
        return render.plain(lines).removesuffix("\n")
    return "\n".join("".join(_painted(style, text) for style, text in each).rstrip() for each in lines)


def _painted(style: str, text: str) -> str:
    codes = [_LOOKS[name] for name in style.split(",") if name in _LOOKS]
    return f"\x1b[{';'.join(codes)}m{text}\x1b[0m" if codes else text


def _state(handoff: Handoff, now: datetime) -> str:
    if handoff.state is not State.OPEN:
        return handoff.state.value
    return f"open, {left(handoff.question.deadline - now)} left"


def _moment(at: datetime, now: datetime) -> str:
    return f"{span(now - at)} ago ({stamp(at)})"


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
    # Approximate, which is enough for a table. The exact library takes longer to import than the command runs.
    return sum(
        0 if unicodedata.category(char) in {"Mn", "Me"} else 2 if unicodedata.east_asian_width(char) in "WF" else 1
        for char in text
    )
