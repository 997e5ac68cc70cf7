import re
from dataclasses import FrozenInstanceError, replace

import pytest

from handoffs.core.events import Answered
from handoffs.core.ids import new_id
from handoffs.core.lifecycle import advance
from handoffs.core.model import Answer, Caller, fingerprint_of
from handoffs.core.schema import options_form, parse, response_form
from tests.core.strategies import ADA, ASKED, handoff


def fingerprint(
    caller: Caller = ADA, *, message: str = "Go on?", options: list[str] | None = None, breakout: bool = False
) -> str:
    form = options_form(options) if options else response_form()
    return fingerprint_of(caller, message=message, form=form, breakout_of_loop=breakout)


def test_an_id_can_be_read_out_loud_and_no_two_are_the_same() -> None:
    ids = {new_id() for _ in range(2000)}
    assert len(ids) == 2000
    assert all(re.fullmatch(r"h_[2-9A-HJ-NP-Za-km-np-z]{20}", each) for each in ids)


def test_the_same_question_from_the_same_caller_has_the_same_fingerprint() -> None:
    assert fingerprint() == fingerprint()
    assert re.fullmatch(r"[0-9a-f]{64}", fingerprint())


def test_any_other_question_or_caller_makes_another_fingerprint() -> None:
    others = [
        fingerprint(replace(ADA, subject="grace")),
        fingerprint(replace(ADA, client="codex")),
        fingerprint(replace(ADA, project="/home/ada/other")),
        fingerprint(replace(ADA, client="", project="claude-code/home/ada/site")),
        fingerprint(message="Go on? "),
        fingerprint(options=["yes", "no"]),
        fingerprint(options=["no", "yes"]),
        fingerprint(breakout=True),
    ]
    assert len({fingerprint(), *others}) == 9


def test_one_form_in_two_spellings_has_one_fingerprint() -> None:
    one = parse(
        {"type": "object", "title": "Ask", "properties": {"n": {"type": "integer", "maximum": 5, "minimum": 1}}}
    )
    two = parse({"properties": {"n": {"minimum": 1, "maximum": 5, "type": "integer", "title": "n"}}, "required": []})
    prints = [fingerprint_of(ADA, message="?", form=form, breakout_of_loop=False) for form in (one, two)]
    assert prints[0] == prints[1]


def test_there_is_an_answer_only_when_somebody_answered() -> None:
    assert handoff().answer is None
    answered = advance(
        handoff(), Answered(at=ASKED, by="ada", channel="inbox", values={"response": "yes"}, note="go on")
    )
    assert answered.answer == Answer(values={"response": "yes"}, by="ada", at=ASKED, channel="inbox", note="go on")


def test_nobody_can_change_a_handoff_in_place() -> None:
    with pytest.raises(FrozenInstanceError):
        handoff().version = 7  # type: ignore[misc]
