"""What a person at a prompt did not mean is no answer; and what they may say beside what is offered."""

from collections.abc import Generator
from pathlib import Path

import anyio
import pytest

from handoffs.core.form import Form
from handoffs.core.schema import options_form, parse
from handoffs.terminal import Filled, Later, Outcome, Piped, Refused, Request
from handoffs.terminal.form_state import FormState, InputRefused
from tests.terminal.person import READY, Starts, people

REFUND = """form(["why", "ticket", "approve"], why={"type": "string"}, ticket={"type": "string"},
    approve={"type": "boolean", "title": "Approve the refund?"})"""
PASTED = "the customer was charged twice{0}see the chat of Monday{0}yes{0}"
ASK = """
async def main():
    async with open_terminal() as terminal:
        show(await terminal.ask(Request(message="Refund?", form=FORM, **MORE)))
FORM = {form}
MORE = dict({more})
anyio.run(main)
"""


@pytest.fixture
def starts(tmp_path: Path) -> Generator[Starts]:
    """Give what puts somebody before a program."""
    yield from people(tmp_path)


def form(required: list[str], **fields: object) -> Form:
    return parse({"type": "object", "properties": fields, "required": required})


def test_lines_pasted_into_one_field_fill_no_other_and_approve_nothing(starts: Starts):
    person = starts(ASK.format(form=REFUND, more=""), columns=120)
    person.sees(READY)
    person.types(PASTED.format("\r"))
    person.sees("│ ticket  (2 of 3)")
    person.sees("! What was typed before this was drawn is not taken. Type it now.")
    assert "✓ why: the customer was charged twice" in person.lines
    person.types("T-1\r")
    person.sees("│ Approve the refund?  (3 of 3)")
    person.sees(READY)
    person.types("n\r")
    person.sees("-> Filled(values={'why': 'the customer was charged twice', 'ticket': 'T-1', 'approve': False}")


def test_lines_pasted_on_a_dumb_terminal_fill_no_other_field_either(starts: Starts):
    person = starts(ASK.format(form=REFUND, more=""), TERM="dumb")
    person.sees_last("›")
    person.types(PASTED.format("\n"))
    person.sees("! What was typed before this was drawn is not taken. Type it now.")
    person.sees_last("›")
    assert not any("3 of 3" in line for line in person.lines)
    person.types("\x04")
    person.sees("-> Later()")


def test_a_line_that_follows_a_refused_one_is_not_taken_for_the_field(starts: Starts):
    person = starts(ASK.format(form="YES_NO", more=""))
    person.sees(READY)
    person.types("so, are we agreed?\ryes\r")
    person.sees("! Go on must be yes or no.")
    person.sees(READY)
    assert "[y/n] ›" in person.lines
    person.types("n\r")
    person.sees("-> Filled(values={'ok': False}")


@pytest.mark.parametrize(
    "field",
    [
        {"type": "boolean", "default": True},
        {"type": "boolean", "default": False},
        {"type": "string", "enum": ["delete it", "keep it"], "default": "delete it"},
        {"type": "array", "items": {"enum": ["a", "b"]}, "default": ["a", "b"], "minItems": 1},
    ],
)
def test_an_empty_line_is_no_choice_whatever_the_agent_wishes_for(tmp_path: Path, field: object):
    state = FormState(Request(message="Proceed?", form=form(["it"], it=field)))
    with pytest.raises(InputRefused, match="is needed"):
        state.enter("")
    assert ask(tmp_path, b"\n\n", form(["it"], it=field)) == Later()
    # Where it may stay empty, it does.
    both = form(["other"], it=field, other={"type": "string"})
    assert ask(tmp_path, b"\nfine\n", both) == Filled({"other": "fine"})


def test_the_prompt_shows_no_choice_as_the_one_that_enter_takes(starts: Starts):
    person = starts(ASK.format(form='form(["ok"], ok={"type": "boolean", "default": True})', more=""))
    person.sees(READY)
    assert "[y/n] ›" in person.lines
    person.types("\r")
    person.sees("! ok is needed.")


def test_a_person_may_say_something_else_than_the_options(starts: Starts):
    person = starts(ASK.format(form='options_form(["yes", "no"])', more="takes_other=True"))
    person.sees(READY)
    assert "│   3  Something else, in your own words" in person.lines
    person.types("3\r")
    person.sees("│ Something else, in your own words")
    person.sees(READY)
    person.types("\x1b[Z")  # back to the options
    person.sees("│   1  yes")
    person.sees(READY)
    person.types("3\r")
    person.no_longer_sees("│   1  yes")
    person.sees(READY)
    person.types("Only after the backup.\r")
    person.sees("-> Filled(values={}, note='', other='Only after the backup.')")
    assert "✓ answered: Only after the backup." in person.lines


OTHER: list[tuple[str, Outcome | str]] = [
    ("/other Only after the backup.", Filled({}, other="Only after the backup.")),
    ("/OTHER  two  words ", Filled({}, other="two  words")),
    ("Only after the backup.", "is not one of the choices"),
    ("/others", "Put a blank after /other"),
    ("2", Filled({"response": "no"})),
    ("/decline because", Refused("because")),
]


