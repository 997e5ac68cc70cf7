"""How a form is read from the schema that an agent sends, and what can't be asked.

The schema is MCP's own for elicitation (specification 2025-11-25 and 2026-07-28, "client/elicitation"): one flat object
of strings, numbers, booleans and choices. `Form.schema` is written anew from what was understood, in one spelling, and
holds nothing else: hosts were seen to close a form unseen over a word they did not know.
"""

import json
import math
import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cache
from typing import cast

from handoffs.core.errors import QuestionRefused
from handoffs.core.form import FORMATS, HIDDEN, MAX_TEXT, RESPONSE, Choice, Field, Form, Kind, Schema, is_finite
from handoffs.core.untrusted import inert, inert_line

MAX_FIELDS = 50
MAX_CHOICES = 200
MAX_SCHEMA = 50_000
"""Characters of a form's schema as JSON."""


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
    """Return the form in which one of `options` is picked, as `response`.

    Raises:
        QuestionRefused: Fewer than 2 or more than 20, an empty one, or the same twice.
    """
    if not 2 <= len(options) <= 20:
        raise QuestionRefused(
            f"`options` has {len(options)}: give 2 to 20 different strings, or leave it out for a free answer."
        )
    if any(not option.strip() for option in options):
        raise QuestionRefused("`options` has an empty string: give each option a text that a person can choose by.")
    if len({_seen(option) for option in options}) != len(options):
        raise QuestionRefused("`options` has the same one twice: make them different, so that the choice is clear.")
    field: Schema = {"type": "string", "title": "Response", "enum": list(options)}
    return parse({"type": "object", "properties": {RESPONSE: field}, "required": [RESPONSE]})


def parse(schema: object, *, accepted: bool = False) -> Form:
    """Return the form that an MCP elicitation schema describes, as JSON is read: a mapping of plain values.

    Titles and descriptions are made inert. A `title` and `description` at the root are dropped: a host was seen to
    close such a form without showing it. One that was `accepted` before is not searched for secrets again: a rule
    that came later must not make a stored question unreadable.

    Raises:
        QuestionRefused: It is not such a schema, it is empty, nested or too large, or it asks for a secret in a field
            that does not say so by `"format": "password"`.
    """
    root = _mapping(schema)
    if root is None or root.get("type", "object") != "object":
        raise QuestionRefused('`form` must be a flat JSON schema: {"type": "object", "properties": {…}}.')
    entries = _mapping(root.get("properties"))
    if not entries:
        raise QuestionRefused("`form` has no properties: name at least one field, or leave `form` out.")
    if len(entries) > MAX_FIELDS:
        raise QuestionRefused(f"`form` has {len(entries)} fields; a person can be asked for {MAX_FIELDS} at once.")
    _refuse_large(root)
    required = _required(root.get("required"), entries)
    fields: list[Field] = []
    for name, entry in entries.items():
        if not isinstance(name, str) or not name.strip() or name != inert_line(name) or len(name) > 100:
            raise QuestionRefused(f"`form`: {inert_line(str(name), 60)!r} can't name a field: use a short plain word.")
        prop = _mapping(entry)
        if prop is None:
            raise QuestionRefused(f'`form`: {name!r} must be a schema such as {{"type": "string"}}.')
        field = _field(name, prop, required=name in required)
        if not accepted:
            _refuse_secret(field)
        fields.append(field)
    written: Schema = {
        "type": "object",
        "properties": {field.name: _schema_of(field) for field in fields},
        "required": [field.name for field in fields if field.required],
    }
    _refuse_large(written)
    return Form(fields=tuple(fields), schema=written)


