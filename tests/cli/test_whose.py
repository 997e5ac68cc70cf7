"""The command line, where a rule names who decides: real processes, as the user of this machine."""

import json
from functools import partial
from pathlib import Path

import anyio

from handoffs.clock import SystemClock
from handoffs.core.deciders import Deciders, Seat
from handoffs.core.desk import Desk
from handoffs.core.person import Person
from handoffs.os_user import current_user
from handoffs.store.sqlite.store import SqliteStore
from tests.acceptance.processes import Home
from tests.cli.questions import asked, events, with_desk


def question(home: Home, *names: str, **rule: object) -> str:
    """Ask a question that these people decide."""

    async def known() -> None:
        async with SqliteStore(home.folder / "handoffs.db") as store:
            for name in names:
                await store.people.add(Person(name=name, added_at=SystemClock().now()))

    handoff_id = asked(home, "before")
    with_desk(home, partial(_withdraw, handoff_id))
    anyio.run(known)
    seats = tuple(Seat(person=name) for name in names)
    values: dict[str, object] = {"rule": "gate.toml:3", "asked_at": SystemClock().now(), "seats": seats}
    return asked(home, deciders=Deciders(**(values | rule)))  # type: ignore[arg-type]


async def _withdraw(handoff_id: str, desk: Desk) -> None:
    await desk.cancel(await desk.get(handoff_id), by="", channel="")


def test_who_has_no_vote_is_told_whose_decision_it_is(tmp_path: Path) -> None:
    home = Home(tmp_path)
    handoff_id = question(home, "bob", "cyd", votes=2)
    for command in (["answer", handoff_id, "yes"], ["answer", handoff_id], ["decline", handoff_id]):
        done = home.run(*command)
        assert (done.returncode, done.stdout) == (1, "")
        told = "Nothing was recorded: it is the decision of bob, cyd (rule gate.toml:3)."
        assert done.stderr == f"handoffs: {told}\n"
    assert events(home, handoff_id) == ["opened"]
    shown = " ".join(home.run("show", handoff_id).stdout.split())
    assert "It is the decision of bob, cyd (rule gate.toml:3); 2 votes are needed." in shown
    assert "It is not yours to decide." in shown


def test_a_vote_is_shown_as_text_and_as_json(tmp_path: Path) -> None:
    home, me = Home(tmp_path), current_user()
    handoff_id = question(home, me, "bob", votes=2, visible="theirs")
    done = home.run("answer", handoff_id, "yes")
    assert "Your vote counts; others must vote, too." in done.stdout
    document = json.loads(home.run("show", handoff_id, "--json").stdout)["deciders"]
    assert (document["rule"], document["people"]) == ("gate.toml:3", sorted(["bob", me]))
    assert document["needed"] == {"votes": 1, "groups": []}
    assert [(vote["by"], vote["refuses"]) for vote in document["votes"]] == [(me, False)]
    assert "You have voted" in home.run("show", handoff_id).stdout


def test_who_has_no_vote_reads_no_names_of_theirs(tmp_path: Path) -> None:
    home = Home(tmp_path)
    handoff_id = question(home, "bob", visible="theirs")
    document = json.loads(home.run("list", "--json").stdout)[0]["deciders"]
    assert (document["people"], document["votes"], document["needed"]["votes"]) == (None, None, 1)
    assert "bob" not in home.run("show", handoff_id).stdout


def test_who_is_removed_has_no_vote_in_open_questions(tmp_path: Path) -> None:
    home, me = Home(tmp_path), current_user()
    handoff_id = question(home, me, "bob")
    removed = home.run("people", "remove", me)
    assert removed.returncode == 0, removed.stderr
    done = home.run("answer", handoff_id, "yes")
    assert done.returncode == 1
    assert "it is the decision of bob" in done.stderr
    assert events(home, handoff_id) == ["opened"]


def test_the_prompt_shows_who_has_voted_and_who_is_needed(tmp_path: Path) -> None:
    home, me = Home(tmp_path), current_user()
    handoff_id = question(home, me, "bob", "cyd", votes=3)
    with_desk(home, partial(_agree, handoff_id, "bob"))
    asked_here = home.run("answer", handoff_id, stdin="yes\n")
    assert asked_here.returncode == 0, asked_here.stderr
    shown = " ".join(asked_here.stderr.split())
    assert f"It is the decision of bob, cyd, {me} (rule gate.toml:3); 2 more votes are needed." in shown
    assert "bob agreed." in shown
    assert shown.index("bob agreed.") < shown.index("Deploy?")


async def _agree(handoff_id: str, by: str, desk: Desk) -> None:
    await desk.answer(await desk.get(handoff_id), {"response": "yes"}, by=by, channel="inbox")
