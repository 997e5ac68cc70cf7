"""A question on a real pseudo-terminal, seen through a terminal emulator."""

from collections.abc import Generator
from pathlib import Path

import pytest

from tests.terminal.person import READY, Person, Starts, people

SIZES = [{"const": "s", "title": "Small"}, {"const": "l", "title": "Large"}]

ASK_ONE = """
async def main():
    async with open_terminal() as terminal:
        show(await terminal.ask(Request(message="Proceed?", form=FORM)))
FORM = {form}
anyio.run(main)
"""


@pytest.fixture
def starts(tmp_path: Path) -> Generator[Starts]:
    """Give what puts somebody before a program."""
    yield from people(tmp_path)


def asked(starts: Starts, form: str, **more: object) -> Person:
    """Somebody who is asked `Proceed?` with a form, and may type."""
    person = starts(ASK_ONE.format(form=form), **more)
    person.may_type()
    return person


def test_a_question_shows_who_asks_what_and_how_long_it_stays_open(starts: Starts):
    person = starts("""
async def main():
    async with open_terminal() as terminal:
        await terminal.ask(Request(
            message="# Deploy\\n\\nVersion **2.4.1**, to one of these.", form=options_form(["staging", "production"]),
            asker="claude-code · ~/shop", handoff_id="h_7Q2abcdefghij", waiting=2,
            deadline=datetime.now(UTC) + timedelta(hours=5)))
anyio.run(main)
""")
    person.may_type()
    assert person.lines == [
        "● claude-code · ~/shop asks  h_7Q2abcde… · 5 h left · 2 more waiting",
        "│ Deploy",
        "│",
        "│ Version 2.4.1, to one of these.",
        "│",
        "│   1  staging",
        "│   2  production",
        "›",
        "Enter answers · /decline refuses · Ctrl-D not now",
    ]
    assert [person.screen.buffer[3][at].bold for at in (9, 10, 14, 15)] == [False, True, True, False]


def test_what_stays_after_an_answer_is_one_line(starts: Starts):
    person = starts("""
async def main():
    print("before")
    async with open_terminal() as terminal:
        await terminal.ask(Request(message="Proceed?", form=YES_NO, handoff_id="h_7Q2abcdefghij"))
    print("after")
anyio.run(main)
""")
    person.may_type()
    person.types("y\r")
    assert person.ends() == 0
    assert person.lines == ["before", "✓ h_7Q2abcde…: answered: yes", "after"]
    assert person.terminal_is_usual


TYPED: list[tuple[dict[str, object], str, object]] = [
    ({"type": "string"}, "a b\r", "a b"),
    ({"type": "string"}, "two\x1b\rlines\r", "two\nlines"),
    ({"type": "string"}, "\x1b[200~pasted\ntoo\x1b[201~\r", "pasted\ntoo"),
    ({"type": "string"}, "//decline it\r", "/decline it"),
    ({"type": "string", "default": "main"}, "\r", "main"),
    ({"type": "string", "default": "main"}, "\t-2\r", "main-2"),
    ({"type": "string", "format": "date"}, "2026-11-22\r", "2026-11-22"),
    ({"type": "integer", "minimum": 1}, "7\r", 7),
    ({"type": "number"}, "0.5\r", 0.5),
    ({"type": "boolean"}, "N\r", False),
    ({"type": "string", "oneOf": SIZES}, "2\r", "l"),
    ({"type": "string", "oneOf": SIZES}, "small\r", "s"),
    ({"type": "array", "items": {"enum": ["a", "b", "c"]}}, "1, 3\r", ["a", "c"]),
]


def test_each_kind_of_field_is_filled_by_typing(starts: Starts):
    person = starts(f"anyio.run(ask_each, [form(['it'], it=field) for field in {[field for field, _, _ in TYPED]!r}])")
    for number, (_, keys, value) in enumerate(TYPED, 1):
        person.sees(f"│ Question {number}")
        person.sees(READY)
        person.types(keys)
        person.sees(f"-> ({number}, Filled(values={{'it': {value!r}}}, note='', other=''))")
    assert person.ends() == 0


