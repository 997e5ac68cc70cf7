"""Whose decision the questions of agents are, by the file as it is when one is asked."""

import logging
from pathlib import Path

import pytest

from handoffs.core.errors import QuestionRefused
from handoffs.core.model import Caller
from handoffs.core.person import Directory
from handoffs.core.question import Asking
from handoffs.people.questions import QuestionRouting
from handoffs.people.routing import NobodyCanDecide
from tests.people.test_routing import ALL, NOW

CALLER = Caller(subject="agent", client="claude-code", project="/srv/shop")

ASKING = Asking(message="Deploy to production?", options=("yes", "no"))


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
    found = await here.deciders(CALLER, ASKING, NOW)
    assert found is not None
    assert (found.rule, found.people, found.votes) == ("gate.toml:5", ("ada", "bob"), 2)
    assert await here.deciders(Caller(subject="agent", client="claude-code", project="/home"), ASKING, NOW) is None


@pytest.mark.parametrize("subject", ["ada", "Ada", "token:ada", "oauth:ada@id.example.com"])
async def test_a_rule_that_names_who_asks_alone_is_refused_by_name(subject: str, tmp_path: Path) -> None:
    here = routing(tmp_path, '[[question]]\nto = "ada"\n')
    with pytest.raises(NobodyCanDecide, match=r"the rule gate\.toml:1 .* in the name of ada, and who asks has no vote"):
        await here.deciders(Caller(subject=subject), ASKING, NOW)


async def test_the_refusal_names_nobody_where_only_theirs_may_see(tmp_path: Path) -> None:
    here = routing(tmp_path, '[[question]]\nto = "ada"\nvisible = "theirs"\n')
    with pytest.raises(NobodyCanDecide, match="Who asks has no vote") as refused:
        await here.deciders(Caller(subject="ada"), ASKING, NOW)
    assert " ada" not in str(refused.value)


async def test_a_broken_change_leaves_the_rules_and_is_told_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    here = routing(tmp_path, '[[question]]\nto = "ada"\n')
    assert await here.deciders(CALLER, ASKING, NOW) is not None
    (tmp_path / "gate.toml").write_text("[[question]]\nto = 5\n")
    with caplog.at_level(logging.WARNING):
        for _ in range(2):
            assert (await here.deciders(CALLER, ASKING, NOW)).people == ("ada",)  # type: ignore[union-attr]
    assert len(caplog.messages) == 1
    assert "gate.toml:2" in caplog.text
    (tmp_path / "gate.toml").write_text('[[question]]\nto = "bob"\n')
    assert (await here.deciders(CALLER, ASKING, NOW)).people == ("bob",)  # type: ignore[union-attr]


async def test_a_file_that_was_never_right_refuses_every_question(tmp_path: Path) -> None:
    here = routing(tmp_path, "[[question]]\nto = 5\n")
    with pytest.raises(QuestionRefused, match=r"gate\.toml:2"):
        await here.deciders(CALLER, ASKING, NOW)
    (tmp_path / "gate.toml").write_text("[[rule]]\nnonsense = 1\n")  # the gate's own
    assert await here.deciders(CALLER, ASKING, NOW) is None


async def test_where_no_people_are_known_nobody_can_decide(tmp_path: Path) -> None:
    (tmp_path / "gate.toml").write_text('[[question]]\nto = "ada"\n')
    with pytest.raises(NobodyCanDecide):
        await QuestionRouting(tmp_path / "gate.toml", None).deciders(CALLER, ASKING, NOW)


@pytest.mark.parametrize(
    ("when", "is_theirs"),
    [
        ('question.message.contains("production")', True),
        ('question.message.contains("staging")', False),
        ('"yes" in question.options && "response" in question.fields', True),
        ('"maybe" in question.options', False),
        ('caller.client.startsWith("claude") && caller.project == "/srv/shop" && caller.subject == "agent"', True),
        ("question.secret || question.breakout", False),
        ("question.size() > 3", True),
        ("question.none == 1", True),  # it fails, so that the rule is for it
        ("question.message > 5", True),
        ("question.message", True),
    ],
)
async def test_an_expression_says_which_questions_a_rule_is_for(tmp_path: Path, when: str, is_theirs: bool) -> None:
    here = routing(tmp_path, f"[[question]]\nclient = 'claude-*'\nwhen = '''{when}'''\nto = 'ada'\n")
    found = await here.deciders(CALLER, ASKING, NOW)
    assert (found is not None) == is_theirs
    assert await here.deciders(Caller(subject="agent", client="cursor"), ASKING, NOW) is None


async def test_an_expression_sees_the_fields_of_a_form(tmp_path: Path) -> None:
    here = routing(tmp_path, "[[question]]\nwhen = 'question.secret && \"password\" in question.fields'\nto = 'ada'\n")
    form = {"type": "object", "properties": {"password": {"type": "string", "format": "password"}}}
    plain = {"type": "object", "properties": {"size": {"type": "integer"}, "kind": {"enum": ["s", "m"]}}}
    assert await here.deciders(CALLER, Asking(message="Which?", form=plain), NOW) is None
    with_secret = Asking(message="Which?", form=form)
    assert (await here.deciders(CALLER, with_secret, NOW) is not None) == bool(with_secret.read_form.secret)


@pytest.mark.parametrize("message", ["a\0b production", "\0"])
async def test_what_no_expression_can_be_shown_is_for_those_who_decide(tmp_path: Path, message: str) -> None:
    here = routing(tmp_path, "[[question]]\nwhen = 'question.message.contains(\"staging\")'\nto = 'ada'\n")
    assert await here.deciders(CALLER, Asking(message=message), NOW) is not None


@pytest.mark.parametrize(
    ("when", "said"),
    [
        ("'question.'", "in `when`, the expression is wrong at column"),
        ("'args.amount > 5'", "undeclared"),
        ("'1 + 1'", "the expression gives int, not true or false"),
        ("''", "`when` can't be ''"),
        ("5", "`when` can't be 5"),
    ],
)
async def test_an_expression_that_cant_be_used_refuses_every_question(tmp_path: Path, when: str, said: str) -> None:
    here = routing(tmp_path, f"[[question]]\nwhen = {when}\nto = 'ada'\n")
    with pytest.raises(QuestionRefused) as refused:
        await here.deciders(CALLER, ASKING, NOW)
    assert said in str(refused.value)


async def test_a_question_that_cant_be_asked_is_refused_in_its_own_words(tmp_path: Path) -> None:
    here = routing(tmp_path, "[[question]]\nwhen = 'true'\nto = 'ada'\n")
    with pytest.raises(QuestionRefused, match="`message` is empty"):
        await here.deciders(CALLER, Asking(message=" "), NOW)
