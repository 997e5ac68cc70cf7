"""Forms on a page: the control of each field, and the values that a browser sends back.

No choice is preselected, also not by the agent's defaults, and an empty field is left out. A secret is never sent to a
page, also not to the page that asks for it again. `Form.check` checks the values.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from handoffs.core.action_form import CONDITIONS, is_action_form
from handoffs.core.earlier_answer import AnswerInput, earlier_answer
from handoffs.core.errors import AnswerRefused
from handoffs.core.field import joined_notes
from handoffs.core.form import HIDDEN, Field, Form, Kind, Value
from handoffs.core.formats import DATE_TIME
from handoffs.core.model import Handoff
from handoffs.core.sentences import say
from handoffs.core.untrusted import inert_line
from handoffs.languages.own_words import worded

PREFIX = "field."
"""The prefix of a field's name in the page, so that no agent's name collides with ours."""

ZONE = "zone."
"""The prefix of the control with the zone of a date and time, `Z` or `+02:00`."""

OTHER = "other"
"""The control for an answer in other words than the options."""

AGAIN = "again"
"""The button that repeats the earlier answer; its value is the id of the answered handoff."""

NOTE = "note"
MAX_NOTE = 10_000
"""The most characters of a note."""

OURS = frozenset({NOTE, OTHER, AGAIN, "csrf"})

_RADIOS = 6
_BUTTONS = 20
_SHORT = 40
"""The most characters of a choice that a closed list shows completely, also on a phone."""
_ONE_LINE = 200
_INPUTS = {"email": "email", "uri": "url", "date": "date", "date-time": "datetime-local", HIDDEN: "masked"}


@dataclass(frozen=True, kw_only=True, slots=True)
class Option:
    """One option of a control."""

    value: str
    title: str
    picked: bool
    about: str = ""
    """The agent's description."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Control:
    """A field's control on the page."""

    field: Field
    widget: str
    """`buttons`, `radios`, `checks`, `select`, `textarea`, `masked` for a secret, or the type of an input."""
    id: str
    name: str
    value: str = ""
    zone: str = ""
    """The zone of a date and time in `value`; empty for all other fields."""
    default: str = ""
    """The agent's default date and time, as written; empty for all other fields, and in a form that was sent before."""
    inputmode: str = ""
    """The keyboard that a phone shows for a number; empty for all other fields."""
    options: tuple[Option, ...] = ()
    problem: str = ""
    hint: str = ""
    ours: bool = False
    """Whether its words are ours, in the reader's language."""

    @property
    def grouped(self) -> bool:
        """Whether it consists of several controls under one legend."""
        return self.widget in ("buttons", "radios", "checks")


Posted = Mapping[str, Sequence[str]]
"""The values that a browser sent, by name."""


def controls(
    form: Form,
    *,
    key: str,
    ours: bool = False,
    posted: Posted | None = None,
    problems: Mapping[str, str] | None = None,
) -> list[Control]:
    """Return the controls of a form, with its defaults, or with the `posted` values and their problems.

    The words of a form of `ours` are in the reader's language.
    """
    lone = len(form.fields) == 1
    found = [
        control_of(field, f"{key}-{at}", lone=lone, posted=posted, problem=(problems or {}).get(field.name, ""))
        for at, field in enumerate(worded(form, ours=ours))
    ]
    # What a permission may be limited by is made of the call, and recorded as it was asked.
    return [replace(each, ours=each.field.name != CONDITIONS) for each in found] if ours else found


def decides_action(handoff: Handoff) -> bool:
    """Say whether the form of a question is one of ours, by which an action is decided on."""
    return handoff.question.action is not None and is_action_form(handoff.question.form)


def chosen_alike(handoff: Handoff) -> bool:
    """Say whether a question may be answered together with others that have the same form.

    A held call, a secret, and what a passkey signs are decided one by one, or with the others of their own kind.
    """
    question = handoff.question
    return question.action is None and not question.form.secret and not question.takes_proof


def control_of(
    field: Field, control_id: str, *, lone: bool = False, posted: Posted | None, problem: str = ""
) -> Control:
    """Return the control of one field, with its default, or with what was `posted` and its problem."""
    given = _given(field) if posted is None else list(posted.get(PREFIX + field.name, ()))
    widget = _widget(field, lone=lone)
    options = tuple(
        Option(value=c.value, title=c.label, picked=c.value in given, about=c.description) for c in field.choices
    )
    if field.kind is Kind.BOOLEAN:
        options = tuple(
            Option(value=v, title=t, picked=v in given) for v, t in (("true", say("Yes")), ("false", say("No")))
        )
    if widget in ("radios", "select") and not field.required:
        none = say("Leave out") if field.kind is Kind.BOOLEAN else say("None of them")
        options = (*options, Option(value="", title=none, picked=not any(option.picked for option in options)))
    if field.secret and given:
        # The page never contains the secret; the message tells the person to type it again.
        problem = problem or (say("must be entered again") if any(given) else "")
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
            # Not `type=number`: the mouse wheel changes it, and `3,5` becomes 35.
            return "text"
        case Kind.STRING:
            if field.format is not None:
                return _INPUTS[field.format]
            return "text" if field.max_length is not None and field.max_length <= _ONE_LINE else "textarea"


