"""Cases for CI, and the policies to start from."""

import re
from pathlib import Path

import pytest

from handoffs.gate.policy import Decision, PolicyError, load_policy, policy_of_flags
from handoffs.gate.policy_cases import check_cases
from handoffs.gate.policy_starters import STARTERS, starter
from tests.gate.policies import call, written

CASES = """
[[case]]
server = "files"
tool = "read_a"
arguments = { path = "/srv/a", n = 1 }
expect = "allow"

[[case]]
tool = "format_c"
expect = "ask"
"""


def test_cases_that_a_policy_decides_otherwise_are_named(tmp_path: Path) -> None:
    path = tmp_path / "cases.toml"
    path.write_text(CASES)
    policy = policy_of_flags(allow=["read_*"], deny=["format_*"])
    [failure] = check_cases(policy, path)
    assert str(failure) == "cases.toml:8: format_c {} expects ask, and the policy says deny (--deny format_*)"
    assert check_cases(policy_of_flags(allow=["read_*"]), path) == []


def test_a_case_says_all_that_a_rule_can_see(tmp_path: Path) -> None:
    policy = written(
        tmp_path,
        "[[rule]]\nwhen = \"args.a.b[0] == 1 && tool.title == 'T' && tool.annotations.x && !tool.listed"
        ' && caller.client == \'c\'"\ndo = "allow"\n',
    )
    path = tmp_path / "cases.toml"
    text = '[[case]]\ntool = "x"\ntitle = "T"\nlisted = false\nexpect = "allow"\n[case.arguments.a]\nb = [1]\n'
    path.write_text(text + '[case.annotations]\nx = true\n[case.caller]\nclient = "c"\n')
    assert check_cases(policy, path) == []


@pytest.mark.parametrize(
    ("text", "line", "wrong"),
    [
        ("", None, "there is no case"),
        ("case = 1", 1, "`case` can't be 1"),
        ("a = 1", 1, "no key `a`"),
        ('[[case]]\nexpect = "ask"', 1, "no `tool`"),
        ('[[case]]\ntool = "a"', 1, "no `expect`"),
        ('[[case]]\ntool = "a"\nexpect = "yes"', 3, "`expect` can't be 'yes'"),
        ('[[case]]\ntool = "a"\nexpect = "ask"\nargs = {}', 4, "no key `args`"),
        ('[[case]]\ntool = "a"\nexpect = "ask"\narguments = { at = 2026-01-01 }', 4, "`arguments` can't be"),
        ('[[case]]\ntool = "a"\nexpect = "ask"\ncaller = { name = "a" }', 4, "`caller` can't be"),
    ],
)
def test_cases_that_can_not_be_used_are_refused(tmp_path: Path, text: str, line: int | None, wrong: str) -> None:
    path = tmp_path / "cases.toml"
    path.write_text(text)
    with pytest.raises(PolicyError) as caught:
        check_cases(policy_of_flags(), path)
    assert caught.value.line == line
    assert wrong in caught.value.wrong


# The page in the docs

DOCS = Path(__file__).parents[2] / "docs" / "gate-policy.md"


def test_the_examples_of_the_docs_work(tmp_path: Path) -> None:
    policy, expressions, cases = re.findall(r"```toml\n(.*?)```", DOCS.read_text("utf-8"), re.DOTALL)
    loaded = written(tmp_path, policy)
    assert len(loaded.rules) == 3
    (tmp_path / "cases.toml").write_text(cases)
    assert check_cases(loaded, tmp_path / "cases.toml") == []
    lines = expressions.splitlines()
    assert len(written(tmp_path, "".join(f'[[rule]]\n{line}\ndo = "ask"\n' for line in lines)).rules) == 5


# Starters


@pytest.mark.parametrize("name", STARTERS)
def test_a_starter_loads_and_says_what_each_rule_is_for(tmp_path: Path, name: str) -> None:
    text = starter(name)
    assert len(written(tmp_path, text).rules) == len(re.findall(r"^# .*\n\[\[rule\]\]$", text, re.MULTILINE)) > 3


def test_every_starter_is_listed() -> None:
    import handoffs.gate as gate

    folder = Path(gate.__path__[0]) / "starters"
    assert sorted(path.stem for path in folder.glob("*.toml")) == sorted(STARTERS)
    with pytest.raises(ValueError, match="there is no starter"):
        starter("../starters/git")


ALLOW, ASK, DENY = Decision.ALLOW, Decision.ASK, Decision.DENY


@pytest.mark.parametrize(
    ("name", "tool", "arguments", "decision"),
    [
        ("filesystem", "read_file", {"path": "/srv/project/a.py"}, ALLOW),
        ("filesystem", "read_file", {"path": "/srv/project/../a.py"}, ASK),
        ("filesystem", "read_file", {"path": "/etc/passwd"}, ASK),
        ("filesystem", "read_file", {"path": "/srv/project/.env"}, DENY),
        ("filesystem", "read_file", {"path": "C:\\Users\\ada\\.ssh\\id_rsa"}, DENY),
        ("filesystem", "read_file", {}, ASK),
        ("filesystem", "write_file", {"path": "/srv/project/a.py"}, ASK),
        ("git", "git_status", {"repo_path": "/srv"}, ALLOW),
        ("git", "git_diff", {"repo_path": "/srv", "target": "--output=/srv/x"}, ASK),
        ("git", "git_add", {"files": ["a"]}, ALLOW),
        ("git", "git_add", {"files": ["-f"]}, ASK),
        ("git", "git_push", {}, ASK),
        ("git", "git_push", {"force": True}, DENY),
        ("git", "git_push", {"force": False}, ASK),
        ("git", "git_reset", {}, ASK),
        ("sql", "read_query", {"query": "SELECT * FROM shop"}, ALLOW),
        ("sql", "read_query", {"query": "SELECT 1; DELETE FROM shop"}, ASK),
        ("sql", "read_query", {"query": "WITH x AS (DELETE FROM shop RETURNING 1) SELECT 1"}, ASK),
        ("sql", "write_query", {"query": "DROP TABLE shop"}, ASK),
        ("sql", "write_query", {"query": "update shop set a = 1"}, DENY),
        ("sql", "write_query", {"query": "update shop set a = 1 where b = 2"}, ASK),
        ("sql", "read_query", {"query": 5}, ASK),
        ("shell", "run", {"command": "ls -la"}, ALLOW),
        ("shell", "run", {"command": "ls -la", "cwd": "/"}, ASK),
        ("shell", "run", {"command": "ls; rm a"}, ASK),
        ("shell", "run", {"command": "ls\nrm a"}, ASK),
        ("shell", "run", {"command": "git diff --output a"}, ASK),
        ("shell", "run", {"command": ["ls"]}, ASK),
        ("shell", "run", {"command": "sudo rm -rf /"}, DENY),
    ],
)
def test_a_starter_decides(
    tmp_path: Path, name: str, tool: str, arguments: dict[str, object], decision: Decision
) -> None:
    path = tmp_path / "gate.toml"
    path.write_text(starter(name), "utf-8")
    assert load_policy(path).decide(call(tool, arguments=arguments)).decision is decision
