"""Text that an agent wrote, made safe to show: nothing in it moves a cursor, hides, reorders or forges.

`inert` is for places that may show several lines, `inert_line` for places that have one. Both give plain text in
which every character that a terminal or a bidirectional layout would *act on* is either gone or spelled out, so that
the person sees that it was there. So is a gap that would push what comes after it out of sight: `⟨165 blanks⟩`.
Rendering Markdown is left to whoever shows a page.

Sources: Unicode TR9 (bidirectional controls), TR36 (security considerations), ECMA-48 (control functions).
"""

import re
import unicodedata
from collections.abc import Sequence
from functools import lru_cache

# Letters, marks and symbols that have no ink, which Unicode's category does not give away.
_BLANKS = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0\U00016fe4\U0001d159")

# Presentation selectors: no ink, harmless to drop, and every other emoji carries one.
_SELECTORS = frozenset(map(chr, (*range(0xFE00, 0xFE10), *range(0xE0100, 0xE01F0), 0x180B, 0x180C, 0x180D, 0x180F)))

# Zero-width joiner and non-joiner. They belong to correct writing after an emoji, an Arabic letter or a virama, and in
# Bengali and its sisters before one. To leave one out there changes no word, to spell it out would tear it apart.
_JOINERS = frozenset("\u200c\u200d")
_VIRAMA = 9

# The zero-width space parts words in scripts that have no blanks between them: Thai and Lao, Burmese, Khmer, and those
# that are written like them (line breaking class SA). The same goes for the Mongolian vowel separator in Mongolian.
_PARTING = {
    "\u200b": re.compile(
        "[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u1950-\u19ff\u1a20-\u1aaf"
        "\ua9e0-\ua9ff\uaa60-\uaadf\U00011700-\U0001174f]"
    ),
    "\u180e": re.compile("[\u1800-\u18af]"),
}

# Where Unicode keeps room for emoji: one that this Python's tables do not know yet is shown, not spelled out.
_EMOJI = re.compile("[\U0001f000-\U0001faff\U0001fc00-\U0001fffd]")

# The flags of England, Scotland and Wales are black flags with their codes in tags, which are seen nowhere else.
_FLAGS = {
    "\U0001f3f4" + "".join(chr(0xE0000 + ord(letter)) for letter in code) + "\U000e007f": f"\U0001f3f4⟨{name}⟩"
    for code, name in (("gbeng", "England"), ("gbsct", "Scotland"), ("gbwls", "Wales"))
}

_UNSEEN = _JOINERS | _PARTING.keys()

# Marks stacked on one letter beyond this reach into the lines above and below. Real scripts need three at the most.
_MARKS_PER_LETTER = 4

MAX_BLANKS = 60
"""Blanks in a row that are shown as they are: indents and columns need no more, and no screen is filled by them."""
MAX_EMPTY_LINES = 8
"""Empty lines in a row that are shown as they are."""

_EMPTY_LINES = re.compile(rf"^(?: *\n){{{MAX_EMPTY_LINES + 1},}}", re.MULTILINE)
_BLANK_RUN = re.compile(rf" {{{MAX_BLANKS + 1},}}")

