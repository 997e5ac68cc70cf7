"""How a question looks: lines of styled text for a given width.

All that an agent wrote stands behind a gutter, wrapped here and not by the terminal, so that none of it can look like
our own header, prompt or receipt, which have none. A style is a name that the screen has a look for.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime

from handoffs.core.call_notes import UNKNOWN_AGENT
from handoffs.core.display import left_exactly, span
from handoffs.core.form import Field, Kind
from handoffs.core.untrusted import inert, inert_line, with_line_feeds
from handoffs.terminal.form_state import Filling, editable_default, unnamed
from handoffs.terminal.request import Earlier, Filled, Later, Outcome, Refused, Sheet
from handoffs.terminal.wrapping import Line, cells, cut, wrap

GUTTER = "│ "

TOO_EARLY = "What was typed before this was drawn is not taken. Type it now."
"""What a person is told who was typing something else, or pasted several lines."""


def header(sheet: Sheet, *, now: datetime, waiting: int, width: int) -> list[Line]:
    """Return who asks, which handoff it is, how long it stays open and how many questions wait behind it."""
    asker = inert_line(sheet.asker, 80)
    facts = [
        _short(sheet.handoff_id),
        ("" if sheet.deadline is None else left_exactly(sheet.deadline - now)),
        f"{sheet.calls} calls wait for this answer" if sheet.calls > 1 else "",
        f"{waiting} more waiting" if waiting else "",
    ]
    lines = _titled(
        "asker", f"{asker} asks" if asker else "A question for you", " · ".join(filter(None, facts)), width - 2
    )
    if sheet.shared:
        lines += [[("fact", line)] for line in wrap(UNKNOWN_AGENT, width - 2)]
    return [[("mark", "  " if at else "● "), *line] for at, line in enumerate(lines)]


def message(written: str, width: int) -> list[Line]:
    """Return what the agent wrote, behind the gutter."""
    text, told = with_breaks(written, width)
    return [*quoted([[("", line)] for line in wrap(inert(text).strip("\n"), width - 2)]), *told]


def formatted(written: str, width: int) -> list[Line]:
    """Return the same with its Markdown drawn, for a screen that can show what is bold and what is code."""
    from handoffs.terminal.markdown import rendered  # and what parses and draws it

    text, told = with_breaks(written, width)
    return [*quoted(rendered(text, width - 2)), *told]


def with_breaks(text: str, width: int) -> tuple[str, list[Line]]:
    r"""Return a message with line feeds where the agent wrote `\n` for them, and what a person is told of that."""
    broken = with_line_feeds(text)
    if broken is None:
        return text, []
    return broken, [[("fact", line)] for line in wrap(r"(Where a line ends, the agent wrote \n.)", width)]


def earlier(sheet: Sheet, *, now: datetime, width: int) -> list[Line]:
    """Return how the same question was decided a short while ago, in full: that is what one key gives again."""
    if sheet.earlier is None:
        return []
    lines = wrap(inert_line(earlier_words(sheet.earlier, now=now)), width - 2)
    return [[("mark", "  " if at else "↻ "), ("", line)] for at, line in enumerate(lines)]


def earlier_words(decided: Earlier, *, now: datetime) -> str:
    """Return what a person is told of it: `You answered this 25 s ago with “yes”; the agent may not have …`."""
    who = decided.by or "You"
    ago = f"{span(now - decided.at)} ago"
    did = f"declined this {ago}" if isinstance(decided.outcome, Refused) else f"answered this {ago}"
    text = f" with “{decided.text}”" if decided.text else ""
    return f"{who} {did}{text}; the agent may not have received it."


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
    choices = [(choice.label, choice.description) for choice in this.choices]
    if choices and filling.takes_other:
        choices.append(("Something else, in your own words", ""))
    if not bare:
        place = [f"{filling.number} of {count}"] if count > 1 else []
        facts = [*place, *([] if this.required else ["optional"])]
        lines += _titled("label", inert_line(this.title), f"({', '.join(facts)})" if facts else "", room)
    lines += [[("", line)] for line in wrap(inert_line(this.description), room) if line]
    lines += [[("fact", line)] for line in wrap(_hint(this, bare=bare), room) if line]
    digits = len(str(len(choices)))
    for number, (label, description) in enumerate(choices, 1):
        for at, line in enumerate(wrap(inert_line(label), room - digits - 4)):
            lines.append([("number", f"  {'' if at else number:>{digits}}  "), ("", line)])
        for line in wrap(inert_line(description), room - digits - 6) if description else []:
            lines.append([("", " " * (digits + 6)), ("fact", line)])
    return quoted(lines)


def sign(this: Field) -> str:
    """Return what stands before the place to type in: `› `, or `[y/n] › `, of which neither is what Enter takes."""
    return "[y/n] › " if this.kind is Kind.BOOLEAN else "› "


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
        *(["Shift+Tab back"] if filling.can_go_back else []),
        *(["F2 or /again gives the same answer again"] if filling.earlier is not None else []),
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
        mark, what = "✓", "answered: " + (outcome.other or ", ".join(sheet.form.texts(outcome.values)))
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


def _hint(this: Field, *, bare: bool) -> str:
    says_nothing = this.kind is Kind.BOOLEAN or (bare and this.kind is Kind.CHOICE) or this.hint == "text"
    parts = [] if says_nothing else [this.hint]
    if this.kind is Kind.CHOICES:
        parts.append("numbers with commas between")
    default = this.prefill
    if default is not None:
        parts.append(f"Enter takes {inert(this.text(default)) or 'nothing'}")
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
    if cells(lines[-1][0][1]) + 2 + cells(facts) <= width:
        lines[-1].append(("fact", "  " + facts))
        return lines
    return [*lines, *([("fact", line)] for line in wrap(facts, width))]


def _short(handoff_id: str) -> str:
    # The command line takes the start of an id for the whole.
    return inert_line(handoff_id, 11)
