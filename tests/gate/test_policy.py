"""The policy: which rule decides, and what it says."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from handoffs.gate.policy import Decision, Policy, PolicyError, Remember, Terms, policy_of_flags
from handoffs.people.rules import DeciderRule
from tests.gate.policies import call, refused, written

ALLOW, ASK, DENY = Decision.ALLOW, Decision.ASK, Decision.DENY
NOTHING = Remember(reaches=frozenset())
NAMES = st.text("abc_", min_size=1, max_size=6)


# The order


def test_without_rules_everything_is_asked_about(tmp_path: Path) -> None:
    for policy in (written(tmp_path, ""), Policy(), policy_of_flags()):
        verdict = policy.decide(call(annotations={"readOnlyHint": True}))
        assert (verdict.decision, verdict.rule, verdict.terms, verdict.pin) == (ASK, "no rule", Terms(), True)


def test_the_first_rule_that_matches_decides_and_is_named(tmp_path: Path) -> None:
    policy = written(
        tmp_path,
        """
# first
[[rule]]
server = "files"
tool = ["read_*", "list_?"]
do = "allow"

[[rule]]
tool = "*_file"
do = "deny"
reason = "Not here."
""",
    )
    said = {tool: policy.decide(call(tool)) for tool in ("read_file", "list_a", "list_ab", "drop_file", "Read_x")}
    assert {tool: (each.decision, each.rule) for tool, each in said.items()} == {
        "read_file": (ALLOW, "gate.toml:3"),
        "list_a": (ALLOW, "gate.toml:3"),
        "list_ab": (ASK, "no rule"),
        "drop_file": (DENY, "gate.toml:8"),
        "Read_x": (ASK, "no rule"),
    }
    assert said["drop_file"].reason == "Not here."
    assert policy.decide(call("read_file", server="other")).decision is DENY


@given(globs=st.lists(st.text("abc*?", min_size=1, max_size=4), max_size=8), tool=NAMES)
def test_flags_the_strictest_that_matches_decides(globs: list[str], tool: str) -> None:
    deny, ask, allow = globs[:2], globs[2:4], globs[4:]
    try:
        policy = policy_of_flags(ask=ask, allow=allow, deny=deny)
    except PolicyError:  # one can never match
        return
    verdict = policy.decide(call(tool))

    def matches(glob: str) -> bool:
        return policy_of_flags(deny=[glob]).decide(call(tool)).decision is DENY

    strictest = [
        (decision, f"--{decision.value} {glob}")
        for decision, listed in ((DENY, deny), (ASK, ask), (ALLOW, allow))
        for glob in listed
        if matches(glob)
    ]
    assert (verdict.decision, verdict.rule) == (strictest or [(ASK, "no rule")])[0]


def test_a_flag_that_can_not_be_used_is_refused_by_its_name() -> None:
    with pytest.raises(PolicyError, match=r"--allow delete_all: this rule can never match: --deny delete_\*"):
        policy_of_flags(deny=["delete_*"], allow=["delete_all"])
    with pytest.raises(PolicyError, match=r"--ask \[ab\]: .*no wildcard.*Allowed: "):
        policy_of_flags(ask=["[ab]"])


# Hints


@pytest.mark.parametrize(
    ("annotations", "decision"),
    [
        ({"readOnlyHint": True}, ALLOW),
        ({"readOnlyHint": True, "destructiveHint": True}, ASK),
        ({"readOnlyHint": "true"}, ASK),
        ({"readOnlyHint": 1}, ASK),
        ({}, ASK),
    ],
)
def test_hints_allow_only_where_they_are_trusted_and_no_rule_matched(
    tmp_path: Path, annotations: dict[str, object], decision: Decision
) -> None:
    asked = call(annotations=annotations)
    assert policy_of_flags(trust_hints=True).decide(asked).decision is decision
    assert policy_of_flags().decide(asked).decision is ASK
    assert policy_of_flags(trust_hints=True, deny=["read_*"]).decide(asked).decision is DENY
    policy = written(tmp_path, "# hints\ntrust_hints = true\n")
    assert policy.decide(asked).decision is decision
    assert policy.decide(call(annotations={"readOnlyHint": True})).rule == "gate.toml:2"
    assert written(tmp_path, "trust_hints = false").decide(asked).decision is ASK


def test_the_destructive_or_unlisted_is_remembered_only_by_a_rule(tmp_path: Path) -> None:
    policy = written(
        tmp_path,
        """
