"""Markdown drawn for a terminal: what it looks like, and that nothing is left out, whatever was written."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handoffs.core.untrusted import inert
from handoffs.terminal.markdown import rendered
from handoffs.terminal.wrapping import cells

TEXT = """\
# Deploy *now*

Version **2.4.1**, to `prod`.
Second line with [a link](http://example.org/x "Title") and <http://example.org>.

- one
- two **bold
  over**
  1. nested
  7. other

> quoted

```sh
echo 12345678901234567890123456789012345678901234567890
exit
```
"""


def plain(text: str, width: int = 60) -> list[str]:
    return ["".join(piece for _, piece in line).rstrip() for line in rendered(text, width)]


def test_blocks_are_drawn_as_what_they_are():
    assert plain(TEXT, 42) == [
        "Deploy now",
        "",
        "Version 2.4.1, to prod.",
        "Second line with a link",
        "(http://example.org/x Title) and",
        "http://example.org.",
        "",
        "• one",
        "• two bold",
        "  over",
        "  1. nested",
        "  7. other",
        "",
        "▌ quoted",
        "",
        "sh",
        "  echo 12345678901234567890123456789012345",
        "↳ 678901234567890",
        "  exit",
    ]
    looks = {piece: style for line in rendered(TEXT, 60) for style, piece in line if style}
    assert (looks["2.4.1"], looks["prod"], looks["now"]) == ("strong", "code", "strong,emphasis")


def test_a_cell_that_does_not_fit_is_wrapped_and_not_cut():
    lines = plain("| a | b |\n|---|--:|\n| " + "long " * 12 + "| x |\n| " + "y" * 50 + " | z |", 30)
    assert all(len(line) <= 30 for line in lines)
    whole = "".join(lines)
    assert (whole.count("long"), whole.count("y")) == (12, 50)


AS_WRITTEN = [
    "| a | b |\n|---|---|\n| 1 | 2 | rm -rf / |",  # more cells than the head has
    "| a | b |\n|---|---|\n| 1 | 2 | * |",
    "|" + "ab|" * 30 + "\n|" + "-|" * 30 + "\n|" + "cd|" * 30,  # more columns than there is room for
    "[hidden]: http://example.org 'words'",
    "<!-- hidden -->",
    "<b>bold</b>",
    "&#x202E;&lt;",
    "~~not~~ this",
    "> " * 60 + "deep",
]


@pytest.mark.parametrize("text", AS_WRITTEN)
def test_markdown_that_would_be_lost_or_change_meaning_is_shown_as_written(text: str):
    assert "".join("".join(plain(text, 40)).split()) == "".join(text.split())


def test_a_gap_that_pushes_text_out_of_sight_is_counted_and_padding_is_not():
    gap = " " * 165
    for text in (f"`ls -la{gap}; rm -rf /`", f"```\nls -la{gap}; rm -rf /\n```", f"    ls -la{gap}; rm -rf /"):
        assert "ls -la⟨165 blanks⟩; rm -rf /" in plain(text)[-1]
    assert plain(f"| a{gap}| b |\n|---|---|\n| c{gap}| d |")[1] == "│ a │ b │"


def test_where_a_link_leads_is_told_unless_its_text_says_so():
    assert plain("[pay](https://bank.example)") == ["pay (https://bank.example)"]
    assert plain("[https://bank.example](https://evil.example)") == ["https://bank.example (https://evil.example)"]
    assert plain("<https://bank.example>") == ["https://bank.example"]
    assert plain("![picture](https://bank.example)") == ["!picture (https://bank.example)"]


def test_nothing_of_the_text_is_markup_of_the_library_that_draws_it():
    assert plain("[bold]x[/bold] [link=http://example.org]y[/link] :smile:") == [
        "[bold]x[/bold] [link=http://example.org]y[/link] :smile:"
    ]


MARKS = st.sampled_from(
    [*"*_`#>|-+~:[]()<!\\&\n .1ab漢क\u0301é", "| a |\n|--|\n", "```\n", "- ", "1. ", "\n\n", "    "]
)


@given(st.lists(MARKS, max_size=60).map("".join), st.integers(min_value=4, max_value=40))
def test_lines_fit_and_no_letter_is_lost(text: str, width: int):
    lines = rendered(text, width)
    assert all(sum(cells(piece) for _, piece in line) <= width for line in lines)
    drawn = "".join(piece for line in lines for _, piece in line)
    for letter in "1ab漢कé&.":
        assert drawn.count(letter) >= inert(text).count(letter)
