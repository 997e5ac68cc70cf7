"""A held call's arguments as fields of a page: a person changes one, and the others stay as they were sent.

The fields are made of the tool's input schema. What has no field of its own (objects, lists, texts with characters that
a field would hide) is edited as JSON. A page gets no secret: such an argument is changed in the JSON of the whole call.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import cast

from handoffs.core import exact_json
from handoffs.core.action import Action
from handoffs.core.action_form import ALLOW, ARGUMENTS
from handoffs.core.action_shown import as_json, visible, visible_name
from handoffs.core.choices import Choice
from handoffs.core.earlier_answer import AnswerInput
from handoffs.core.errors import AnswerRefused
from handoffs.core.exact_json import OddNumber
from handoffs.core.field import Field, Kind
from handoffs.core.form import DECISION
from handoffs.core.masking import masked
from handoffs.core.model import Handoff
from handoffs.core.numbers import read_number
from handoffs.core.sentences import say
from handoffs.core.untrusted import inert_line
from handoffs.web.controls import PREFIX, Control, Posted, control_of, decides_action, lines, said_in

EDIT = "edit."
"""How the name of such a field begins; its number follows."""

MOST = 20
"""The most fields. A call with more arguments is edited as JSON alone."""

_MAX_CHOICES, _MAX_TITLE, _MAX_ABOUT = 50, 100, 300
_TYPES = {"string": Kind.STRING, "boolean": Kind.BOOLEAN, "integer": Kind.INTEGER, "number": Kind.NUMBER}


@dataclass(frozen=True, kw_only=True, slots=True)
class _Argument:
    """One argument, sent or not, and the field that changes it."""

    name: str
    field: Field
    text: str
    """What the field shows at first."""
    sent: bool
    json: bool
    """Whether the field holds JSON."""

    def read(self, text: str) -> object:
        """Return what was entered. Raises ValueError, in words for the person."""
        if self.json:
            try:
                return exact_json.loads(text)
            except ValueError:
                raise ValueError(say("must be JSON: a text stands in quotes")) from None
        match self.field.kind:
            case Kind.BOOLEAN:
                return self.field.coerce(text)
            case Kind.INTEGER | Kind.NUMBER as kind:
                return read_number(text, whole=kind is Kind.INTEGER)
            case Kind.CHOICE:
                return self.field.check(text)
            case _:
                return text


def edit_controls(
    handoff: Handoff, *, key: str, posted: Posted | None = None, problems: Mapping[str, str] | None = None
) -> Sequence[Control]:
    """Return a control for each argument of a held call; none where the call can't be edited so."""
    found: list[Control] = []
    for each in _arguments(handoff):
        name = PREFIX + each.field.name
        shown = {name: [each.text]} | {key: value for key, value in (posted or {}).items() if key == name}
        problem = (problems or {}).get(each.field.name, "")
        found.append(control_of(each.field, f"{key}-{each.field.name}", posted=shown, problem=problem))
    return found


def answer_in(handoff: Handoff, posted: Posted, earlier: Handoff | None) -> AnswerInput:
    """Return the person's answer, as `controls.said_in` does, with the arguments that they changed.

    Raises:
        AnswerRefused: It does not fit.
    """
    return said_in(handoff, _with_arguments(handoff, posted), earlier)


def _with_arguments(handoff: Handoff, posted: Posted) -> Posted:
    """Return a form that was posted with its fields for single arguments as one: all arguments, as JSON."""
    arguments = {each.field.name: each for each in _arguments(handoff)}
    rest = {name: sent for name, sent in posted.items() if name.removeprefix(PREFIX) not in arguments}
    action = handoff.question.action
    if action is None or len(rest) == len(posted) or list(posted.get(PREFIX + DECISION, ())) != [ALLOW]:
        return rest  # what is denied runs with nothing
    values, changed = dict(action.values), False
    problems: dict[str, str] = {}
    for name, each in arguments.items():
        sent = posted.get(PREFIX + name, (each.text,))
        text = lines("".join(sent))
        if text == each.text:
            continue
        try:
            if len(sent) != 1:
                raise ValueError(say("was sent more than once: load the page again"))
            if text.strip() or (each.sent and each.field.kind is Kind.STRING and not each.json):
                values[each.name] = each.read(text)
            else:
                values.pop(each.name, None)
            changed = True
        except ValueError as wrong:
            problems[name] = str(wrong)
    whole = PREFIX + ARGUMENTS
    if changed and "".join(rest.get(whole, ())).strip():
        problems[ARGUMENTS] = say("was filled in beside them: change the arguments in one place")
    if problems:
        raise AnswerRefused(problems)
    return {**rest, whole: [exact_json.dumps(values, ascii=False)]} if changed else rest


