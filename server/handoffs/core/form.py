"""The form: what a person is asked to fill in. It checks answers, and reads what was typed or what a program sent.

Every channel renders the same `Field`s, and every answer passes `Form.check`. It fills in no defaults: a value that no
person gave is no answer. `core.schema` reads a form from a JSON schema, `core.written_schema` writes one; channels
decide how it is shown.
"""

import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias

from handoffs.core.choices import Choice
from handoffs.core.errors import AnswerRefused
from handoffs.core.field import MAX_TEXT, REFERENCE, Field, Kind, Value
from handoffs.core.formats import FORMATS, HIDDEN
from handoffs.core.moments import Zone
from handoffs.core.sentences import say
from handoffs.core.untrusted import inert_line

__all__ = [
    "FORMATS",
    "HIDDEN",
    "MAX_TEXT",
    "REFERENCE",
    "RESPONSE",
    "Choice",
    "Field",
    "Form",
    "Kind",
    "Schema",
    "Value",
]

Schema: TypeAlias = dict[str, object]

RESPONSE = "response"
"""The name of the only field of a question without a form."""

DECISION, DENY = "decision", "deny"
"""The field that decides a permission, and its value for *no*."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Form:
    """The fields of a question, in the order in which they are shown."""

    fields: tuple[Field, ...]
    schema: Schema
    """The same as cleaned JSON schema: the store keeps it. `written_schema` writes what a host is sent."""

    @property
    def is_options(self) -> bool:
        """Whether it is made of an agent's `options`: the person picks one of them, and nothing else is asked."""
        return [(each.name, each.kind, each.required) for each in self.fields] == [(RESPONSE, Kind.CHOICE, True)]

    @property
    def has_own_no(self) -> bool:
        """Whether one of its choices means *no* (`decision`: `deny`). Then no *Decline* is shown beside it."""
        return any(
            each.name == DECISION and each.required and any(choice.value == DENY for choice in each.choices)
            for each in self.fields
        )

    @property
    def secret(self) -> bool:
        """Whether it asks for a secret. Then the whole form can be filled in the inbox only."""
        return any(field.secret for field in self.fields)

    def check(self, values: Mapping[str, object]) -> dict[str, Value]:
        """Return the answer with typed values, in the form's order. Optional fields may be missing or None.

        If all fields are optional, an empty answer is valid: callers that can't tell whether it was meant use
        `is_untouched`.

        Raises:
            AnswerRefused: A value is missing, unknown or does not fit. Problems are by field.
        """
        problems: dict[str, str] = {}
        checked: dict[str, Value] = {}
        for field in self.fields:
            given = values.get(field.name)
            if given is None or _is_left_out(field, given):
                if field.required:
                    problems[field.name] = say("is missing")
                continue
            try:
                checked[field.name] = field.check(given)
            except ValueError as wrong:
                problems[field.name] = str(wrong)
        known = [field.name for field in self.fields]
        for name in values:
            if name not in known:
                fields = ", ".join(known)
                problems[inert_line(str(name), 60)] = say("is no field of this form; it has {fields}", fields=fields)
        if problems:
            raise AnswerRefused(problems)
        return checked

    def is_untouched(self, values: Mapping[str, object]) -> bool:
        """Return whether these are the values that a host or a program sends for a form that no person filled in.

        0 and false count as filled in, and so does an empty list for a required list that may be empty.
        """
        required = {field.name: field for field in self.fields if field.required}
        if any(values.get(name) is None or values[name] == "" for name in required):
            return True
        told = [
            value for name, value in values.items() if value != [] or (name in required and not required[name].least)
        ]
        return all(value is None or (isinstance(value, str) and not value.strip()) for value in told)

    def understand(self, values: Mapping[str, object]) -> dict[str, object]:
        """Return a program's values as the fields' types; see `Field.understand`. `check` tells whether they fit."""
        by_name = {field.name: field for field in self.fields}
        composed = {unicodedata.normalize("NFC", name): name for name in by_name}
        named = {composed.get(unicodedata.normalize("NFC", name), name): value for name, value in values.items()}
        return {name: by_name[name].understand(value) if name in by_name else value for name, value in named.items()}

    def coerce(self, typed: Mapping[str, str], *, zone: Zone | None = None) -> dict[str, Value]:
        """Return the answer from typed texts by field name. An optional field with no text is left out.

        Raises:
            AnswerRefused: As for `check`, or all texts are blank.
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
                values[name] = field.coerce(text, zone=zone)
            except ValueError as wrong:
                problems[name] = str(wrong)
        if (
            not problems
            and not any(text.strip() for text in typed.values())
            and not any(f.required for f in self.fields)
        ):
            problems[""] = say("nothing was filled in")
        if problems:
            raise AnswerRefused(problems)
        return self.check(values)

    def texts(self, values: Mapping[str, Value]) -> list[str]:
        """Return the answer as text: one entry for each filled field, in the form's order."""
        return [field.text(values[field.name]) for field in self.fields if field.name in values]


def _is_left_out(field: Field, given: object) -> bool:
    # A page or a host sends "" and [] for untouched fields; only a required field makes that an error.
    return not field.required and (given == "" or (given == [] and field.least > 0))
