"""How a question looks: lines of styled text for a given width.

All that an agent wrote stands behind a gutter, wrapped here and not by the terminal, so that none of it can look like
our own header, prompt or receipt, which have none. A style is a name that the screen has a look for.
"""

import re
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta
from functools import cache
from typing import TypeAlias

from handoffs.core.form import Field, Kind
from handoffs.core.untrusted import inert, inert_line
from handoffs.terminal.filling import Filling, editable_default, unnamed
from handoffs.terminal.sheet import Filled, Later, Outcome, Sheet

Line: TypeAlias = list[tuple[str, str]]
"""Pieces of one line: style and text."""

GUTTER = "│ "
_WORDS = re.compile(r" +|[^ ]+")


def header(sheet: Sheet, *, now: datetime, waiting: int, width: int) -> list[Line]:
    """Return who asks, which handoff it is, how long it stays open and how many questions wait behind it."""
    asker = inert_line(sheet.asker, 80)
    facts = [_short(sheet.handoff_id), _left(sheet.deadline, now), f"{waiting} more waiting" if waiting else ""]
    lines = _titled(
        "asker", f"{asker} asks" if asker else "A question for you", " · ".join(filter(None, facts)), width - 2
    )
    return [[("mark", "  " if at else "● "), *line] for at, line in enumerate(lines)]


def message(sheet: Sheet, width: int) -> list[Line]:
    """Return what the agent wrote, behind the gutter."""
    return quoted([[("", line)] for line in wrap(inert(sheet.message).strip("\n"), width - 2)])


def filled(filling: Filling, width: int) -> list[Line]:
    """Return the fields that are filled in already, each on one line."""
    lines: list[Line] = []
    for field, value in filling.done:
        line = cut(inert_line(f"{field.title}: {field.text(value)}"), width - 2)
        lines.append([("done", "✓ "), ("fact", line)])
    return lines


def field(filling: Filling, width: int) -> list[Line]:
    """Return the field that is to be filled in now: its label, description, hint and choices, behind the gutter."""
    this, count, room = filling.field, len(filling.form.fields), width - 2
    lines: list[Line] = []
    bare = count == 1 and unnamed(this)
    if not bare:
        place = [f"{filling.number} of {count}"] if count > 1 else []
        facts = [*place, *([] if this.required else ["optional"])]
        lines += _titled("label", inert_line(this.title), f"({', '.join(facts)})" if facts else "", room)
    lines += [[("", line)] for line in wrap(inert_line(this.description), room) if line]
    lines += [[("fact", line)] for line in wrap(_hint(this, bare=bare), room) if line]
    digits = len(str(len(this.choices)))
    for number, choice in enumerate(this.choices, 1):
        for at, line in enumerate(wrap(inert_line(choice.label), room - digits - 4)):
            lines.append([("number", f"  {'' if at else number:>{digits}}  "), ("", line)])
    return quoted(lines)


def sign(this: Field) -> str:
    """Return what stands before the place to type in: `› `, or `[Y/n] › `."""
    if this.kind is not Kind.BOOLEAN:
        return "› "
    if this.default is None:
        return "[y/n] › "
    return "[Y/n] › " if this.default else "[y/N] › "


def problem(text: str, width: int) -> list[Line]:
    """Return why what was entered does not do."""
    lines = wrap(inert_line(text), width - 2) if text else []
    return [[("problem", ("  " if at else "! ") + line)] for at, line in enumerate(lines)]


def keys(filling: Filling, width: int) -> list[Line]:
    """Return what the keys do."""
    free = filling.field.kind is Kind.STRING and filling.field.format is None
    parts = [
        "Enter answers" if filling.number == len(filling.form.fields) else "Enter goes on",
        *(["Alt+Enter new line"] if free else []),
        *(["Shift+Tab back"] if filling.number > 1 else []),
        "/decline refuses",
        "Ctrl-D not now",
    ]
    lines = [""]
    for part in parts:
        longer = f"{lines[-1]} · {part}" if lines[-1] else part
        lines[-1:] = [longer] if len(longer) <= width else [lines[-1], part]
    return [[("fact", line)] for line in lines if line]


def receipt(sheet: Sheet, outcome: Outcome, width: int) -> str:
    """Return the one line that stays on the screen afterwards: `✓ h_7Q2abcd…: answered: yes`."""
    if isinstance(outcome, Filled):
        mark, what = "✓", "answered: " + ", ".join(sheet.form.texts(outcome.values))
    elif isinstance(outcome, Later):
        mark, what = "–", "left open"
    else:
        mark, what = "✗", f"declined: {outcome.note}" if outcome.note else "declined"
    return cut(f"{mark} {inert_line(': '.join(filter(None, (_short(sheet.handoff_id), what))))}", width)