def _arguments(handoff: Handoff) -> Sequence[_Argument]:
    action = handoff.question.action
    if action is None or not decides_action(handoff):
        return ()
    if not any(field.name == ARGUMENTS for field in handoff.question.form.fields):
        return ()
    try:
        return _fields(action)
    except ValueError:  # no JSON object that every reader reads alike
        return ()


def _fields(action: Action) -> Sequence[_Argument]:
    schema = _mapping(action.described.get("inputSchema"))
    described = _mapping(schema.get("properties"))
    needed = set(_texts(schema.get("required")))
    names = list(dict.fromkeys([*action.values, *described]))
    if len(names) > MOST:
        return ()
    secrets = masked(action).names
    fields = [
        _argument(action, name, _mapping(described.get(name)), number=number, required=name in needed)
        for number, name in enumerate(names)
        if name not in secrets
    ]
    # Two fields that read the same can't be told apart.
    return fields if len({each.field.title for each in fields}) == len(fields) else ()


def _argument(action: Action, name: str, schema: Mapping[str, object], *, number: int, required: bool) -> _Argument:
    sent, value = name in action.values, action.values.get(name)
    kind = _kind_of(value, schema) if sent else _TYPES.get(str(schema.get("type")))
    choices = _choices(schema) if kind is Kind.STRING else ()
    if choices and (not sent or value in {each.value for each in choices}):
        kind = Kind.CHOICE
    about = schema.get("description")
    field = Field(
        name=f"{EDIT}{number}",
        kind=kind or Kind.STRING,
        title=inert_line(visible_name(name), _MAX_TITLE),
        description=inert_line(about, _MAX_ABOUT) if isinstance(about, str) else "",
        required=required,
        choices=choices if kind is Kind.CHOICE else (),
    )
    text = "" if not sent else value if kind and isinstance(value, str) else as_json(value)
    return _Argument(name=name, field=field, text=text, sent=sent, json=kind is None)


def _kind_of(value: object, schema: Mapping[str, object]) -> Kind | None:
    """Return the kind of the field for a value; None where it is edited as JSON."""
    match value:
        case bool():
            found = Kind.BOOLEAN
        case OddNumber():
            return None
        case int() | float():
            found = Kind.INTEGER if schema.get("type") == "integer" and isinstance(value, int) else Kind.NUMBER
        case str() if _is_plain(value):
            found = Kind.STRING
        case _:
            return None
    of_schema = _TYPES.get(str(schema.get("type")), found) if "type" in schema else found
    return found if found is of_schema else None


def _is_plain(text: str) -> bool:
    """Say whether a field shows all of a text, and sends it back as it is."""
    close = re.sub(" {2,}", " ", text)
    return "\r" not in text and visible(close) == close


def _choices(schema: Mapping[str, object]) -> tuple[Choice, ...]:
    values = _texts(schema.get("enum"))
    if len(values) > _MAX_CHOICES:
        return ()
    plain = all(each and each == inert_line(each, _MAX_TITLE) for each in values)
    return tuple(Choice(value=each, title=each) for each in dict.fromkeys(values)) if plain else ()


def _mapping(value: object) -> Mapping[str, object]:
    return cast("Mapping[str, object]", value) if isinstance(value, Mapping) else {}


def _texts(value: object) -> Sequence[str]:
    """Return a list of texts; an empty one for all else."""
    found = cast("list[object]", value) if isinstance(value, list) else []
    texts = [each for each in found if isinstance(each, str)]
    return texts if len(texts) == len(found) else ()