# What stands for itself, and is most of almost every text.
_PLAIN = re.compile(r"([\n -~]+)")


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
    if category == "Cn" and _EMOJI.match(char):
        return char
    if category in {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"} or char in _BLANKS:
        return f"⟨U+{code:04X}⟩"
    return char


def inert(text: str) -> str:
    r"""Return `text` as lines that can only be read.

    Line feeds stay, `\r\n` becomes one, a tab becomes four spaces. Control characters become their pictures (`␛`),
    bidirectional, zero-width and other unseen characters their code points (`⟨U+202E⟩`), and marks piled on one
    letter are cut to four. Joiners go where writing needs them, inside an emoji and in Arabic and Indic words. Long
    gaps are spelled out (`spell_gaps`).
    """
    return spell_gaps(inert_markup(text))


def spell_gaps(text: str) -> str:
    """Return inert text in which long runs of blanks and of empty lines are counted: `⟨165 blanks⟩`.

    In a screen that scrolls, or that is shorter than the gap, what stands behind it would not be seen.
    """
    text = _EMPTY_LINES.sub(lambda gap: f"⟨{gap[0].count(chr(10))} empty lines⟩\n", text)
    return _BLANK_RUN.sub(lambda gap: f"⟨{len(gap[0])} blanks⟩", text) if " " * (MAX_BLANKS + 1) in text else text


def inert_markup(text: str) -> str:
    """Return the same as `inert` with gaps as they are, for Markdown that is parsed before it is shown.

    There blanks fill the cells of tables. What is shown as it stands, code above all, has to pass `spell_gaps`.
    """
    out: list[str] = []
    marks = 0
    text = text.replace("\r\n", "\n")
    if "\U0001f3f4" in text:
        for flag, named in _FLAGS.items():
            text = text.replace(flag, named)
    end = 0
    for number, piece in enumerate(_PLAIN.split(text)):
        start, end = end, end + len(piece)
        if number % 2:
            # Its last character by itself, as what comes next may belong to it.
            out += piece[:-1], piece[-1]
            marks = 0
            continue
        for at, char in enumerate(piece, start):
            if char in _UNSEEN and _belongs(char, out, text[at + 1 : at + 2]):
                continue
            shown, is_mark = _spelled_mark(char)
            if is_mark:
                marks += 1
                if marks > _MARKS_PER_LETTER:
                    continue
            elif shown:
                marks = 0
            if shown:
                out.append(shown)
    return "".join(out)


@lru_cache(maxsize=4096)
def _spelled_mark(char: str) -> tuple[str, bool]:
    """What stands for one character, and whether it is a mark on the letter before it."""
    shown = _spelled(char)
    return shown, shown != "" and unicodedata.category(shown[0]) in {"Mn", "Me"}


def _belongs(char: str, before: Sequence[str], after: str) -> bool:
    """Whether a character without ink is a part of what is written here."""
    if char in _PARTING:
        return bool(before and _PARTING[char].match(before[-1])) or bool(_PARTING[char].match(after))
    if before and _takes_joiner(before[-1]):
        return True
    # Marks on an Arabic letter come between it and its joiner.
    letter = next((each for each in reversed(before[-_MARKS_PER_LETTER - 1 :]) if not _is_mark(each)), "")
    if not letter:
        return False
    virama_next = bool(after) and unicodedata.combining(after) == _VIRAMA
    return _takes_joiner(letter) or (virama_next and unicodedata.category(letter[-1]) == "Lo")


def _is_mark(shown: str) -> bool:
    return unicodedata.category(shown[-1]) == "Mn"


@lru_cache(maxsize=4096)
def _takes_joiner(before: str) -> bool:
    category = unicodedata.category(before[-1])
    symbol = category in {"So", "Sk"} or (category == "Cn" and _EMOJI.match(before[-1]) is not None)
    return symbol or unicodedata.bidirectional(before[-1]) == "AL" or unicodedata.combining(before[-1]) == _VIRAMA


def inert_line(text: str, width: int | None = None) -> str:
    """Return `text` on one line: runs of white space become one blank; longer than `width` characters ends in `…`."""
    line = " ".join(inert_markup(text).split())
    if width is not None and len(line) > width:
        return line[: max(width - 1, 0)] + "…"
    return line


def comparable(text: str) -> str:
    """Return what is equal for texts that read the same: as one line, in whatever case, composed or decomposed."""
    return folded(inert_line(text))


def folded(text: str) -> str:
    """Return a text for searching in it: without its case, and composed (NFC)."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", text).casefold())


def with_line_feeds(message: str) -> str | None:
    r"""Return a message with line feeds where the agent wrote `\n` for them; None where it did not.

    It is an offer: what is decided on is the message as it came, so whoever shows this says so. A message that has real
    line feeds means its others as they stand, and so does code, and a path: `C:\new`.
    """
    if "\n" in message or "\\n" not in message:
        return None
    # Every second piece is code or a blank; a word with a drive or a server in it is a path.
    pieces = re.split(r"(`+[^`]*`+|\s+)", message)
    broken = [
        piece if at % 2 or ":\\" in piece or "\\\\" in piece else re.sub(r"(\\r)?\\n", "\n", piece)
        for at, piece in enumerate(pieces)
    ]
    return "".join(broken) if broken != pieces else None
