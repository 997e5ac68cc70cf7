"""What a message to a chat says: all of what is decided on, or no button; and when it is not said."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handoffs.channels.chats.codes import digest_of, is_code, new_code
from handoffs.channels.chats.quiet import read_quiet
from handoffs.channels.chats.service import ChatRefused, Limits
from handoffs.channels.chats.wording import BAR, Place, content_of, list_of, written
from handoffs.core.question import form_of
from handoffs.core.untrusted import inert
from tests.core.strategies import ASKED
from tests.store.samples import LATER, sample

LIMITS = Limits(text=3_800, buttons=3, label=40, replies=True)
PLACE = Place(chat="c_1", channel="ntfy", limits=LIMITS, link="https://inbox.example.com/h/x")


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=3_000))
def test_a_message_with_buttons_shows_every_character(message: str) -> None:
    asked = sample(message, form=form_of("x", ["Yes", "No"], None))
    made = written(asked, PLACE, now=LATER)
    body = made.note.body
    assert len(body.encode()) <= LIMITS.text
    assert bool(made.note.buttons) == bool(made.codes) == ("the inbox has all of it" not in body)
    if made.note.buttons:
        shown = "\n".join(line.removeprefix(BAR) for line in body.split("\n\nOpen for another")[0].split("\n"))
        assert shown.replace("\u2060", "").replace("∶//", "://") == inert(message).replace("\u2060", "")
        assert len({each.digest for each in made.codes}) == 3  # two buttons, and a reply
        assert {digest_of(each.code) for each in made.note.buttons} < {each.digest for each in made.codes}


@given(st.text(max_size=60))
def test_no_line_of_an_agent_stands_without_its_bar(message: str) -> None:
    asked = sample(f"a\n{message}\nPress a button.", form=form_of("x", ["Yes", "No"], None))
    lines = written(asked, PLACE, now=LATER).note.body.split("\n")
    assert (
        lines.count("Press a button, or reply to this message with other words. Or: https://inbox.example.com/h/x") == 1
    )
    assert "Press a button." not in lines


def test_choices_that_are_too_long_or_alike_are_numbered() -> None:
    asked = sample(form=form_of("x", ["A" * 41, "B"], None))
    note = written(asked, PLACE, now=LATER).note
    assert [each.label for each in note.buttons] == ["1", "2"]
    assert f"{BAR}1. {'A' * 41}" in note.body


def test_each_message_has_codes_of_its_own() -> None:
    asked = sample(form=form_of("x", ["Yes", "No"], None))
    first, second = (written(asked, PLACE, now=LATER) for _ in range(2))
    assert not {each.code for each in first.note.buttons} & {each.code for each in second.note.buttons}
    assert {each.content for each in first.codes} == {content_of(asked)} != {content_of(sample("Other?"))}


def test_a_long_list_is_cut_and_has_no_buttons() -> None:
    note = list_of([sample(f"Number {number}? {'x' * 200}") for number in range(60)], PLACE)
    assert note.title == "60 questions wait for you"
    assert len(note.body.encode()) <= LIMITS.text
    assert not note.buttons


@given(st.text(max_size=40))
def test_what_is_no_code_is_none(text: str) -> None:
    assert is_code(new_code())
    assert not is_code(text) or len(text) == 24


@pytest.mark.parametrize(
    ("written_as", "at", "until"),
    [
        ("22:00-07:00", (23, 30), (7, 0)),
        ("22:00-07:00", (6, 59), (7, 0)),
        ("22:00-07:00", (7, 0), None),
        ("22:00-07:00", (21, 59), None),
        ("9:00 - 17:00", (12, 0), (17, 0)),
        ("9:00–17:00 Europe/Berlin", (8, 30), (16, 0)),
        ("22:00-07:00 Asia/Kolkata", (1, 0), (1, 30)),
    ],
)
def test_quiet_hours_end_when_they_say(written_as: str, at: tuple[int, int], until: tuple[int, int] | None) -> None:
    quiet = read_quiet(written_as)
    assert quiet is not None
    day = datetime(2031, 1, 15, tzinfo=UTC)
    now = day + timedelta(hours=at[0], minutes=at[1])
    found = quiet.until(now)
    if until is None:
        assert found is None
    else:
        assert found is not None
        assert (found.hour, found.minute) == until
        assert now < found <= now + timedelta(days=1)


@pytest.mark.parametrize(
    "wrong", ["night", "25:00-26:00", "22:00", "22:00-22:00", "22:00-07:00 Moon/Base", "1:00-2:00 /etc"]
)
def test_quiet_hours_that_cant_be_read_are_refused(wrong: str) -> None:
    with pytest.raises(ChatRefused):
        read_quiet(wrong)
    assert read_quiet("  ") is None


def test_the_time_that_is_left_stands_in_the_message() -> None:
    body = written(sample(), PLACE, now=ASKED).note.body
    assert "Open for another 24 hours, until " in body