# What MCP forbids a form to ask: it passes through the client and the model. A field that says it is one is never sent
# as a form. Word by word, so that `primary_key`, `max_tokens`, `passenger` and `monkey` stay askable.
_SECRET = re.compile(
    r"\b(\w*(password|passwd|passphrase|passwort|kennwort)s?|pass ?(word|phrase)s?|passcodes?|pwd|mot de passe"
    r"|contraseña|senha|пароль|secrets?|credentials?|mnemonic|(seed|recovery) phrase|session cookie"
    r"|(api|app|access|private|secret|ssh|gpg|pgp|licen[cs]e|encryption|signing|deploy|master|recovery|wallet"
    r"|openai|anthropic|stripe|aws) ?keys?|\w*tokens?"
    r"|(verification|security|authentication|confirmation|backup|recovery|one time|sms|mfa|2fa) code"
    r"|otp|totp|(credit|debit|bank) ?cards?|(card|account) ?(number|no|num)|cvv2?|cvc2?|pin (code|number)|iban|ssn"
    r"|social security( number)?)\b"
    r"|密码|密碼|パスワード|비밀번호"
)
_PIN = re.compile(r"((please|enter|type|your|the|my|new|old|current|card|bank|sim|account|login) )*pin")
# What is asked *about* a secret is none: how many there are, how long they last, what they are called.
_ABOUT = re.compile(
    r"\b(max|min|maximum|minimum|num|number of|how many|total)( \w+)? tokens\b"
    r"|\b(password|passphrase|secret|token|key|credential)s? (policy|name|type|kind|length|limit|count|budget|usage"
    r"|expiry|rotation|manager|file|path|location|store)$"
)
_PLURAL = re.compile(r"\b(tokens|secrets|passwords|credentials|keys|cards)\b")
_COUNTED = re.compile(r"\b(max|min|maximum|minimum|num|number of|count|total|limit|length|per)\b")


def _refuse_secret(field: Field) -> None:
    # A choice or a yes is no secret. Nor is a number that counts some.
    if field.secret or field.kind not in {Kind.STRING, Kind.INTEGER, Kind.NUMBER}:
        return
    for label in (field.name, field.title):
        words = re.sub(r"([a-z])([A-Z])", r"\1 \2", unicodedata.normalize("NFKC", label))
        words = re.sub(r"[\W_]+", " ", words).casefold().strip()
        words = _ABOUT.sub(" ", words)
        if field.kind is not Kind.STRING and (_COUNTED.search(words) or _PLURAL.search(words)):
            continue
        if _SECRET.search(words) or _PIN.fullmatch(words):
            raise QuestionRefused(
                f"`form`: {field.name!r} asks for a secret. What is typed into a form passes through this host and "
                "you, so a password, token, key or card number must not be asked like this. Give the field "
                '"type": "string" and "format": "password": then the person types it into the inbox, it is kept '
                "sealed, and you get a name by which code refers to it, never the value."
            )


def _refuse_large(schema: Mapping[object, object] | Schema) -> None:
    try:
        written = json.dumps(schema, ensure_ascii=False)
        written.encode()
    except (TypeError, ValueError, RecursionError):  # half a surrogate pair, for one, is no JSON that can be sent
        raise QuestionRefused("`form` can't be written as JSON: use plain strings, numbers and objects.") from None
    if len(written) > MAX_SCHEMA:
        raise QuestionRefused(
            f"`form` is larger than {MAX_SCHEMA:,} characters: put what is to be read into `message`."
        )


def _required(names: object, entries: Mapping[object, object]) -> set[object]:
    if names is None:
        return set()
    listed = _list(names)
    if listed is None or not all(isinstance(name, str) for name in listed):
        raise QuestionRefused("`form`: `required` must be a list of field names.")
    if unknown := [name for name in listed if name not in entries]:
        shown = inert_line(", ".join(map(str, unknown)), 200)
        raise QuestionRefused(f"`form`: `required` names {shown}, but `properties` does not.")
    return set(listed)