@pytest.mark.parametrize(("typed", "outcome"), OTHER)
def test_something_else_is_said_on_purpose(typed: str, outcome: Outcome | str):
    state = FormState(Request(message="Proceed?", form=options_form(["yes", "no"]), takes_other=True))
    if isinstance(outcome, str):
        with pytest.raises(InputRefused, match=outcome):
            state.enter(typed)
    else:
        assert state.enter(typed) == outcome


def test_an_option_that_is_a_number_is_that_option_and_not_another_answer():
    state = FormState(Request(message="How many?", form=options_form(["3", "5"]), takes_other=True))
    assert state.enter("3") == Filled({"response": "3"})


def test_where_it_is_not_offered_nothing_else_can_be_said():
    state = FormState(Request(message="Proceed?", form=options_form(["yes", "no"])))
    for typed in ("3", "/other why not", "/again"):
        with pytest.raises(InputRefused, match="is not one of the choices"):
            state.enter(typed)


EARLIER = """earlier=Earlier(outcome=Filled({"ok": True}), text="yes", by="",
    at=datetime.now(UTC) - timedelta(seconds=25))"""


@pytest.mark.parametrize("keys", ["\x1bOQ", "/again\r"])
def test_what_was_answered_before_is_shown_and_given_again_by_one_key(starts: Starts, keys: str):
    person = starts(ASK.format(form="YES_NO", more=EARLIER))
    person.sees(READY)
    shown = " ".join(person.lines)
    assert "↻ You answered this 2" in shown
    assert " s ago with “yes”; the agent may not have received it." in shown
    assert "F2 or /again gives the same answer again" in shown
    person.types(keys)
    person.sees("-> Filled(values={'ok': True}")


def test_how_many_calls_wait_and_that_they_came_through_a_gateway_is_said(starts: Starts):
    person = starts(ASK.format(form="YES_NO", more='asker="mcp-proxy", calls=2, shared=True'))
    person.sees(READY)
    assert person.lines[:3] == [
        "● mcp-proxy asks  2 calls wait for this answer",
        "  This question may come through a gateway: it is not known whose agent asks.",
        "│ Refund?",
    ]


def ask(folder: Path, given: bytes, form: Form) -> Outcome:
    """Ask one question, answered by what a file holds."""
    (folder / "given").write_bytes(given)

    async def main() -> Outcome:
        with (folder / "given").open() as source, (folder / "shown").open("w") as shown, anyio.fail_after(120):
            return await Piped(source, shown).ask(Request(message="Proceed?", form=form))

    return anyio.run(main)


MOMENT = """form(["at"], at={"type": "string", "format": "date-time", "title": "Start"})"""


def test_a_time_without_a_zone_is_shown_with_this_machines_before_its_use(starts: Starts):
    person = starts(ASK.format(form=MOMENT, more=""), TZ="Europe/Berlin", columns=160)
    person.sees(READY)
    person.types("2026-07-01 10:00\r")
    person.sees("in the one of this machine it is 2026-07-01T10:00:00+02:00")
    person.sees("› 2026-07-01T10:00:00+02:00")
    person.sees(READY)
    person.types("\r")
    person.sees("-> Filled(values={'at': '2026-07-01T10:00:00+02:00'}")


@pytest.mark.parametrize(
    ("typed", "told"),
    [
        ("2026-10-25 02:30", ["occurs twice that day", "2026-10-25T02:30:00+02:00", "2026-10-25T02:30:00+01:00"]),
        ("2026-03-29T02:30", ["does not exist that day", "2026-03-29T01:30:00+01:00", "2026-03-29T03:30:00+02:00"]),
    ],
)
def test_a_time_that_comes_twice_or_never_is_asked_about(starts: Starts, typed: str, told: list[str]):
    person = starts(ASK.format(form=MOMENT, more=""), TZ="Europe/Berlin", columns=160)
    person.sees(READY)
    person.types(f"{typed}\r")
    for words in told:
        person.sees(words)
    person.sees(READY)
    assert "›" in person.lines  # none of them is preferred
    person.types("2026-10-25T02:30:00+01:00\r")
    person.sees("-> Filled(values={'at': '2026-10-25T02:30:00+01:00'}")


def test_what_explains_a_choice_is_shown_below_it(starts: Starts):
    both = [{"const": "s", "title": "Small", "description": "Two machines."}, {"const": "l", "title": "Large"}]
    person = starts(ASK.format(form=f"form(['size'], size={{'type': 'string', 'oneOf': {both}}})", more=""))
    person.sees(READY)
    at = person.lines.index("│   1  Small (s)")
    assert person.lines[at + 1 : at + 3] == ["│        Two machines.", "│   2  Large (l)"]


def test_line_feeds_spelled_out_break_the_lines_and_the_person_is_told(starts: Starts):
    ask = ASK.format(form="YES_NO", more="").replace("Refund?", "- one\\\\n- two\\\\n\\\\nRefund?")
    person = starts(ask)
    person.sees(READY)
    shown = ["│ • one", "│ • two", "│", "│ Refund?", "(Where a line ends, the agent wrote \\n.)"]
    assert person.lines[1:6] == shown
