"""`handoffs token`, as it is typed."""

import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from tests.acceptance.processes import Home


def test_a_token_is_printed_once_and_alone_and_can_be_listed_and_revoked(tmp_path: Path) -> None:
    home = Home(tmp_path)
    added = home.run("token", "add", "ci-runner", "--expires", "30d")
    assert added.returncode == 0, added.stderr
    token = added.stdout.strip()
    assert added.stdout == f"{token}\n"
    assert token.startswith("ho_")
    assert "token:ci-runner" in added.stderr
    assert token not in added.stderr
    again = home.run("token", "add", "ci-runner")
    assert (again.returncode, again.stdout) == (2, "")
    assert "handoffs token revoke ci-runner" in again.stderr
    [listed] = json.loads(home.run("token", "list", "--json").stdout)
    assert (listed["name"], listed["principal"], listed["state"]) == ("ci-runner", "token:ci-runner", "good")
    assert listed["expiresAt"] > listed["createdAt"]
    assert home.run("token", "revoke", "ci-runner").returncode == 0
    nothing = home.run("token", "revoke", "ci-runner")
    assert (nothing.returncode, len(nothing.stderr.splitlines())) == (3, 1)
    shown = home.run("token", "list").stdout
    assert "revoked" in shown
    assert token not in shown
    with closing(sqlite3.connect(home.store)) as store:
        assert token not in "\n".join(store.iterdump())


@pytest.mark.parametrize("wrong", [["a/b"], ["-x"], [""], ["é"], ["a" * 65], ["a", "--expires", "0d"]])
def test_what_is_no_name_or_no_time_makes_no_token(wrong: list[str], tmp_path: Path) -> None:
    done = Home(tmp_path).run("token", "add", *wrong)
    assert (done.returncode, done.stdout, len(done.stderr.splitlines())) == (2, "", 1)


def test_beyond_this_machine_nothing_is_served_before_callers_have_tokens(tmp_path: Path) -> None:
    home = Home(tmp_path)
    refused = home.run("serve", "--http", "0.0.0.0:0")
    assert refused.returncode == 2
    assert "handoffs token add" in refused.stderr
    assert "HANDOFFS_OAUTH_ISSUER" in refused.stderr
