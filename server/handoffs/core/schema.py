"""Reading a form from the schema that an agent sends, and refusing what can't be asked.

The schema is MCP's own for elicitation (specification 2025-11-25 and 2026-07-28, "client/elicitation"): one flat object
of strings, numbers, booleans and choices. `Form.schema` is written anew from the parsed fields, in one spelling and
with nothing else: some hosts close a form without showing it if it has a keyword that they do not know.
"""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cache, lru_cache
from typing import cast

from handoffs.core.choices import Choice
from handoffs.core.errors import QuestionRefused
from handoffs.core.field import MAX_TEXT, Field, Kind
from handoffs.core.form import RESPONSE, Form, Schema
from handoffs.core.formats import DATE_TIME, HIDDEN
from handoffs.core.moments import is_written
from handoffs.core.plain_schema import FLAT, Prop, mapping, plain, refuse_conditions, sequence
from handoffs.core.schema_choices import choices_of, refuse_look_alikes
from handoffs.core.schema_words import bound_of, count_of, format_of, pattern_of, text_of
from handoffs.core.secret_words import Secret, secret_in
from handoffs.core.untrusted import comparable, inert, inert_line
from handoffs.core.written_schema import HARMLESS_KEY, stored_schema

MAX_FIELDS = 50
MAX_SCHEMA = 50_000
"""The most characters of a form's schema as JSON."""

_SHORT = 1_000
"""The most characters of a field that is remembered."""

MAX_EXAMPLES = 3
"""The most examples that are shown for a field."""


@cache
def response_form() -> Form:
    """Return the form of a plain question: one required string, `response`."""
    return parse(
        {
            "type": "object",
            "properties": {RESPONSE: {"type": "string", "title": "Response", "minLength": 1}},
            "required": [RESPONSE],
        }
    )


def options_form(options: Sequence[str]) -> Form:
    """Return a form with one field, `response`, in which one of `options` is picked.

    Raises:
        QuestionRefused: There are fewer than 2 or more than 20, an empty one, or the same twice.
    """
    if not 2 <= len(options) <= 20:
        raise QuestionRefused(
            f"`options` has {len(options)}: give 2 to 20 different strings, or leave it out for a free answer."
        )
    if any(not option.strip() for option in options):
        raise QuestionRefused("`options` has an empty string: give each option a text that a person can choose by.")
    if len({comparable(option) for option in options}) != len(options):
        raise QuestionRefused("`options` has the same one twice: make them different, so that the choice is clear.")
    refuse_look_alikes("", [inert_line(option) for option in options])
    field: Schema = {"type": "string", "title": "Response", "enum": list(options)}
    try:
        return parse({"type": "object", "properties": {RESPONSE: field}, "required": [RESPONSE]})
    except QuestionRefused as refused:  # it names what was given
        raise QuestionRefused(str(refused).replace("`form`", "`options`", 1)) from None


def parse(schema: object, *, accepted: bool = False) -> Form:
    """Return the form that an MCP elicitation schema describes, given as parsed JSON.

    Titles and descriptions are made inert. A `title` and `description` at the root are dropped: one host closed
    such a form without showing it. With `accepted`, for a stored form, the checks for secrets and look-alikes are
    skipped: a rule that is newer must not make a stored question unreadable.

    Raises:
        QuestionRefused: It is not such a schema, it is empty, nested or too large, or it asks for a secret in a field
            without `"format": "password"`.
    """
    root = mapping(schema)
    if root is None or root.get("type", "object") != "object":
        raise QuestionRefused('`form` must be a flat JSON schema: {"type": "object", "properties": {…}}.')
    entries = mapping(root.get("properties"))
    if not entries:
        raise QuestionRefused("`form` has no properties: name at least one field, or leave `form` out.")
    if len(entries) > MAX_FIELDS:
        raise QuestionRefused(f"`form` has {len(entries)} fields; a person can be asked for {MAX_FIELDS} at once.")
    _refuse_large(root)
    refuse_conditions(root)
    required = _required(root.get("required"), entries)
    fields: list[Field] = []
    for name, entry in entries.items():
        if not isinstance(name, str) or not name.strip() or name != inert_line(name) or len(name) > 100:
            raise QuestionRefused(f"`form`: {inert_line(str(name), 60)!r} can't name a field: use a short plain word.")
        prop = mapping(entry)
        if prop is None:
            raise QuestionRefused(f'`form`: {name!r} must be a schema such as {{"type": "string"}}.')
        made, optional = plain(name, prop, root)
        fields.append(_known_field(name, made, required=name in required and not optional, accepted=accepted))
    written = stored_schema(tuple(fields))
    _refuse_large(written)
    return Form(fields=tuple(fields), schema=written)


