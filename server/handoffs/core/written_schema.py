"""Writing a form as JSON schema: in one spelling for the store, and in another for hosts.

A host gets only the keywords that MCP defines, since some hosts close a form without showing it if they do not know a
keyword. Other limits are told in the description, where a person reads them. A host gets no default that would decide
something: it would enter it without the person.
"""

import math

from handoffs.core.choices import Choice
from handoffs.core.field import Field, Kind
from handoffs.core.form import Form, Schema
from handoffs.core.numbers import SAFE, bounds_in_words, plain

HARMLESS_KEY = "x-handoffs-secret"
"""The keyword that an agent sets to false on a field that sounds like a secret and is none."""


def stored_schema(fields: tuple[Field, ...]) -> Schema:
    """Return the schema for the store. It holds everything that the fields have."""
    return _object(fields, {field.name: _stored(field) for field in fields})


def dialog_schema(form: Form, *, defaults: bool = False) -> Schema:
    """Return the schema that is sent to a host, for a person to fill in.

    With `defaults`, texts and numbers have theirs, for hosts that show initial values. The defaults of booleans and
    choices are never sent.
    """
    return _object(form.fields, {field.name: _sent(field, defaults=defaults) for field in form.fields})


def _object(fields: tuple[Field, ...], properties: dict[str, Schema]) -> Schema:
    required = [field.name for field in fields if field.required]
    return {"type": "object", "properties": properties, "required": required}


def _stored(field: Field) -> Schema:
    titled = [
        {"const": each.value, "title": each.title} | ({"description": each.description} if each.description else {})
        for each in field.choices
    ]
    bare = all(choice.value == choice.title and not choice.description for choice in field.choices)
    written = _typed(field, [choice.value for choice in field.choices] if bare else titled)
    rest: Schema = {
        "description": field.description or None,
        "minLength": field.min_length,
        "maxLength": field.max_length,
        "format": field.format,
        "pattern": field.pattern,
        "minimum": field.minimum,
        "maximum": field.maximum,
        "exclusiveMinimum": field.exclusive_minimum,
        "exclusiveMaximum": field.exclusive_maximum,
        "multipleOf": field.multiple_of,
        "minItems": field.min_items,
        "maxItems": field.max_items,
        "examples": list(field.examples) or None,
        HARMLESS_KEY: False if field.harmless else None,
        "default": field.default,
    }
    return _ordered(written, rest)


def _sent(field: Field, *, defaults: bool) -> Schema:
    titled = [{"const": each.value, "title": each.label} for each in field.choices]
    bare = all(choice.value == choice.label for choice in field.choices)
    written = _typed(field, [choice.value for choice in field.choices] if bare else titled)
    least, most = _inclusive(field)
    rest: Schema = {
        "description": _described(field) or None,
        "minLength": field.min_length,
        "maxLength": field.max_length,
        "format": field.format,
        "minimum": least,
        "maximum": most,
        "minItems": field.min_items,
        "maxItems": field.max_items,
        "default": field.prefill if defaults else None,
    }
    return _ordered(written, rest)


def _typed(field: Field, choices: list[str] | list[dict[str, str]]) -> Schema:
    bare = all(isinstance(each, str) for each in choices)
    written: Schema = {"title": None if field.title == field.name else field.title}
    if field.kind is Kind.CHOICE:
        return {"type": "string", **written, ("enum" if bare else "oneOf"): choices}
    if field.kind is Kind.CHOICES:
        items = {"type": "string", "enum": choices} if bare else {"anyOf": choices}
        return {"type": "array", **written, "items": items}
    return {"type": field.kind.value, **written}


def _ordered(written: Schema, rest: Schema) -> Schema:
    return {key: value for key, value in (written | rest).items() if value is not None}


def _inclusive(field: Field) -> tuple[float | None, float | None]:
    """Return the bounds as MCP can express them, without those that tell a person nothing."""
    least, most = field.minimum, field.maximum
    if field.kind is Kind.INTEGER:
        if field.exclusive_minimum is not None:
            above = math.floor(field.exclusive_minimum) + 1
            least = above if least is None else max(least, above)
        if field.exclusive_maximum is not None:
            below = math.ceil(field.exclusive_maximum) - 1
            most = below if most is None else min(most, below)
    return None if least == -SAFE else least, None if most == SAFE else most


def _described(field: Field) -> str:
    lines = [field.description, *(_pro(choice) for choice in field.choices if choice.description)]
    if field.pattern:
        lines.append(f"It must match {field.pattern}")
    if field.kind is Kind.NUMBER:
        lines.append(bounds_in_words(None, None, field.exclusive_minimum, field.exclusive_maximum).capitalize())
    if field.multiple_of is not None and not (field.kind is Kind.INTEGER and field.multiple_of == 1):
        lines.append(f"A multiple of {plain(field.multiple_of)}")
    lines += [note[0].upper() + note[1:] for note in field.notes]
    return "\n".join(filter(None, lines))


def _pro(choice: Choice) -> str:
    return f"{choice.label}: {choice.description}"
