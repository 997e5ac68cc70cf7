import unicodedata

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from handoffs.core.untrusted import (
    MAX_BLANKS,
    MAX_EMPTY_LINES,
    comparable,
    inert,
    inert_line,
    inert_markup,
    with_line_feeds,
)

# Written here a second time, from the Unicode tables, so that the code is not compared with itself.
ACTS = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
BIDI = set("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
ZERO_WIDTH = set("\u00ad\u034f\u115f\u1160\u17b4\u17b5\u180e\u200b\u200c\u200d\u2060\u2800\u3164\ufeff\uffa0")
SELECTORS = {chr(code) for code in (*range(0xFE00, 0xFE10), *range(0xE0100, 0xE01F0))}
ROOM_FOR_EMOJI = {chr(code) for code in (*range(0x1F000, 0x1FB00), *range(0x1FC00, 0x1FFFE))}

hostile = st.text(
    st.one_of(
        st.characters(),
        st.sampled_from(sorted(BIDI | ZERO_WIDTH)),
        st.sampled_from("\x1b\x07\x08\r\n\t\x9b\x90\u0301\u0489\u20dd\ufe0f\U000e0041a1⟨⟩ "),
    )
)


@given(hostile)
@example("a\u0301\u0301\u0301\u0301\ufe0f\u0301\u0301\u0301\u0301")
@example("\r\r\n")
@example("❤\ufe0f\u200d\u200d🔥")
def test_nothing_is_left_that_a_terminal_or_a_layout_would_act_on(text: str) -> None:
    shown = inert(text)
    assert {c for c in shown if c != "\n" and unicodedata.category(c) in ACTS and c not in ROOM_FOR_EMOJI} == set()
    assert set(shown) & (BIDI | ZERO_WIDTH | SELECTORS) == set()
    assert inert(shown) == shown


@given(hostile, st.integers(1, 40))
def test_a_line_is_one_line_that_stays_within_its_width(text: str, width: int) -> None:
    shown = inert_line(text, width)
    assert shown.splitlines() in ([], [shown])
    assert len(shown) <= width
    assert inert_line(shown, width) == shown
    assert inert_line(inert_line(text)) == inert_line(text)
    assert inert_line(inert_markup(text)) == inert_line(text)


@given(st.text("abcXYZ019 .,:;!?-_/\\\"'()[]{}<>#*`äßéñøçЖжשלוםالسلام中文かなहिन्दी→€😀\n"))
def test_plain_text_stays_as_it_is(text: str) -> None:
    assert inert(text) == text


@given(st.text(st.characters(codec="ascii", exclude_categories=("Cc",))))
def test_printable_ascii_stays_as_it_is_also_in_one_line(text: str) -> None:
    assert inert_markup(text) == text
    assert inert_line(text) == " ".join(text.split())


@pytest.mark.parametrize(
    ("forged", "shown"),
    [
        ("\x1b[2J\x1b[1;1HAllowed.", "␛[2J␛[1;1HAllowed."),
        ("\x1b]0;root\x07", "␛]0;root␇"),
        ("\x9b31m", "⟨U+009B⟩31m"),
        ("rm -rf /\rls      ", "rm -rf /␍ls      "),
        ("no\x08\x08yes", "no␈␈yes"),
        ("\u202egnp.exe", "⟨U+202E⟩gnp.exe"),
        ("\u2067x\u2069", "⟨U+2067⟩x⟨U+2069⟩"),
        ("pass\u200bword", "pass⟨U+200B⟩word"),
        ("a\u200db", "a⟨U+200D⟩b"),
        ("hid\U000e0064\U000e0065den", "hid⟨U+E0064⟩⟨U+E0065⟩den"),
        ("\ud800", "⟨U+D800⟩"),
        ("a\u2028b", "a⟨U+2028⟩b"),
        ("\x7f\x00", "␡␀"),
        ("\u3164", "⟨U+3164⟩"),
        ("a\u00a0b\u3000c", "a b c"),
        ("one\r\ntwo\tthree", "one\ntwo    three"),
    ],
)
def test_what_would_act_is_shown_instead(forged: str, shown: str) -> None:
    assert inert(forged) == shown


def test_marks_cannot_be_piled_up_into_the_lines_above_and_below() -> None:
    for mark in "\u0301\u0489\u20dd\u0e48":
        assert inert("a" + mark * 50) == "a" + mark * 4
    split = "a" + ("\u0301" * 4 + "\ufe0f") * 10
    assert inert(split) == "a" + "\u0301" * 4
    assert inert("é" * 9 + "e\u0301" * 9) == "é" * 9 + "e\u0301" * 9


def test_emoji_and_joined_scripts_stay_readable() -> None:
    assert inert("👩\u200d💻 done ❤\ufe0f\u200d🔥") == "👩💻 done ❤🔥"
    assert inert("می\u200cخواهم") == "میخواهم"
    assert inert("क्\u200dष") == "क्ष"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("ls -la" + " " * 165 + "; rm -rf ~", "ls -la⟨165 blanks⟩; rm -rf ~"),
        ("ls" + "\t\u00a0\u3000" * 40 + "; rm", "ls⟨240 blanks⟩; rm"),
        ("ls" + " \ufe0f" * 61 + "; rm", "ls⟨61 blanks⟩; rm"),
        ("ls\n" + "\n" * 200 + "rm", "ls\n⟨200 empty lines⟩\nrm"),
        ("ls\r\n" + " \t\r\n" * 30 + "  rm", "ls\n⟨30 empty lines⟩\n  rm"),
        ("\n" * 30 + "rm", "⟨30 empty lines⟩\nrm"),
        ("\n" + (" " * 99 + "\n") * 20 + "rm", "⟨21 empty lines⟩\nrm"),
        ("if x:\n" + " " * MAX_BLANKS + "return", "if x:\n" + " " * MAX_BLANKS + "return"),
        ("ls\n" + "\n" * MAX_EMPTY_LINES + "rm", "ls\n" + "\n" * MAX_EMPTY_LINES + "rm"),
    ],
)
def test_a_gap_that_could_hide_what_comes_after_it_is_counted(text: str, shown: str) -> None:
    assert inert(text) == shown
    assert inert(shown) == shown
    assert inert_line(text) == " ".join(text.replace("\ufe0f", "").split())


