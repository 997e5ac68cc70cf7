"""One field of a form: what it accepts, how an answer is checked, how typed text is read, how a value is shown.

A default is never an answer. If a default would decide something, no channel offers it: see `Field.prefill`.
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
from handoffs.core.sentences import say, say_n
from handoffs.core.untrusted import inert_line

Value: TypeAlias = str | int | float | bool | list[str]
"""The value of one field; a list answers a multiple choice."""

REFERENCE = "secret:"
"""The prefix of a secret's name, which stands for the secret wherever values are kept, sent or shown."""

MAX_TEXT = 100_000
"""The most characters of an answered string if the form sets no limit."""


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
    """One field of a form. Bounds that do not apply to its kind are None."""

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
    """A regular expression that is searched for in the text, as in JSON schema."""
    minimum: float | None = None
    maximum: float | None = None
    exclusive_minimum: float | None = None
    exclusive_maximum: float | None = None
    multiple_of: float | None = None
    min_items: int | None = None
    max_items: int | None = None
    examples: tuple[str, ...] = ()
    """Examples that the agent gives, inert."""
    harmless: bool = False
    """Whether the agent says that this field is no secret, though its name sounds like one."""

    @property
    def secret(self) -> bool:
        """Whether the value must never pass through a host, a model, a log or a page."""
        return self.kind is Kind.STRING and self.format == HIDDEN

    @property
    def prefill(self) -> Value | None:
        """The default that a channel may offer to the person: never for a yes or no, or a choice."""
        return self.default if self.kind in {Kind.STRING, Kind.INTEGER, Kind.NUMBER} else None

    @property
    def least(self) -> int:
        """The least number of choices to pick. 0 also for a required list: picking none may be an answer."""
        return self.min_items or 0

    @property
    def hint(self) -> str:
        """What can be entered, in a few words: `a whole number, from 1 to 5`."""
        return joined_notes([self._asked_for(), *self.notes])

    @property
    def notes(self) -> tuple[str, ...]:
        """What must be shown beside the control: examples, and the agent's word that this is no secret."""
        shown = [say("for example {examples}", examples=", ".join(self.examples))] if self.examples else []
        return (*shown, say("no secret, the agent says")) if self.harmless else tuple(shown)

    def check(self, value: object) -> Value:
        """Return `value` as this field's type.

        Raises:
            ValueError: The value does not fit. The message is for the person.
        """
        match self.kind:
            case Kind.STRING:
                return self._check_string(value)
            case Kind.INTEGER | Kind.NUMBER:
                return self._check_number(value)
            case Kind.BOOLEAN:
                if not isinstance(value, bool):
                    raise ValueError(say("must be yes or no"))
                return value
            case Kind.CHOICE:
                if not isinstance(value, str) or value not in {c.value for c in self.choices}:
                    raise ValueError(say("is not one of the choices: {choices}", choices=listed(self.choices)))
                return value
            case Kind.CHOICES:
                return self._check_choices(value)

    def coerce(self, text: str, *, zone: Zone | None = None) -> Value:
        """Return typed text as this field's type: `y` is True, `2` the second choice, `1, 3` two choices.

        A choice is found by value or title first, and by number last: if `2` is a value, that value is picked. A time
        without a zone gets the offset of `zone`, the person's: show them the result.

        Raises:
            ValueError: The text does not fit. The message is for the person. `Unclear`: a time that could mean several.
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
                raise ValueError(say("must be yes or no"))
            case Kind.INTEGER | Kind.NUMBER:
                return self.check(read_number(typed, whole=self.kind is Kind.INTEGER))
            case Kind.CHOICE:
                return self._pick(typed)
            case Kind.CHOICES:
                return self.check(self._picked(typed))

    def understand(self, value: object) -> object:
        """Return a program's value as this field's type if it is only written differently, else unchanged.

        Such as a choice by its title, a number or boolean as text, a time with a blank. Ambiguous values stay
        unchanged.
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
        """Return a value as people say it: `yes`, a choice's label, `3`. For a secret, only its name.

        Several choices stay distinguishable, also when their labels hold commas.
        """
        if self.secret:
            named = isinstance(value, str) and value.startswith(REFERENCE)
            return say("(given: {name})", name=str(value)) if named else say("(given)")
        if isinstance(value, bool):
            return say("yes") if value else say("no")
        if isinstance(value, list):
            return joined([self._label(v) for v in value])
        return self._label(value) if isinstance(value, str) else str(value)

    def _asked_for(self) -> str:
        match self.kind:
            case Kind.BOOLEAN:
                return say("yes or no")
            case Kind.CHOICE:
                return say("one of {count}", count=len(self.choices))
            case Kind.CHOICES:
                what = say("any of them")
                if self.required and not self.least:
                    what = say("any of them, or {none}", none=NONE)
                return _with_size(what, _choices(self.min_items, self.max_items))
            case Kind.INTEGER | Kind.NUMBER:
                what = say("a whole number") if self.kind is Kind.INTEGER else say("a number")
                for more in filter(None, (self._bounds(), self._steps())):
                    what = _with_size(what, more)
                return what
            case Kind.STRING:
                what = say("text") if self.format is None else FORMATS[self.format][0]
                what = _with_size(what, _characters(self.min_length, self.max_length))
                if not self.pattern:
                    return what
                return say("{what}, that matches {pattern}", what=what, pattern=inert_line(self.pattern, 200))

    def _bounds(self) -> str:
        least, most, above, below = self.minimum, self.maximum, self.exclusive_minimum, self.exclusive_maximum
        return bounds_in_words(least, most, above, below)

    def _steps(self) -> str:
        step = self.multiple_of
        if step is None or (step == 1 and self.kind is Kind.INTEGER):
            return ""
        return say("a multiple of {step}", step=plain(step))

    def _check_string(self, value: object) -> str:
        if not isinstance(value, str):
            raise ValueError(say("must be text"))
        if not _is_text(value):
            raise ValueError(say("has characters that are not allowed: remove them"))
        if self.required and not value.strip():
            raise ValueError(say("must not be empty"))
        if self.min_length is not None and len(value) < self.min_length:
            raise ValueError(
                say("is too short: {count} of at least {least} characters", count=len(value), least=self.min_length)
            )
        limit = MAX_TEXT if self.max_length is None else self.max_length
        if len(value) > limit:
            raise ValueError(say("is too long: {count} of at most {most} characters", count=len(value), most=limit))
        # A default that comes back unchanged is accepted, also a time without a zone.
        if self.format is not None and value != self.default and not FORMATS[self.format][1](value):
            if self.format == DATE_TIME:
                read_moment(value)  # raises an error that names what is missing
            raise ValueError(say("must be {what}", what=FORMATS[self.format][0]))
        if self.pattern is not None:
            try:
                self._check_pattern(self.pattern, value)
            except ValueError:
                if self.format != DATE_TIME or not is_moment(value):
                    raise
                # Zod's patterns want times in UTC, ending in Z. A person may use their own zone: the same moment fits.
                value = in_utc(value)
                self._check_pattern(self.pattern, value)
        return value

    def _check_pattern(self, pattern: str, value: str) -> None:
        try:
            if not matches(pattern, value):
                words = say("must match {pattern}", pattern=inert_line(pattern, 200))
                if self.examples:
                    words = say("{what}, like {example}", what=words, example=self.examples[0])
                raise ValueError(words)
        except TooSlow:
            raise ValueError(
                say(
                    "can't be checked: {pattern} takes too long on it. Refuse, and say so to the agent",
                    pattern=inert_line(pattern, 200),
                )
            ) from None

    def _check_number(self, value: object) -> int | float:
        what = say("must be a whole number") if self.kind is Kind.INTEGER else say("must be a number")
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
            raise ValueError(say("must be {what}", what=self._bounds() or say("a smaller number")))
        if self.multiple_of is not None and not is_multiple(value, self.multiple_of):
            raise ValueError(say("must be {what}", what=self._steps() or say("a whole number")))
        return value

    def _check_choices(self, value: object) -> list[str]:
        if not isinstance(value, list | tuple):
            raise ValueError(say("must be a list of choices"))
        known = {c.value for c in self.choices}
        picked: list[str] = []
        for item in cast("Sequence[object]", value):
            if not isinstance(item, str) or item not in known:
                raise ValueError(
                    say("has a value that is not one of the choices: {choices}", choices=listed(self.choices))
                )
            if item in picked:
                raise ValueError(say("has the same choice twice"))
            picked.append(item)
        if len(picked) < self.least:
            raise ValueError(say("needs at least {count}", count=self.least))
        if self.max_items is not None and len(picked) > self.max_items:
            raise ValueError(say("takes at most {count}", count=self.max_items))
        return picked

    def _picked(self, typed: str) -> list[str]:
        # A label that contains a comma can be picked by its number, as the whole text, or in quotes.
        whole = find(self.choices, typed, numbered=True)
        if whole is not None:
            return [whole]
        parts = typed_parts(typed)
        if not parts:
            raise ValueError(
                say("needs at least {count}", count=self.least)
                if self.least
                else say("needs one, or {none}", none=NONE)
            )
        if [part.casefold() for part in parts] == [NONE]:
            return []
        return list(dict.fromkeys(self._pick(part) for part in parts))

    def _pick(self, typed: str) -> str:
        value = find(self.choices, typed, numbered=True)
        if value is None:
            raise ValueError(say("is not one of the choices: {choices}", choices=listed(self.choices)))
        return value

    def _meant(self, value: object) -> object:
        if isinstance(value, int) and not isinstance(value, bool):
            value = str(value)  # a host that read `"1"` as a number
        if not isinstance(value, str) or value in {c.value for c in self.choices}:
            return value
        found = find(self.choices, value, numbered=False)
        return value if found is None else found

    def _label(self, value: str) -> str:
        return next((c.label for c in self.choices if c.value == value), value)


