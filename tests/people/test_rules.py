import re
from pathlib import Path

import pytest

from handoffs.core.model import Caller
from handoffs.core.question import Asking
from handoffs.people.rules import KEYS, DeciderRule, QuestionRule, read_questions, rule_for
from handoffs.policy_text.tables import PolicyError, Table, read_toml
from tests.gate.policies import written

QUESTION = '[[question]]\nto = "ada"\n'


def read(text: str) -> tuple[QuestionRule, ...]:
    source, document = read_toml(text, "policy.toml")
    return read_questions(Table(source, (), document), Path("policy.toml"))


def test_everything_that_a_rule_can_say() -> None:
    (found,) = read("""
[[question]]
caller = "token:ci-*"
to = ["ada", "group:dba"]
votes = 2
each = ["group:dba", "group:security"]
refusals = 3
proof = "passkey"
visible = "theirs"
remind = "10m"
escalate = { after = "1h", to = ["group:ops"] }
""")
    assert found.deciders == DeciderRule(
        rule="policy.toml:2",
        to=("ada", "group:dba"),
        votes=2,
        each=("dba", "security"),
        refusals=3,
        proof="passkey",
        visible="theirs",
        remind_seconds=600.0,
        escalate_seconds=3600.0,
        escalate_to=("group:ops",),
    )


def test_the_first_rule_that_matches_says_whose_a_question_is() -> None:
    rules = read("""
[[question]]
client = "claude-*"
project = ["/srv/*", "/home/*"]
to = "ada"
[[question]]
caller = "token:ci"
to = "bob"
""")

    def to(caller: str, client: str, project: str) -> tuple[str, ...]:
        found = rule_for(rules, Caller(subject=caller, client=client, project=project), Asking(message="?"))
        return () if found is None else found.to

    assert to("ada", "claude-code", "/srv/shop") == ("ada",)
    assert to("token:ci", "claude-code", "/opt") == ("bob",)
    assert to("ada", "claude-code", "/opt") == ()


@pytest.mark.parametrize(
    ("text", "line", "wrong", "allowed"),
    [
        ("[[question]]\n", 1, "no `to`", "who decides"),
        ("[[question]]\nvotes = 2\n", 2, "`votes` has no meaning in a rule without `to`", "`to`"),
        (QUESTION + 'when = "1"', 3, "gives int, not true or false", "question (message, options, fields"),
        (QUESTION + 'unless = "true"', 3, "no key `unless`", "caller, client, project, when, to, votes"),
        (QUESTION + "votes = 0", 3, "`votes` can't be 0", "1 to 100"),
        (QUESTION + "votes = true", 3, "`votes` can't be True", "1 to 100"),
        (QUESTION + "votes = 101", 3, "`votes` can't be 101", "1 to 100"),
        (QUESTION + 'each = "group:a"', 3, "`each` can't be", "two or more groups"),
        (QUESTION + 'each = ["group:a", "bob"]', 3, "`each` can't be", "group:NAME"),
        (QUESTION + "refusals = -1", 3, "`refusals` can't be -1", "1 to 100"),
        (QUESTION + 'proof = "word"', 3, "`proof` can't be 'word'", "passkey"),
        (QUESTION + 'visible = "none"', 3, "`visible` can't be 'none'", "theirs"),
        (QUESTION + 'remind = "soon"', 3, "`remind` can't be 'soon'", '"10m"'),
        (QUESTION + 'escalate = { after = "1h" }', 3, "`escalate` can't be", "after"),
        (QUESTION + 'escalate = { after = "x", to = "bob" }', 3, "`escalate` can't be", "after"),
        (QUESTION + 'escalate = "bob"', 3, "`escalate` can't be 'bob'", "after"),
        ('[[question]]\nto = ""', 2, "`to` can't be ''", "the name of a person"),
        ('[[question]]\nto = "group:"', 2, "`to` can't be 'group:'", "group:NAME"),
        ('[[question]]\nto = [" ada"]', 2, "`to` can't be", "the name of a person"),
        (QUESTION + 'client = "{a}"', 3, "no wildcard", "list"),
        ("question = 1", 1, "`question` can't be 1", "[[question]]"),
    ],
)
def test_a_mistake_is_told_with_its_line(text: str, line: int, wrong: str, allowed: str) -> None:
    with pytest.raises(PolicyError) as refused:
        read(text)
    assert refused.value.line == line
    assert wrong in refused.value.wrong
    assert allowed in refused.value.allowed


def test_every_policy_on_the_page_about_who_decides_can_be_used(tmp_path: Path) -> None:
    page = (Path(__file__).parents[2] / "docs/deciding.md").read_text("utf-8")
    shown = [each for each in re.findall(r"```toml\n(.*?)```", page, re.DOTALL) if "[[" in each]
    assert len(shown) == 6
    for text in shown:
        policy = written(tmp_path, text)
        assert all(rule.terms.deciders is not None for rule in policy.rules)
    assert [key for key in KEYS if f"| `{key}` |" not in page] == []
