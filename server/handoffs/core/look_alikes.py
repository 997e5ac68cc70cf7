"""Whether two texts look the same to a person, by Unicode's own table of look-alikes (UTS 39, confusable detection)."""

import unicodedata
from functools import cache

# What the table says of ASCII. Most choices are nothing else, and are compared without it.
_ASCII = {"l": "1", "I": "1", "|": "1", "O": "0", "m": "rn", "`": "'", '"': "''"}


def skeleton(text: str) -> str:
    """Return what is equal for inert texts that look alike: `paypal` with a Cyrillic `а` has that of `paypal`."""
    table = _ASCII if text.isascii() else _unicode()
    decomposed = unicodedata.normalize("NFD", text)
    return unicodedata.normalize("NFD", "".join(table.get(char, char) for char in decomposed))


@cache
def _unicode() -> dict[str, str]:
    # Deferred: it is large, and hardly any question needs it.
    from handoffs.core.confusables import TABLE

    lines = (line.partition("\t") for line in TABLE.rstrip("\n").split("\n"))
    return {char: prototype for prototype, _, chars in lines for char in chars}
