"""The form: what a person is asked to fill in. Checks an answer, coerces what is typed, describes itself.

Every channel renders the same `Field`s, and every answer, from wherever it comes, passes `Form.check`. A default is
what a channel offers the person to accept; `check` never fills one in, for an answer that nobody gave is none. How a
form is read from a JSON schema is in `core.schema`; how it is shown is the channels' affair.
"""

import re
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import TypeAlias, cast
from urllib.parse import urlsplit

from handoffs.core.errors import AnswerRefused
from handoffs.core.untrusted import inert_line

Value: TypeAlias = str | int | float | bool | list[str]
"""What one field can hold; a list is the answer to a multiple choice."""

Schema: TypeAlias = dict[str, object]

HIDDEN = "password"
"""The format of a text that is a secret: it is typed into the inbox, sealed, and shown nowhere."""

REFERENCE = "secret:"
"""How the name begins that stands for a secret wherever values are kept, sent or shown."""

RESPONSE = "response"
"""The name of the one field of a question that has no form of its own."""

MAX_TEXT = 100_000
"""Characters in one answered string where the form sets no limit of its own."""


class Kind(StrEnum):
    """What a field holds."""

    STRING = "string"
    NUMBER = "number"
    INTEGER = "integer"
    BOOLEAN = "boolean"
    CHOICE = "choice"
    CHOICES = "choices"