_YES = frozenset({"y", "yes", "true", "t", "1", "on", "ok"})
_NO = frozenset({"n", "no", "false", "f", "0", "off"})


def _is_text(value: str) -> bool:
    # Half of a surrogate pair can't be stored or sent; a NUL ends a text in many programs, and in PostgreSQL.
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return "\0" not in value


def joined_notes(notes: Sequence[str]) -> str:
    """Return notes as one: `a whole number; for example 3`."""
    whole, *others = notes or ("",)
    for each in others:
        whole = say("{notes}; {note}", notes=whole, note=each)
    return whole


def _with_size(what: str, size: str) -> str:
    return say("{what}, {size}", what=what, size=size) if size else what


def _choices(least: int | None, most: int | None) -> str:
    if least and most is not None:
        if least == most:
            return say_n("{count} choice", "{count} choices", most)
        return say_n("{least} to {count} choice", "{least} to {count} choices", most, least=least)
    if least and least > 1:
        return say("at least {count} choices", count=least)
    return "" if most is None else say_n("at most {count} choice", "at most {count} choices", most)


def _characters(least: int | None, most: int | None) -> str:
    if least and most is not None:
        if least == most:
            return say_n("{count} character", "{count} characters", most)
        return say_n("{least} to {count} character", "{least} to {count} characters", most, least=least)
    if least and least > 1:
        return say("at least {count} characters", count=least)
    return "" if most is None else say_n("at most {count} character", "at most {count} characters", most)