def _inputmode(field: Field) -> str:
    if field.kind not in (Kind.INTEGER, Kind.NUMBER):
        return ""
    # Some phones' number keyboards have no minus.
    if field.minimum is None or field.minimum < 0:
        return "text"
    return "numeric" if field.kind is Kind.INTEGER else "decimal"


def _given(field: Field) -> list[str]:
    """Return the default as a browser would send it; none for a choice, which only a person selects."""
    match field.default:
        case int() | float() | str() if field.kind not in (Kind.BOOLEAN, Kind.CHOICE):
            return [str(field.default)]
        case _:
            return []


def _in_utc(value: str) -> str:
    """Return a date and time in UTC for a browser's control, which has neither zones nor fractions."""
    if not value:
        return ""
    at = datetime.fromisoformat(value)
    utc = at if at.tzinfo is None else at.astimezone(UTC)
    return utc.strftime("%Y-%m-%dT%H:%M:%S")


def _hint(field: Field) -> str:
    # The control itself shows its kind.
    if field.kind in (Kind.BOOLEAN, Kind.CHOICE) or field.hint == "text" or field.format in ("date", "date-time"):
        return joined_notes(field.notes)
    return field.hint


def values_of(form: Form, posted: Posted) -> dict[str, Value]:
    """Return the checked values of a form that was posted.

    Raises:
        AnswerRefused: A value is missing, extra or does not fit; has the problems, by field.
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
            problems[inert_line(name, 60)] = say("is no field of this form: load the page again")
            continue
        try:
            values[name] = _value(field, sent, zone="".join(posted.get(ZONE + name, ())))
        except ValueError as wrong:
            problems[name] = str(wrong)
    for field in form.fields:
        # A browser sends nothing when no box is ticked.
        if field.kind is Kind.CHOICES and field.required:
            values.setdefault(field.name, [])
    try:
        checked = form.check(values)
    except AnswerRefused as refused:
        # An empty form is no problem of its own when another problem is reported.
        problems = {name: what for name, what in refused.problems.items() if name or not problems} | problems
    else:
        if not problems:
            return checked
    raise AnswerRefused(problems)


def said_in(handoff: Handoff, posted: Posted, earlier: Handoff | None) -> AnswerInput:
    """Return the person's answer: the form's values, other words than its options, or the `earlier` answer again.

    Raises:
        AnswerRefused: It does not fit, or mixes the three.
    """
    if AGAIN in posted:
        # Only the answer that was on the screen can be repeated, not a newer one.
        return earlier_answer(handoff, earlier if earlier and posted[AGAIN] == [earlier.id] else None)
    other = lines("".join(posted.get(OTHER, ()))).strip()
    if not other:
        return AnswerInput(values=values_of(handoff.question.form, posted), other="")
    picked: dict[str, Value] = {
        name.removeprefix(PREFIX): list(sent) for name, sent in posted.items() if name.startswith(PREFIX) and any(sent)
    }
    return AnswerInput(values=picked, other=other)


def note_of(posted: Posted) -> str:
    """Return the note that was posted.

    Raises:
        AnswerRefused: It is too long, or no text; the problem's name is `note` with a leading blank, which no field can
            have.
    """
    note = lines("".join(posted.get(NOTE, ()))).strip()
    if len(note) > MAX_NOTE:
        raise AnswerRefused(
            {" note": say("is too long: {count} of at most {most} characters", count=len(note), most=MAX_NOTE)}
        )
    if "\0" in note:
        raise AnswerRefused({" note": say("has characters that are not allowed: remove them")})
    return note


def _value(field: Field, sent: Sequence[str], *, zone: str) -> object:
    if field.kind is Kind.CHOICES:
        return list(sent) or None
    if len(sent) != 1:
        raise ValueError(say("was sent more than once: load the page again"))
    text = sent[0]
    if field.kind is not Kind.STRING:
        if not text.strip():
            return None
        # A choice must be sent by its value; `coerce` would also accept its number.
        return text if field.kind is Kind.CHOICE else field.coerce(text)
    if not text:
        return None
    if field.secret:
        return _secret_text(text)
    if field.format is None:
        return lines(text)
    text = text.strip()
    if field.format == DATE_TIME and _is_default(field, text, zone):
        return field.default
    return field.coerce(text + zone if field.format == DATE_TIME and "T" in text and not _zoned(text) else text)


def _is_default(field: Field, text: str, zone: str) -> bool:
    """Say whether a time is the unchanged default: character by character, or as a page without script shows it."""
    if not isinstance(field.default, str):
        return False
    if text == field.default:
        return True
    try:
        return zone == "Z" and datetime.fromisoformat(text) == datetime.fromisoformat(_in_utc(field.default))
    except (ValueError, TypeError):  # no time, or one with its own zone
        return False


def _zoned(text: str) -> bool:
    clock = text.partition("T")[2]
    return clock.endswith("Z") or "+" in clock or "-" in clock


def _secret_text(secret: str) -> str | None:
    """Return a secret as typed, with its blanks and line breaks, except line breaks around a single line."""
    text = lines(secret)
    alone = text.strip("\n")
    return (text if "\n" in alone else alone) or None


def lines(text: str) -> str:
    """Return a text with its line ends as they were before a browser sent it."""
    # A browser sends each line end as CR LF.
    return text.replace("\r\n", "\n")
