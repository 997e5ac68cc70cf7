"""Rendering of questions as lines of styled text for a given width.

Every text of an agent is behind a gutter, and wrapped here, not by the terminal, so that it can't look like our own
header, prompt or receipt, which have no gutter. A style is a name that the screen maps to a look.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime

from handoffs.core.call_notes import UNKNOWN_AGENT
from handoffs.core.display import left_exactly, span
from handoffs.core.form import Field, Kind
from handoffs.core.untrusted import inert, inert_line, with_line_feeds
from handoffs.terminal.decision_steps import MORE
from handoffs.terminal.form_state import FormState, editable_default, unnamed
from handoffs.terminal.request import Earlier, Filled, Later, Outcome, Refused, Request
from handoffs.terminal.wrapping import Line, cells, cut, wrap

GUTTER = "│ "

TOO_EARLY = "What was typed before this was drawn is not taken. Type it now."
"""Shown to a person who was typing for another program, or pasted several lines."""


def header(request: Request, *, now: datetime, waiting: int, width: int) -> list[Line]:
    """Return the header: the asker, the handoff's id, the time left, and how many questions wait behind it."""
    asker = inert_line(request.asker, 80)
    facts = [
        _short(request.handoff_id),
        ("" if request.deadline is None else left_exactly(request.deadline - now)),
        f"{request.calls} calls wait for this answer" if request.calls > 1 else "",
        f"{waiting} more waiting" if waiting else "",
    ]
    lines = _titled(
        "asker", f"{asker} asks" if asker else "A question for you", " · ".join(filter(None, facts)), width - 2
    )
    for note in (*([UNKNOWN_AGENT] if request.shared else ()), *request.votes):
        lines += [[("fact", line)] for line in wrap(inert_line(note), width - 2)]
    return [[("mark", "  " if at else "● "), *line] for at, line in enumerate(lines)]


def message(written: str, width: int) -> list[Line]:
    """Return the agent's message, behind the gutter."""
    text, told = with_breaks(written, width)
    return [*quoted([[("", line)] for line in wrap(inert(text).strip("\n"), width - 2)]), *told]


def formatted(written: str, width: int) -> list[Line]:
    """Return the message with its Markdown rendered, for a screen that can show styles."""
    from handoffs.terminal.markdown import rendered  # deferred: imports the parser and rich

    text, told = with_breaks(written, width)
    return [*quoted(rendered(text, width - 2)), *told]


def with_breaks(text: str, width: int) -> tuple[str, list[Line]]:
    r"""Return a message with line feeds for the agent's literal `\n`, and the note that tells the person."""
    broken = with_line_feeds(text)
    if broken is None:
        return text, []
    return broken, [[("fact", line)] for line in wrap(r"(Where a line ends, the agent wrote \n.)", width)]


def earlier(request: Request, *, now: datetime, width: int) -> list[Line]:
    """Return the earlier decision of the same question, complete, since one key repeats it."""
    if request.earlier is None:
        return []
    lines = wrap(inert_line(earlier_words(request.earlier, now=now)), width - 2)
    return [[("mark", "  " if at else "↻ "), ("", line)] for at, line in enumerate(lines)]


def earlier_words(decided: Earlier, *, now: datetime) -> str:
    """Return its text: `You answered this 25 s ago with “yes”; the agent may not have …`."""
    who = decided.by or "You"
    ago = f"{span(now - decided.at)} ago"
    did = f"declined this {ago}" if isinstance(decided.outcome, Refused) else f"answered this {ago}"
    text = f" with “{decided.text}”" if decided.text else ""
    return f"{who} {did}{text}; the agent may not have received it."


def filled(state: FormState, width: int) -> list[Line]:
    """Return the filled-in fields, each on one line."""
    lines: list[Line] = []
    for field, value in state.done:
        line = cut(inert_line(f"{field.title}: {field.text(value)}"), width - 2)
        lines.append([("done", "✓ "), ("fact", line)])
    return lines


