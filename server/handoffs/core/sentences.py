"""Words for people that can be said in another language, too: English text that knows what it was made of.

A `Sentence` is a `str`, and everywhere it is that English text: on a terminal, in a log, for a model. A page or a
message in another language finds the sentence and its values in it: see `languages`. `make words` finds sentences, so
they stand as they are in the call.
"""

from collections.abc import Mapping
from datetime import UTC, datetime


class Sentence(str):
    """English text, with its sentence and its values."""

    __slots__ = ("many", "number", "sentence", "values")

    sentence: str
    many: str
    """The sentence for other counts than one; empty where nothing is counted."""
    number: int
    values: Mapping[str, object]

    def __new__(
        cls, text: str, *, sentence: str, many: str = "", number: int = 0, values: Mapping[str, object]
    ) -> "Sentence":
        """Take the text, and what it was made of."""
        made = super().__new__(cls, text)
        made.sentence, made.many, made.number, made.values = sentence, many, number, values
        return made

    def __str__(self) -> str:
        """Return itself, so that an exception with these words has them whole: `str(error)`."""
        return self


class Moment(str):
    """A time as English text, `2026-11-22T19:30:00Z`, which another language writes in its own way."""

    __slots__ = ("at",)

    at: datetime

    def __new__(cls, at: datetime) -> "Moment":
        """Take the time."""
        made = super().__new__(cls, at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"))
        made.at = at
        return made


def say(sentence: str, /, **values: object) -> str:
    """Return a sentence with its values, named in braces: `say("Answered by {name}", name="ada")`."""
    return Sentence(sentence.format(**values) if values else sentence, sentence=sentence, values=values)


def say_n(one: str, many: str, count: int, /, **values: object) -> str:
    """Return one of two sentences by a count, which is the value `count` of both."""
    whole = {"count": count, **values}
    text = (one if count == 1 else many).format(**whole)
    return Sentence(text, sentence=one, many=many, number=count, values=whole)
