"""`handoffs gate check --call`: what one call would get, and what of it would be masked."""

import json
from pathlib import Path

import pytest

from tests.acceptance.processes import Home

POLICY = """
[[rule]]
tool = "pay"
do = "ask"
mask = ["auth.*"]

[[rule]]
tool = "format"
do = "deny"
"""
DECIDED = """
[[rule]]
tool = "pay"
do = "ask"
to = ["ada", "group:dba"]
escalate = { after = "1h", to = "group:ops" }
"""
GIVEN = '{"token": "hush", "auth": {"user": "hush"}, "id": 7}'


def test_check_says_which_arguments_would_be_masked(tmp_path: Path) -> None:
    home = Home(tmp_path)
    (tmp_path / "gate.toml").write_text(POLICY)
    said = home.run("gate", "check", "--policy", "gate.toml", "--call", "pay", GIVEN)
    assert said.returncode == 0, said.stderr
    assert said.stdout.splitlines()[1] == "masked outside of where it is decided: token, auth.user"
    assert "hush" not in said.stdout
    as_json = home.run("gate", "check", "--policy", "gate.toml", "--json", "--call", "pay", GIVEN)
    assert json.loads(as_json.stdout)["masked"] == ["token", "auth.user"]
    denied = home.run("gate", "check", "--policy", "gate.toml", "--call", "format", GIVEN)
    assert len(denied.stdout.splitlines()) == 1


def test_check_says_whom_a_rule_names_that_is_not_there(tmp_path: Path) -> None:
    home = Home(tmp_path)
    (tmp_path / "gate.toml").write_text(DECIDED)
    nobody = home.run("gate", "check", "--policy", "gate.toml")
    assert "gate.toml:2 names ada, group:dba, group:ops: `handoffs people list` shows nobody" in nobody.stdout
    assert home.run("people", "add", "ada", "--group", "dba").returncode == 0
    some = home.run("gate", "check", "--policy", "gate.toml")
    assert "gate.toml:2 names group:ops: `handoffs people list` shows nobody" in some.stdout
    assert home.run("people", "add", "bob", "--group", "ops").returncode == 0
    assert "names" not in home.run("gate", "check", "--policy", "gate.toml").stdout


@pytest.mark.parametrize("name", ["goup:dba", "group:", "group:group:dba", " ada", "ada,bob", ""])
def test_what_can_be_nobodys_name_is_refused_with_its_line(tmp_path: Path, name: str) -> None:
    (tmp_path / "gate.toml").write_text(DECIDED.replace('"group:dba"', json.dumps(name)))
    said = Home(tmp_path).run("gate", "check", "--policy", "gate.toml")
    assert said.returncode == 2
    assert "gate.toml:5" in said.stderr
    assert '"group:NAME"' in said.stderr
