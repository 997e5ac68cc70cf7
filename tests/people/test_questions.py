"""Whose decision the questions of agents are, by the file as it is when one is asked."""

import logging
from pathlib import Path

import pytest

from handoffs.core.errors import QuestionRefused
from handoffs.core.model import Caller
from handoffs.core.person import Directory
from handoffs.people.questions import QuestionRouting
from handoffs.people.routing import NobodyCanDecide
from tests.people.test_routing import ALL, NOW

CALLER = Caller(subject="agent", client="claude-code", project="/srv/shop")


async def all_people() -> Directory:
    return ALL


def routing(folder: Path, text: str) -> QuestionRouting:
    (folder / "gate.toml").write_text(text)
    return QuestionRouting(folder / "gate.toml", all_people)


async def test_the_first_rule_that_matches_says_who_decides(tmp_path: Path) -> None:
    here = routing(
        tmp_path,
        """
        [[question]]
        client = "cursor"
        to = "cyd"
        [[question]]
        client = "claude-*"
        project = "/srv/*"
        to = "group:dba"
        votes = 2
        """,
    )
    found = await here.deciders(CALLER, NOW)
    assert found is not None
    assert (found.rule, found.people, found.votes) == ("gate.toml:5", ("ada", "bob"), 2)
    assert await here.deciders(Caller(subject="agent", client="claude-code", project="/home"), NOW) is None


@pytest.mark.parametrize("subject", ["ada", "Ada", "token:ada", "oauth:ada@id.example.com"])
async def test_a_rule_that_names_who_asks_alone_is_refused_by_name(subject: str, tmp_path: Path) -> None:
    here = routing(tmp_path, '[[question]]\nto = "ada"\n')
    with pytest.raises(NobodyCanDecide, match=r"the rule gate\.toml:1 .* in the name of ada, and who asks has no vote"):
        await here.deciders(Caller(subject=subject), NOW)


async def test_the_refusal_names_nobody_where_only_theirs_may_see(tmp_path: Path) -> None:
    here = routing(tmp_path, '[[question]]\nto = "ada"\nvisible = "theirs"\n')
    with pytest.raises(NobodyCanDecide, match="Who asks has no vote") as refused:
        await here.deciders(Caller(subject="ada"), NOW)
    assert " ada" not in str(refused.value)


async def test_a_broken_change_leaves_the_rules_and_is_told_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    here = routing(tmp_path, '[[question]]\nto = "ada"\n')
    assert await here.deciders(CALLER, NOW) is not None
    (tmp_path / "gate.toml").write_text("[[question]]\nto = 5\n")
    with caplog.at_level(logging.WARNING):
        for _ in range(2):
            assert (await here.deciders(CALLER, NOW)).people == ("ada",)  # type: ignore[union-attr]
    assert len(caplog.messages) == 1
    assert "gate.toml:2" in caplog.text
    (tmp_path / "gate.toml").write_text('[[question]]\nto = "bob"\n')
    assert (await here.deciders(CALLER, NOW)).people == ("bob",)  # type: ignore[union-attr]


async def test_a_file_that_was_never_right_refuses_every_question(tmp_path: Path) -> None:
    here = routing(tmp_path, "[[question]]\nto = 5\n")
    with pytest.raises(QuestionRefused, match=r"gate\.toml:2"):
        await here.deciders(CALLER, NOW)
    (tmp_path / "gate.toml").write_text("[[rule]]\nnonsense = 1\n")  # the gate's own
    assert await here.deciders(CALLER, NOW) is None


async def test_where_no_people_are_known_nobody_can_decide(tmp_path: Path) -> None:
    (tmp_path / "gate.toml").write_text('[[question]]\nto = "ada"\n')
    with pytest.raises(NobodyCanDecide):
        await QuestionRouting(tmp_path / "gate.toml", None).deciders(CALLER, NOW)