def _refuse_secret(field: Field, found: Secret) -> None:
    way = (
        'Give the field "type": "string" and "format": "password": then the person types it into the inbox, it is kept '
        "sealed, and you get a name by which code refers to it, never the value."
    )
    if found is Secret.DOUBTFUL:
        way += f' If it is no secret, say so on the field, which the person is told: "{HARMLESS_KEY}": false.'
    raise QuestionRefused(
        f"`form`: {field.name!r} asks for a secret. What is typed into a form passes through this host and "
        f"you, so a password, token, key or card number must not be asked like this. {way}"
    )


def _refuse_large(schema: Mapping[object, object] | Schema) -> None:
    try:
        written = json.dumps(schema, ensure_ascii=False)
        written.encode()
    except (TypeError, ValueError, RecursionError):  # such as half a surrogate pair, which JSON can't carry
        raise QuestionRefused("`form` can't be written as JSON: use plain strings, numbers and objects.") from None
    if len(written) > MAX_SCHEMA:
        raise QuestionRefused(
            f"`form` is larger than {MAX_SCHEMA:,} characters: put what is to be read into `message`."
        )


def _required(names: object, entries: Mapping[object, object]) -> set[object]:
    if names is None:
        return set()
    listed = sequence(names)
    if listed is None or not all(isinstance(name, str) for name in listed):
        raise QuestionRefused("`form`: `required` must be a list of field names.")
    if unknown := [name for name in listed if name not in entries]:
        shown = inert_line(", ".join(map(str, unknown)), 200)
        raise QuestionRefused(f"`form`: `required` names {shown}, but `properties` does not.")
    return set(listed)


def _known_field(name: str, prop: Prop, *, required: bool, accepted: bool) -> Field:
    # The same fields come again and again: those of an action's form are most of what it takes to ask about one.
    text = json.dumps(prop)
    made = _short_field if len(text) <= _SHORT else _field_of
    return made(name, text, required=required, accepted=accepted)


def _field_of(name: str, text: str, *, required: bool, accepted: bool) -> Field:
    return _field(name, cast("Prop", json.loads(text)), required=required, accepted=accepted)


_short_field = lru_cache(maxsize=128)(_field_of)


def _field(name: str, prop: Prop, *, required: bool, accepted: bool) -> Field:
    kind, choices = _kind(name, prop, accepted=accepted)
    if prop.get("format") == HIDDEN and kind is not Kind.STRING:
        raise QuestionRefused(f'`form`: {name!r} has "format": "password", so it must be "type": "string", no choice.')
    field = Field(
        name=name,
        kind=kind,
        title=inert_line(text_of(name, prop, "title")) or name,
        description=inert(text_of(name, prop, "description")).strip(),
        required=required,
        choices=choices,
    )
    match kind:
        case Kind.STRING:
            least, most = count_of(name, prop, "minLength"), count_of(name, prop, "maxLength")
            field = replace(
                field, min_length=least, max_length=most, format=format_of(name, prop), pattern=pattern_of(name, prop)
            )
            # A required text must not be empty, and MAX_TEXT limits a text unless its form sets a limit.
            nothing = max(least or 0, 1 if required else 0) > (MAX_TEXT if most is None else most)
        case Kind.NUMBER | Kind.INTEGER:
            field = _bounded(field, prop)
            nothing = not _has_number(field)
        case Kind.CHOICES:
            least, most = count_of(name, prop, "minItems"), count_of(name, prop, "maxItems")
            field = replace(field, min_items=least, max_items=most)
            nothing = max(least or 0, 1) > min(len(choices), len(choices) if most is None else most)
        case Kind.CHOICE | Kind.BOOLEAN:
            nothing = False
    if nothing:
        raise QuestionRefused(f"`form`: {name!r} allows nothing: its lower bound is above its upper one.")
    field = _told_harmless(replace(field, examples=_examples(field, prop)), prop, accepted=accepted)
    return _with_default(field, prop.get("default"))