[[rule]]
tool = "said"
do = "ask"
remember = true

[[rule]]
tool = "unsaid"
do = "ask"
""",
    )
    destructive = {"destructiveHint": True}
    assert policy.decide(call("said", annotations=destructive)).terms.remember == Remember()
    assert policy.decide(call("unsaid", annotations=destructive)).terms.remember == NOTHING
    assert policy.decide(call("other", annotations=destructive)).terms.remember == NOTHING
    assert policy.decide(call("unsaid", listed=False)).terms.remember == NOTHING
    assert policy.decide(call("unsaid")).terms.remember == Remember()


# Terms


def test_a_rule_says_how_a_person_is_asked(tmp_path: Path) -> None:
    policy = written(
        tmp_path,
        """
[[rule]]
tool = "a"
do = "ask"
deadline = "10m"
remember = { what = ["exact", "tool"], longest = "8h" }
edit = false
answer = "inbox"
channels = ["ntfy"]
mask = ["token", "key"]
pin = false
reason = "It costs money."

[[rule]]
tool = "b"
do = "allow"
deadline = 90
remember = "session"
mask = "token"
""",
    )
    verdict = policy.decide(call("a"))
    assert verdict.terms == Terms(
        deadline_seconds=600,
        remember=Remember(reaches=frozenset({"exact", "tool"}), longest_seconds=28_800),
        edit=False,
        answer="inbox",
        channels=("ntfy",),
        mask=("token", "key"),
    )
    assert (verdict.pin, verdict.reason) == (False, "It costs money.")
    second = policy.decide(call("b"))
    assert second.terms == Terms(
        deadline_seconds=90, remember=Remember(reaches=frozenset({"session"})), mask=("token",)
    )
    assert (second.decision, second.pin) == (ALLOW, True)


@pytest.mark.parametrize(
    ("written_as", "meant"),
    [
        ("true", Remember()),
        ("false", NOTHING),
        ('"exact"', Remember(reaches=frozenset({"exact"}))),
        ('["tool", "session"]', Remember(reaches=frozenset({"tool", "session"}))),
        ('{ longest = "1d" }', Remember(longest_seconds=86_400)),
        ('{ what = "tool" }', Remember(reaches=frozenset({"tool"}))),
    ],
)
def test_what_may_be_remembered(tmp_path: Path, written_as: str, meant: Remember) -> None:
    policy = written(tmp_path, f'[[rule]]\ndo = "ask"\nremember = {written_as}\n')
    assert policy.decide(call()).terms.remember == meant


# Rules that can never match


@pytest.mark.parametrize(
    ("earlier", "later", "dead"),
    [
        ('tool = "*"', 'tool = "a"', True),
        ('tool = "read_*"', 'tool = "read_a?*"', True),
        ('tool = "read_?*"', 'tool = "read_*"', False),
        ('tool = ["a", "b"]', 'tool = ["b", "a"]', True),
        ('tool = ["a", "b"]', 'tool = ["b", "c"]', False),
        ('server = "x"\ntool = "*"', 'tool = "a"', False),
        ('server = "x*"', 'server = "xy"\ntool = "a"', True),
        ('tool = "*"\nwhen = "true"', 'tool = "a"', False),
        ('tool = "*"', 'tool = "a"\nwhen = "true"', True),
    ],
)
def test_a_rule_that_can_never_match_is_refused(tmp_path: Path, earlier: str, later: str, dead: bool) -> None:
    first = f'[[rule]]\n{earlier}\ndo = "ask"\n'
    text = f'{first}[[rule]]\n{later}\ndo = "allow"\n'
    if not dead:
        assert len(written(tmp_path, text).rules) == 2
        return
    error = refused(tmp_path, text)
    assert (error.line, "gate.toml:1 decides" in error.wrong) == (first.count("\n") + 1, True)


def test_two_rules_together_cover_a_third(tmp_path: Path) -> None:
    rules = "".join(f'[[rule]]\ntool = {tool}\ndo = "ask"\n' for tool in ('"a"', '"b"', '["a", "b"]'))
    assert "gate.toml:1, gate.toml:4" in refused(tmp_path, rules).wrong


# Many


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=30)
@given(st.data())
def test_a_thousand_rules_decide_as_one_by_one(tmp_path: Path, data: st.DataObject) -> None:
    every_fiftieth = 'when = "args.n == {}"\n'
    rules = [
        f'[[rule]]\ntool = "{"*" if n % 50 == 49 else f"tool_{n}_*"}"\n'
        f'{every_fiftieth.format(n) if n % 50 == 49 else ""}do = "{("allow", "ask", "deny")[n % 3]}"\n'
        for n in range(1000)
    ]
    policy = _thousand(tmp_path, "".join(rules))
    tool = data.draw(st.integers(0, 1100))
    n = data.draw(st.one_of(st.integers(0, 1100), st.sampled_from(range(49, 1000, 50))))
    verdict = policy.decide(call(f"tool_{tool}_x", arguments={"n": n}))
    matching = [each for each in range(1000) if (each % 50 == 49 and n == each) or (each % 50 != 49 and tool == each)]
    if matching:
        assert verdict.decision.value == ("allow", "ask", "deny")[matching[0] % 3]
        assert verdict.rule == f"gate.toml:{1 + ''.join(rules[: matching[0]]).count(chr(10))}"
    else:
        assert (verdict.decision, verdict.rule) == (ASK, "no rule")


_LOADED: dict[str, Policy] = {}


def _thousand(folder: Path, text: str) -> Policy:
    if text not in _LOADED:
        _LOADED[text] = written(folder, text)
    return _LOADED[text]


def test_a_thousand_rules_with_wildcards_load(tmp_path: Path) -> None:
    text = "".join(f'[[rule]]\nserver = "s{n}"\ntool = "*a*{n}*b"\ndo = "ask"\n' for n in range(1000))
    policy = written(tmp_path, text)
    assert policy.decide(call("a" * 1_000, server="s7", listed=False)).rule == "no rule"
    assert policy.decide(call("xa7b", server="s7")).rule == "gate.toml:29"


def test_a_name_of_a_megabyte_is_denied_in_words() -> None:
    verdict = policy_of_flags(allow=[f"*a{n}_*a*b" for n in range(1000)]).decide(call("a" * 1_000_000))
    assert (verdict.decision, verdict.reason) == (DENY, "The tool's name is longer than 1,000 characters.")


# What is imported


def test_nothing_is_imported_for_expressions_without_one(tmp_path: Path) -> None:
    path = tmp_path / "gate.toml"
    code = (
        "import sys; from pathlib import Path; from handoffs.gate.policy import Call, load_policy;"
        f"load_policy(Path({str(path)!r})).decide(Call(server='s', tool='a', arguments={{}}));"
        "print(any('cel' == name.partition('_')[0] for name in sys.modules), 'mcp' in sys.modules)"
    )
    for rule, loaded in (('tool = "a"', "False False"), ('when = "true"', "True False")):
        path.write_text(f'[[rule]]\n{rule}\ndo = "allow"\n')
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
        assert done.stdout.strip() == loaded


def test_without_the_extra_the_command_to_add_it_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cel_expr_python", None)  # as if it were not there
    error = refused(tmp_path, '[[rule]]\nwhen = "true"\ndo = "allow"\n')
    assert error.line == 2
    assert re.search(r"\[([\w-]+,)*gate(,[\w-]+)*\]", error.allowed)


def test_a_rule_says_whose_decision_a_call_is(tmp_path: Path) -> None:
    said = '[[rule]]\ntool = "{}"\ndo = "ask"\nto = ["ada", "group:dba"]\nvotes = 2\n'
    policy = written(tmp_path, said.format("a") + said.format("b") + 'remember = "exact"\n')
    terms = policy.decide(call("a")).terms
    assert terms.deciders == DeciderRule(rule="gate.toml:1", to=("ada", "group:dba"), votes=2)
    assert (terms.answer, terms.remember.reaches) == ("inbox", frozenset())
    assert policy.decide(call("b")).terms.remember.reaches == {"exact"}
    assert policy.decide(call("c")).terms == Terms()
