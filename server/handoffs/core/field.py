"""One field of a form: what it takes, whether an answer fits, what is meant by what a person typed, how it is told.

A default is never an answer, and where it would decide something, no channel offers it: see `Field.prefill`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias, cast

from handoffs.core.choices import NONE, Choice, find, joined, listed, typed_parts
from handoffs.core.formats import DATE_TIME, FORMATS, HIDDEN
from handoffs.core.moments import Zone, in_utc, is_moment, read_moment
from handoffs.core.numbers import bounds_in_words, is_finite, is_multiple, plain, read_number
from handoffs.core.patterns import TooSlow, matches
from handoffs.core.untrusted import inert_line

Value: TypeAlias = str | int | float | bool | list[str]
"""What one field can hold; a list is the answer to a multiple choice."""

REFERENCE = "secret:"
"""How the name begins that stands for a secret wherever values are kept, sent or shown."""

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
    pattern: str | None = None
    """A regular expression that is found in the text, as JSON schema has them."""
    minimum: float | None = None
    maximum: float | None = None
    exclusive_minimum: float | None = None
    exclusive_maximum: float | None = None
    multiple_of: float | None = None
    min_items: int | None = None
    max_items: int | None = None
    examples: tuple[str, ...] = ()
    """What the agent gives as examples, inert."""
    harmless: bool = False
    """The agent says that it is no secret, though it is called like one that may be."""

    @property
    def secret(self) -> bool:
        """Whether what it holds must pass through no host, no model, no log and no page."""
        return self.kind is Kind.STRING and self.format == HIDDEN

    @property
    def prefill(self) -> Value | None:
        """The default that a channel may offer for a person to change or keep: never a yes, a no or a choice."""
        return self.default if self.kind in {Kind.STRING, Kind.INTEGER, Kind.NUMBER} else None

    @property
    def least(self) -> int:
        """How many choices must be picked at least: of a list that is required, too, none may be an answer."""
        return self.min_items or 0

    @property
    def hint(self) -> str:
        """What may be entered, in a few words: `a whole number, from 1 to 5`."""
        return "; ".join([self._asked_for(), *self.notes])

    @property
    def notes(self) -> tuple[str, ...]:
        """What must be said beside the control itself: examples, and that the agent takes it for no secret."""
        shown = [f"for example {', '.join(self.examples)}"] if self.examples else []
        return (*shown, "no secret, the agent says") if self.harmless else tuple(shown)

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
                    raise ValueError(f"is not one of the choices: {listed(self.choices)}")
                return value
            case Kind.CHOICES:
                return self._check_choices(value)

    def coerce(self, text: str, *, zone: Zone | None = None) -> Value:
        """Return what a person typed as this field's type: `y` is True, `2` the second choice, `1, 3` two of them.

        A choice is found by its value or title first, and by its number last: where `2` is a value, it is that one. A
        time without a zone gets that of `zone`, where the person is: show them what came of it.

        Raises:
            ValueError: It does not fit; the message is for the person. An `Unclear` time could be several.
        """
        typed = text.strip()
        match self.kind:
            case Kind.STRING:
                if self.format == DATE_TIME and text != self.default:
                    return self.check(read_moment(typed, zone))
                return self.check(text if self.format in (None, HIDDEN) else typed)
            case Kind.BOOLEAN:
                word = typed.casefold()
                if word in _YES or word in _NO:
                    return word in _YES
                raise ValueError("must be yes or no")
            case Kind.INTEGER | Kind.NUMBER:
                return self.check(read_number(typed, whole=self.kind is Kind.INTEGER))
            case Kind.CHOICE:
                return self._pick(typed)
            case Kind.CHOICES:
                return self.check(self._picked(typed))

    def understand(self, value: object) -> object:
        """Return what a program's value means where that is this field's type in another dress, else as it came.

        A choice by its title, a number or boolean as text, a time with a blank in it. Never what could mean two things.
        """
        match self.kind:
            case Kind.INTEGER | Kind.NUMBER if isinstance(value, str):
                try:
                    return read_number(value, whole=self.kind is Kind.INTEGER)
                except ValueError:
                    return value
            case Kind.BOOLEAN if isinstance(value, str):
                return {"true": True, "yes": True, "false": False, "no": False}.get(value.strip().casefold(), value)
            case Kind.CHOICE:
                return self._meant(value)
            case Kind.CHOICES if any(choice.value == self._meant(value) for choice in self.choices):
                return [self._meant(value)]
            case Kind.CHOICES if isinstance(value, list | tuple):
                return [self._meant(each) for each in cast("Sequence[object]", value)]
            case Kind.STRING if self.format == DATE_TIME and isinstance(value, str) and value != self.default:
                try:
                    return read_moment(value)
                except ValueError:
                    return value
            case _:
                return value

    def text(self, value: Value) -> str:
        """Return a value of this field as a person says it: yes, what they saw of a choice, `3`; of a secret its name.

        Several choices can be told apart in it, whatever they are called.
        """
        if self.secret:
            named = isinstance(value, str) and value.startswith(REFERENCE)
            return f"(given: {value})" if named else "(given)"
        if isinstance(value, bool):
            return "yes" if value else "no"
        if isinstance(value, list):
            return joined([self._label(v) for v in value])
        return self._label(value) if isinstance(value, str) else str(value)

    def _asked_for(self) -> str:
        match self.kind:
            case Kind.BOOLEAN:
                return "yes or no"
            case Kind.CHOICE:
                return f"one of {len(self.choices)}"
            case Kind.CHOICES:
                what = "any of them" if self.least or not self.required else f"any of them, or {NONE}"
                return _counted(what, self.min_items, self.max_items, "choice")
            case Kind.INTEGER | Kind.NUMBER:
                parts = ["a whole number" if self.kind is Kind.INTEGER else "a number", self._bounds()]
                return ", ".join(filter(None, (*parts, self._steps())))
            case Kind.STRING:
                what = "text" if self.format is None else FORMATS[self.format][0]
                what = _counted(what, self.min_length, self.max_length, "character")
                return f"{what}, that matches {inert_line(self.pattern, 200)}" if self.pattern else what

    def _bounds(self) -> str:
        least, most, above, below = self.minimum, self.maximum, self.exclusive_minimum, self.exclusive_maximum
        return bounds_in_words(least, most, above, below)

    def _steps(self) -> str:
        step = self.multiple_of
        return "" if step is None or (step == 1 and self.kind is Kind.INTEGER) else f"a multiple of {plain(step)}"

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
        # What was offered and comes back untouched is what was offered, also a time without its zone.
        if self.format is not None and value != self.default and not FORMATS[self.format][1](value):
            if self.format == DATE_TIME:
                read_moment(value)  # which says what is missing
            raise ValueError(f"must be {FORMATS[self.format][0]}")
        if self.pattern is not None:
            try:
                self._check_pattern(self.pattern, value)
            except ValueError:
                if self.format != DATE_TIME or not is_moment(value):
                    raise
                # Zod's dates and times end in Z. A person gives them with their own zone, and it is the same moment.
                value = in_utc(value)
                self._check_pattern(self.pattern, value)
        return value

    def _check_pattern(self, pattern: str, value: str) -> None:
        example = f", like {self.examples[0]}" if self.examples else ""
        try:
            if not matches(pattern, value):
                raise ValueError(f"must match {inert_line(pattern, 200)}{example}")
        except TooSlow:
            raise ValueError(
                f"can't be checked: {inert_line(pattern, 200)} takes too long on it. Refuse, and say so to the agent"
            ) from None

    def _check_number(self, value: object) -> int | float:
        what = "must be a whole number" if self.kind is Kind.INTEGER else "must be a number"
        if isinstance(value, bool) or not isinstance(value, int | float) or not is_finite(value):
            raise ValueError(what)
        if self.kind is Kind.INTEGER:
            if value != int(value):
                raise ValueError(what)
            value = int(value)
        low, above, high, below = self.minimum, self.exclusive_minimum, self.maximum, self.exclusive_maximum
        fits = (low is None or value >= low) and (above is None or value > above)
        fits = fits and (high is None or value <= high) and (below is None or value < below)
        if not fits:
            raise ValueError(f"must be {self._bounds() or 'a smaller number'}")
        if self.multiple_of is not None and not is_multiple(value, self.multiple_of):
            raise ValueError(f"must be {self._steps() or 'a whole number'}")
        return value

    def _check_choices(self, value: object) -> list[str]:
        if not isinstance(value, list | tuple):
            raise ValueError("must be a list of choices")
        known = {c.value for c in self.choices}
        picked: list[str] = []
        for item in cast("Sequence[object]", value):
            if not isinstance(item, str) or item not in known:
                raise ValueError(f"has one that is not among the choices: {listed(self.choices)}")
            if item in picked:
                raise ValueError("has the same choice twice")
            picked.append(item)
        if len(picked) < self.least:
            raise ValueError(f"needs at least {self.least}")
        if self.max_items is not None and len(picked) > self.max_items:
            raise ValueError(f"takes at most {self.max_items}")
        return picked

    def _picked(self, typed: str) -> list[str]:
        # A label that has a comma of its own is picked by its number, alone, or in quotes.
        whole = find(self.choices, typed, numbered=True)
        if whole is not None:
            return [whole]
        parts = typed_parts(typed)
        if not parts:
            raise ValueError(f"needs at least {max(self.least, 1)}" if self.least else f"needs one, or {NONE}")
        if [part.casefold() for part in parts] == [NONE]:
            return []
        return list(dict.fromkeys(self._pick(part) for part in parts))

    def _pick(self, typed: str) -> str:
        value = find(self.choices, typed, numbered=True)
        if value is None:
            raise ValueError(f"is not one of the choices: {listed(self.choices)}")
        return value

    def _meant(self, value: object) -> object:
        if isinstance(value, int) and not isinstance(value, bool):
            value = str(value)  # a host that saw a number in `"1"`
        if not isinstance(value, str) or value in {c.value for c in self.choices}:
            return value
        found = find(self.choices, value, numbered=False)
        return value if found is None else found

    def _label(self, value: str) -> str:
        return next((c.label for c in self.choices if c.value == value), value)


_YES = frozenset({"y", "yes", "true", "t", "1", "on", "ok"})
_NO = frozenset({"n", "no", "false", "f", "0", "off"})


def _is_text(value: str) -> bool:
    # Half of a surrogate pair can be neither stored nor sent; a NUL ends a text in many a program, and a database.
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return "\0" not in value


def _counted(what: str, least: int | None, most: int | None, unit: str) -> str:
    if least and most is not None:
        return f"{what}, {most} {unit}{_s(most)}" if least == most else f"{what}, {least} to {most} {unit}{_s(most)}"
    if least and least > 1:
        return f"{what}, at least {least} {unit}s"
    return f"{what}, at most {most} {unit}{_s(most)}" if most is not None else what


def _s(count: int) -> str:
    return "" if count == 1 else "s"
