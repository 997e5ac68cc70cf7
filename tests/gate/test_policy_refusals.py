"""A policy that can't be used is refused with its file, its line, what is wrong, and what is allowed."""

import tomllib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handoffs.gate.policy import PolicyError, load_policy
from handoffs.policy_text.lines import line_of, lines_of
from tests.gate.policies import refused, written

RULE = '# a policy\n[[rule]]\ntool = "a"\n'


@pytest.mark.parametrize(
    ("text", "line", "wrong", "allowed"),
    [
        ("a = \n", 1, "does not parse", "TOML"),
        ('\n[[rule]]\ntool = "a\ndo = 1\n', 3, "does not parse", "TOML"),
        ("[[rule]\n", 1, "does not parse", "TOML"),
        ('a = """\n\n', 1, "does not parse", "TOML"),
        ("a = " + "[" * 5_000, None, "nested", "TOML"),
        ("rules = []\n", 1, "no key `rules`", "rule, trust_hints"),
        ("\ntrust_hints = 1\n", 2, "`trust_hints` can't be 1", "true or false"),
        ("rule = 3\n", 1, "`rule` can't be 3", "[[rule]]"),
        ("rule = [1]\n", 1, "`rule` can't be [1]", "[[rule]]"),
        ('[rule]\ndo = "ask"\n', 1, "`rule` can't be", "[[rule]]"),
        (RULE, 2, "no `do`", "allow"),
        (RULE + 'do = "maybe"', 4, "`do` can't be 'maybe'", '"allow", "ask" or "deny"'),
        (RULE + "do = []", 4, "`do` can't be []", "ask"),
        (RULE + 'do = "ask"\ntools = "b"', 5, "no key `tools`", "server, tool, when, do"),
        (RULE + 'do = "deny"\n"edit" = true', 5, "`edit` has no meaning in a rule that says deny", "reason"),
        (RULE + 'do = "allow"\nreason = "x"', 5, "`reason` has no meaning in a rule that says allow", "server"),
        (RULE + 'do = "ask"\ndeadline = "soon"', 5, "`deadline` can't be 'soon'", '"10m"'),
        (RULE + 'do = "ask"\ndeadline = 0', 5, "`deadline` can't be 0", '"10m"'),
        (RULE + 'do = "ask"\ndeadline = inf', 5, "`deadline` can't be inf", '"10m"'),
        (RULE + 'do = "ask"\ndeadline = nan', 5, "`deadline` can't be nan", '"10m"'),
        (RULE + 'do = "ask"\ndeadline = true', 5, "`deadline` can't be True", '"10m"'),
        (RULE + 'do = "ask"\ndeadline = "99999999999999d"', 5, "`deadline` can't be", "ten years"),
        (RULE + f'do = "ask"\ndeadline = 1{"0" * 400}', 5, "`deadline` can't be 1000", "ten years"),
        (RULE + 'do = "ask"\nremember = "always"', 5, "`remember` can't be 'always'", '"session"'),
        (RULE + 'do = "ask"\nremember = []', 5, "`remember` can't be []", '"session"'),
        (RULE + 'do = "ask"\nremember = {}', 5, "`remember` can't be {}", '"session"'),
        (RULE + 'do = "ask"\nremember = { what = "tool", for = "1d" }', 5, "`remember` can't be", "longest"),
        (RULE + 'do = "ask"\nremember = { longest = "x" }', 5, "`remember` can't be", "longest"),
        (RULE + 'do = "ask"\nedit = "no"', 5, "`edit` can't be 'no'", "true or false"),
        (RULE + 'do = "ask"\nanswer = "phone"', 5, "`answer` can't be 'phone'", '"any" or "inbox"'),
        (RULE + 'do = "ask"\nchannels = ["inbox"]', 5, "`channels` can't be ['inbox']", "ntfy"),
        (RULE + 'do = "ask"\nchannels = []', 5, "`channels` can't be []", "ntfy"),
        (RULE + 'do = "ask"\nvotes = 2', 5, "`votes` has no meaning in a rule without `to`", "who decides"),
        (RULE + 'do = "ask"\nto = "ada"\nanswer = "any"', 6, "`answer` can't be 'any' in a rule with `to`", '"inbox"'),
        (RULE + 'do = "deny"\nto = "ada"', 5, "`to` has no meaning in a rule that says deny", "reason"),
        ("[[question]]\n", 1, "no `to`", "who decides"),
        (RULE + 'do = "ask"\nmask = [1]', 5, "`mask` can't be [1]", "the name of an argument"),
        (RULE + 'do = "ask"\nmask = ""', 5, "`mask` can't be ''", "a path such as `auth.*`"),
        (RULE + 'do = "ask"\nmask = ["token", "auth."]', 5, "`mask` can't be", "a path such as `auth.*`"),
        (RULE + 'do = "ask"\npin = 0', 5, "`pin` can't be 0", "true or false"),
        (RULE + 'do = "ask"\nreason = ""', 5, "`reason` can't be ''", "a text"),
        ('[[rule]]\ntool = []\ndo = "ask"', 2, "`tool` can't be []", "list"),
        ('[[rule]]\nserver = 1\ndo = "ask"', 2, "`server` can't be 1", "list"),
        ('[[rule]]\nserver = "{a,b}"\ndo = "ask"', 2, "no wildcard", "list"),
        ('[[rule]]\ntool = ["a", ""]\ndo = "ask"', 2, "empty", "list"),
        (RULE + 'do = "ask"\nwhen = ""', 5, "`when` can't be ''", "CEL"),
        (RULE + 'do = "ask"\nwhen = true', 5, "`when` can't be True", "CEL"),
        (RULE + 'do = "ask"\nwhen = "args.a =="', 5, "wrong at column 10", "args, tool"),
        (RULE + 'do = "ask"\nwhen = "true \\u0000 && false"', 5, "NUL", "args, tool"),
        (RULE + 'do = "ask"\nwhen = "arg.a == 1"', 5, "undeclared reference to 'arg.a'", "args, tool"),
        (RULE + 'do = "ask"\nwhen = "size(args)"', 5, "gives int, not true or false", "true or false"),
        (RULE + "do = \"ask\"\nwhen = '''\nargs.a ==\n  ! '''", 5, "line 2 of it", "args, tool"),
    ],
)
def test_it_is_refused(tmp_path: Path, text: str, line: int | None, wrong: str, allowed: str) -> None:
    error = refused(tmp_path, text)
    assert error.line == line
    assert wrong in error.wrong
    assert allowed in error.allowed
    place = str(tmp_path / "gate.toml") + (f":{line}" if line else "")
    assert str(error) == f"{place}: {error.wrong}. Allowed: {error.allowed}."


