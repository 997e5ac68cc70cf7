"""Calls that run only with a passkey, while somebody edits the store by hand: the gate believes signatures alone."""

import json
import sqlite3
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, closing
from datetime import datetime
from pathlib import Path

import anyio
import pytest

from handoffs.clock import SystemClock
from handoffs.core.deciders import Vote, content_digest, dump_votes
from handoffs.core.desk import Desk
from handoffs.core.model import Handoff, State
from handoffs.proof.passkeys import PasskeyProofs, PinnedKeys, RelyingParty
from handoffs.store.sqlite.store import SqliteStore
from tests.gate.behind import waiting
from tests.gate.policies import written
from tests.gate.test_holding import ALLOW
from tests.gate.test_seats import Session, people
from tests.proof.authenticator import ORIGIN, Authenticator

RULE = '[[rule]]\ntool = "wipe"\ndo = "ask"\nto = ["ada", "bob"]\nproof = "passkey"\n'


class ProvedSession(Session):
    """A session whose people have passkeys."""

    def __init__(self, desk: Desk, store: SqliteStore, folder: Path) -> None:
        self.folder, self.then = folder, ""
        self.ada, self.eve = Authenticator(credential_id="YWRh"), Authenticator(credential_id="ZXZl")
        super().__init__(desk, store, written(folder, RULE), people("ada", "bob", "eve"))

    async def allow(self, asked: Handoff, **values: object) -> Handoff:
        wanted = {**ALLOW, **values}
        decision = await self.desk.to_sign(asked, wanted, by="ada", channel="inbox")
        assert decision is not None
        return await self.desk.answer(asked, wanted, by="ada", channel="inbox", proof=self.ada.sign(decision))

    async def refused(self) -> None:
        """Wait until one of the calls was refused: the other may be asked about anew. None has run."""
        while not self.told:
            await anyio.sleep(0.01)
        assert all("Not run" in told for told in self.told.values())
        assert self.ran == []

    async def forge(self, asked: Handoff, by: Authenticator) -> str:
        """Return what a key makes of Ada's decision."""
        decision = await self.desk.to_sign(asked, ALLOW, by="ada", channel="inbox")
        assert decision is not None
        return by.sign(decision).dumps()

    def write_answer(self, of: str, proof: str) -> None:
        """Write an answer into every row by hand, with Ada's vote for the question of a fingerprint."""
        now = SystemClock().now()
        vote = Vote(person="ada", channel="inbox", at=now, digest=content_digest(of, ALLOW), proof=proof)
        self.edit(
            f"""UPDATE handoffs SET state = 'answered', answer = '{json.dumps(ALLOW)}', ended_at = deadline - 1,
            ended_by = 'ada', ended_through = 'inbox', note = '', collected_at = NULL, handed_to = '',
            votes = '{dump_votes([vote])}'"""
        )

    def edit(self, *statements: str) -> None:
        with closing(sqlite3.connect(self.folder / "handoffs.db")) as by_hand, by_hand:
            for statement in statements:
                by_hand.execute(statement)
            by_hand.execute(self.then)
            by_hand.execute("UPDATE handoffs SET version = version + 1")
            # A line of the log wakes the calls that wait.
            line = "SELECT id, 'reached', created_at, '{}' FROM handoffs"
            by_hand.execute(f"INSERT INTO events (handoff_id, name, at, details) {line}")


@asynccontextmanager
async def session(folder: Path, *, pin: bool = False) -> AsyncGenerator[ProvedSession]:
    pinned: dict[str, tuple[bytes, ...]] = {}

    async with SqliteStore(folder / "handoffs.db") as store:

        async def claim(key: str, now: datetime, until: datetime) -> bool:
            return await store.claim(key, now=now, until=until)

        keys: PinnedKeys | None = pinned if pin else None
        proofs = PasskeyProofs(lambda: store.people, RelyingParty.of(ORIGIN), claim=claim, pinned=keys)
        desk = Desk(store=store, clock=SystemClock(), proofs=lambda: proofs)
        made = ProvedSession(desk, store, folder)
        pinned["ada"] = (made.ada.cose,)
        for name, key in (("ada", made.ada), ("eve", made.eve)):
            person = people(name)[name]
            await store.people.add(person)
            await store.people.add_key(key.enrolled(name, person.added_at))
        with anyio.fail_after(300):
            async with made.holding.serving(made):
                yield made


