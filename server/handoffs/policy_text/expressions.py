"""Expressions over a call or a question, in CEL (Common Expression Language).

They are evaluated by cel-cpp, through `cel-expr-python`.

Measured in November 2026: it is imported in 10 ms, `common-expression-language` 0.10 in 1.5 s (it brings its command
line along, and counts the size of a text in bytes), `cel-python` 0.5 in 0.6 s (an evaluation takes forty times as long,
and 5 is not comparable with 5.0).

Nothing that an agent sends may stop the gate or hide from an expression:

- cel-cpp recurses over nested values without a limit, and crashes. It gets none that is deeper than `DEEPEST`.
- The binding cuts a text at its first NUL, so a call with one is not given to it either.
- A number that no double holds is one to the gate and may be its neighbour to the server, so no expression gets it.
- The binding refuses integers beyond 64 bits and half surrogates. cel-cpp bounds steps and patterns (RE2).
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from itertools import chain
from typing import TYPE_CHECKING, TypeAlias, cast

from handoffs.core.exact_json import OddNumber
from handoffs.policy_text.tables import Table

if TYPE_CHECKING:
    from cel_expr_python.cel import Activation, Env, Type

DEEPEST = 100

_MISTAKE = re.compile(r"<input>:(\d+):(\d+): ([^\n]*)")
_STATUS = re.compile(r"^[A-Z_]+: | \[[A-Z_]+\]$")

Facts: TypeAlias = "Activation"


class NotEvaluated(Exception):
    """An expression has no value for these facts; the message says why."""


class Unusable(Exception):
    """An expression is wrong as it is written; the message says how, `line` on which of its lines."""

    def __init__(self, wrong: str, line: int = 1) -> None:
        self.line = line
        super().__init__(wrong)


class Expression:
    """A compiled expression that gives true or false."""

    def __init__(self, text: str, language: "Language") -> None:
        """Compile it.

        Raises:
            Unusable: It does not parse, names something unknown, or can't give true or false.
        """
        if "\0" in text:  # the binding would compile what stands before it
            raise Unusable("the expression has a NUL character")
        try:
            self._compiled = language.environment.compile(text)
        except RuntimeError as error:
            raise _mistake(str(error)) from None
        kind = self._compiled.return_type()
        if kind not in _truths():
            raise Unusable(f"the expression gives {kind.name().lower()}, not true or false")

    def holds(self, facts: Facts) -> bool:
        """Say whether it is so.

        Raises:
            NotEvaluated: A key is missing, a type does not fit, or it is neither true nor false.
        """
        try:
            value = self._compiled.eval(facts)
            plain = value.plain_value()
        except Exception as error:  # noqa: BLE001 - C++ throws what it likes; it may not end the gate
            raise NotEvaluated(_STATUS.sub("", str(error))) from None
        if isinstance(plain, bool):
            return plain
        if value.type() == _kinds().ERROR:
            raise NotEvaluated(_STATUS.sub("", str(plain)))
        raise NotEvaluated(f"it gives {value.type().name().lower()}, not true or false")


@dataclass(frozen=True, kw_only=True)
class Language:
    """What expressions of one kind may name."""

    maps: tuple[str, ...]
    """Variables whose members are of any type."""
    words: tuple[str, ...] = ()
    """Variables whose members are texts."""
    allowed: str
    """What may be written, for the person who wrote something else."""

    @property
    def environment(self) -> "Env":
        """The binding's environment with these variables."""
        return _environment(self.maps, self.words)

    def any_of(self, texts: Sequence[str]) -> Expression | None:
        """Return the expression that is false if each of these is; None where it would be too long for CEL."""
        try:
            # A line feed ends a comment.
            return Expression(" || ".join(f"(\n{text}\n)" for text in texts), self)
        except Unusable:
            return None

    def facts(self, seen: Mapping[str, object]) -> Facts:
        """Return what expressions see, of the values of all variables.

        Raises:
            NotEvaluated: They can't be shown to an expression.
        """
        if problem := _problem_of(seen):
            raise NotEvaluated(problem)
        try:
            return self.environment.Activation(dict(seen))
        except Exception as error:  # noqa: BLE001 - as above
            raise NotEvaluated(_STATUS.sub("", str(error))) from None

    def read(self, table: Table, key: str, text: str) -> Expression:
        """Return the expression that a key of a table is.

        Raises:
            PolicyError: It can't be used, or the extra that evaluates it is not installed.
        """
        if find_spec("cel_expr_python") is None:
            from handoffs.extras import command_to_add

            raise table.refusal(
                f"`{key}` needs the extra gate, which is not installed",
                f"rules without `{key}`; or all of it, after {command_to_add('gate')}",
                key,
            )
        try:
            return Expression(text, self)
        except Unusable as error:
            line = f"line {error.line} of it: " if "\n" in text.strip() else ""
            raise table.refusal(f"in `{key}`, {line}{error}", self.allowed, key) from None


def _problem_of(value: object) -> str | None:
    """Return why cel-cpp can't be given a value, None if it can."""
    level: list[object] = [value]
    for _ in range(DEEPEST + 2):
        if any(isinstance(each, str) and "\0" in each for each in level):
            return "a text has a NUL character"
        if any(isinstance(each, OddNumber) for each in level):
            return "it holds a number that programs read in different ways"
        if any(_has_alike(each) for each in level):
            return "two names differ in case alone, which some programs take for one"
        level = [inner for outer in level for inner in _inside(outer)]
        if not level:
            return None
    return f"the arguments are nested more than {DEEPEST} deep"


def _has_alike(value: object) -> bool:
    # Go's parser takes `Path` for `path`, and the last of the two counts.
    if not isinstance(value, Mapping):
        return False
    names = cast("Mapping[object, object]", value)
    return len({name.casefold() if isinstance(name, str) else name for name in names}) < len(names)


def _inside(value: object) -> Iterable[object]:
    if isinstance(value, Mapping):
        mapping = cast("Mapping[object, object]", value)
        return chain(mapping, mapping.values())
    return cast("list[object]", value) if isinstance(value, list) else ()


def _mistake(message: str) -> Unusable:
    place = _MISTAKE.search(message)
    if place is None:
        return Unusable(_STATUS.sub("", message))
    wrong = _STATUS.sub("", place[3]).removesuffix(" (in container '')")
    return Unusable(f"the expression is wrong at column {place[2]}: {wrong}", int(place[1]))


@cache
def _environment(maps: tuple[str, ...], words: tuple[str, ...]) -> "Env":
    from cel_expr_python import cel

    any_map = cel.Type.Map(cel.Type.STRING, cel.Type.DYN)
    of_words = cel.Type.Map(cel.Type.STRING, cel.Type.STRING)
    return cel.NewEnv(variables=dict.fromkeys(maps, any_map) | dict.fromkeys(words, of_words))


def _kinds() -> "type[Type]":
    from cel_expr_python import cel

    return cel.Type


@cache
def _truths() -> "tuple[Type, ...]":
    return (_kinds().BOOL, _kinds().DYN)