def notice(text: str, width: int) -> list[Line]:
    """Return a text that wants no answer, behind the gutter."""
    return quoted([[("", line)] for line in wrap(inert(text).strip("\n"), width - 2)])


def quoted(lines: Iterable[Line]) -> list[Line]:
    """Return lines behind the gutter."""
    return [[("gutter", GUTTER), *line] for line in lines]


def plain(lines: Sequence[Line]) -> str:
    """Return lines as text without styles, each with its line feed."""
    return "".join("".join(text for _, text in line).rstrip() + "\n" for line in lines)


def wrap(text: str, width: int) -> list[str]:
    """Return inert text in lines of at most `width` cells, broken at blanks where there are any. Indents are kept."""
    width = max(width, 2)  # a wide character must fit
    lines: list[str] = []
    for paragraph in text.split("\n"):
        line, used = "", 0
        for word in _WORDS.findall(paragraph):
            size = _cells(word)
            if used + size > width and line.strip() and size <= width:
                lines.append(line.rstrip())
                line, used = ("", 0) if word.isspace() else (word, size)
                continue
            if used + size > width:
                *full, word = _pieces(word, width - used, width)
                lines.append((line + full[0]).rstrip())
                lines += full[1:]
                line, used, size = "", 0, _cells(word)
            line, used = line + word, used + size
        lines.append(line.rstrip())
    return lines


def cut(line: str, width: int) -> str:
    """Return one line of at most `width` cells; a longer one ends in `…`."""
    return line if _cells(line) <= width else _pieces(line, max(width - 1, 0), width)[0] + "…"


def _hint(this: Field, *, bare: bool) -> str:
    says_nothing = this.kind is Kind.BOOLEAN or (bare and this.kind is Kind.CHOICE) or this.hint == "text"
    parts = [] if says_nothing else [this.hint]
    if this.kind is Kind.CHOICES:
        parts.append("numbers with commas between")
    if this.kind is Kind.BOOLEAN and this.default is not None and this.required:
        return ""  # the prompt says it: [Y/n]
    if this.default is not None:
        parts.append(f"Enter takes {inert(this.text(this.default)) or 'nothing'}")
        if editable_default(this):
            parts.append("Tab edits it")
        if not this.required:
            parts.append("a blank leaves it empty")
    elif not this.required:
        parts.append("Enter skips it")
    return " · ".join(parts)


def _titled(style: str, title: str, facts: str, width: int) -> list[Line]:
    """A title, and facts beside it where there is room, else below."""
    lines: list[Line] = [[(style, line)] for line in wrap(title, width)]
    if not facts:
        return lines
    if _cells(lines[-1][0][1]) + 2 + _cells(facts) <= width:
        lines[-1].append(("fact", "  " + facts))
        return lines
    return [*lines, *([("fact", line)] for line in wrap(facts, width))]


def _short(handoff_id: str) -> str:
    # The command line takes the start of an id for the whole.
    return inert_line(handoff_id, 11)


def _left(deadline: datetime | None, now: datetime) -> str:
    if deadline is None:
        return ""
    left = deadline - now
    # To the nearest minute: a day that has just begun to run is 24 h.
    rounded = (left + timedelta(seconds=30)) // timedelta(minutes=1) if left >= timedelta(minutes=1) else 0
    hours, minutes = divmod(rounded, 60)
    if left <= timedelta(0):
        return "time is up"
    if hours >= 48:
        return f"{hours // 24} days left"
    if hours:
        return f"{hours} h {minutes} min left" if minutes else f"{hours} h left"
    return f"{minutes} min left" if minutes else "less than a minute left"


def _pieces(word: str, first: int, width: int) -> list[str]:
    """A word in pieces: of at most `first` cells, then of at most `width`. There are two at least."""
    pieces, start, used, room = list[str](), 0, 0, first
    for at, char in enumerate(word):
        size = _cells(char)
        if used + size > room:
            pieces.append(word[start:at])
            start, used, room = at, 0, width
        used += size
    return [*pieces, word[start:]]


@cache
def _measure() -> Callable[[str], int]:
    # Deferred: half a second of imports that only a question which is really shown needs.
    from prompt_toolkit.utils import get_cwidth

    return get_cwidth


def _cells(text: str) -> int:
    return _measure()(text)