@dataclass(frozen=True, kw_only=True, slots=True)
class Choice:
    """One thing to pick: the value that is recorded, and the title that is shown."""

    value: str
    title: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Field:
    """One thing to fill in. Bounds that do not apply to its kind are None."""

    name: str
    kind: Kind
    title: str
    description: str = ""
    required: bool = False
    default: Value | None = None
    choices: tuple[Choice, ...] = ()
    min_length: int | None = None
    max_length: int | None = None
    format: str | None = None
    minimum: float | None = None
    maximum: float | None = None
    min_items: int | None = None
    max_items: int | None = None

    @property
    def secret(self) -> bool:
        """Whether what it holds must pass through no host, no model, no log and no page."""
        return self.kind is Kind.STRING and self.format == HIDDEN

    @property
    def hint(self) -> str:
        """What may be entered, in a few words: `a whole number, from 1 to 5`."""
        match self.kind:
            case Kind.BOOLEAN:
                return "yes or no"
            case Kind.CHOICE:
                return f"one of {len(self.choices)}"
            case Kind.CHOICES:
                return _counted("any of them", self.min_items, self.max_items, "choice")
            case Kind.INTEGER | Kind.NUMBER:
                what = "a whole number" if self.kind is Kind.INTEGER else "a number"
                bounds = _range(self.minimum, self.maximum)
                return f"{what}, {bounds}" if bounds else what
            case Kind.STRING:
                if self.format is not None:
                    return FORMATS[self.format][0]
                return _counted("text", self.min_length, self.max_length, "character")

    def check(self, value: object) -> Value:
        """Return `value` as this field's type.

        Raises:
            ValueError: It does not fit; the message is for the person.
        """
        match self.kind:
            case Kind.STRING:
                return self._check_string(value)
            case Kind.INTEGER | Kind.NUMBER:
                return self._check_number(value)
            case Kind.BOOLEAN:
                if not isinstance(value, bool):
                    raise ValueError("must be yes or no")
                return value
            case Kind.CHOICE:
                if not isinstance(value, str) or value not in {c.value for c in self.choices}:
                    raise ValueError(f"is not one of the choices: {self._listed()}")
                return value
            case Kind.CHOICES:
                return self._check_choices(value)

    def coerce(self, text: str) -> Value:
        """Return what a person typed as this field's type: `y` is True, `2` the second choice, `1, 3` two of them.

        A choice is found by its value or title first, and by its number last: where `2` is a value, it is that one.

        Raises:
            ValueError: It does not fit; the message is for the person.
        """
        typed = text.strip()
        match self.kind:
            case Kind.STRING:
                return self.check(text if self.format in (None, HIDDEN) else typed)
            case Kind.BOOLEAN:
                word = typed.casefold()
                if word in _YES or word in _NO:
                    return word in _YES
                raise ValueError("must be yes or no")
            case Kind.INTEGER | Kind.NUMBER:
                return self.check(_number(typed))
            case Kind.CHOICE:
                return self._pick(typed)
            case Kind.CHOICES:
                # A value that has a comma of its own is picked by its number, or alone.
                whole = self._find(typed)
                parts = [typed] if whole is not None else [p for p in (q.strip() for q in typed.split(",")) if p]
                return self.check(list(dict.fromkeys(self._pick(part) for part in parts)))

    def text(self, value: Value) -> str:
        """Return a value of this field as a person says it: yes, the title of a choice, `3`; of a secret its name."""
        if self.secret:
            named = isinstance(value, str) and value.startswith(REFERENCE)
            return f"(given: {value})" if named else "(given)"
        if isinstance(value, bool):
            return "yes" if value else "no"
        if isinstance(value, list):
            return ", ".join(self._title(v) for v in value)
        return self._title(value) if isinstance(value, str) else str(value)

    def _check_string(self, value: object) -> str:
        if not isinstance(value, str):
            raise ValueError("must be text")
        if not _is_text(value):
            raise ValueError("has characters that are not text")
        if self.required and not value.strip():
            raise ValueError("must not be empty")
        if self.min_length is not None and len(value) < self.min_length:
            raise ValueError(f"is too short: {len(value)} of at least {self.min_length} characters")
        limit = MAX_TEXT if self.max_length is None else self.max_length
        if len(value) > limit:
            raise ValueError(f"is too long: {len(value)} of at most {limit} characters")
        if self.format is not None and not FORMATS[self.format][1](value):
            raise ValueError(f"must be {FORMATS[self.format][0]}")
        return value

    def _check_number(self, value: object) -> int | float:
        if isinstance(value, bool) or not isinstance(value, int | float) or not is_finite(value):
            raise ValueError("must be a whole number" if self.kind is Kind.INTEGER else "must be a number")
        if self.kind is Kind.INTEGER:
            if value != int(value):
                raise ValueError("must be a whole number")
            value = int(value)
        if (self.minimum is not None and value < self.minimum) or (self.maximum is not None and value > self.maximum):
            raise ValueError(f"must be {_range(self.minimum, self.maximum)}")
        return value

    def _check_choices(self, value: object) -> list[str]:
        if not isinstance(value, list | tuple):
            raise ValueError("must be a list of choices")
        known = {c.value for c in self.choices}
        picked: list[str] = []
        for item in cast("Sequence[object]", value):
            if not isinstance(item, str) or item not in known:
                raise ValueError(f"has one that is not among the choices: {self._listed()}")
            if item in picked:
                raise ValueError("has the same choice twice")
            picked.append(item)
        least = self.min_items or 0
        if len(picked) < max(least, 1 if self.required else 0):
            raise ValueError(f"needs at least {max(least, 1)}")
        if self.max_items is not None and len(picked) > self.max_items:
            raise ValueError(f"takes at most {self.max_items}")
        return picked

    def _find(self, typed: str) -> str | None:
        """The value of the choice that was typed: its value or title first, then its number."""
        for choice in self.choices:
            if typed in (choice.value, choice.title):
                return choice.value
        # As it was shown, in whatever case; where two differ in nothing else, neither is meant.
        seen = _seen(typed)
        alike = [choice.value for choice in self.choices if seen in (_seen(choice.value), _seen(choice.title))]
        if alike:
            return alike[0] if len(alike) == 1 else None
        if len(typed) < 4 and typed.isascii() and typed.isdigit() and 1 <= int(typed) <= len(self.choices):
            return self.choices[int(typed) - 1].value
        return None

    def _pick(self, typed: str) -> str:
        value = self._find(typed)
        if value is None:
            raise ValueError(f"is not one of the choices: {self._listed()}")
        return value

    def _title(self, value: str) -> str:
        return next((c.title for c in self.choices if c.value == value), value)

    def _listed(self) -> str:
        shown = ", ".join(inert_line(c.title, 40) for c in self.choices[:10])
        return shown + (", …" if len(self.choices) > 10 else "")


