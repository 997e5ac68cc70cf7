"""Whose decision a held call is, by a rule with `to`: the gate's holder between two ends, over a real store."""

import json
import sqlite3
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager, closing
from datetime import timedelta
from pathlib import Path
from typing import Any

import anyio
import pytest

from handoffs.clock import SystemClock
from handoffs.core.desk import Desk
from handoffs.core.errors import NotTheirDecision
from handoffs.core.model import Handoff, State
from handoffs.core.person import Directory, Person
from handoffs.gate.holding import Holding
from handoffs.gate.policy import Policy
from handoffs.gate.relay.message import Message, id_of, read
from handoffs.store.sqlite.store import SqliteStore
from tests.gate.behind import waiting
from tests.gate.policies import written
from tests.gate.test_holding import ALLOW

RULE = '[[rule]]\ntool = "wipe"\ndo = "ask"\nto = ["ada", "bob", "agent"]\nvotes = 2\n'
TOOLS = [{"name": name, "inputSchema": {"type": "object"}} for name in ("wipe", "read")]


def people(*names: str) -> dict[str, Person]:
    return {name: Person(name=name, added_at=SystemClock().now() - timedelta(days=1)) for name in names}


class Session:
    """Both ends: a client that calls, and a server that lists its tools and answers each call."""

    def __init__(self, desk: Desk, store: SqliteStore, policy: Policy, known: Mapping[str, Person] | None) -> None:
        self.desk, self.policy, self.known = desk, policy, known
        self.ran: list[dict[str, Any]] = []
        self.told: dict[int, str] = {}
        self.holding = Holding(
            desk,
            server="shop",
            policy=lambda: self.policy,
            permissions=store.permissions,
            subject="agent",
            project="",
            keys=[b"k" * 32],
            hold_seconds=20,
            directory=None if known is None else self.directory,
        )

    async def directory(self) -> Directory:
        return Directory(people=self.known or {})

    async def to_client(self, line: bytes) -> None:
        answer = json.loads(line)
        self.told[answer["id"]] = answer["result"]["content"][0]["text"]

    async def to_server(self, line: bytes) -> None:
        asked = json.loads(line)
        if asked["method"] == "tools/list":
            result: dict[str, Any] = {"tools": TOOLS}
        else:
            self.ran.append(asked["params"]["arguments"])
            result = {"content": []}
        answer = json.dumps({"jsonrpc": "2.0", "id": asked["id"], "result": result}).encode()
        self.holding.from_server(Message(answer, id=id_of(json.dumps(asked["id"]))))

    def call(self, number: int, **arguments: object) -> None:
        params = {"name": "wipe", "arguments": arguments}
        asked = {"jsonrpc": "2.0", "id": number, "method": "tools/call", "params": params}
        message = read(json.dumps(asked).encode())
        assert isinstance(message, Message)
        assert self.holding.from_client(message)

    async def answer(self, number: int) -> str:
        while number not in self.told:
            await anyio.sleep(0.01)
        return self.told[number]

    async def vote(self, handoff: Handoff, by: str, **more: object) -> Handoff:
        return await self.desk.answer(handoff, {**ALLOW, **more}, by=by, channel="inbox")


@asynccontextmanager
async def session(
    folder: Path, rules: str = RULE, known: Mapping[str, Person] | None = None
) -> AsyncGenerator[Session]:
    async with SqliteStore(folder / "handoffs.db") as store:
        made = Session(Desk(store=store, clock=SystemClock()), store, written(folder, rules), known)
        with anyio.fail_after(300):
            async with made.holding.serving(made):
                yield made


async def test_a_call_runs_by_the_votes_of_those_who_decide(tmp_path: Path) -> None:
    async with session(tmp_path, known=people("ada", "bob", "eve", "agent")) as held:
        held.call(1, all=True)
        asked = await waiting(held.desk)
        for by in ("eve", "agent"):
            with pytest.raises(NotTheirDecision, match=r"ada, bob \(rule gate\.toml:1\)"):
                await held.vote(asked, by)
        assert (await held.vote(asked, "ada")).state is State.OPEN
        assert held.ran == []
        await held.vote(asked, "bob")
        while not held.ran:
            await anyio.sleep(0.01)
        assert held.ran == [{"all": True}]


@pytest.mark.parametrize("names", [None, ("ada",), ("ada", "agent")])
async def test_without_enough_people_nobody_is_asked(tmp_path: Path, names: tuple[str, ...] | None) -> None:
    async with session(tmp_path, known=None if names is None else people(*names)) as held:
        held.call(1)
        assert "the rule gate.toml:1 names who decides, and too few" in await held.answer(1)
        assert (await held.desk.count_open()).handoffs == 0
        assert held.ran == []


