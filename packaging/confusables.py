"""Writes `handoffs/core/confusables.py` anew: Unicode's table of look-alikes, as small as it can be read.

The table comes from the data that the package `confusable-homoglyphs` carries, which is made of Unicode's own
`confusables.txt` (UTS 39). It is not a dependency: it reads a megabyte whenever it is imported, knows no skeletons, and
holds right-to-left characters with marks around them, by which they are never found.

    uv run --no-project --with confusable-homoglyphs python packaging/confusables.py
"""

import json
import unicodedata
from collections import defaultdict
from importlib.resources import files
from pathlib import Path

TARGET = Path(__file__).parents[1] / "server/handoffs/core/confusables.py"
WIDTH = 113
MARKS = str.maketrans("", "", "\u200e\u200f")

HEAD = '''"""Unicode's table of characters that look alike; written by `packaging/confusables.py`, never by hand.

Each line is a prototype, a tab, and the characters that look like it. Imported only where choices are compared that
are not plain ASCII: see `core.look_alikes`.

Derived from confusables.txt of Unicode 15.1 (UTS 39), changed in its form alone: Copyright 1991-2023 Unicode, Inc.
Distributed under the Unicode License V3, https://www.unicode.org/license.txt
"""

TABLE = (
'''


def groups() -> dict[str, set[str]]:
    """Return the characters that look alike, by what they all look like: one of them, or several characters."""
    alike: defaultdict[str, set[str]] = defaultdict(set)
    for one, others in json.loads(files("confusable_homoglyphs").joinpath("confusables.json").read_text()).items():
        for other in others:
            a, b = one.translate(MARKS), other["c"].translate(MARKS)
            if a and b and a != b:
                alike[a].add(b)
                alike[b].add(a)
    found: dict[str, set[str]] = {}
    done: set[str] = set()
    for start in alike:
        group, waiting = set[str](), [start] if start not in done else []
        while waiting:
            each = waiting.pop()
            if each not in group:
                group.add(each)
                waiting += alike[each]
        done |= group
        if group:
            found[max(group, key=lambda each: (len(each) > 1, each.isascii(), -ord(each[0])))] = group
    return found


def main() -> None:
    """Write the table."""
    found = groups()
    prototypes = {char: target for target, group in found.items() for char in group if len(char) == 1}

    def skeleton(text: str) -> str:
        while (after := "".join(prototypes.get(char, char) for char in unicodedata.normalize("NFD", text))) != text:
            text = after
        return text

    entries: defaultdict[str, str] = defaultdict(str)
    for char in sorted(prototypes):
        # What normalisation makes of a character needs no entry.
        if unicodedata.normalize("NFD", char) == char and skeleton(char) != char:
            entries[skeleton(char)] += char
    lines, line = list[str](), ""
    for target, chars in sorted(entries.items()):
        for piece in (_escaped(target), r"\t", *map(_escaped, chars), r"\n"):
            if len(line) + len(piece) > WIDTH:
                lines.append(line)
                line = ""
            line += piece
    TARGET.write_text(HEAD + "".join(f'    "{each}"\n' for each in [*lines, line]) + ")\n")


def _escaped(text: str) -> str:
    return ascii(text)[1:-1].replace("\\'", "'").replace('"', '\\"')


if __name__ == "__main__":
    main()
