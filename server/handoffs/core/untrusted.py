"""Makes text of an agent safe to show: nothing in it moves a cursor, hides, reorders or forges.

`inert` is for places that show several lines, `inert_line` for places that show one. Both return plain text. Characters
that a terminal or a bidirectional layout would *act on* are removed or spelled out, so that the person sees them. A gap
that would push what follows out of sight is spelled out, too: `⟨165 blanks⟩`. The pages render Markdown themselves.

Sources: Unicode TR9 (bidirectional controls), TR36 (security considerations), ECMA-48 (control functions).
"""

import re
import unicodedata
from collections.abc import Sequence
from functools import lru_cache

# Letters, marks and symbols without ink that Unicode's categories do not reveal.
_BLANKS = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0\U00016fe4\U0001d159")

# Variation selectors: without ink, harmless to remove, and every other emoji carries one.
_SELECTORS = frozenset(map(chr, (*range(0xFE00, 0xFE10), *range(0xE0100, 0xE01F0), 0x180B, 0x180C, 0x180D, 0x180F)))

# Zero-width joiner and non-joiner. Correct writing uses them after an emoji, an Arabic letter or a virama, and in
# Bengali and related scripts before a virama. Removing one there changes no word; spelling it out would split the word.
_JOINERS = frozenset("\u200c\u200d")
_VIRAMA = 9

# The zero-width space separates words in scripts without blanks: Thai and Lao, Burmese, Khmer, and similar ones
# (line breaking class SA). The Mongolian vowel separator does so in Mongolian.
_PARTING = {
    "\u200b": re.compile(
        "[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u1950-\u19ff\u1a20-\u1aaf"
        "\ua9e0-\ua9ff\uaa60-\uaadf\U00011700-\U0001174f]"
    ),
    "\u180e": re.compile("[\u1800-\u18af]"),
}

# The blocks of Unicode for emoji: an emoji that is newer than Python's tables is shown, not spelled out.
_EMOJI = re.compile("[\U0001f000-\U0001faff\U0001fc00-\U0001fffd]")

# The flags of England, Scotland and Wales are a black flag followed by tags. Tags have no other use.
_FLAGS = {
    "\U0001f3f4" + "".join(chr(0xE0000 + ord(letter)) for letter in code) + "\U000e007f": f"\U0001f3f4⟨{name}⟩"
    for code, name in (("gbeng", "England"), ("gbsct", "Scotland"), ("gbwls", "Wales"))
}

_UNSEEN = _JOINERS | _PARTING.keys()

# More marks than this on one letter reach into the lines above and below. Real scripts need three at most.
_MARKS_PER_LETTER = 4

MAX_BLANKS = 60
"""Blanks in a row that are shown as they are: enough for indents and columns, too few to fill a screen."""
MAX_EMPTY_LINES = 8
"""Empty lines in a row that are shown as they are."""

_EMPTY_LINES = re.compile(rf"^(?: *\n){{{MAX_EMPTY_LINES + 1},}}", re.MULTILINE)
_BLANK_RUN = re.compile(rf" {{{MAX_BLANKS + 1},}}")

# Printable ASCII, which needs no change and is most of almost every text.
_PLAIN = re.compile(r"([\n -~]+)")


def _spelled(char: str) -> str:
    """Return what stands for one character: itself, nothing, or its name in brackets."""
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
    letter are cut to four. Joiners are removed where writing needs them, in emoji and in Arabic and Indic words. Long
    gaps are spelled out (`spell_gaps`).
    """
    return spell_gaps(inert_markup(text))


def spell_gaps(text: str) -> str:
    """Return inert text in which long runs of blanks and of empty lines are counted: `⟨165 blanks⟩`.

    On a screen that scrolls, or is shorter than the gap, the text behind it would not be seen.
    """
    text = _EMPTY_LINES.sub(lambda gap: f"⟨{gap[0].count(chr(10))} empty lines⟩\n", text)
    return _BLANK_RUN.sub(lambda gap: f"⟨{len(gap[0])} blanks⟩", text) if " " * (MAX_BLANKS + 1) in text else text


def inert_markup(text: str) -> str:
    """Return the same as `inert` with gaps as they are, for Markdown that is parsed before it is shown.

    In Markdown, blanks fill the cells of tables. Parts that are shown verbatim, such as code, must pass `spell_gaps`.
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
            # The last character stands alone: what follows may belong to it.
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
    """Return what stands for one character, and whether it is a mark on the letter before it."""
    shown = _spelled(char)
    return shown, shown != "" and unicodedata.category(shown[0]) in {"Mn", "Me"}


def _belongs(char: str, before: Sequence[str], after: str) -> bool:
    """Return whether a character without ink is part of correct writing here."""
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
    """Return `text` on one line: each run of white space becomes one blank; cut to `width` characters, with `…`."""
    line = " ".join(inert_markup(text).split())
    if width is not None and len(line) > width:
        return line[: max(width - 1, 0)] + "…"
    return line


def comparable(text: str) -> str:
    """Return the same text for texts that read the same: as one line, in any case, composed or decomposed."""
    return folded(inert_line(text))


def folded(text: str) -> str:
    """Return a text prepared for search: without case, and composed (NFC)."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", text).casefold())


def with_line_feeds(message: str) -> str | None:
    r"""Return a message with line feeds in place of the agent's `\n`; None if there is none to replace.

    This is only an offer: people decide on the message as it came, so a view of this must say so. A message that has
    real line feeds is left alone, and so are code and paths: `C:\new`.
    """
    if "\n" in message or "\\n" not in message:
        return None
    # Every second piece is code or blanks. A word with a drive or a server in it is a path.
    pieces = re.split(r"(`+[^`]*`+|\s+)", message)
    broken = [
        piece if at % 2 or ":\\" in piece or "\\\\" in piece else re.sub(r"(\\r)?\\n", "\n", piece)
        for at, piece in enumerate(pieces)
    ]
    return "".join(broken) if broken != pieces else None
