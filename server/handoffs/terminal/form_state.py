"""The state of a form that a person fills in by typing, field by field; each value is checked when entered."""

from datetime import datetime

from handoffs.core.action_form import ARGUMENTS
from handoffs.core.errors import AnswerRefused
from handoffs.core.form import MAX_TEXT, Field, Kind, Value
from handoffs.core.moments import Unclear
from handoffs.core.untrusted import inert, inert_line
from handoffs.terminal.decision_steps import MORE, more_of, steps_of
from handoffs.terminal.request import Filled, Refused, Request

_DECLINE, _OTHER, _AGAIN = "/decline", "/other", "/again"

_OWN_WORDS = Field(
    name="other", kind=Kind.STRING, title="Something else, in your own words", required=True, max_length=MAX_TEXT
)


class InputRefused(ValueError):
    """The input is refused. The message is for the person; `meant` is what they most likely want to type."""

    def __init__(self, message: str, *, meant: str = "") -> None:
        super().__init__(message)
        self.meant = meant


class FormState:
    """The current field of a form, and the values so far. A form has at least one field."""

    def __init__(self, request: Request) -> None:
        self.form = request.form
        self.takes_other = request.takes_other
        self.earlier = request.earlier
        self.values: dict[str, Value] = {}
        self.decides = request.decides
        self._arguments = request.arguments
        self._at = 0
        self._own_words = False
        commands = {_DECLINE: True, _OTHER: self.takes_other, _AGAIN: self.earlier is not None}
        self._commands = [command for command, there in commands.items() if there]

    @property
    def field(self) -> Field:
        """The current field."""
        return _OWN_WORDS if self._own_words else self._steps[self._at]

    @property
    def place(self) -> str:
        """Where the current field stands: `2 of 3`. Empty for a single one, and where later ones depend on it."""
        count = len(self.form.fields)
        return "" if self.decides or count == 1 else f"{self._at + 1} of {count}"

    @property
    def is_last(self) -> bool:
        """Whether the form is complete after the current field, as far as its value does not ask for more."""
        if self.decides and not self._at:
            return more_of(self.form) is None
        return self._at + 1 == len(self._steps)

    @property
    def draft(self) -> str:
        """The text to begin from when the current field is edited; empty if there is none, or it could deceive."""
        if self.decides and self.field.name == ARGUMENTS:
            return self._arguments if inert(self._arguments) == self._arguments else ""
        return editable_default(self.field)

    @property
    def can_go_back(self) -> bool:
        """Whether there is a field before it."""
        return self._own_words or self._at > 0

    @property
    def done(self) -> list[tuple[Field, Value]]:
        """The fields before it, with their values."""
        return [(field, self.values[field.name]) for field in self._steps[: self._at] if field.name in self.values]

    @property
    def _steps(self) -> tuple[Field, ...]:
        return steps_of(self.form, self.values) if self.decides else self.form.fields

    def enter(self, text: str) -> Filled | Refused | None:
        """Take the input for the current field; return the outcome, or None when another field follows.

        An empty input takes the default of a text or a number, which is shown; it selects no option, and skips an
        optional field. `/decline`, with or without a reason, refuses, `/other` answers in other words than the options,
        and `/again` repeats the earlier answer; a text that starts with one of them is typed with two slashes.

        Raises:
            InputRefused: It does not fit. The current field may have changed.
        """
        word, *rest = text.strip().split(maxsplit=1)[:2] or [""]
        command, said = word.casefold(), " ".join(rest)
        if command in self._commands:
            return self._command(command, said)
        for known in self._commands:
            if command.startswith(known):
                raise InputRefused(f"Put a blank after {known}, or type /{known}… for a text that starts so.")
        if any(command.startswith(f"/{known}") for known in self._commands):
            text = text.replace("/", "", 1)
        text = _readable(text)
        if self._own_words:
            return self._other(text)
        if self.picks_other(text):
            self._own_words = True
            return None
        self._take(text)
        if self._at + 1 < len(self._steps):
            self._at += 1
            return None
        return self._whole()

    def picks_other(self, text: str) -> bool:
        """Say whether the input is the number after the last option, and no option itself."""
        if not self.takes_other or self._own_words or text.strip() != str(len(self.field.choices) + 1):
            return False
        try:
            self.field.coerce(text)
        except ValueError:
            return True
        return False

    def back(self) -> bool:
        """Go back to the previous field, keeping the values; say whether there is one."""
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
            raise InputRefused(f"What you say {wrong}. {_DECLINE} refuses to answer.") from None

    def _whole(self) -> Filled:
        try:
            if not self.values:  # an empty form is no answer
                raise AnswerRefused({"": "nothing was filled in"})
            return Filled(self.form.check(self._given()))
        except AnswerRefused as refused:
            names = [field.name for field in self._steps]
            self._at = next((at for at, name in enumerate(names) if name in refused.problems), 0)
            raise InputRefused(f"{inert(str(refused)).capitalize()}. Fill in at least one, or {_DECLINE}.") from None

    def _given(self) -> dict[str, Value]:
        if not self.decides:
            return self.values
        # A person may have gone back, and decided otherwise: what belonged to that is left out.
        steps = {field.name for field in self._steps} - {MORE}
        given = {name: value for name, value in self.values.items() if name in steps}
        if given.get(ARGUMENTS) == self._arguments:
            del given[ARGUMENTS]  # taken up for editing, and left as they were
        return given

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
            raise InputRefused(f"{subject(field)} is needed. {_DECLINE} refuses to give one.")
        try:
            self.values[field.name] = read_value(field, text)
        except Unclear as unclear:
            meant = unclear.meant[0] if len(unclear.meant) == 1 else ""
            hint = " Enter takes that." if meant else ""
            raise InputRefused(f"{subject(field)} {unclear}.{hint}", meant=meant) from None
        except ValueError as wrong:
            raise InputRefused(f"{subject(field)} {inert(str(wrong))}.") from None


def read_value(field: Field, text: str) -> Value:
    """Return the input as the field's type.

    Raises:
        Unclear: It is a time without a zone; the message has the time in this machine's zone, which may be wrong.
        ValueError: It does not fit the field; the message is for the person.
    """
    try:
        return field.coerce(text)
    except Unclear:
        here = field.coerce(text, zone=datetime.astimezone)  # raises for a time that comes twice there, or never
        raise Unclear(f"has no time zone; in the one of this machine it is {here}", str(here)) from None


def subject(field: Field) -> str:
    """Return the subject of a sentence about a field: its title, or `The answer`."""
    return "The answer" if unnamed(field) else inert_line(field.title, 60)


def unnamed(field: Field) -> bool:
    """Say whether a field has only the generic title of a plain question, or of one with options."""
    return field.name == "response" and field.title.casefold() == "response"


def editable_default(field: Field) -> str:
    """Return the default as editable text; empty if it has none, or one that could deceive.

    A text with invisible characters is shown spelled out, and can only be taken unchanged.
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
        # A terminal can send bytes that are no UTF-8, which no store or transport accepts.
        raise InputRefused("That has bytes which are no text. Type it again.") from None
    return text