def field(state: FormState, width: int) -> list[Line]:
    """Return the current field: its label, description, hint and choices, behind the gutter."""
    this, room = state.field, width - 2
    lines: list[Line] = []
    bare = len(state.form.fields) == 1 and unnamed(this)
    choices = [(choice.label, choice.description) for choice in this.choices]
    if choices and state.takes_other:
        choices.append(("Something else, in your own words", ""))
    if not bare:
        place = [state.place] if state.place else []
        facts = [*place, *([] if this.required else ["optional"])]
        lines += _titled("label", inert_line(this.title), f"({', '.join(facts)})" if facts else "", room)
    lines += [[("", line)] for line in wrap(inert_line(this.description), room) if line]
    lines += [[("fact", line)] for line in wrap(_hint(state, bare=bare), room) if line]
    digits = len(str(len(choices)))
    for number, (label, description) in enumerate(choices, 1):
        for at, line in enumerate(wrap(inert_line(label), room - digits - 4)):
            lines.append([("number", f"  {'' if at else number:>{digits}}  "), ("", line)])
        for line in wrap(inert_line(description), room - digits - 6) if description else []:
            lines.append([("", " " * (digits + 6)), ("fact", line)])
    return quoted(lines)


def sign(this: Field) -> str:
    """Return the sign before the input: `› `, or `[y/n] › `; Enter alone selects neither."""
    return "[y/n] › " if this.kind is Kind.BOOLEAN else "› "


def problem(text: str, width: int) -> list[Line]:
    """Return why the input was refused."""
    lines = wrap(inert_line(text), width - 2) if text else []
    return [[("problem", ("  " if at else "! ") + line)] for at, line in enumerate(lines)]


def keys(state: FormState, width: int) -> list[Line]:
    """Return the key help."""
    free = state.field.kind is Kind.STRING and state.field.format is None
    parts = [
        "Enter answers" if state.is_last else "Enter goes on",
        *(["Alt+Enter new line"] if free else []),
        *(["Shift+Tab back"] if state.can_go_back else []),
        *(["F2 or /again gives the same answer again"] if state.earlier is not None else []),
        "/decline refuses",
        "Ctrl-D not now",
    ]
    lines = [""]
    for part in parts:
        longer = f"{lines[-1]} · {part}" if lines[-1] else part
        lines[-1:] = [longer] if len(longer) <= width else [lines[-1], part]
    return [[("fact", line)] for line in lines if line]


def receipt(request: Request, outcome: Outcome, width: int) -> str:
    """Return the line that stays on the screen afterwards: `✓ h_7Q2abcd…: answered: yes`."""
    if isinstance(outcome, Filled):
        mark, what = "✓", "answered: " + (outcome.other or ", ".join(request.form.texts(outcome.values)))
    elif isinstance(outcome, Later):
        mark, what = "–", "left open"
    else:
        mark, what = "✗", f"declined: {outcome.note}" if outcome.note else "declined"
    return cut(f"{mark} {inert_line(': '.join(filter(None, (_short(request.handoff_id), what))))}", width)


def notice(text: str, width: int) -> list[Line]:
    """Return a notice, which needs no answer, behind the gutter."""
    return quoted([[("", line)] for line in wrap(inert(text).strip("\n"), width - 2)])


def quoted(lines: Iterable[Line]) -> list[Line]:
    """Return lines behind the gutter."""
    return [[("gutter", GUTTER), *line] for line in lines]


def plain(lines: Sequence[Line]) -> str:
    """Return lines as text without styles, each with its line feed."""
    return "".join("".join(text for _, text in line).rstrip() + "\n" for line in lines)


def _hint(state: FormState, *, bare: bool) -> str:
    this = state.field
    if this.name == MORE:
        return "Enter: just this once" + (" · numbers with commas between" if len(this.choices) > 1 else "")
    says_nothing = (
        this.kind is Kind.BOOLEAN or ((bare or state.decides) and this.kind is Kind.CHOICE) or this.hint == "text"
    )
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
        parts += ["Tab takes up what is there", "Enter leaves it as it is"] if state.draft else ["Enter skips it"]
    return " · ".join(parts)


def _titled(style: str, title: str, facts: str, width: int) -> list[Line]:
    """Return a title, and facts beside it if they fit, else below."""
    lines: list[Line] = [[(style, line)] for line in wrap(title, width)]
    if not facts:
        return lines
    if cells(lines[-1][0][1]) + 2 + cells(facts) <= width:
        lines[-1].append(("fact", "  " + facts))
        return lines
    return [*lines, *([("fact", line)] for line in wrap(facts, width))]


def _short(handoff_id: str) -> str:
    # Commands accept the start of an id.
    return inert_line(handoff_id, 11)