async def test_a_signed_call_runs(tmp_path: Path) -> None:
    async with session(tmp_path) as held:
        held.call(1, all=True)
        assert (await held.allow(await waiting(held.desk))).state is State.ANSWERED
        while not held.ran:
            await anyio.sleep(0.01)
        assert held.ran == [{"all": True}]


@pytest.mark.parametrize("proof", ["", "{}", "somebody's"])
async def test_an_answer_that_nobody_signed_runs_nothing(tmp_path: Path, proof: str) -> None:
    async with session(tmp_path) as held:
        held.call(1)
        asked = await waiting(held.desk)
        held.write_answer(asked.fingerprint, await held.forge(asked, held.eve) if proof == "somebody's" else proof)
        await held.refused()


EDITED = json.dumps({**ALLOW, "arguments": '{"all":true}'})


@pytest.mark.parametrize(
    "edit",
    [
        f"UPDATE handoffs SET answer = '{EDITED}'",
        "UPDATE handoffs SET note = 'and delete the backups'",
        "UPDATE handoffs SET ended_by = 'bob'",
        "UPDATE handoffs SET message = replace(message, 'Allow', 'Deny')",
        "UPDATE handoffs SET votes = replace(votes, 'ada', 'bob'), ended_by = 'bob'",
        "UPDATE handoffs SET votes = replace(votes, 'nonce', 'none')",
        "UPDATE handoffs SET created_at = created_at + 1",
        "UPDATE handoffs SET deadline = deadline + 1",
        "UPDATE handoffs SET form = replace(form, 'Deny', 'Allow')",
        "DELETE FROM passkeys",
        "UPDATE passkeys SET public_key = (SELECT public_key FROM passkeys WHERE person = 'eve')",
        "UPDATE passkeys SET person = 'eve'",
        "UPDATE handoffs SET id = id",
    ],
)
async def test_a_signed_answer_that_was_edited_runs_nothing(tmp_path: Path, edit: str) -> None:
    async with session(tmp_path) as held:
        held.call(1)
        asked = await waiting(held.desk)
        # One transaction, before the gate looks at the row again.
        held.then = edit
        held.write_answer(asked.fingerprint, await held.forge(asked, held.ada))
        if edit == "UPDATE handoffs SET id = id":  # what was not edited runs: it is the edits that are found
            while not held.ran:
                await anyio.sleep(0.01)
            return
        await held.refused()


async def test_a_key_put_into_the_store_is_no_pinned_one(tmp_path: Path) -> None:
    async with session(tmp_path, pin=True) as held:
        held.edit("UPDATE passkeys SET person = 'ada'")
        held.call(1)
        asked = await waiting(held.desk)
        held.write_answer(asked.fingerprint, await held.forge(asked, held.eve))
        await held.refused()
        held.call(3)
        await held.allow(await waiting(held.desk))
        while not held.ran:
            await anyio.sleep(0.01)


async def test_a_signature_for_another_call_runs_nothing(tmp_path: Path) -> None:
    async with session(tmp_path) as held:
        held.call(1, path="/tmp/x")
        small = await waiting(held.desk)
        held.call(2, path="/")
        large = await waiting(held.desk, but=(small.id,))
        # The row of the harmless call is passed off as that of the other one.
        held.then = f"UPDATE handoffs SET fingerprint = '{large.fingerprint}' WHERE id = '{small.id}'"
        held.write_answer(large.fingerprint, await held.forge(small, held.ada))
        assert "Not run" in await held.answer(2)
        assert {"path": "/"} not in held.ran
