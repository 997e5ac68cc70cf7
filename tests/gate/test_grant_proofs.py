"""Permissions for later where a passkey is demanded, while somebody edits the store: the gate believes signatures."""

import json
import sqlite3
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import anyio
import pytest

from handoffs.core.errors import NotProved
from handoffs.core.grant import Grant
from handoffs.core.model import Handoff
from handoffs.core.person import mark_of
from handoffs.core.stopping import resume
from handoffs.gate.relay.message import Message, read
from handoffs.proof.erasing import rewrite_at
from handoffs.store.sqlite.store import SqliteStore
from tests.gate.behind import waiting
from tests.gate.policies import written
from tests.gate.test_holding import ALLOW, DENY
from tests.gate.test_proof import RULE, ProvedSession, session
from tests.gate.test_seats import people
from tests.waiting import until

REMEMBERING = RULE + "remember = true\n"


def introduce(held: ProvedSession) -> None:
    """Say who the client is: behind no name, nothing is remembered beyond the session."""
    hello = {"method": "initialize", "params": {"clientInfo": {"name": "test-host"}, "protocolVersion": "2025-11-25"}}
    message = read(json.dumps({"jsonrpc": "2.0", "id": 0, **hello}).encode())
    assert isinstance(message, Message)
    assert not held.holding.from_client(message)


async def remembered(held: ProvedSession, choice: str = "exact-hour", **more: object) -> Handoff:
    """A call that Ada allows with her passkey, and what she has remembered."""
    introduce(held)
    held.policy = written(held.folder, REMEMBERING)
    held.call(1, path="/srv/old/a")
    asked = await waiting(held.desk)
    await held.allow(asked, remember=choice, **more)
    await noted(held, asked)
    return asked


async def remembered_unsigned(held: ProvedSession) -> None:
    """A call that Ada allows as the rule takes it, and the tool that she has remembered."""
    held.call(1, path="/srv/old/a")
    asked = await waiting(held.desk)
    await held.desk.answer(asked, ALLOW | {"remember": "tool"}, by="ada", channel="inbox")
    await noted(held, asked)


async def noted(held: ProvedSession, asked: Handoff) -> None:
    """Wait until all of a call is in the store: what is edited afterwards, nobody writes over."""
    await until(lambda: held.desk.log(handoff_id=asked.id), lambda found: any(each.name == "result" for each in found))


def edit(held: ProvedSession, *statements: str) -> None:
    with closing(sqlite3.connect(held.folder / "handoffs.db")) as by_hand, by_hand:
        for statement in statements:
            assert by_hand.execute(statement).rowcount > 0, statement


async def runs(held: ProvedSession, number: int = 2, **arguments: object) -> bool:
    """Say whether a call runs unasked."""
    before = len(held.ran)
    earlier = tuple(each.id for each in await held.desk.newest(open_only=True))
    held.call(number, **(arguments or {"path": "/srv/old/a"}))
    while len(held.ran) == before:
        if [each for each in await held.desk.newest(open_only=True) if each.id not in earlier]:
            return False
        await anyio.sleep(0.01)
    return True


async def the_grant(held: ProvedSession) -> Grant:
    [grant] = await held.desk.permissions.grants()
    return grant


@pytest.mark.parametrize("pin", [False, True])
@pytest.mark.parametrize("choice", ["exact-hour", "tool", "session"])
async def test_a_signed_permission_counts(tmp_path: Path, choice: str, pin: bool) -> None:
    async with session(tmp_path, pin=pin) as held:
        await remembered(held, choice)
        assert await runs(held, 2)
        assert await runs(held, 3)


async def test_a_signed_permission_counts_within_its_conditions_and_uses(tmp_path: Path) -> None:
    async with session(tmp_path) as held:
        await remembered(held, "tool-hour", conditions=["path begins with /srv/old/"], uses=2)
        assert not await runs(held, 2, path="/srv/new/a")
        assert await runs(held, 3, path="/srv/old/b")
        assert await runs(held, 4, path="/srv/old/c")
        assert not await runs(held, 5, path="/srv/old/d")


@pytest.mark.parametrize(
    "edits",
    [
        ["UPDATE grants SET reach = 'tool', arguments_digest = ''"],
        ["UPDATE grants SET expires_at = NULL"],
        ["UPDATE grants SET expires_at = expires_at + 3600000000"],
        ["UPDATE grants SET expires_at = expires_at + 600000000, created_at = created_at + 600000000"],
        ["UPDATE grants SET uses_left = 9"],
        ["UPDATE grants SET granted_by = 'bob'"],
        ["UPDATE grants SET channel = 'tests'"],
        ["UPDATE grants SET id = 'g_another'"],
        ["UPDATE grants SET handoff_id = 'h_none'"],
        ["DELETE FROM passkeys"],
        ["UPDATE passkeys SET removed_at = added_at + 3600000000"],
        ["UPDATE passkeys SET public_key = (SELECT public_key FROM passkeys WHERE person = 'eve')"],
        ["UPDATE handoffs SET answer = replace(answer, 'exact-hour', 'tool')", "UPDATE grants SET reach = 'tool'"],
        ["UPDATE handoffs SET votes = replace(votes, 'nonce', 'none')"],
        ["UPDATE handoffs SET votes = '[]'"],
        ["UPDATE handoffs SET state = 'declined'"],
        ["DELETE FROM handoffs"],
    ],
    ids=lambda edits: edits[0][:60],
)
async def test_a_permission_that_was_edited_in_the_store_allows_nothing(tmp_path: Path, edits: list[str]) -> None:
    async with session(tmp_path) as held:
        await remembered(held)
        if "removed_at" in edits[0]:  # an hour ahead at first
            edits = ["UPDATE passkeys SET removed_at = 1 + (SELECT max(ended_at) FROM handoffs)"]
        edit(held, *edits)
        assert not await runs(held)


