"""Expressions: what they see, and that one that fails asks, whatever an agent sends."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from handoffs.core.exact_json import read_number
from handoffs.gate.policy import Decision, Policy, Remember
from handoffs.gate.policy_when import CALLS, facts_of
from handoffs.policy_text.expressions import DEEPEST, Expression, NotEvaluated
from tests.gate.policies import call, written

NOTHING = Remember(reaches=frozenset())
ARGUMENTS: dict[str, Any] = {
    "path": "/srv/a.py", "n": 5, "whole": 5.0, "half": 4.5, "big": 2**53 + 1, "text": "naïve 😀 ß", "none": None,
    "list": ["a", 1, None, {"k": True}], "map": {"x-y": {"z": 1}}, "sql": " drop TABLE x",
}  # fmt: skip


def when(folder: Path, expression: str) -> Policy:
    """A rule with a `when` that allows, before one that denies."""
    shown = json.dumps(expression, ensure_ascii=False)
    return written(folder, f'[[rule]]\nwhen = {shown}\ndo = "allow"\n[[rule]]\ndo = "deny"\n')


@pytest.mark.parametrize(
    "expression",
    [
        'args.path.startsWith("/srv/")',
        "args.n > 3 && args.n > 4.5 && args.n == 5.0 && args.whole == 5 && args.half < args.n",
        "args.big == 9007199254740993 && args.big > 9007199254740992",
        'args.text == "naïve 😀 ß" && size(args.text) == 9 && args.text.contains("😀")',
        'has(args.path) && !has(args.missing) && "path" in args && !("missing" in args)',
        'args["none"] == null && "none" in args',
        'args.list[0] == "a" && 1 in args.list && args.list.exists(each, each == null) && size(args.list) == 4',
        'args.map["x-y"].z == 1 && has(args.map["x-y"].z)',
        'args.sql.matches("(?i)^\\\\s*drop\\\\b")',
        "args.missing == 1 || true",
        'tool.name == "write" && tool.title == "Write" && tool.listed && tool.annotations.readOnlyHint',
        'caller.client == "claude-code" && caller.project == "" && caller.subject == ""',
        "true // a comment",
    ],
)
def test_it_sees_the_call(tmp_path: Path, expression: str) -> None:
    asked = call(
        "write", arguments=ARGUMENTS, title="Write", annotations={"readOnlyHint": True},
        caller={"client": "claude-code"},
    )  # fmt: skip
    assert when(tmp_path, expression).decide(asked).decision is Decision.ALLOW
    assert when(tmp_path, f"!(\n{expression}\n)").decide(asked).decision is Decision.DENY


@pytest.mark.parametrize(
    ("expression", "why"),
    [
        ("args.missing == 1", "Key not found"),
        ("has(args.missing.deeper)", "Key not found"),
        ("args.n", "gives int"),
        ("args.path", "gives string"),
        ('args["none"]', "gives null"),
        ('args.n + "x" == "5x"', "No matching overloads"),
        ("args.n / 0 == 1", "divide by zero"),
        ("args.big + 9223372036854775807 > 0", "integer overflow"),
        ('args.path.matches("(")', "regular expression"),
        ("args.list[9] == 1", "Index error"),
        ("args.path > 3", "No matching overloads"),
        ("tool.annotations.destructiveHint", "Key not found"),
    ],
)
def test_one_that_fails_asks_and_says_why(tmp_path: Path, expression: str, why: str) -> None:
    verdict = when(tmp_path, expression).decide(call(arguments=ARGUMENTS))
    assert (verdict.decision, verdict.rule) == (Decision.ASK, "gate.toml:1")
    assert why in verdict.reason
    assert verdict.terms.remember == NOTHING


def nested(depth: int) -> object:
    """Lists in lists."""
    value: object = []
    for _ in range(depth):
        value = [value]
    return value


@pytest.mark.parametrize(
    "value",
    [
        pytest.param("SELECT 1\0; DROP TABLE x", id="NUL"),
        pytest.param({"a\0b": 1}, id="NUL in a key"),
        pytest.param(2**64, id="big"),
        pytest.param(-(2**70), id="huge"),
        pytest.param(read_number("9007199254740993"), id="no double"),
        pytest.param([read_number("0.30000000000000001")], id="no double in a list"),
        pytest.param({"path": "/srv", "Path": "/etc"}, id="names alike"),
        pytest.param("\ud800", id="surrogate"),
        pytest.param({"\ud800": 1}, id="surrogate in a key"),
        pytest.param(nested(10_000), id="deep"),
        pytest.param(nested(1_000_000), id="deeper"),
        pytest.param({"a": nested(200)}, id="deep in a map"),
        pytest.param(object(), id="no JSON"),
    ],
)
def test_what_an_expression_can_not_be_shown_asks(tmp_path: Path, value: object) -> None:
    arguments = {"n": 1, "value": value}
    policy = when(tmp_path, "args.n == 1")
    assert policy.decide(call(arguments=arguments)).decision is Decision.ASK
    assert policy.decide(call(arguments={"n": 1})).decision is Decision.ALLOW


def test_nesting_is_seen_up_to_the_limit(tmp_path: Path) -> None:
    policy = when(tmp_path, "args.n == 1")
    for depth, decision in ((DEEPEST - 5, Decision.ALLOW), (DEEPEST + 5, Decision.ASK)):
        assert policy.decide(call(arguments={"n": 1, "deep": nested(depth)})).decision is decision


def test_steps_are_bounded(tmp_path: Path) -> None:
    policy = when(tmp_path, "args.list.all(a, args.list.all(b, args.list.all(c, a + b + c >= 0)))")
    verdict = policy.decide(call(arguments={"list": list(range(300))}))
    assert (verdict.decision, "budget" in verdict.reason) == (Decision.ASK, True)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(), max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.dictionaries(st.sampled_from(["a", "b", "c"]) | st.text(max_size=3), JSON, max_size=4))
def test_no_arguments_raise_and_none_are_allowed_by_a_false_rule(tmp_path: Path, arguments: dict[str, object]) -> None:
    policy = _POLICY.setdefault("it", when(tmp_path, "args.a == args.b && args.c.size() > 2 && args.a != args.a"))
    assert policy.decide(call(arguments=arguments)).decision in (Decision.ASK, Decision.DENY)


_POLICY: dict[str, Policy] = {}
VALUES = {"true": True, "false": False, "args.missing": None, "args.n": None, "args.n == 1": True, "args.n == 2": False}


@given(st.lists(st.sampled_from(sorted(VALUES)), min_size=1, max_size=12))
def test_many_expressions_decide_as_one_after_the_other(
    tmp_path_factory: pytest.TempPathFactory, texts: list[str]
) -> None:
    rules = "".join(f'[[rule]]\nwhen = "{text} // why"\ndo = "allow"\n' for text in texts)
    verdict = written(tmp_path_factory.mktemp("many"), rules).decide(call(arguments={"n": 1}))
    first = next((n for n, text in enumerate(texts) if VALUES[text] is not False), None)
    if first is None:
        assert verdict.rule == "no rule"
    else:
        assert verdict.rule == f"gate.toml:{1 + 3 * first}"
        assert verdict.decision is (Decision.ALLOW if VALUES[texts[first]] else Decision.ASK)


def test_too_many_for_one_expression_are_tried_each() -> None:
    assert CALLS.any_of([f'args.a == "{"x" * 1000}{n}"' for n in range(1000)]) is None
    facts = facts_of(call(arguments={"a": 1}))
    together = CALLS.any_of([f"args.a == {n}" for n in range(2, 40)])
    assert together is not None
    assert not together.holds(facts)
    with pytest.raises(NotEvaluated):
        Expression("args.b == 1", CALLS).holds(facts)
