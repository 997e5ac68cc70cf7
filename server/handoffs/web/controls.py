"""The form as a page has it: what control each field gets, and what a browser sends back as values.

Nothing is decided before the person does: no choice is picked, whatever the agent would like, and what is left empty is
left out. A secret goes one way: no page has it, not even the one that asks for it again. Whether the values fit is for
`Form.check` to say.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from handoffs.core.earlier_answer import AnswerInput, earlier_answer
from handoffs.core.errors import AnswerRefused
from handoffs.core.form import HIDDEN, Field, Form, Kind, Value
from handoffs.core.formats import DATE_TIME
from handoffs.core.model import Handoff
from handoffs.core.untrusted import inert_line

PREFIX = "field."
"""Before a field's name in the page, so that no name an agent chose is one of ours."""

ZONE = "zone."
"""Before the name of a date and time: in which zone it was entered, `Z` or `+02:00`."""

OTHER = "other"
"""What a person says instead of picking an option."""

AGAIN = "again"
"""The button that gives the earlier answer again; its value is the handoff that was answered."""

NOTE = "note"
MAX_NOTE = 10_000
"""Characters in a note."""

OURS = frozenset({NOTE, OTHER, AGAIN, "csrf"})

_RADIOS = 6
_BUTTONS = 20
_SHORT = 40
"""Characters of a choice that a list shows whole when it is closed, also on a phone."""
_ONE_LINE = 200
_INPUTS = {"email": "email", "uri": "url", "date": "date", "date-time": "datetime-local", HIDDEN: "masked"}


@dataclass(frozen=True, kw_only=True, slots=True)
class Option:
    """One thing to pick."""

    value: str
    title: str
    picked: bool
    about: str = ""
    """What the agent says of it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Control:
    """A field as the page shows it."""

    field: Field
    widget: str
    """`buttons`, `radios`, `checks`, `select`, `textarea`, `masked` for a secret, or the type of an input."""
    id: str
    name: str
    value: str = ""
    zone: str = ""
    """The zone in which `value` is a date and time; empty for everything else."""
    default: str = ""
    """The date and time that the agent offers, as it wrote it; empty for everything else, and once a page was sent."""
    inputmode: str = ""
    """Which keys a phone shows for a number; empty for everything else."""
    options: tuple[Option, ...] = ()
    problem: str = ""
    hint: str = ""

    @property
    def grouped(self) -> bool:
        """Whether it is several controls under one legend."""
        return self.widget in ("buttons", "radios", "checks")


Posted = Mapping[str, Sequence[str]]
"""What a browser sent, by name."""


def controls(
    form: Form, *, key: str, posted: Posted | None = None, problems: Mapping[str, str] | None = None
) -> list[Control]:
    """Return the controls of a form: filled with its defaults, or as it was `posted`, with what was wrong with it."""
    lone = len(form.fields) == 1
    return [
        _control(field, f"{key}-{at}", lone=lone, posted=posted, problem=(problems or {}).get(field.name, ""))
        for at, field in enumerate(form.fields)
    ]


def _control(field: Field, control_id: str, *, lone: bool, posted: Posted | None, problem: str) -> Control:
    given = _given(field) if posted is None else list(posted.get(PREFIX + field.name, ()))
    widget = _widget(field, lone=lone)
    options = tuple(
        Option(value=c.value, title=c.label, picked=c.value in given, about=c.description) for c in field.choices
    )
    if field.kind is Kind.BOOLEAN:
        options = tuple(Option(value=v, title=t, picked=v in given) for v, t in (("true", "Yes"), ("false", "No")))
    if widget in ("radios", "select") and not field.required:
        none = "Leave out" if field.kind is Kind.BOOLEAN else "None of them"
        options = (*options, Option(value="", title=none, picked=not any(option.picked for option in options)))
    if field.secret and given:
        # With the page comes nothing of it; who does not see that would leave it out.
        problem = problem or ("must be entered again" if any(given) else "")
        given = []
    value, zone, default = given[0] if given else "", "", ""
    if widget == "datetime-local":
        zone = "".join((posted or {}).get(ZONE + field.name, ())) or "Z"
        if posted is None:
            value, default = _in_utc(value), value
    return Control(
        field=field,
        widget=widget,
        id=control_id,
        name=PREFIX + field.name,
        value=value,
        zone=zone,
        default=default,
        inputmode=_inputmode(field),
        options=options,
        problem=problem,
        hint=_hint(field),
    )


def _widget(field: Field, *, lone: bool) -> str:
    match field.kind:
        case Kind.BOOLEAN:
            return "radios"
        case Kind.CHOICE:
            if lone and field.required and len(field.choices) <= _BUTTONS:
                return "buttons"
            short = all(len(choice.label) <= _SHORT and not choice.description for choice in field.choices)
            return "select" if short and len(field.choices) > _RADIOS else "radios"
        case Kind.CHOICES:
            return "checks"
        case Kind.INTEGER | Kind.NUMBER:
            # Not the control for numbers: the wheel changes it, and `3,5` becomes 35 there.
            return "text"
        case Kind.STRING:
            if field.format is not None:
                return _INPUTS[field.format]
            return "text" if field.max_length is not None and field.max_length <= _ONE_LINE else "textarea"


def _inputmode(field: Field) -> str:
    if field.kind not in (Kind.INTEGER, Kind.NUMBER):
        return ""
    # On some phones the keys for digits have no minus.
    if field.minimum is None or field.minimum < 0:
        return "text"
    return "numeric" if field.kind is Kind.INTEGER else "decimal"


def _given(field: Field) -> list[str]:
    """The default, as a browser would send it; of what is picked none, for a person decides that."""
    match field.default:
        case int() | float() | str() if field.kind not in (Kind.BOOLEAN, Kind.CHOICE):
            return [str(field.default)]
        case _:
            return []


def _in_utc(value: str) -> str:
    """A date and time as a browser's control takes it, which knows neither zones nor fractions."""
    if not value:
        return ""
    at = datetime.fromisoformat(value)
    utc = at if at.tzinfo is None else at.astimezone(UTC)
    return utc.strftime("%Y-%m-%dT%H:%M:%S")