@pytest.mark.parametrize(
    "edit",
    [
        "UPDATE handoffs SET state = 'answered', answer = '{\"decision\":\"allow\"}', ended_at = deadline - 1",
        "UPDATE handoffs SET deciders = ''",
        """UPDATE handoffs SET deciders = replace(deciders, '"votes":2', '"votes":1')""",
        "UPDATE handoffs SET deciders = replace(deciders, 'ada', 'eve'), votes = replace(votes, 'ada', 'eve')",
    ],
)
async def test_what_a_store_says_that_was_edited_by_hand_runs_nothing(tmp_path: Path, edit: str) -> None:
    async with session(tmp_path, known=people("ada", "bob", "eve")) as held:
        held.call(1)
        asked = await waiting(held.desk)
        await held.vote(asked, "ada")
        with closing(sqlite3.connect(tmp_path / "handoffs.db")) as by_hand, by_hand:
            by_hand.execute(edit)
            by_hand.execute("UPDATE handoffs SET ended_by = 'ada', ended_through = 'inbox' WHERE state = 'answered'")
            by_hand.execute("UPDATE handoffs SET version = version + 1")
        edited = await held.desk.get(asked.id)
        if edited.state is State.OPEN:
            by = "eve" if "eve" in edit else "ada"
            await held.vote(edited, by)
            if "eve" in edit:
                await held.vote(edited, "bob")
        held.call(2)
        while not held.told:
            await anyio.sleep(0.01)
        assert all("does not have their votes" in told for told in held.told.values())
        assert held.ran == []


async def test_arguments_that_others_decide_on_are_not_used(tmp_path: Path) -> None:
    strict = '[[rule]]\ntool = "wipe"\nwhen = "has(args.all)"\ndo = "ask"\nto = "bob"\n'
    rules = strict + '[[rule]]\ntool = "wipe"\ndo = "ask"\nto = "ada"\n'
    async with session(tmp_path, rules, people("ada", "bob")) as held:
        held.call(1, one=1)
        asked = await waiting(held.desk)
        await held.vote(asked, "ada", arguments='{"all": true}')
        again = await waiting(held.desk, but=(asked.id,))
        assert "it is the decision of others" in again.question.message
        await held.vote(again, "ada")
        while not held.ran:
            await anyio.sleep(0.01)
        assert held.ran == [{"one": 1}]


async def test_a_rule_that_came_after_the_question_counts(tmp_path: Path) -> None:
    async with session(tmp_path, '[[rule]]\ntool = "wipe"\ndo = "ask"\n', people("ada", "bob")) as held:
        held.call(1)
        asked = await waiting(held.desk)
        held.policy = written(tmp_path, RULE)
        await held.vote(asked, "eve")
        assert "does not have their votes" in await held.answer(1)
        held.call(2)
        anew = await waiting(held.desk)
        assert anew.question.deciders is not None
        assert anew.question.deciders.people == ("ada", "bob")
        assert held.ran == []


@pytest.mark.parametrize("rule", [RULE, RULE.replace("votes = 2", "votes = 1")], ids=["two votes", "one"])
async def test_a_vote_from_a_chat_counts_where_the_rule_says_so(tmp_path: Path, rule: str) -> None:
    allowed = rule + 'channels = ["ntfy"]\n'
    async with session(tmp_path, allowed, people("ada", "bob")) as held:
        held.call(1)
        asked = await waiting(held.desk)
        assert asked.question.action is not None
        assert asked.question.action.channels == ("ntfy",)
        for by in ("ada", "bob")[: 2 if rule is RULE else 1]:
            await held.desk.answer(asked, ALLOW, by=by, channel="ntfy")
        while not held.ran:
            await anyio.sleep(0.01)


@pytest.mark.parametrize("channels", ["", 'channels = ["ntfy"]\n'])
async def test_a_vote_from_another_chat_counts_for_nothing(tmp_path: Path, channels: str) -> None:
    async with session(tmp_path, RULE + channels, people("ada", "bob")) as held:
        held.call(1)
        asked = await waiting(held.desk)
        await held.vote(asked, "ada")
        # By hand: no such message has a button.
        await held.desk.answer(asked, ALLOW, by="bob", channel="other" if channels else "ntfy")
        assert "Not run" in await held.answer(1)
        assert held.ran == []


async def test_an_answer_from_a_chat_allows_nothing_without_its_rule(tmp_path: Path) -> None:
    async with session(tmp_path, '[[rule]]\ntool = "wipe"\ndo = "ask"\n') as held:
        held.call(1)
        asked = await waiting(held.desk)
        await held.desk.answer(asked, ALLOW, by="ada", channel="ntfy")
        assert "takes no answer from a chat" in await held.answer(1)
        assert held.ran == []