@given(st.text(" \t\n\u00a0\u2003a", max_size=400))
def test_no_gap_is_longer_than_a_screen(text: str) -> None:
    shown = inert(text)
    assert " " * (MAX_BLANKS + 1) not in shown
    empty = 0
    for line in shown.split("\n"):
        empty = 0 if line.strip() else empty + 1
        assert empty <= MAX_EMPTY_LINES + 1
    assert inert(shown) == shown
    assert "".join(inert_line(text).split()) == "a" * text.count("a")


def test_a_line_that_is_too_long_ends_in_an_ellipsis() -> None:
    assert inert_line("  Format\n\n the drive? ") == "Format the drive?"
    assert inert_line("Format the drive?", 9) == "Format t…"
    assert inert_line("Format", 6) == "Format"
    assert inert_line("anything", 1) == "…"


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ("តើ\u200bលុប\u200bឯកសារ", "តើលុបឯកសារ"),
        ("ลบ\u200bไฟล์", "ลบไฟล์"),
        ("ລຶບ\u200bໄຟລ໌", "ລຶບໄຟລ໌"),
        ("ဖိုင်\u200bဖျက်", "ဖိုင်ဖျက်"),
        ("ภาษา\u200bPython", "ภาษาPython"),
        ("র\u200d\u09cdয", "র\u09cdয"),
        ("ক\u09cd\u200cষ", "ক\u09cdষ"),
        ("ک\u064e\u200cت", "ک\u064eت"),
        ("ᠨ\u180eᠠ", "ᠨᠠ"),
        ("\U0001faea \U0001fae9\u200d🔥", "\U0001faea \U0001fae9🔥"),
        ("\U0001f3f4\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f", "\U0001f3f4⟨England⟩"),
        # and not where they hide something
        ("rm\u200b-rf", "rm⟨U+200B⟩-rf"),
        ("a\u180eb", "a⟨U+180E⟩b"),
        ("pay\u200dpal", "pay⟨U+200D⟩pal"),
        ("\U0001f3f4\U000e0068\U000e0069\U000e007f", "\U0001f3f4⟨U+E0068⟩⟨U+E0069⟩⟨U+E007F⟩"),
        ("\u0378\U0001fb00", "⟨U+0378⟩\U0001fb00"),
    ],
)
def test_what_belongs_to_the_writing_is_not_torn_apart(written: str, shown: str) -> None:
    assert inert(written) == shown
    assert inert(shown) == shown


def test_texts_that_read_the_same_compare_as_the_same() -> None:
    assert comparable(" Caf\u00e9\n") == comparable("CAFE\u0301")
    assert comparable("Cafe") != comparable("Caf\u00e9")


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        (r"Deploy?\n\n- api\n- web", "Deploy?\n\n- api\n- web"),
        (r"One\r\ntwo", "One\ntwo"),
        ("Real\nones and \\n", None),
        ("No such thing", None),
        (r"Delete C:\new\notes?", None),
        (r"Delete \\server\new?", None),
        (r"Run `printf 'a\nb'`?", None),
        (r"Run `printf 'a\nb'`?\nNow?", "Run `printf 'a\\nb'`?\nNow?"),
    ],
)
def test_line_feeds_that_were_written_out_can_be_shown_as_such(written: str, shown: str | None) -> None:
    assert with_line_feeds(written) == shown


def test_a_joiner_after_what_was_spelled_out_is_read_like_any_other() -> None:
    assert inert("\u202e\u200d\u094d").startswith("⟨U+202E⟩")
