"""What a reply of a host's dialog means, and when it means that nobody saw the question."""

from typing import Any

import pytest

from handoffs.asking.host_dialog import HostDialog
from handoffs.asking.judge import Dismissed, Filled, NotShown, Refused, Reply, judge, judge_refusal
from handoffs.core.schema import options_form, parse
from handoffs.hosts import host_named

FORM = options_form(["yes", "no"])
LONG = 5.0


def dialog(name: str = "some-host") -> HostDialog:
    return HostDialog(host_named(name), "2025-11-25")


def accept(**content: Any) -> Reply:
    return Reply(action="accept", content=content)


@pytest.mark.parametrize(
    ("reply", "seconds", "meaning"),
    [
        (accept(response="yes"), LONG, Filled({"response": "yes"})),
        (accept(response="yes"), 0.999, NotShown("accept after 0.999 s")),
        (accept(response="yes"), 1.0, Filled({"response": "yes"})),
        (accept(), LONG, NotShown("accepted without filling the form")),
        (accept(response=""), LONG, NotShown("accepted without filling the form")),
        (accept(response="Yes, do it"), LONG, Filled({"response": "Yes, do it"})),
        (Reply(action="decline", note="not today"), LONG, Refused("not today")),
        (Reply(action="decline"), 0.003, NotShown("decline after 0.003 s")),
        (Reply(action="cancel"), LONG, Dismissed()),
        (Reply(action="cancel"), 0.5, NotShown("cancel after 0.500 s")),
        (Reply(action="perhaps"), LONG, NotShown("perhaps after 5.000 s")),
        (Reply(action="accept", content={"response": "no"}, script=True), 0.0, Filled({"response": "no"})),
        (Reply(action="decline", script=True), 0.0, Refused("")),
        (Reply(action="decline", note="x" * 3_000), LONG, Refused("x" * 2_000)),
    ],
)
def test_a_reply_means(reply: Reply, seconds: float, meaning: object) -> None:
    assert judge(FORM, reply, dialog(), seconds=seconds) == meaning
    if reply.action != "accept":
        assert judge_refusal(reply, seconds=seconds) == meaning


def test_nobody_fills_in_a_form_that_the_host_does_not_draw() -> None:
    many = {"type": "array", "items": {"type": "string", "enum": [f"{n} {'x' * 60}" for n in range(9)]}}
    form = parse({"type": "object", "properties": {"tags": many}, "required": ["tags"]})
    for reply in (accept(tags=["0"]), Reply(action="decline"), Reply(action="cancel")):
        meaning = judge(form, reply, dialog("codex"), seconds=LONG)
        assert meaning == NotShown(f"{reply.action} of a form that the host does not draw")


def test_the_line_on_which_nobody_chose_shows_that_the_form_was_drawn() -> None:
    assert judge(FORM, accept(response="(not chosen)"), dialog("codex"), seconds=LONG) == Filled({})
    assert isinstance(judge(FORM, accept(), dialog("codex"), seconds=LONG), NotShown)


def test_words_in_place_of_a_choice_are_another_answer_or_a_worded_refusal() -> None:
    reply = accept(response="after the backup")
    copilot = dialog("github-copilot")
    assert judge(FORM, reply, copilot, seconds=LONG, takes_other=True) == Filled({}, "after the backup")
    assert judge(FORM, reply, copilot, seconds=LONG) == Refused("response: after the backup")