def _bounded(field: Field, prop: Prop) -> Field:
    name = field.name
    low, high = bound_of(name, prop, "minimum"), bound_of(name, prop, "maximum")
    # In older drafts, `true` here makes the other bound exclusive.
    above = low if prop.get("exclusiveMinimum") is True else bound_of(name, prop, "exclusiveMinimum")
    below = high if prop.get("exclusiveMaximum") is True else bound_of(name, prop, "exclusiveMaximum")
    step = bound_of(name, prop, "multipleOf")
    if step is not None and step <= 0:
        raise QuestionRefused(f"`form`: `multipleOf` of {name!r} must be above 0.")
    return replace(
        field,
        minimum=None if prop.get("exclusiveMinimum") is True else low,
        maximum=None if prop.get("exclusiveMaximum") is True else high,
        exclusive_minimum=above,
        exclusive_maximum=below,
        multiple_of=step,
    )


def _told_harmless(field: Field, prop: Prop, *, accepted: bool) -> Field:
    """Refuse an undeclared secret. Choices and booleans are no secrets, nor numbers that count secrets."""
    said = prop.get(HARMLESS_KEY)
    if said is True and not field.secret:
        raise QuestionRefused(f'`form`: {field.name!r} is a secret: give it "type": "string", "format": "password".')
    if field.secret or field.kind not in {Kind.STRING, Kind.INTEGER, Kind.NUMBER}:
        return field
    found = secret_in((field.name, field.title), number=field.kind is not Kind.STRING)
    harmless = said is False and found is Secret.DOUBTFUL
    if found is not Secret.NO and not harmless and not accepted:
        _refuse_secret(field, found)
    return replace(field, harmless=harmless)


def _with_default(field: Field, default: object) -> Field:
    # An empty default counts as none: models write one into every field.
    if default is None or default in ("", []):
        return field
    if field.secret:
        raise QuestionRefused(
            f"`form`: {field.name!r} is a secret and has a default, which passes through you: leave it out."
        )
    # A default time without a zone is allowed; it is returned unchanged.
    if field.format == DATE_TIME and isinstance(default, str) and is_written(default):
        field = replace(field, default=default)
    try:
        return replace(field, default=field.check(default))
    except ValueError as wrong:
        raise QuestionRefused(f"`form`: the default of {field.name!r} {wrong}.") from None


def _examples(field: Field, prop: Prop) -> tuple[str, ...]:
    given = prop.get("examples")
    if given is None or field.secret or field.choices or field.kind is Kind.BOOLEAN:
        return ()
    listed = sequence(given)
    if listed is None:
        raise QuestionRefused(f"`form`: `examples` of {field.name!r} must be a list.")
    said = [inert_line(str(each), 60) for each in listed if isinstance(each, str | int | float)]
    return tuple(filter(None, said))[:MAX_EXAMPLES]


def _kind(name: str, prop: Prop, *, accepted: bool) -> tuple[Kind, tuple[Choice, ...]]:
    declared = prop.get("type")
    if declared == "array":
        items = mapping(prop.get("items"))
        if items is None:
            raise QuestionRefused(f"`form`: {name!r} is a list without `items` to choose from.")
        choices = choices_of(name, items, titled="anyOf" if "anyOf" in items else "oneOf", accepted=accepted)
        if not choices:
            raise QuestionRefused(f"`form`: the items of {name!r} must be an `enum`, or `anyOf` of {{const, title}}.")
        return Kind.CHOICES, choices
    if declared == "string":
        choices = choices_of(name, prop, titled="oneOf" if "oneOf" in prop else "anyOf", accepted=accepted)
        return (Kind.CHOICE, choices) if choices else (Kind.STRING, ())
    if declared not in ("number", "integer", "boolean"):
        what = f"of type {inert_line(str(declared), 40)}" if "type" in prop else "without a `type`"
        raise QuestionRefused(f"`form`: {name!r} is {what}; {FLAT}")
    if extra := [key for key in ("enum", "oneOf", "anyOf") if key in prop]:
        raise QuestionRefused(
            f'`form`: `{extra[0]}` of {name!r} needs "type": "string", and its values must be strings.'
        )
    return Kind(str(declared)), ()


def _has_number(field: Field) -> bool:
    low, above, high, below = field.minimum, field.exclusive_minimum, field.maximum, field.exclusive_maximum
    if field.kind is Kind.INTEGER:
        low, above = None if low is None else math.ceil(low), None if above is None else math.floor(above) + 1
        high, below = None if high is None else math.floor(high), None if below is None else math.ceil(below) - 1
        return max(_low(low), _low(above)) <= min(_high(high), _high(below))
    least, most = max(_low(low), _low(above)), min(_high(high), _high(below))
    return least < most or (least == most and least != above and most != below)


def _low(bound: float | None) -> float:
    return -math.inf if bound is None else bound


def _high(bound: float | None) -> float:
    return math.inf if bound is None else bound