def _field(name: str, prop: Mapping[object, object], *, required: bool) -> Field:
    kind, choices = _kind(name, prop)
    if prop.get("format") == HIDDEN and kind is not Kind.STRING:
        raise QuestionRefused(f'`form`: {name!r} has "format": "password", so it must be "type": "string", no choice.')
    field = Field(
        name=name,
        kind=kind,
        title=inert_line(_text(name, prop, "title")) or name,
        description=inert(_text(name, prop, "description")).strip(),
        required=required,
        choices=choices,
    )
    match kind:
        case Kind.STRING:
            least, most = _count(name, prop, "minLength"), _count(name, prop, "maxLength")
            field = replace(field, min_length=least, max_length=most, format=_format(name, prop))
            # A required text must not be empty, and no text is longer than MAX_TEXT unless its form says so.
            nothing = max(least or 0, 1 if required else 0) > (MAX_TEXT if most is None else most)
        case Kind.NUMBER | Kind.INTEGER:
            low, high = _bound(name, prop, "minimum"), _bound(name, prop, "maximum")
            field = replace(field, minimum=low, maximum=high)
            nothing = low is not None and high is not None and not _has_number(kind, low, high)
        case Kind.CHOICES:
            least, most = _count(name, prop, "minItems"), _count(name, prop, "maxItems")
            field = replace(field, min_items=least, max_items=most)
            nothing = max(least or 0, 1) > min(len(choices), len(choices) if most is None else most)
        case Kind.CHOICE | Kind.BOOLEAN:
            nothing = False
    if nothing:
        raise QuestionRefused(f"`form`: {name!r} allows nothing: its lower bound is above its upper one.")
    default = prop.get("default")
    # An empty default stands for none: models write one into every field.
    if default is None or default in ("", []):
        return field
    if field.secret:
        raise QuestionRefused(f"`form`: {name!r} is a secret and has a default, which you would know: leave it out.")
    try:
        return replace(field, default=field.check(default))
    except ValueError as wrong:
        raise QuestionRefused(f"`form`: the default of {name!r} {wrong}.") from None


def _schema_of(field: Field) -> Schema:
    """Return the one way in which this field is written as JSON schema; what it does not have is left out."""
    titled = [{"const": choice.value, "title": choice.title} for choice in field.choices]
    plain = all(choice.value == choice.title for choice in field.choices)
    values = [choice.value for choice in field.choices]
    kind: Schema = {"type": field.kind.value}
    picks: Schema = {}
    if field.kind is Kind.CHOICE:
        kind = {"type": "string"}
        picks = {"enum": values} if plain else {"oneOf": titled}
    elif field.kind is Kind.CHOICES:
        kind = {"type": "array"}
        picks = {"items": {"type": "string", "enum": values} if plain else {"anyOf": titled}}
    rest: Schema = {
        "title": None if field.title == field.name else field.title,
        "description": field.description or None,
        "minLength": field.min_length,
        "maxLength": field.max_length,
        "format": field.format,
        "minimum": field.minimum,
        "maximum": field.maximum,
        "minItems": field.min_items,
        "maxItems": field.max_items,
    }
    written = kind | {key: value for key, value in rest.items() if value is not None} | picks
    return written if field.default is None else written | {"default": field.default}


def _kind(name: str, prop: Mapping[object, object]) -> tuple[Kind, tuple[Choice, ...]]:
    declared = prop.get("type")
    if declared == "array":
        items = _mapping(prop.get("items"))
        if items is None:
            raise QuestionRefused(f"`form`: {name!r} is a list without `items` to choose from.")
        choices = _choices(name, items, titled="anyOf" if "anyOf" in items else "oneOf")
        if not choices:
            raise QuestionRefused(f"`form`: the items of {name!r} must be an `enum`, or `anyOf` of {{const, title}}.")
        return Kind.CHOICES, choices
    if declared == "string":
        choices = _choices(name, prop, titled="oneOf" if "oneOf" in prop else "anyOf")
        return (Kind.CHOICE, choices) if choices else (Kind.STRING, ())
    if declared not in ("number", "integer", "boolean"):
        what = f"of type {inert_line(str(declared), 40)}" if "type" in prop else "without a `type`"
        raise QuestionRefused(
            f"`form`: {name!r} is {what}; a form is flat: string, number, integer, boolean, or array of choices. "
            "Ask nested things as several fields."
        )
    if extra := [key for key in ("enum", "oneOf", "anyOf") if key in prop]:
        raise QuestionRefused(
            f'`form`: `{extra[0]}` of {name!r} needs "type": "string", and its values must be strings.'
        )
    return Kind(cast("str", declared)), ()


