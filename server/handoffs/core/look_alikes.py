"""Comparison of texts by how they look to a person: Unicode's confusable detection (UTS 39)."""

import unicodedata
from functools import cache

# The ASCII part of the table. Most choices are plain ASCII, and are compared without the rest.
_ASCII = {"l": "1", "I": "1", "|": "1", "O": "0", "m": "rn", "`": "'", '"': "''"}


def skeleton(text: str) -> str:
    """Return the same text for inert texts that look alike: `paypal`, also with a Cyrillic `а`."""
    table = _ASCII if text.isascii() else _unicode()
    decomposed = unicodedata.normalize("NFD", text)
    return unicodedata.normalize("NFD", "".join(table.get(char, char) for char in decomposed))


@cache
def _unicode() -> dict[str, str]:
    # Deferred: the table is large, and few questions need it.
    from handoffs.core.confusables import TABLE

    lines = (line.partition("\t") for line in TABLE.rstrip("\n").split("\n"))
    return {char: prototype for prototype, _, chars in lines for char in chars}