@dataclass(frozen=True, kw_only=True, slots=True)
class Form:
    """The fields of a question, in the order in which they are shown."""

    fields: tuple[Field, ...]
    schema: Schema
    """The same as JSON schema, cleaned: what a client is sent and the store keeps."""

    @property
    def is_options(self) -> bool:
        """Whether it is made of an agent's `options`: one of them is picked, and nothing else is asked."""
        return [(each.name, each.kind, each.required) for each in self.fields] == [(RESPONSE, Kind.CHOICE, True)]

    @property
    def secret(self) -> bool:
        """Whether it asks for a secret, so that the whole of it is filled in the inbox and nowhere else."""
        return any(field.secret for field in self.fields)

    def check(self, values: Mapping[str, object]) -> dict[str, Value]:
        """Return the answer with its values typed, in the form's order. Optional fields may be missing or None.

        Raises:
            AnswerRefused: Something is missing, extra or does not fit; it says what, by field.
        """
        problems: dict[str, str] = {}
        checked: dict[str, Value] = {}
        for field in self.fields:
            given = values.get(field.name)
            # A page sends "" for what was left empty; only a field that must be filled minds.
            if given is None or (given == "" and not field.required):
                if field.required:
                    problems[field.name] = "is missing"
                continue
            try:
                checked[field.name] = field.check(given)
            except ValueError as wrong:
                problems[field.name] = str(wrong)
        known = [field.name for field in self.fields]
        for name in values:
            if name not in known:
                problems[inert_line(str(name), 60)] = f"is no field of this form; it has {', '.join(known)}"
        if not problems and all(_is_blank(value) for value in checked.values()):
            problems[""] = "nothing was filled in"
        if problems:
            raise AnswerRefused(problems)
        return checked

    def coerce(self, typed: Mapping[str, str]) -> dict[str, Value]:
        """Return the answer from what a person typed, by field name; an optional field typed empty is left out.

        Raises:
            AnswerRefused: As for `check`.
        """
        problems: dict[str, str] = {}
        values: dict[str, object] = {}
        by_name = {field.name: field for field in self.fields}
        for name, text in typed.items():
            field = by_name.get(name)
            if field is None or (not text.strip() and not field.required):
                values[name] = None if field is not None else text
                continue
            try:
                values[name] = field.coerce(text)
            except ValueError as wrong:
                problems[name] = str(wrong)
        if problems:
            raise AnswerRefused(problems)
        return self.check(values)

    def texts(self, values: Mapping[str, Value]) -> list[str]:
        """Return the answer as text, one for each field that was filled, in the form's order."""
        return [field.text(values[field.name]) for field in self.fields if field.name in values]


_YES = frozenset({"y", "yes", "true", "t", "1", "on", "ok"})
_NO = frozenset({"n", "no", "false", "f", "0", "off"})
_EMAIL = re.compile(r"[^\s@<>\"]+@[^\s@<>\".]+(\.[^\s@<>\".]+)+")


_DATE_TIME = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:\d\d)?", re.ASCII)


def is_finite(number: float) -> bool:
    """Say whether a number is one that every program can hold: not NaN, not infinite, no whole number beyond that."""
    return abs(number) <= sys.float_info.max


def _is_blank(value: Value) -> bool:
    """Whether it is what a host or a page may send for a field that nobody touched."""
    return not value.strip() if isinstance(value, str) else value == []


def _is_text(value: str) -> bool:
    # Half of a surrogate pair can be neither stored nor sent; a NUL ends a text in many a program, and a database.
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return "\0" not in value


def _is_uri(text: str) -> bool:
    try:
        parts = urlsplit(text)
    except ValueError:
        return False
    return bool(parts.scheme) and bool(parts.netloc or parts.path) and not any(c.isspace() for c in text)


def _is_date(text: str) -> bool:
    try:
        return date.fromisoformat(text).isoformat() == text
    except ValueError:
        return False


def _is_date_time(text: str) -> bool:
    # On its own `fromisoformat` takes any character between date and time, weeks, and no separators at all.
    if _DATE_TIME.fullmatch(text) is None:
        return False
    try:
        datetime.fromisoformat(text)
    except ValueError:
        return False
    return True


FORMATS: dict[str, tuple[str, Callable[[str], bool]]] = {
    "email": ("an e-mail address, like ada@example.org", lambda text: _EMAIL.fullmatch(text) is not None),
    "uri": ("an address with its scheme, like https://example.org/page", _is_uri),
    "date": ("a date, like 2026-11-22", _is_date),
    "date-time": ("a date and time, like 2026-11-22T19:30:00Z", _is_date_time),
    HIDDEN: ("a secret: it is kept sealed, and the agent does not get to see it", lambda _: True),
}
"""The formats a string can have: what a person is told to enter, and the test."""


def _number(typed: str) -> int | float | str:
    """What was typed, as the number it is; or itself, which `check` then refuses in the field's own words."""
    for read in (int, float):
        try:
            return read(typed)
        except ValueError:
            continue
    return typed


def _seen(text: str) -> str:
    return inert_line(text).casefold()


def _range(least: float | None, most: float | None) -> str:
    if least is not None and most is not None:
        return f"from {_plain(least)} to {_plain(most)}"
    if least is not None:
        return f"{_plain(least)} or more"
    return f"{_plain(most)} or less" if most is not None else ""


def _plain(number: float) -> str:
    return str(int(number)) if abs(number) < 1e15 and number == int(number) else str(number)


def _counted(what: str, least: int | None, most: int | None, unit: str) -> str:
    if least and most is not None:
        return f"{what}, {most} {unit}{_s(most)}" if least == most else f"{what}, {least} to {most} {unit}{_s(most)}"
    if least and least > 1:
        return f"{what}, at least {least} {unit}s"
    return f"{what}, at most {most} {unit}{_s(most)}" if most is not None else what


def _s(count: int) -> str:
    return "" if count == 1 else "s"