def _hint(field: Field) -> str:
    # What the control itself says needs no words.
    if field.kind in (Kind.BOOLEAN, Kind.CHOICE) or field.hint == "text" or field.format in ("date", "date-time"):
        return "; ".join(field.notes)
    return field.hint


def values_of(form: Form, posted: Posted) -> dict[str, Value]:
    """Return the checked values of a form that was posted.

    Raises:
        AnswerRefused: Something is missing, extra or does not fit; it says what, by field.
    """
    problems: dict[str, str] = {}
    values: dict[str, object] = {}
    fields = {field.name: field for field in form.fields}
    for key, sent in posted.items():
        name = key.removeprefix(PREFIX)
        if key in OURS or (key.startswith(ZONE) and key.removeprefix(ZONE) in fields):
            continue
        field = fields.get(name) if key.startswith(PREFIX) else None
        if field is None:
            problems[inert_line(name, 60)] = "is no field of this form: load the page again"
            continue
        try:
            values[name] = _value(field, sent, zone="".join(posted.get(ZONE + name, ())))
        except ValueError as wrong:
            problems[name] = str(wrong)
    for field in form.fields:
        # A browser sends nothing for boxes of which none is ticked.
        if field.kind is Kind.CHOICES and field.required:
            values.setdefault(field.name, [])
    try:
        checked = form.check(values)
    except AnswerRefused as refused:
        # Where something else is wrong, that nothing was filled in is no news.
        problems = {name: what for name, what in refused.problems.items() if name or not problems} | problems
    else:
        if not problems:
            return checked
    raise AnswerRefused(problems)


def said_in(handoff: Handoff, posted: Posted, earlier: Handoff | None) -> AnswerInput:
    """Return what the person answers: the form, something else than its options, or the same as `earlier` again.

    Raises:
        AnswerRefused: It does not fit, or it is not clear which of the three is meant.
    """
    if AGAIN in posted:
        # What is on the screen is what was clicked on, not another answer that came meanwhile.
        return earlier_answer(handoff, earlier if earlier and posted[AGAIN] == [earlier.id] else None)
    other = _lines("".join(posted.get(OTHER, ()))).strip()
    if not other:
        return AnswerInput(values=values_of(handoff.question.form, posted), other="")
    picked: dict[str, Value] = {
        name.removeprefix(PREFIX): list(sent) for name, sent in posted.items() if name.startswith(PREFIX) and any(sent)
    }
    return AnswerInput(values=picked, other=other)


def note_of(posted: Posted) -> str:
    """Return the note that was posted.

    Raises:
        AnswerRefused: It is too long, or no text; its problem is under the name `note`, with a leading blank so that
            no field can be called that.
    """
    note = _lines("".join(posted.get(NOTE, ()))).strip()
    if len(note) > MAX_NOTE:
        raise AnswerRefused({" note": f"is too long: {len(note)} of at most {MAX_NOTE} characters"})
    if "\0" in note:
        raise AnswerRefused({" note": "has characters that are not allowed: remove them"})
    return note


def _value(field: Field, sent: Sequence[str], *, zone: str) -> object:
    if field.kind is Kind.CHOICES:
        return list(sent) or None
    if len(sent) != 1:
        raise ValueError("was sent more than once: load the page again")
    text = sent[0]
    if field.kind is not Kind.STRING:
        if not text.strip():
            return None
        # A choice is sent by its value alone; `coerce` would also take its number.
        return text if field.kind is Kind.CHOICE else field.coerce(text)
    if not text:
        return None
    if field.secret:
        return _typed(text)
    if field.format is None:
        return _lines(text)
    text = text.strip()
    if field.format == DATE_TIME and _is_default(field, text, zone):
        return field.default
    return field.coerce(text + zone if field.format == DATE_TIME and "T" in text and not _zoned(text) else text)


def _is_default(field: Field, text: str, zone: str) -> bool:
    """Whether a time is the one that was offered, untouched: to the character, or as a page without script has it."""
    if not isinstance(field.default, str):
        return False
    if text == field.default:
        return True
    try:
        return zone == "Z" and datetime.fromisoformat(text) == datetime.fromisoformat(_in_utc(field.default))
    except (ValueError, TypeError):  # no time, or one with a zone of its own
        return False


def _zoned(text: str) -> bool:
    clock = text.partition("T")[2]
    return clock.endswith("Z") or "+" in clock or "-" in clock


def _typed(secret: str) -> str | None:
    """A secret as it was typed: a blank may be a part of it. So may line breaks, but not those around a single line."""
    text = _lines(secret)
    alone = text.strip("\n")
    return (text if "\n" in alone else alone) or None


def _lines(text: str) -> str:
    # A browser sends every line end as two characters, of which the person typed one.
    return text.replace("\r\n", "\n")
