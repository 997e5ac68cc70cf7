"""Text that an agent wrote, made safe to show: nothing in it moves a cursor, hides, reorders or forges.

`inert` is for places that may show several lines, `inert_line` for places that have one. Both give plain text in
which every character that a terminal or a bidirectional layout would *act on* is either gone or spelled out, so that
the person sees that it was there. Rendering Markdown is left to whoever shows a page.

Sources: Unicode TR9 (bidirectional controls), TR36 (security considerations), ECMA-48 (control functions).
"""

import unicodedata
from functools import lru_cache

# Letters, marks and symbols that have no ink, which Unicode's category does not give away.
_BLANKS = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0\U00016fe4\U0001d159")

# Presentation selectors: no ink, harmless to drop, and every other emoji carries one.
_SELECTORS = frozenset(map(chr, (*range(0xFE00, 0xFE10), *range(0xE0100, 0xE01F0), 0x180B, 0x180C, 0x180D, 0x180F)))

# Zero-width joiner and non-joiner. They are part of correct writing after an emoji, an Arabic letter or a virama; to
# leave one out there changes no word, to spell it out would tear the word apart.
_JOINERS = frozenset("\u200c\u200d")
_VIRAMA = 9

# Marks stacked on one letter beyond this reach into the lines above and below. Real scripts need three at the most.
_MARKS_PER_LETTER = 4


@lru_cache(maxsize=4096)
def _spelled(char: str) -> str:
    """What stands for one character: itself, nothing, or its name in brackets."""
    if char in "\n ":
        return char
    if char == "\t":
        return "    "
    if char in _SELECTORS:
        return ""
    code = ord(char)
    if code < 0x20:
        return chr(0x2400 + code)  # the control pictures: ESC is shown as ␛
    if code == 0x7F:
        return "␡"
    category = unicodedata.category(char)
    if category == "Zs":
        return " "
    if category in {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"} or char in _BLANKS:
        return f"⟨U+{code:04X}⟩"
    return char


def inert(text: str) -> str:
    r"""Return `text` as lines that can only be read.

    Line feeds stay, `\r\n` becomes one, a tab becomes four spaces. Control characters become their pictures (`␛`),
    bidirectional, zero-width and other unseen characters their code points (`⟨U+202E⟩`), and marks piled on one
    letter are cut to four. Joiners go where writing needs them, inside an emoji and in Arabic and Indic words.
    """
    out: list[str] = []
    marks = 0
    for char in text.replace("\r\n", "\n"):
        if char in _JOINERS and out and _takes_joiner(out[-1]):
            continue
        shown = _spelled(char)
        if shown and unicodedata.category(shown[0]) in {"Mn", "Me"}:
            marks += 1
            if marks > _MARKS_PER_LETTER:
                continue
        elif shown:
            marks = 0
        if shown:
            out.append(shown)
    return "".join(out)


@lru_cache(maxsize=4096)
def _takes_joiner(before: str) -> bool:
    symbol = unicodedata.category(before[-1]) in {"So", "Sk"}
    return symbol or unicodedata.bidirectional(before[-1]) == "AL" or unicodedata.combining(before[-1]) == _VIRAMA


def inert_line(text: str, width: int | None = None) -> str:
    """Return `text` on one line: runs of white space become one blank; longer than `width` characters ends in `…`."""
    line = " ".join(inert(text).split())
    if width is not None and len(line) > width:
        return line[: max(width - 1, 0)] + "…"
    return line