def test_a_file_that_can_not_be_read_is_refused(tmp_path: Path) -> None:
    with pytest.raises(PolicyError, match="can't be read: No such file"):
        load_policy(tmp_path / "none.toml")
    with pytest.raises(PolicyError, match="can't be read"):
        load_policy(tmp_path)
    (tmp_path / "latin.toml").write_bytes(b"# one\n# caf\xe9\n")
    with pytest.raises(PolicyError, match=r"latin.toml:2: this is not UTF-8"):
        load_policy(tmp_path / "latin.toml")


@pytest.mark.parametrize("ends", ["\n", "\r\n"])
def test_a_file_of_another_editor_is_read(tmp_path: Path, ends: str) -> None:
    (tmp_path / "gate.toml").write_bytes(b"\xef\xbb\xbf" + RULE.replace("\n", ends).encode() + b'do = "allow"')
    assert load_policy(tmp_path / "gate.toml").rules[0].place == "gate.toml:2"


# Lines

TRICKY = '''\
# [[rule]] = in a comment
title = "[[rule]] # no"   # line 2
text = """
[[rule]]
do = "x" \\""" still
"""
raw = \'\'\'
[[rule]]\'\'\'
list = [
  1, # ]
  { a = "]" },
]
[[rule]]  # line 13
"quoted \\" key" = 1
a.b = { c = 1 }
[rule.nested]
x = 1
[[rule.inner]]
y = """"two quotes"""""
[[ rule ]]
z = 1
[ "a.b" . c ]
d = [[1], [2]]
'''


def test_lines_are_those_of_the_statements() -> None:
    found = lines_of(TRICKY)
    assert found == {
        ("title",): 2,
        ("text",): 3,
        ("raw",): 7,
        ("list",): 9,
        ("rule", 0): 13,
        ("rule", 0, 'quoted " key'): 14,
        ("rule", 0, "a", "b"): 15,
        ("rule", 0, "nested"): 16,
        ("rule", 0, "nested", "x"): 17,
        ("rule", 0, "inner", 0): 18,
        ("rule", 0, "inner", 0, "y"): 19,
        ("rule", 1): 20,
        ("rule", 1, "z"): 21,
        ("a.b", "c"): 22,
        ("a.b", "c", "d"): 23,
    }
    assert line_of(("rule", 0, "a", "b", "c"), found) == 15
    assert line_of(("nowhere",), found) is None


TEXTS = st.text(st.characters(exclude_categories=["Cs", "Cc"]) | st.sampled_from('"[]#=\n\t'), max_size=20)


@given(st.lists(st.tuples(TEXTS, st.sampled_from(["basic", "long", "raw", "list", "table"])), min_size=1, max_size=6))
def test_every_rule_is_found_whatever_stands_in_its_texts(values: list[tuple[str, str]]) -> None:
    text, expected = "", {}
    for number, (value, kind) in enumerate(values):
        expected["rule", number] = text.count("\n") + 1
        text += "[[rule]]\n"
        expected["rule", number, "key"] = text.count("\n") + 1
        text += f"key = {_as_toml(value, kind)} # [[rule]]\n"
    assert [_back(each["key"]) for each in tomllib.loads(text)["rule"]] == [value for value, _ in values]
    assert lines_of(text) == expected


def _as_toml(value: str, kind: str) -> str:
    basic = '"' + value.translate({ord(each): f"\\u{ord(each):04x}" for each in '\\"\n\t\x7f'}) + '"'
    escaped = value.replace("\\", "\\\\").replace('"', '\\"').replace("\x7f", "\\u007f")
    forms = {
        "basic": basic,
        "long": f'"""\n{escaped}"""',
        "raw": f"'''\n{value}'''",
        "list": f"[\n  {basic}, # ]\n]",
        "table": f"{{ a = {basic} }}",
    }
    return forms[kind]


def _back(value: Any) -> object:
    return value[0] if isinstance(value, list) else value["a"] if isinstance(value, dict) else value


def test_the_rule_of_an_inline_list_has_the_line_of_the_list(tmp_path: Path) -> None:
    policy = written(tmp_path, '\nrule = [\n  { tool = "a", do = "ask" },\n]\n')
    assert policy.rules[0].place == "gate.toml:2"
