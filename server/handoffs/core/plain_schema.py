"""The schema of one field, simplified: no references, no null, one type. Pydantic, zod and models write more than that.

A nullable field is optional. A keyword that a form can't support is refused by its name, so that the agent does not
wait in vain; a keyword that does not constrain the answer (`$comment`, `deprecated`) is ignored.
"""

from collections.abc import Mapping, Sequence
from typing import TypeAlias, cast

from handoffs.core.errors import QuestionRefused
from handoffs.core.untrusted import inert_line

Prop: TypeAlias = dict[object, object]

FLAT = (
    "a form is flat: string, number, integer, boolean, or array of choices. Ask nested things as several fields, or "
    "put them into `message`."
)

# Keywords that constrain the answer and can't be checked here.
_NOT_FOR_FORMS = (
    "allOf", "anyOf", "oneOf", "not", "if", "then", "else", "dependentRequired", "dependentSchemas", "dependencies",
    "minProperties", "maxProperties", "patternProperties", "propertyNames",
)  # fmt: skip
_NOT_FOR_FIELDS = (
    "not", "if", "then", "else", "contentEncoding", "contentMediaType", "contentSchema", "contains", "minContains",
    "prefixItems",
)  # fmt: skip

_DEPTH = 20


def mapping(value: object) -> Mapping[object, object] | None:
    """Return the value as a JSON object, or None if it is something else."""
    return cast("Mapping[object, object]", value) if isinstance(value, Mapping) else None


def sequence(value: object) -> Sequence[object] | None:
    """Return the value as a JSON array, or None if it is something else."""
    return cast("Sequence[object]", value) if isinstance(value, list | tuple) else None


def refuse_conditions(root: Mapping[object, object]) -> None:
    """Refuse keywords that a whole form can't have. Raises QuestionRefused."""
    if found := next((key for key in _NOT_FOR_FORMS if key in root), None):
        raise QuestionRefused(f"`form`: a form can't have `{found}`: say it in `message`, or ask in two steps.")


def plain(name: str, prop: Mapping[object, object], root: Mapping[object, object]) -> tuple[Prop, bool]:
    """Return a field's schema without references and null, and whether it is nullable.

    Raises:
        QuestionRefused: The field can't be asked. The message names the field and the reason.
    """
    made, optional = dict(prop), False
    for _ in range(_DEPTH):
        before = dict(made)
        made = _followed(name, made, root)
        made, null = _without_null(name, made, root)
        optional = optional or null
        if made == before:
            break
    else:
        raise QuestionRefused(f"`form`: {name!r} refers to itself: {FLAT}")
    if found := next((key for key in _NOT_FOR_FIELDS if key in made), None):
        raise QuestionRefused(f"`form`: {name!r} can't have `{found}`: say it in its description, or leave it out.")
    made = _with_type(name, made)
    items = mapping(made.get("items"))
    if made.get("type") == "array" and items is not None:
        made["items"], _ = plain(f"the items of {name}", items, root) if _is_indirect(items) else (dict(items), False)
    return made, optional


def _is_indirect(items: Mapping[object, object]) -> bool:
    return any(key in items for key in ("$ref", "allOf", "anyOf", "oneOf", "const", *_NOT_FOR_FIELDS))


def _followed(name: str, prop: Prop, root: Mapping[object, object]) -> Prop:
    if "$ref" in prop:
        target = _target(prop["$ref"], root)
        if target is None:
            shown = inert_line(str(prop["$ref"]), 80)
            raise QuestionRefused(f"`form`: `$ref` of {name!r} leads nowhere in this form ({shown}); {FLAT}")
        return {**target, **{key: value for key, value in prop.items() if key != "$ref"}}
    if "allOf" in prop:
        parts = [mapping(each) for each in sequence(prop["allOf"]) or ()]
        if len(parts) != 1 or parts[0] is None:
            raise QuestionRefused(f"`form`: {name!r} can't have `allOf` of several: write them as one.")
        return {**parts[0], **{key: value for key, value in prop.items() if key != "allOf"}}
    return prop


def _target(ref: object, root: Mapping[object, object]) -> Mapping[object, object] | None:
    if not isinstance(ref, str) or not ref.startswith("#/"):
        return None
    found: object = root
    for step in ref[2:].split("/"):
        here = mapping(found)
        found = None if here is None else here.get(step.replace("~1", "/").replace("~0", "~"))
    return mapping(found)


def _without_null(name: str, prop: Prop, root: Mapping[object, object]) -> tuple[Prop, bool]:
    null = prop.get("nullable") is True
    rest = {key: value for key, value in prop.items() if key != "nullable" or not null}
    kinds = sequence(rest.get("type"))
    if kinds is not None and "null" in kinds:
        others = [each for each in kinds if each != "null"]
        rest["type"], null = others[0] if len(others) == 1 else others, True
    elif kinds is not None and len(kinds) == 1:
        rest["type"] = kinds[0]
    for key in ("anyOf", "oneOf"):
        entries = sequence(rest.get(key))
        if not entries:
            continue
        parts = [entry if (each := mapping(entry)) is None else _followed(name, dict(each), root) for entry in entries]
        kept = [part for part in parts if not _is_null(part)]
        null = null or len(kept) < len(parts)
        only = mapping(kept[0]) if len(kept) == 1 and len(parts) > 1 else None
        if only is not None:
            rest = {**only, **{each: value for each, value in rest.items() if each != key}}
        elif len(kept) < len(parts) or kept != list(entries):
            rest[key] = kept
    values = sequence(rest.get("enum"))
    if values is not None and None in values and len(values) > 1:
        rest["enum"], null = [value for value in values if value is not None], True
    return rest, null


def _is_null(part: object) -> bool:
    entry = mapping(part)
    if entry is None:
        return False
    return entry.get("type") == "null" or ("const" in entry and entry["const"] is None) or entry.get("enum") == [None]


def _with_type(name: str, prop: Prop) -> Prop:
    made = dict(prop)
    if "const" in made and "oneOf" not in made and "anyOf" not in made:
        made = _with_const(name, made)
    if "type" not in made:
        values = sequence(made.get("enum")) or [
            entry.get("const")
            for key in ("oneOf", "anyOf")
            for each in sequence(made.get(key)) or ()
            if (entry := mapping(each)) is not None
        ]
        if values and all(isinstance(value, str) for value in values):
            made["type"] = "string"
        elif mapping(made.get("items")) is not None:
            made["type"] = "array"
    return made


def _with_const(name: str, prop: Prop) -> Prop:
    value, rest = prop["const"], {key: each for key, each in prop.items() if key != "const"}
    if isinstance(value, str):
        return {"type": "string", **rest, "enum": [value]}
    if isinstance(value, int | float) and not isinstance(value, bool):
        kind = "integer" if isinstance(value, int) else "number"
        return {"type": kind, **rest, "minimum": value, "maximum": value}
    raise QuestionRefused(
        f"`form`: `const` of {name!r} leaves one answer only. Ask a yes or no (boolean) without it and look at what "
        "comes; a person who does not agree says no."
    )
