"""A policy file that changes while the gate runs."""

import os
from pathlib import Path

import pytest

from handoffs.gate.policy import Decision, PolicyError
from handoffs.gate.policy_file import PolicyFile
from tests.gate.policies import call

LONG_AGO = (1_700_000_000, 1_700_000_000)


def says(file: PolicyFile) -> Decision:
    """What the policy in force says."""
    return file.current().decide(call()).decision


def rule(decision: str) -> str:
    """One rule for everything."""
    return f'[[rule]]\ndo = "{decision}"\n'


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A policy that allows, written long ago."""
    path = tmp_path / "gate.toml"
    path.write_text(rule("allow"))
    os.utime(path, LONG_AGO)
    return path


def test_a_change_counts_from_the_next_call_on(path: Path) -> None:
    file = PolicyFile(path)
    assert says(file) is Decision.ALLOW
    first = file.current()
    assert file.current() is first
    path.write_text(rule("deny"))
    assert says(file) is Decision.DENY
    path.with_name("new").write_text(rule("ask"))
    path.with_name("new").replace(path)
    assert says(file) is Decision.ASK
    path.write_text("")
    assert file.current().rules == ()


def test_a_change_within_one_tick_of_the_clock_counts(path: Path) -> None:
    file = PolicyFile(path)
    path.write_text(rule("deny"))
    now = path.stat().st_mtime_ns
    assert says(file) is Decision.DENY
    path.write_text(rule("noop"))  # of the same length
    path.write_text(rule("ask "))
    path.write_text(rule("ask") + " ")
    os.utime(path, ns=(now, now))
    assert says(file) is Decision.ASK


@pytest.mark.parametrize("broken", ["nonsense", rule("maybe"), None])
def test_a_broken_change_leaves_the_earlier_policy_in_force(path: Path, broken: str | None) -> None:
    file = PolicyFile(path)
    assert file.problem == ""
    if broken is None:
        path.unlink()
    else:
        path.write_text(broken)
    for _ in range(2):
        assert says(file) is Decision.ALLOW
        assert str(path) in file.problem
    path.write_text(rule("allow"))  # as it was
    assert says(file) is Decision.ALLOW
    assert file.problem == ""
    path.write_text(rule("deny"))
    assert (says(file), file.problem) == (Decision.DENY, "")


def test_a_file_that_is_broken_at_the_start_is_refused(path: Path) -> None:
    path.write_text("nonsense")
    with pytest.raises(PolicyError, match=r"gate.toml:1"):
        PolicyFile(path)