def _choices(name: str, prop: Mapping[object, object], *, titled: str) -> tuple[Choice, ...]:
    if titled in prop:
        entries = [_mapping(entry) for entry in _list(prop[titled]) or ()]
        if not entries or None in entries:
            raise QuestionRefused(f"`form`: `{titled}` of {name!r} must be a list of {{const, title}}.")
        pairs = [(entry.get("const"), entry.get("title", entry.get("const"))) for entry in entries if entry is not None]
    elif "enum" in prop:
        values = _list(prop["enum"])
        if values is None:
            raise QuestionRefused(f"`form`: `enum` of {name!r} must be a list of strings.")
        titles = _list(prop.get("enumNames"))
        pairs = list(zip(values, titles if titles is not None and len(titles) == len(values) else values, strict=True))
    else:
        return ()
    if not 1 <= len(pairs) <= MAX_CHOICES:
        raise QuestionRefused(f"`form`: {name!r} has {len(pairs)} choices; give 1 to {MAX_CHOICES}.")
    choices: list[Choice] = []
    for value, title in pairs:
        if not isinstance(value, str) or not isinstance(title, str):
            raise QuestionRefused(f"`form`: the choices of {name!r} must be strings.")
        choices.append(Choice(value=value, title=inert_line(title)))
    _refuse_alike(name, choices)
    return tuple(choices)


def _refuse_alike(name: str, choices: Sequence[Choice]) -> None:
    """Refuse choices that a person can't tell apart, and those where what is typed could mean another than is read."""
    if any(not choice.title for choice in choices):
        raise QuestionRefused(f"`form`: {name!r} has an empty choice: give each a text that a person can choose by.")
    by_value = {choice.value: choice for choice in choices}
    by_title = {choice.title: choice for choice in choices}
    if len(by_value) < len(choices) or len(by_title) < len(choices):
        raise QuestionRefused(f"`form`: {name!r} has the same choice twice.")
    if any(by_title.get(inert_line(value), choice) is not choice for value, choice in by_value.items()):
        raise QuestionRefused(f"`form`: {name!r} has a choice whose title is the value of another.")


def _mapping(value: object) -> Mapping[object, object] | None:
    return cast("Mapping[object, object]", value) if isinstance(value, Mapping) else None


def _list(value: object) -> Sequence[object] | None:
    return cast("Sequence[object]", value) if isinstance(value, list | tuple) else None


def _seen(text: str) -> str:
    return inert_line(text).casefold()


def _has_number(kind: Kind, low: float, high: float) -> bool:
    return math.ceil(low) <= math.floor(high) if kind is Kind.INTEGER else low <= high


def _text(name: str, prop: Mapping[object, object], key: str) -> str:
    value = prop.get(key)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise QuestionRefused(f"`form`: `{key}` of {name!r} must be a string.")
    return value


def _count(name: str, prop: Mapping[object, object], key: str) -> int | None:
    value = prop.get(key)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int) or value < 0 or not is_finite(value):
        raise QuestionRefused(f"`form`: `{key}` of {name!r} must be a whole number of 0 or more.")
    return value


def _bound(name: str, prop: Mapping[object, object], key: str) -> float | None:
    value = prop.get(key)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not is_finite(value):
        raise QuestionRefused(f"`form`: `{key}` of {name!r} must be a number.")
    return value


def _format(name: str, prop: Mapping[object, object]) -> str | None:
    value = prop.get("format")
    if value is None:
        return None
    if not isinstance(value, str) or value not in FORMATS:
        raise QuestionRefused(f"`form`: `format` of {name!r} must be one of {', '.join(FORMATS)}.")
    return value
