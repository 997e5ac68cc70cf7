"""Words in a language: a `Sentence` becomes that language's, with its values; all else stays as it is."""

from functools import lru_cache
from string import Formatter

from handoffs.core.sentences import Moment, Sentence
from handoffs.languages.catalogue import Catalogue


def spoken(words: str, catalogue: Catalogue | None) -> str:
    """Return words in the language of a catalogue; None is English. What is not `Sentence` stays as it is."""
    if catalogue is None or not isinstance(words, Sentence):
        return words
    found = (
        catalogue.counted(words.sentence, words.many, words.number)
        if words.many
        else catalogue.sentence(words.sentence)
    )
    if not words.values:
        return found
    return "".join(
        literal + ("" if name is None else shown(words.values[name], spec, catalogue))
        for literal, name, spec in parts(found)
    )


def shown(value: object, spec: str, catalogue: Catalogue | None) -> str:
    """Return the value of a sentence as the language writes it."""
    if isinstance(value, Moment):
        return value if catalogue is None else catalogue.moment(value.at)
    if isinstance(value, str):
        return spoken(value, catalogue)
    if isinstance(value, int | float) and not isinstance(value, bool):
        return number(value, spec, catalogue) if spec else str(value)
    return str(value)


def number(value: float, spec: str, catalogue: Catalogue | None) -> str:
    """Return a number as the language writes it."""
    written = format(value, spec)
    return written if catalogue is None else catalogue.number(written)


@lru_cache(maxsize=4096)
def parts(text: str) -> tuple[tuple[str, str | None, str], ...]:
    """Return a sentence in its parts: text, and the name and the format of the value that follows."""
    return tuple((literal, name, spec or "") for literal, name, spec, _ in Formatter().parse(text))
