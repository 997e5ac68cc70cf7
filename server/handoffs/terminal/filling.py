"""How a form is filled by typing: one field after the other, each checked when it is entered."""

from handoffs.core.errors import AnswerRefused
from handoffs.core.form import Field, Form, Kind, Value
from handoffs.core.untrusted import inert, inert_line
from handoffs.terminal.sheet import Filled, Refused

_DECLINE = "/decline"


class Filling:
    """Where a person is in a form, and what is filled in so far. A form has at least one field."""

    def __init__(self, form: Form) -> None:
        self.form = form
        self.values: dict[str, Value] = {}
        self._at = 0

    @property
    def field(self) -> Field:
        """The field that is to be filled in now."""
        return self.form.fields[self._at]

    @property
    def number(self) -> int:
        """Which one it is, from 1."""
        return self._at + 1

    @property
    def done(self) -> list[tuple[Field, Value]]:
        """The fields before it, with what they were filled with."""
        return [(field, self.values[field.name]) for field in self.form.fields[: self._at] if field.name in self.values]

    def enter(self, text: str) -> Filled | Refused | None:
        """Take what was typed into the field; return how the question ends, or None when there is a next field.

        Nothing typed takes the field's default, or skips it where it may stay empty. `/decline`, with or without a
        reason, refuses; a text that starts like that is typed `//decline`.

        Raises:
            ValueError: It does not fit; the message is for the person. The field to fill may be another one now.
        """
        word, *rest = text.strip().split(maxsplit=1)[:2] or [""]
        if word.casefold() == _DECLINE:
            return Refused(_readable(" ".join(rest)))
        if word.casefold().startswith(_DECLINE):
            raise ValueError(f"Put a blank after {_DECLINE} to refuse, or type /{_DECLINE}… for a text that starts so.")
        self._take(_readable(text.replace("/", "", 1) if word.casefold().startswith(f"/{_DECLINE}") else text))
        if self.number < len(self.form.fields):
            self._at += 1
            return None
        try:
            if not self.values:  # Enter alone is no answer
                raise AnswerRefused({"": "nothing was filled in"})
            return Filled(self.form.check(self.values))
        except AnswerRefused as refused:
            names = [field.name for field in self.form.fields]
            self._at = next((at for at, name in enumerate(names) if name in refused.problems), 0)
            raise ValueError(f"{inert(str(refused)).capitalize()}. Fill in at least one, or {_DECLINE}.") from None

    def back(self) -> bool:
        """Go back to the field before, keeping what was filled; say whether there is one."""
        if not self._at:
            return False
        self._at -= 1
        return True

    def _take(self, text: str) -> None:
        field = self.field
        if not text and field.default is not None:
            self.values[field.name] = field.default
            return
        if not text.strip() and not field.required:
            self.values.pop(field.name, None)
            return
        if not text.strip():
            raise ValueError(f"{subject(field)} is needed. {_DECLINE} refuses to give one.")
        try:
            self.values[field.name] = field.coerce(text)
        except ValueError as wrong:
            raise ValueError(f"{subject(field)} {inert(str(wrong))}.") from None


def subject(field: Field) -> str:
    """Return what a sentence about a field starts with: its title, or `The answer`."""
    return "The answer" if unnamed(field) else inert_line(field.title, 60)


def unnamed(field: Field) -> bool:
    """Say whether a field's title tells nothing: that of a plain question, or of one with options."""
    return field.name == "response" and field.title.casefold() == "response"


def editable_default(field: Field) -> str:
    """Return the default as it can be typed and changed, or nothing where that makes no sense or could deceive.

    Choices are picked anew. A text with unseen characters is shown spelled out, and offered whole or not at all.
    """
    if field.default is None or field.kind not in {Kind.STRING, Kind.INTEGER, Kind.NUMBER}:
        return ""
    text = field.text(field.default)
    return text if inert(text) == text else ""


def _readable(text: str) -> str:
    try:
        text.encode()
    except UnicodeEncodeError:
        # A terminal can send bytes that are no UTF-8. They would break whoever stores or sends the answer.
        raise ValueError("That has bytes which are no text. Type it again.") from None
    return text
