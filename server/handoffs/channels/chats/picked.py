"""Which choice a reply names: by its number or its name, alone in its first lines."""

import re
import unicodedata
from collections.abc import Mapping, Sequence

from handoffs.core.errors import AnswerRefused
from handoffs.core.sentences import say
from handoffs.core.untrusted import inert_line
from handoffs.languages.catalogue import Catalogue
from handoffs.languages.spoken import spoken


def picked(
    text: str, choices: Sequence[tuple[str, Mapping[str, object]]], language: Catalogue | None = None
) -> Mapping[str, object] | None:
    """Return the values of the choice that a reply names; None where it names none.

    What follows an empty line is not read: most of it is a signature. Names count without their case, numbers also in
    the wide digits of an East Asian keyboard. A choice of ours has its name in the language of the chat, and in
    English.

    Raises:
        AnswerRefused: It could mean several.
    """
    said = _plain(first_lines(text))
    found = {
        number
        for number, (label, _) in enumerate(choices)
        for name in (label, spoken(label, language))
        if said in _ways(number + 1, _plain(inert_line(name))) and said
    }
    if len(found) > 1:
        raise AnswerRefused({"": say("your reply could mean several of the choices: answer in the inbox")})
    return choices[found.pop()][1] if found else None


def first_lines(text: str) -> str:
    """Return what stands before the first empty line."""
    return re.split(r"\n[^\S\n]*\n", text.strip(), maxsplit=1)[0]


def _ways(number: int, label: str) -> tuple[str, ...]:
    return (
        label,
        *(f"{number}{mark}" for mark in ("", ".", ")")),
        *(f"{number}{mark} {label}" for mark in (".", ")", ":")),
    )


def _plain(text: str) -> str:
    # A word joiner stands in the names that we show: see `wording`.
    whole = " ".join(unicodedata.normalize("NFKC", text).replace("\u2060", "").split()).casefold()
    return whole.rstrip(".!。") or whole
