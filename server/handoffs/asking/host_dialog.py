"""The form that one host's dialog is sent, and what a person entered in its reply.

Hosts differ in the fields that they draw, and versions of the protocol in their keywords. A field that the host would
not draw, or that the version can't express, is asked as text, with a hint, and the text is parsed here; if the hint
would be too long, the question goes to the inbox. A default is never sent to a host that would enter it without the
person.
"""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, cast

from handoffs.core.form import Field, Form, Kind, Schema
from handoffs.core.schema import response_form
from handoffs.core.written_schema import dialog_schema

if TYPE_CHECKING:
    from handoffs.hosts.host import FieldType, Host

TITLED_CHOICES = "2025-11-25"
"""The first version of MCP with `oneOf` for titles, lists of choices, and defaults of texts and numbers."""

MAX_HINT = 500
"""The most characters of a hint beside a field."""

_DRAWN: "Mapping[Kind, FieldType]" = {
    Kind.STRING: "string",
    Kind.CHOICE: "enum",
    Kind.BOOLEAN: "boolean",
    Kind.INTEGER: "integer",
    Kind.NUMBER: "number",
    Kind.CHOICES: "multi",
}

UNTOUCHED, YES, NO = "(not chosen)", "yes", "no"
"""The neutral first option for hosts that send a value for untouched fields, and the two answers beside it."""


@dataclass(frozen=True, slots=True)
class HostDialog:
    """The dialog of one host, in the agreed version of the protocol."""

    host: "Host"
    protocol: str

    def draws(self, form: Form) -> bool:
        """Return whether a person sees the whole form there. A form with a secret is never sent."""
        texts = [field for field in form.fields if self._is_text(field)]
        can_type = "string" in self.host.draws and all(len(_hint(field)) <= MAX_HINT for field in texts)
        return not form.secret and (not texts or can_type)

    def schema(self, form: Form) -> Schema:
        """Return the form's schema for this host, not to be changed. Raises ValueError if it must not be sent."""
        if not self.draws(form):
            raise ValueError("this form can't be shown there")
        # Plain questions share one form, and a call that waits for hours keeps what it sent.
        return _plain_schema(self) if form is response_form() else self.written(form)

    def written(self, form: Form) -> Schema:
        """Return the schema of a form that this host draws, made anew."""
        sent = dialog_schema(form, defaults=self.host.shows_defaults)
        written = cast("Mapping[str, Schema]", sent["properties"])
        return sent | {"properties": {field.name: self._adapted(field, written[field.name]) for field in form.fields}}

    def entered(self, form: Form, content: Mapping[str, object]) -> dict[str, object]:
        """Return what a person entered, from the host's reply."""
        told = dict(content)
        for field in form.fields:
            given = content.get(field.name)
            if self._is_text(field):
                if isinstance(given, str) and given.strip():
                    with suppress(ValueError):  # unchanged: the check refuses it with the reason, and it is asked again
                        told[field.name] = field.coerce(given)
            elif not self.host.fills_untouched:
                continue
            elif field.kind in (Kind.CHOICE, Kind.BOOLEAN) and given == _neutral(field):
                del told[field.name]
            elif field.kind is Kind.BOOLEAN and given in (YES, NO):
                told[field.name] = given == YES
        return told

    def was_drawn(self, form: Form, content: Mapping[str, object]) -> bool:
        """Return whether a reply proves that the host drew the form: it holds the neutral option."""
        return self.host.fills_untouched and any(
            field.kind in (Kind.CHOICE, Kind.BOOLEAN) and content.get(field.name) == _neutral(field)
            for field in form.fields
        )

    def other_words(self, form: Form, content: Mapping[str, object]) -> dict[str, str]:
        """Return what a person typed instead of picking, by field, for hosts that offer that with every choice."""
        if not self.host.adds_other:
            return {}
        return {
            field.name: value
            for field in form.fields
            if field.kind is Kind.CHOICE
            and isinstance(value := content.get(field.name), str)
            and value.strip()
            and all(value not in (choice.value, choice.title) for choice in field.choices)
        }

    @property
    def _is_older(self) -> bool:
        return self.protocol < TITLED_CHOICES

    def _is_text(self, field: Field) -> bool:
        """Return whether a field is asked as text, because this host would not draw it."""
        return _DRAWN[field.kind] not in self.host.draws or (self._is_older and field.kind is Kind.CHOICES)

    def _adapted(self, field: Field, written: Schema) -> Schema:
        if self._is_text(field):
            told = [str(written["description"])] if "description" in written else []
            titled = {"title": written["title"]} if "title" in written else {}
            return {"type": "string", **titled, "description": "\n".join([*told, _hint(field)])}
        if self.host.fills_untouched and field.kind in (Kind.CHOICE, Kind.BOOLEAN):
            written = _with_neutral(field, written)
        if not self._is_older:
            return written
        choices = written.get("oneOf")
        older = {key: value for key, value in written.items() if key not in ("oneOf", "default")}
        if isinstance(choices, list):
            titled = cast("list[Mapping[str, str]]", choices)
            older |= {"enum": [each["const"] for each in titled], "enumNames": [each["title"] for each in titled]}
        return older


@cache
def _plain_schema(dialog: HostDialog) -> Schema:
    return dialog.written(response_form())


def _hint(field: Field) -> str:
    """Return what can be typed: `a whole number, from 1 to 5`, or the choices."""
    if not field.choices:
        return field.hint[0].upper() + field.hint[1:]
    listed = ", ".join(choice.label for choice in field.choices)
    several = ", several with commas between them" if field.kind is Kind.CHOICES else ""
    return f"{field.hint[0].upper()}{field.hint[1:]}{several}: {listed}"


def _neutral(field: Field) -> str:
    """Return the neutral option of a field, which is none of its choices."""
    neutral = UNTOUCHED
    while any(neutral == choice.value for choice in field.choices):
        neutral = f"({neutral})"
    return neutral


def _with_neutral(field: Field, written: Schema) -> Schema:
    neutral = _neutral(field)
    rest = {key: value for key, value in written.items() if key not in ("type", "enum", "oneOf", "default")}
    if field.kind is Kind.BOOLEAN:
        return {"type": "string", **rest, "enum": [neutral, YES, NO]}
    titled = written.get("oneOf")
    if isinstance(titled, list):
        return {
            "type": "string",
            **rest,
            "oneOf": [{"const": neutral, "title": "Choose…"}, *cast("list[object]", titled)],
        }
    return {"type": "string", **rest, "enum": [neutral, *cast("list[object]", written["enum"])]}