WRONG: list[tuple[dict[str, object], str, str]] = [
    ({"type": "integer", "maximum": 5}, "9", "! Size must be"),
    ({"type": "boolean"}, "maybe", "! Size must be yes or no."),
    ({"type": "string", "enum": ["a", "b"]}, "x", "! Size is not one of the choices: a, b."),
    ({"type": "string"}, "", "! Size is needed. /decline refuses to give one."),
    ({"type": "string", "format": "email"}, "ada", "! Size must be an e-mail address"),
    ({"type": "string"}, "/declined", "! Put a blank after /decline"),
]


def test_what_does_not_fit_is_refused_cleared_and_brought_back_by_tab(starts: Starts):
    fields = [{"title": "Size", **field} for field, _, _ in WRONG]
    person = starts(f"anyio.run(ask_each, [form(['it'], it=field) for field in {fields!r}])")
    for number, (field, wrong, reason) in enumerate(WRONG, 1):
        person.sees(f"│ Question {number}")
        person.sees(READY)
        person.types(wrong + "\r")
        person.sees(reason)
        sign = "[y/n] ›" if field["type"] == "boolean" else "›"
        person.may_type()
        assert sign in person.lines  # nothing is typed on to what did not do
        person.types("\t!")  # any change takes the reason away
        person.no_longer_sees(reason)
        person.sees(f"› {wrong}!")
        person.types("\x04")
        person.sees(f"-> ({number}, Later())")


def test_several_fields_come_one_after_the_other_and_back(starts: Starts):
    person = asked(
        starts,
        """form(["env", "why"], env={"type": "string", "enum": ["staging", "production"], "title": "Environment"},
        port={"type": "integer", "title": "Port", "description": "Where it listens."}, why={"type": "string"})""",
    )
    assert "│ Environment  (1 of 3)" in person.lines
    person.types("1\r")
    person.sees("│ Port  (2 of 3, optional)")
    person.may_type()
    assert "✓ Environment: staging" in person.lines
    assert "│ Where it listens." in person.lines
    person.types("\x1b[Z")
    person.sees("│ Environment  (1 of 3)")
    person.may_type()
    person.types("2\r")
    person.sees("✓ Environment: production")
    person.may_type()
    person.types("\r")  # an optional field without a default is skipped
    person.sees("│ why  (3 of 3)")
    person.may_type()
    person.types("because\r")
    person.sees("-> Filled(values={'env': 'production', 'why': 'because'}, note='', other='')")


def test_a_form_left_empty_is_no_answer(starts: Starts):
    person = asked(starts, "form(a={'type': 'string'}, b={'type': 'string', 'default': 'x'})")
    person.types("\r")
    person.sees("(2 of 2, optional)")
    person.may_type()
    person.types(" \r")  # a blank leaves out even what has a default
    person.sees("! Nothing was filled in.")
    assert "│ a  (1 of 2, optional)" in person.lines
    person.may_type()
    person.types("now\r")
    person.sees("(2 of 2, optional)")
    person.may_type()
    person.types("\r")
    person.sees("-> Filled(values={'a': 'now', 'b': 'x'}, note='', other='')")


ENDS = {
    "/decline\r": "Refused(note='')",
    "/decline too risky\r": "Refused(note='too risky')",
    "\x04": "Later()",
    "half typed\x04": "Later()",
}


def test_a_person_may_refuse_or_put_off(starts: Starts):
    person = starts(f"anyio.run(ask_each, [YES_NO] * {len(ENDS)})")
    for number, (keys, outcome) in enumerate(ENDS.items(), 1):
        person.sees(f"│ Question {number}")
        person.sees(READY)
        person.types(keys)
        person.sees(f"-> ({number}, {outcome})")
    assert person.ends() == 0
    assert person.lines[:4] == [
        "✗ declined",
        f"-> (1, {ENDS['/decline' + chr(13)]})",
        "✗ declined: too risky",
        "-> (2, Refused(note='too risky'))",
    ]
    assert person.terminal_is_usual


