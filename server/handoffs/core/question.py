"""Reading an agent's arguments as a question: its form, and how long it stays open."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from handoffs.core.errors import AnswerRefused, QuestionRefused
from handoffs.core.form import MAX_TEXT, Form
from handoffs.core.quota import Quota
from handoffs.core.schema import options_form, parse, response_form
from handoffs.core.sentences import say

MAX_MESSAGE = 20_000
"""The most characters of a message."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Limits:
    """Time limits in seconds, and how many questions there may be."""

    default_seconds: float = 86_400
    """How long a question stays open if the agent does not say."""
    min_seconds: float = 30
    max_seconds: float = 2_592_000
    join_seconds: float = 3_600
    """For how long after its end an uncollected outcome is given to an identical call."""
    quota: Quota | None = None
    """The limits of each caller; None for no limits."""

    def deadline(self, asked: datetime, seconds: float | None) -> datetime:
        """Return when a question asked at `asked` expires: after `seconds`, within the bounds; 0 is the longest.

        Raises:
            QuestionRefused: `seconds` is not a number, or negative.
        """
        if seconds is None:
            seconds = self.default_seconds
        if math.isnan(seconds) or seconds < 0:
            raise QuestionRefused("`timeout_seconds` must be a number of seconds, 0 or more; leave it out for a day.")
        if seconds == 0:  # models and people write 0 for no limit
            seconds = self.max_seconds
        return asked + timedelta(seconds=min(max(seconds, self.min_seconds), self.max_seconds))

    def exact(self, seconds: float | None) -> float | None:
        """Return a time that a person or their program set: not moved into the bounds, as a model's is.

        Raises:
            QuestionRefused: It is outside of the bounds.
        """
        if seconds is not None and not self.min_seconds <= seconds <= self.max_seconds:
            raise QuestionRefused(
                f"A question stays open for {self.min_seconds:.12g} to {self.max_seconds:.12g} seconds, by "
                f"HANDOFFS_MIN_TIMEOUT_SECONDS and HANDOFFS_MAX_TIMEOUT_SECONDS; {seconds:g} is neither."
            )
        return seconds


@dataclass(frozen=True, kw_only=True, slots=True)
class Asking:
    """What an agent asks, as its call says it, before it is a handoff."""

    message: str
    options: Sequence[str] | None = None
    form: Mapping[str, object] | None = None
    breakout: bool = False

    @property
    def read_form(self) -> Form:
        """The form that it describes. Raises QuestionRefused."""
        return form_of(self.message, self.options, self.form)


def checked_other(other: str, *, values: Mapping[str, object], allowed: bool) -> str:
    """Return what a person says instead of picking an option, cleaned for storing.

    Raises:
        AnswerRefused: The question accepts no such answer, an option was picked, too, or it is too long or empty.
    """
    if not allowed:
        raise AnswerRefused({"": say("only a question with options can be answered by something else")})
    if values:
        raise AnswerRefused({"": say("pick an option or give your own answer, not both")})
    text = other.strip()
    if not text:
        raise AnswerRefused({"": say("write your own answer, or pick an option")})
    if len(text) > MAX_TEXT:
        raise AnswerRefused(
            {"": say("it has {count:,} characters; {most:,} is the most", count=len(text), most=MAX_TEXT)}
        )
    return text


def form_of(
    message: str,
    options: Sequence[str] | None,
    form: Mapping[str, object] | None,
    *,
    max_message: int = MAX_MESSAGE,
) -> Form:
    """Return the form that a question's arguments describe.

    Raises:
        QuestionRefused: The message is empty or too long, or the arguments do not go together.
    """
    if not message.strip():
        raise QuestionRefused("`message` is empty: tell the person what you need to know, and why.")
    if len(message) > max_message:
        raise QuestionRefused(
            f"`message` has {len(message):,} characters; {max_message:,} is the most. Shorten it, or say where to read."
        )
    try:
        message.encode()
    except UnicodeEncodeError:
        raise QuestionRefused("`message` holds half of a character (a lone surrogate): send valid Unicode.") from None
    if options is not None and form is not None:
        raise QuestionRefused("Give `options` or `form`, not both: put the options into the form as an `enum` field.")
    if options is not None:
        return options_form(options)
    return response_form() if form is None else parse(form)