async def test_a_permission_for_another_tool_or_call_is_made_of_none(tmp_path: Path) -> None:
    async with session(tmp_path) as held:
        await remembered(held)
        held.policy = written(held.folder, REMEMBERING.replace('"wipe"', '"*"'))
        edit(held, "UPDATE grants SET reach = 'tool', arguments_digest = '', conditions = '[]'")
        assert not await runs(held, 2, path="/")


async def test_a_permission_that_was_written_by_hand_allows_nothing(tmp_path: Path) -> None:
    async with session(tmp_path) as held:
        await remembered(held, "exact-day", uses=5)
        with closing(sqlite3.connect(held.folder / "handoffs.db")) as by_hand, by_hand:
            names = [row[1] for row in by_hand.execute("PRAGMA table_info(grants)")]
            row = dict(zip(names, by_hand.execute("SELECT * FROM grants").fetchone(), strict=True))
            row |= {"id": "g_forged", "reach": "tool", "arguments_digest": "", "expires_at": None, "uses_left": None}
            marks = ", ".join("?" * len(row))
            by_hand.execute(f"INSERT INTO grants ({', '.join(row)}) VALUES ({marks})", [*row.values()])
        assert not await runs(held, 2, path="/")
        assert await runs(held, 3)  # the true one counts beside it


async def test_uses_that_were_given_back_are_found(tmp_path: Path) -> None:
    async with session(tmp_path) as held:
        await remembered(held, uses=2)
        assert await runs(held, 2)
        edit(held, "UPDATE grants SET uses = 0, uses_left = 2")
        assert not await runs(held, 3)


async def test_a_permission_for_a_session_counts_in_no_other(tmp_path: Path) -> None:
    async with session(tmp_path) as held:
        await remembered(held, "session")
        async with SqliteStore(tmp_path / "handoffs.db") as store:
            other = ProvedSession(held.desk, store, tmp_path)
            other.policy = held.policy
            async with other.holding.serving(other):
                introduce(other)
                edit(held, f"UPDATE grants SET session = '{other.holding.session}'")
                assert not await runs(other)


async def test_an_unsigned_permission_counts_no_more_under_a_rule_that_wants_one(tmp_path: Path) -> None:
    async with session(tmp_path) as held:
        introduce(held)
        held.policy = written(held.folder, '[[rule]]\ntool = "wipe"\ndo = "ask"\n')
        await remembered_unsigned(held)
        assert await runs(held, 2)
        held.policy = written(held.folder, REMEMBERING)
        assert not await runs(held, 3)


async def test_a_permission_given_by_votes_needs_those_who_decide_now(tmp_path: Path) -> None:
    async with session(tmp_path) as held:
        introduce(held)
        rule = REMEMBERING.replace('proof = "passkey"\n', "")
        held.policy = written(held.folder, rule)
        await remembered_unsigned(held)
        assert await runs(held, 2)
        held.policy = written(held.folder, rule.replace("[[rule]]", "[[rule]]\nvotes = 2"))
        assert not await runs(held, 3)
        held.policy = written(held.folder, rule)
        assert await runs(held, 4, path="/srv/old/b")
        held.known = people("bob")
        assert not await runs(held, 5, path="/srv/old/c")


@pytest.mark.parametrize("pin", [False, True])
async def test_a_permission_of_a_person_who_was_erased_allows_nothing(tmp_path: Path, pin: bool) -> None:
    async with session(tmp_path, pin=pin) as held:
        await remembered(held, "tool")
        assert await runs(held, 2)
        at = held.desk.clock.now() + timedelta(days=2)  # what its agent has not received waits for a day
        async with SqliteStore(tmp_path / "handoffs.db") as store:
            done = await store.people.erase("ada", at=at, rewrite=rewrite_at(at))
        assert done.grants == 1
        assert (await the_grant(held)).by == mark_of(done.person)
        assert not await runs(held, 3)


async def test_to_revoke_takes_no_passkey_and_to_resume_is_refused(tmp_path: Path) -> None:
    async with session(tmp_path) as held:
        await remembered(held, "exact")
        grant = await the_grant(held)
        await held.desk.permissions.suspend(grant.id, at=held.desk.clock.now())
        with pytest.raises(NotProved, match="the next call asks again"):
            await resume(held.desk, grant)
        assert not await runs(held)
        await held.desk.permissions.revoke(grant.id, at=held.desk.clock.now() + timedelta(seconds=1))
        assert (await the_grant(held)).revoked_at is not None


async def test_a_permission_that_a_denial_suspended_does_not_run(tmp_path: Path) -> None:
    async with session(tmp_path) as held:
        await remembered(held, "exact")
        held.call(2, path="/")
        await held.desk.answer(await waiting(held.desk), DENY, by="bob", channel="inbox")
        assert "denied" in await held.answer(2)
        assert not await runs(held, 3)
