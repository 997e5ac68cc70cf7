"""How a form is filled by typing: one field after the other, each checked when it is entered."""

from datetime import datetime

from handoffs.core.errors import AnswerRefused
from handoffs.core.form import MAX_TEXT, Field, Kind, Value
from handoffs.core.moments import Unclear
from handoffs.core.untrusted import inert, inert_line
from handoffs.terminal.request import Filled, Refused, Sheet

_DECLINE, _OTHER, _AGAIN = "/decline", "/other", "/again"

_OWN_WORDS = Field(
    name="other", kind=Kind.STRING, title="Something else, in your own words", required=True, max_length=MAX_TEXT
)


class NotTaken(ValueError):
    """What was entered does not do; the message is for the person, `meant` what they will most likely type instead."""

    def __init__(self, message: str, *, meant: str = "") -> None:
        super().__init__(message)
        self.meant = meant


class Filling:
    """Where a person is in a form, and what is filled in so far. A form has at least one field."""

    def __init__(self, sheet: Sheet) -> None:
        self.form = sheet.form
        self.takes_other = sheet.takes_other
        self.earlier = sheet.earlier
        self.values: dict[str, Value] = {}
        self._at = 0
        self._own_words = False
        commands = {_DECLINE: True, _OTHER: self.takes_other, _AGAIN: self.earlier is not None}
        self._commands = [command for command, there in commands.items() if there]

    @property
    def field(self) -> Field:
        """The field that is to be filled in now."""
        return _OWN_WORDS if self._own_words else self.form.fields[self._at]

    @property
    def number(self) -> int:
        """Which one it is, from 1."""
        return self._at + 1

    @property
    def can_go_back(self) -> bool:
        """Whether there is something before it."""
        return self._own_words or self._at > 0

    @property
    def done(self) -> list[tuple[Field, Value]]:
        """The fields before it, with what they were filled with."""
        return [(field, self.values[field.name]) for field in self.form.fields[: self._at] if field.name in self.values]

    def enter(self, text: str) -> Filled | Refused | None:
        """Take what was typed into the field; return how the question ends, or None when there is a next field.

        Nothing typed takes the default of a text or a number, which can be read; it picks nothing, and skips what may
        stay empty. `/decline`, with or without a reason, refuses, `/other` says something else than the options, and
        `/again` what was answered before; a text that starts like one of them is typed with two slashes.

        Raises:
            NotTaken: It does not fit. The field to fill may be another one now.
        """
        word, *rest = text.strip().split(maxsplit=1)[:2] or [""]
        command, said = word.casefold(), " ".join(rest)
        if command in self._commands:
            return self._command(command, said)
        for known in self._commands:
            if command.startswith(known):
                raise NotTaken(f"Put a blank after {known}, or type /{known}… for a text that starts so.")
        if any(command.startswith(f"/{known}") for known in self._commands):
            text = text.replace("/", "", 1)
        text = _readable(text)
        if self._own_words:
            return self._other(text)
        if self.picks_other(text):
            self._own_words = True
            return None
        self._take(text)
        if self.number < len(self.form.fields):
            self._at += 1
            return None
        return self._whole()

    def picks_other(self, text: str) -> bool:
        """Say whether it is the number behind those of the options, and no option itself."""
        if not self.takes_other or self._own_words or text.strip() != str(len(self.field.choices) + 1):
            return False
        try:
            self.field.coerce(text)
        except ValueError:
            return True
        return False

    def back(self) -> bool:
        """Go back to the field before, keeping what was filled; say whether there is one."""
        if not self.can_go_back:
            return False
        if self._own_words:
            self._own_words = False
        else:
            self._at -= 1
        return True

    def _command(self, command: str, said: str) -> Filled | Refused | None:
        if command == _AGAIN and self.earlier is not None:
            return self.earlier.outcome
        if command == _DECLINE:
            return Refused(_readable(said))
        if said:
            return self._other(_readable(said))
        self._own_words = True
        return None

    def _other(self, text: str) -> Filled:
        try:
            return Filled({}, other=str(_OWN_WORDS.check(text.strip())))
        except ValueError as wrong:
            raise NotTaken(f"What you say {wrong}. {_DECLINE} refuses to answer.") from None

    def _whole(self) -> Filled:
        try:
            if not self.values:  # Enter alone is no answer
                raise AnswerRefused({"": "nothing was filled in"})
            return Filled(self.form.check(self.values))
        except AnswerRefused as refused:
            names = [field.name for field in self.form.fields]
            self._at = next((at for at, name in enumerate(names) if name in refused.problems), 0)
            raise NotTaken(f"{inert(str(refused)).capitalize()}. Fill in at least one, or {_DECLINE}.") from None

    def _take(self, text: str) -> None:
        field = self.field
        default = field.prefill
        if not text and default is not None:
            self.values[field.name] = default
            return
        if not text.strip() and not field.required:
            self.values.pop(field.name, None)
            return
        if not text.strip():
            raise NotTaken(f"{subject(field)} is needed. {_DECLINE} refuses to give one.")
        try:
            self.values[field.name] = read_value(field, text)
        except Unclear as unclear:
            meant = unclear.meant[0] if len(unclear.meant) == 1 else ""
            hint = " Enter takes that." if meant else ""
            raise NotTaken(f"{subject(field)} {unclear}.{hint}", meant=meant) from None
        except ValueError as wrong:
            raise NotTaken(f"{subject(field)} {inert(str(wrong))}.") from None


def read_value(field: Field, text: str) -> Value:
    """Return what a person typed as the field's type.

    Raises:
        Unclear: It is a time without its zone; says what it is in that of this machine, which may be another one.
        ValueError: It does not fit; the message is for the person.
    """
    try:
        return field.coerce(text)
    except Unclear:
        here = field.coerce(text, zone=datetime.astimezone)  # or it comes twice there, or never
        raise Unclear(f"has no time zone; in the one of this machine it is {here}", str(here)) from None


def subject(field: Field) -> str:
    """Return what a sentence about a field starts with: its title, or `The answer`."""
    return "The answer" if unnamed(field) else inert_line(field.title, 60)


def unnamed(field: Field) -> bool:
    """Say whether a field's title tells nothing: that of a plain question, or of one with options."""
    return field.name == "response" and field.title.casefold() == "response"


def editable_default(field: Field) -> str:
    """Return the default as it can be typed and changed, or nothing where that makes no sense or could deceive.

    A text with unseen characters is shown spelled out, and offered whole or not at all.
    """
    default = field.prefill
    if default is None:
        return ""
    text = field.text(default)
    return text if inert(text) == text else ""


def _readable(text: str) -> str:
    try:
        text.encode()
    except UnicodeEncodeError:
        # A terminal can send bytes that are no UTF-8. They would break whoever stores or sends the answer.
        raise NotTaken("That has bytes which are no text. Type it again.") from None
    return text
