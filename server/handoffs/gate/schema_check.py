"""Holds values against the JSON schema that a server wrote, within bounds.

A pattern that backtracks without end, or a tree of references, would stop the gate, and with it everybody's calls. So
there is a time limit, every pattern is matched by `core.patterns`, and nothing is fetched.
"""

import time
from collections.abc import Callable, Iterator, Mapping
from importlib import import_module
from typing import Any, Final, NamedTuple, cast

from handoffs.core import patterns

SECONDS: Final = 1.0
"""How long a check may take, all in all."""


class Wrong(NamedTuple):
    """What does not fit."""

    path: tuple[str | int, ...]
    keyword: str
    """The keyword of the schema that refuses it."""
    words: str
    """What is wrong; it may quote values."""


class TooSlow(ValueError):
    """The check takes too long."""


def wrong_in(values: Mapping[str, object], schema: Mapping[str, object]) -> Wrong | None:
    """Return what does not fit first; None where all does.

    Raises:
        Exception: Whatever a server's schema does to the validator. Nothing is known of the values then.
    """
    from jsonschema import Draft202012Validator  # only where somebody edits
    from jsonschema_specifications import REGISTRY

    made = cast("Any", import_module("jsonschema.validators"))
    kind = made.validator_for(dict(schema), default=Draft202012Validator)
    until = time.monotonic() + SECONDS
    keywords = {**kind.VALIDATORS, **_OURS}
    if "unevaluatedProperties" in keywords:
        keywords["unevaluatedProperties"] = _unevaluated(kind.VALIDATORS["unevaluatedProperties"], schema)
    bounded = made.extend(kind, {name: _within(until, each) for name, each in keywords.items()})
    # With a registry of its own it fetches nothing: a `$ref` to an address is the server's choice, not ours.
    validator = bounded(_without_dialect(schema), registry=REGISTRY)
    error = next(iter(validator.iter_errors(dict(values))), None)
    if error is None:
        return None
    return Wrong(tuple(error.absolute_path), str(error.validator), str(error.message))


Keyword = Callable[[Any, Any, Any, Any], Iterator[Any] | None]


def _within(until: float, keyword: Keyword) -> Keyword:
    def bounded(validator: Any, value: Any, instance: Any, schema: Any) -> Iterator[Any]:
        for error in keyword(validator, value, instance, schema) or ():
            yield error
            _check(until)

    def checked(validator: Any, value: Any, instance: Any, schema: Any) -> Iterator[Any]:
        _check(until)
        return bounded(validator, value, instance, schema)

    return checked


def _check(until: float) -> None:
    if time.monotonic() > until:
        raise TooSlow


def _without_dialect(schema: object) -> Any:
    """Return a schema whose parts do not say `$schema`: the validator would go on with one that has no bounds."""
    if isinstance(schema, Mapping):
        pairs = cast("Mapping[str, object]", schema).items()
        return {name: _without_dialect(each) for name, each in pairs if name != "$schema" or not isinstance(each, str)}
    return list(map(_without_dialect, cast("list[object]", schema))) if isinstance(schema, list) else schema


def _error(words: str) -> Any:
    from jsonschema import ValidationError

    return ValidationError(words)


def _pattern(validator: Any, pattern: str, instance: Any, schema: Any) -> Iterator[Any]:
    if validator.is_type(instance, "string") and not patterns.matches(pattern, instance):
        yield _error(f"{instance!r} does not match {pattern!r}")


def _pattern_properties(validator: Any, schemas: Any, instance: Any, schema: Any) -> Iterator[Any]:
    if validator.is_type(instance, "object"):
        for pattern, each in schemas.items():
            for name, value in instance.items():
                if patterns.matches(pattern, name):
                    yield from validator.descend(value, each, path=name, schema_path=pattern)


def _additional(validator: Any, others: Any, instance: Any, schema: Any) -> Iterator[Any]:
    if not validator.is_type(instance, "object"):
        return
    known, like = schema.get("properties", {}), schema.get("patternProperties", {})
    more = [name for name in instance if name not in known and not any(patterns.matches(each, name) for each in like)]
    if validator.is_type(others, "object"):
        for name in more:
            yield from validator.descend(instance[name], others, path=name)
    elif not others and more:
        yield _error(f"Additional properties are not allowed: {', '.join(map(repr, more))}")


def _unevaluated(keyword: Keyword, root: Mapping[str, object]) -> Keyword:
    """Return the keyword for a schema without patterns for names: which names those cover, it finds out unbounded."""

    def checked(validator: Any, value: Any, instance: Any, schema: Any) -> Iterator[Any] | None:
        if _has_patterns(root):
            raise TooSlow
        return keyword(validator, value, instance, schema)

    return checked


def _has_patterns(schema: object) -> bool:
    if isinstance(schema, Mapping):
        found = cast("Mapping[str, object]", schema)
        return "patternProperties" in found or any(map(_has_patterns, found.values()))
    return isinstance(schema, list) and any(map(_has_patterns, cast("list[object]", schema)))


_OURS: Final[Mapping[str, Keyword]] = {
    "pattern": _pattern,
    "patternProperties": _pattern_properties,
    "additionalProperties": _additional,
}
