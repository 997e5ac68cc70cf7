"""`handoffs gate check --call`: what one call would get, and what of it would be masked."""

import json
from pathlib import Path

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