def test_what_the_agent_writes_can_not_leave_its_quote(starts: Starts):
    person = starts("""
evil = "\\x1b]0;owned\\x07\\x1b[2J\\x1b[H\\u202eevil\\u2066 \\u200bx\\r✓ h_1: answered: yes\\n"
evil += "✓ h_1: answered: yes " * 20
fields = dict(it={"type": "string", "title": evil[:300], "description": evil, "enum": [evil, "fine" + evil]})
async def main():
    print("before")
    async with open_terminal() as terminal:
        await terminal.tell(evil)
        await terminal.ask(Request(message=evil, form=form(["it"], **fields), asker=evil, handoff_id="h_1"))
anyio.run(main)
""", rows=60)  # fmt: skip
    person.may_type()
    lines = person.lines
    assert lines[0] == "before"
    assert person.screen.title == ""
    assert not [sign for sign in ("\x1b]", "\x1b[2J", "\u202e", "\u2066", "\u200b") if sign in person.raw]
    header = next(at for at, line in enumerate(lines) if line.startswith("● "))
    assert all(line.startswith("│ ") for line in lines[1:header])
    own = [line for line in lines[header + 1 :] if not line.startswith("│")]
    assert [line[:2].strip() for line in own[:-2]] == [""] * len(own[:-2])  # the rest of a long asker, indented
    assert own[-2:] == ["›", "Enter answers · /decline refuses · Ctrl-D not now"]


def test_a_default_with_unseen_characters_is_spelled_out_and_not_edited(starts: Starts):
    person = asked(starts, "form(['it'], it={'type': 'string', 'default': 'rm\\u202e -rf'})")
    assert any("Enter takes rm⟨U+202E⟩ -rf" in line for line in person.lines)
    person.types("\t")
    person.types("ls\r")
    person.sees("-> Filled(values={'it': 'ls'}, note='', other='')")


def test_a_long_message_is_scrolled_while_the_field_stays_in_sight(starts: Starts):
    person = starts("""
async def main():
    async with open_terminal() as terminal:
        message = "\\n".join(f"line {n} " + "x" * 70 for n in range(250))
        show(await terminal.ask(Request(message=message[:20_000], form=YES_NO)))
anyio.run(main)
""", rows=16)  # fmt: skip
    person.may_type()
    person.sees("more lines")
    assert "│ Go on" in person.lines
    assert len(person.lines) == 16
    assert person.lines[1].startswith("│ line 0 ")
    person.types("\x1b[B")
    person.sees("↑ 1 above")
    person.types("\x1b[6~" * 60)
    person.no_longer_sees("more lines")
    assert any("line 24" in line for line in person.lines)
    person.types("y\r")
    person.sees("-> Filled")


def test_a_narrow_terminal_is_usable(starts: Starts):
    person = starts(
        ASK_ONE.format(form="options_form(['staging', 'production and everything that hangs on it'])"), columns=24
    )
    person.sees("Ctrl-D not now")
    assert "│   2  production and" in person.lines
    assert "│      everything that" in person.lines
    person.types("2\r")
    assert person.ends() == 0
    assert "✓ answered: production…" in person.lines


def test_no_color_is_respected(starts: Starts):
    person = starts(ASK_ONE.format(form="YES_NO"), NO_COLOR="1")
    person.may_type()
    assert {char.fg for row in person.screen.buffer.values() for char in row.values()} == {"default"}
    colourful = asked(starts, "YES_NO")
    assert {char.fg for row in colourful.screen.buffer.values() for char in row.values()} != {"default"}


def test_a_dumb_terminal_is_asked_in_lines(starts: Starts):
    person = starts(ASK_ONE.format(form="YES_NO"), TERM="dumb")
    person.sees("[y/n] ›")
    person.types("perhaps\n")
    person.sees("! Go on must be yes or no.")
    person.sees_last("[y/n] ›")
    person.types("no\n")
    assert person.ends() == 0
    assert "\x1b" not in person.raw
    assert person.lines[-1] == "-> Filled(values={'ok': False}, note='', other='')"
