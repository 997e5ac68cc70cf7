"""Single keywords of a field's schema, read and checked: texts, counts, bounds, formats, patterns."""

from collections.abc import Mapping

from handoffs.core.errors import QuestionRefused
from handoffs.core.formats import FORMATS
from handoffs.core.numbers import is_finite
from handoffs.core.patterns import MAX_PATTERN, readable


def text_of(name: str, prop: Mapping[object, object], key: str) -> str:
    """Return a text, empty if it is missing. Raises QuestionRefused."""
    value = prop.get(key)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise QuestionRefused(f"`form`: `{key}` of {name!r} must be a string.")
    return value


def count_of(name: str, prop: Mapping[object, object], key: str) -> int | None:
    """Return a count of 0 or more, or None. Raises QuestionRefused."""
    value = prop.get(key)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int) or value < 0 or not is_finite(value):
        raise QuestionRefused(f"`form`: `{key}` of {name!r} must be a whole number of 0 or more.")
    return value


def bound_of(name: str, prop: Mapping[object, object], key: str) -> float | None:
    """Return a number, or None. Raises QuestionRefused."""
    value = prop.get(key)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not is_finite(value):
        raise QuestionRefused(f"`form`: `{key}` of {name!r} must be a number.")
    return value


def pattern_of(name: str, prop: Mapping[object, object]) -> str | None:
    """Return a regular expression that can be used here, or None. Raises QuestionRefused."""
    value = prop.get("pattern")
    if value is None:
        return None
    if not isinstance(value, str) or not readable(value):
        raise QuestionRefused(
            f"`form`: `pattern` of {name!r} is no regular expression that can be tried here: make it a simpler one, of "
            f"at most {MAX_PATTERN:,} characters, or say in the description what is wanted."
        )
    return value


def format_of(name: str, prop: Mapping[object, object]) -> str | None:
    """Return one of `FORMATS`, or None. Raises QuestionRefused."""
    value = prop.get("format")
    if value is None:
        return None
    if not isinstance(value, str) or value not in FORMATS:
        raise QuestionRefused(f"`form`: `format` of {name!r} must be one of {', '.join(FORMATS)}.")
    return value
