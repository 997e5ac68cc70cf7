"""The conditions that a person may pick, made of a call's own arguments."""

import json

import pytest

from handoffs.core.action import Action, Asker
from handoffs.core.action_form import CONDITIONS, action_form
from handoffs.core.grant import Condition
from handoffs.core.remembering import MAX_CONDITIONS, MAX_WORDS, conditions_of, offered
from handoffs.core.schema import parse


def of(arguments: dict[str, object] | str, **more: object) -> list[str]:
    """The words of the conditions; the form with them can be asked."""
    text = arguments if isinstance(arguments, str) else json.dumps(arguments)
    action = Action(asker=Asker.GATE, server="shop", tool="write", arguments=text, **more)  # type: ignore[arg-type]
    found = conditions_of(action)
    assert all(condition.words == words for words, condition in found.items())
    assert all(
        condition.name in action.values and condition.met_by(action.values[condition.name])
        for condition in found.values()
    )
    parse(action_form(editable=True, remember=offered({"tool"}, None), conditions=[*found]))
    return [*found]


def test_short_values_and_folders_are_offered() -> None:
    assert of({"path": "/srv/app/a.txt", "count": 2, "ratio": 0.5, "force": False}) == [
        "path is /srv/app/a.txt",
        "path begins with /srv/app/",
        "count is 2",
        "ratio is 0.5",
        "force is false",
    ]


@pytest.mark.parametrize(
    "arguments",
    [
        {}, {"a": None, "b": [1], "c": {"d": 1}}, {"a": ""}, {"a": "x" * 61}, {"a": "x\ny"}, {"a": " x"}, {"a\n": 1},
        {"n" * 41: 1}, {"": 1}, {"password": "x"}, {"api_key": "x"}, {"a": "x\u200by"},
        # Which of two is meant, nobody could see.
        {"a is b": "c", "a": "b is c"}, {"path": "x", "p\u0430th": "x"},
        '{"a": 12345678901234567890}',
    ],
)  # fmt: skip
def test_nothing_else_is(arguments: dict[str, object] | str) -> None:
    assert of(arguments) == []


def test_a_masked_argument_has_none() -> None:
    assert of({"note": "x", "id": 1}, masked=("note",)) == ["id is 1"]


def test_a_command_or_a_query_has_no_folder() -> None:
    assert of({"command": "/usr/bin/ls", "sql": "a/b"}) == ["command is /usr/bin/ls", "sql is a/b"]


def test_the_list_is_short_enough_for_a_hint() -> None:
    assert len(of({f"n{each}": each for each in range(40)})) == MAX_CONDITIONS
    found = of({f"n{each}": "x" * 60 for each in range(40)})
    assert sum(len(each) + 2 for each in found) <= MAX_WORDS


def test_a_form_without_conditions_has_no_field_for_them() -> None:
    assert CONDITIONS not in str(action_form(editable=True, remember=offered({"tool"}, None)))


def test_words_say_what_a_condition_is() -> None:
    assert Condition(name="a", kind="equals", value=True).words == "a is true"
    assert Condition(name="a", kind="equals", value=None).words == "a is null"
