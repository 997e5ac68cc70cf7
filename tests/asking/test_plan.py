"""How a call is carried out, over every situation that there can be."""

from collections.abc import Iterator
from dataclasses import fields, replace
from itertools import product

import pytest

from handoffs.asking.plan import How, Plan, Situation, Way, drawn, plan, plan_after, way_to_ask

FLAGS = [each.name for each in fields(Situation) if each.name != "page"]


def situations() -> Iterator[Situation]:
    for flags in product((False, True), repeat=len(FLAGS)):
        for page in (None, False, True):
            yield Situation(**dict(zip(FLAGS, flags, strict=True)), page=page)


def test_every_situation_keeps_every_rule() -> None:
    """All 98,304: each rule of the module, and what no plan may do."""
    for it in situations():
        chosen = plan(it)
        asked_elsewhere = chosen.way is Way.NONE
        if it.others or it.secret or it.breakout or it.put_off or it.lost or not it.forms or not it.drawn:
            assert chosen.way is not Way.FORM, it
        if it.others or it.breakout or it.put_off or it.lost or not it.links or not it.page:
            assert chosen.way is not Way.LINK, it
        match chosen.how:
            case How.INVITE:
                assert it.inbox, it
                assert it.page is None, it
                assert chosen == Plan(how=How.INVITE), it
            case How.TASK:
                assert it.tasks, it
                assert chosen.way is Way.FORM or it.polling or it.page or it.channels or it.others, it
            case How.ROUND:
                assert it.rounds, it
                assert not asked_elsewhere, it
            case How.CARD:
                assert it.cards, it
                assert asked_elsewhere, it
            case How.UNSEEN:
                assert not any((it.polling, it.page, it.channels, it.put_off)), it
            case How.HOLD:
                assert not it.rounds or asked_elsewhere, it
                assert chosen.invite is not (it.put_off or it.others), it
        if it.others:
            assert chosen in (Plan(how=How.TASK), Plan(how=How.HOLD)), it


def test_planning_again_with_the_page_comes_to_an_end() -> None:
    for it in situations():
        if plan(it).how is How.INVITE:
            for page in (False, True):
                assert plan(replace(it, page=page)).how is not How.INVITE, it


def test_after_a_round_nothing_is_shown_in_the_same_way_again() -> None:
    for it in situations():
        chosen = plan_after(it)
        assert chosen.way is Way.NONE, it
        assert chosen.how in (How.TASK, How.CARD, How.HOLD), it
        assert (chosen.how is How.TASK) == it.tasks, it
        assert not (it.others and (chosen.invite or chosen.how is How.CARD)), it


@pytest.mark.parametrize(
    ("it", "expected"),
    [
        (Situation(forms=True), Plan(how=How.HOLD, way=Way.FORM, invite=True)),
        (Situation(forms=True, rounds=True), Plan(how=How.ROUND, way=Way.FORM)),
        (Situation(forms=True, tasks=True, rounds=True), Plan(how=How.TASK, way=Way.FORM, invite=True)),
        (Situation(forms=True, secret=True, inbox=True), Plan(how=How.INVITE)),
        (Situation(forms=True, secret=True, inbox=True, page=False), Plan(how=How.UNSEEN)),
        (Situation(forms=True, secret=True, page=True), Plan(how=How.HOLD, invite=True)),
        (Situation(forms=True, links=True, secret=True, page=True), Plan(how=How.HOLD, way=Way.LINK, invite=True)),
        (Situation(links=True, inbox=True), Plan(how=How.INVITE)),
        (Situation(links=True, page=True, polling=True, sent=True), Plan(how=How.HOLD, invite=True)),
        (Situation(cards=True), Plan(how=How.CARD)),
        (Situation(cards=True, forms=True), Plan(how=How.HOLD, way=Way.FORM, invite=True, card=True)),
        (Situation(tasks=True, channels=True), Plan(how=How.TASK, invite=True)),
        (Situation(tasks=True, inbox=True), Plan(how=How.INVITE)),
        (Situation(tasks=True), Plan(how=How.UNSEEN)),
        (Situation(forms=True, put_off=True, polling=True), Plan(how=How.HOLD)),
        (Situation(), Plan(how=How.HOLD, invite=True)),
        (Situation(others=True, forms=True, rounds=True, cards=True, secret=True, inbox=True), Plan(how=How.HOLD)),
        (Situation(others=True, forms=True, tasks=True), Plan(how=How.TASK)),
    ],
)
def test_what_is_chosen(it: Situation, expected: Plan) -> None:
    assert plan(it) == expected


def test_a_form_comes_before_a_link() -> None:
    assert way_to_ask(Situation(forms=True, links=True)) is Way.FORM
    assert way_to_ask(Situation(forms=True, links=True, drawn=False)) is Way.LINK
    assert len(drawn().splitlines()) == 8
