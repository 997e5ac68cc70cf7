"""Decisions that demand a passkey, at a desk over a real store: what is recorded, refused, and believed afterwards."""

from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from handoffs.core.attachment import GivenFile
from handoffs.core.deciders import Deciders, Seat
from handoffs.core.decision import Assertion
from handoffs.core.desk import Desk
from handoffs.core.errors import AnswerRefused, NotProved, NotTheirDecision, QuestionRefused
from handoffs.core.model import Caller, Handoff, State
from handoffs.core.people import People
from handoffs.core.person import Person
from handoffs.proof.passkeys import PasskeyProofs, PinnedKeys, RelyingParty
from handoffs.store.sqlite.store import SqliteStore
from tests.fakes import FakeClock
from tests.proof.authenticator import ORIGIN, Authenticator

CALLER = Caller(subject="agent")
YES = {"response": "yes"}


class Inbox:
    """A desk where Ada and Bob each have a passkey."""

    def __init__(self, store: SqliteStore, *, demanded: bool = False, pinned: PinnedKeys | None = None) -> None:
        self.clock, self.store = FakeClock(), store
        self.ada, self.bob = Authenticator(credential_id="YWRh"), Authenticator(credential_id="Ym9i")

        async def claim(key: str, now: datetime, until: datetime) -> bool:
            return await store.claim(key, now=now, until=until)

        def people() -> People:
            return store.people

        self.proofs = PasskeyProofs(people, RelyingParty.of(ORIGIN), claim=claim, pinned=pinned)
        self.desk = Desk(
            store=store,
            clock=self.clock,
            directory=store.people.directory,
            proofs=lambda: self.proofs,
            proof_demanded=demanded,
        )

    async def enrol(self) -> None:
        for name, authenticator in (("ada", self.ada), ("bob", self.bob)):
            await self.store.people.add(Person(name=name, added_at=self.clock.now()))
            await self.store.people.add_key(authenticator.enrolled(name, self.clock.now()))

    async def ask(self, *, votes: int = 1, **given: Any) -> Handoff:
        seats = (Seat(person="ada"), Seat(person="bob"))
        deciders = Deciders(rule="gate.toml:2", asked_at=self.clock.now(), seats=seats, votes=votes, proof="passkey")
        asked: dict[str, Any] = {"deciders": deciders} | given
        return await self.desk.ask(message="Go?", caller=CALLER, **asked)

    async def sign(self, of: Handoff, by: str, values: dict[str, Any] = YES, **otherwise: Any) -> Assertion:
        decision = await self.desk.to_sign(of, values, by=by, channel="inbox", note=otherwise.pop("note", ""))
        assert decision is not None
        return (self.ada if by == "ada" else self.bob).sign(decision, **otherwise)

    async def answer(self, of: Handoff, by: str, proof: Assertion | None, **more: Any) -> Handoff:
        return await self.desk.answer(of, more.pop("values", YES), by=by, channel="inbox", proof=proof, **more)


@asynccontextmanager
async def inbox(folder: Path, **how: Any) -> AsyncGenerator[Inbox]:
    async with SqliteStore(folder / "handoffs.db") as store:
        made = Inbox(store, **how)
        await made.enrol()
        yield made


async def test_a_signed_vote_is_kept_with_its_signature(tmp_path: Path) -> None:
    async with inbox(tmp_path) as at:
        asked = await at.ask(votes=2)
        once = await at.answer(asked, "ada", await at.sign(asked, "ada", note="mind it"), note="mind it")
        assert once.state is State.OPEN
        whole = await at.answer(once, "bob", await at.sign(once, "bob", note="ok", counter=1), note="ok")
        assert whole.state is State.ANSWERED
        read = await at.desk.get(asked.id)
        assert read == whole
        assert [Assertion.loads(vote.proof).credential_id for vote in read.votes] == ["YWRh", "Ym9i"]
        assert all("signature" not in str(entry.details) for entry in await at.desk.history(asked.id))
        at.clock.forward(timedelta(days=3).total_seconds())
        await at.desk.check_proof(read)
        key = await at.store.people.key("Ym9i")
        assert key is not None
        assert key.sign_count == 1


async def test_one_person_with_two_keys_has_one_vote(tmp_path: Path) -> None:
    async with inbox(tmp_path) as at:
        asked = await at.ask(votes=2)
        once = await at.answer(asked, "ada", await at.sign(asked, "ada"))
        second = Authenticator(credential_id="YWRhMg")
        await at.store.people.add_key(second.enrolled("ada", at.clock.now()))
        for known in (asked, once):  # also one that does not know of the first vote
            decision = await at.desk.to_sign(asked, YES, by="ada", channel="inbox")
            assert decision is not None
            await at.answer(known, "ada", second.sign(decision))
        now = await at.desk.get(asked.id)
        assert (now.state, [vote.person for vote in now.votes]) == (State.OPEN, ["ada"])


async def test_without_a_signature_a_question_is_only_refused(tmp_path: Path) -> None:
    async with inbox(tmp_path) as at:
        asked = await at.ask()
        with pytest.raises(NotProved, match=r"gate\.toml:2 demands a passkey"):
            await at.answer(asked, "ada", None)
        assert (await at.desk.get(asked.id)).version == asked.version
        assert (await at.desk.decline(asked, by="ada", channel="inbox")).state is State.DECLINED


Trick = Callable[[Inbox, Handoff], Any]


async def other_values(at: Inbox, asked: Handoff) -> None:
    await at.answer(asked, "ada", await at.sign(asked, "ada"), values={"response": "no"})


async def other_note(at: Inbox, asked: Handoff) -> None:
    await at.answer(asked, "ada", await at.sign(asked, "ada"), note="and delete the backups")


async def other_person(at: Inbox, asked: Handoff) -> None:
    await at.answer(asked, "bob", await at.sign(asked, "ada"))


async def other_key(at: Inbox, asked: Handoff) -> None:
    signed = await at.sign(asked, "ada", key=at.bob.key)
    await at.answer(asked, "ada", replace(signed, credential_id="Ym9i"))


async def other_question(at: Inbox, asked: Handoff) -> None:
    other = await at.desk.ask(message="Delete all?", caller=CALLER, deciders=asked.question.deciders)
    await at.answer(other, "ada", await at.sign(asked, "ada"))


async def too_late(at: Inbox, asked: Handoff) -> None:
    signed = await at.sign(asked, "ada")
    at.clock.forward(121)
    await at.answer(asked, "ada", signed)


async def counter_back(at: Inbox, asked: Handoff) -> None:
    await at.store.people.use_key("YWRh", sign_count=5, at=at.clock.now())
    await at.answer(asked, "ada", await at.sign(asked, "ada", counter=5))


async def removed_key(at: Inbox, asked: Handoff) -> None:
    await at.store.people.remove_key("YWRh", at=at.clock.now())
    await at.answer(asked, "ada", await at.sign(asked, "ada"))


async def unknown_key(at: Inbox, asked: Handoff) -> None:
    await at.answer(asked, "ada", await at.sign(asked, "ada", credential_id="bm9uZQ"))


@pytest.mark.parametrize(
    "trick",
    [
        other_values,
        other_note,
        other_person,
        other_key,
        other_question,
        too_late,
        counter_back,
        removed_key,
        unknown_key,
    ],
)
async def test_what_does_not_fit_is_refused_and_nothing_recorded(tmp_path: Path, trick: Trick) -> None:
    async with inbox(tmp_path) as at:
        asked = await at.ask(votes=2)
        with pytest.raises(NotProved):
            await trick(at, asked)
        assert await at.desk.get(asked.id) == asked


async def test_a_signature_is_used_once(tmp_path: Path) -> None:
    async with inbox(tmp_path) as at:
        asked = await at.ask(votes=2)
        signed = await at.sign(asked, "ada")
        once = await at.answer(asked, "ada", signed)
        with pytest.raises(NotProved, match="used before"):
            await at.answer(once, "ada", signed)


async def test_who_left_has_no_vote_whatever_they_sign(tmp_path: Path) -> None:
    async with inbox(tmp_path) as at:
        asked = await at.ask()
        signed = await at.sign(asked, "ada")
        await at.store.people.remove("ada", at=at.clock.now())
        with pytest.raises(NotTheirDecision):
            await at.answer(asked, "ada", signed)


async def test_a_setting_demands_a_passkey_for_every_answer(tmp_path: Path) -> None:
    async with inbox(tmp_path, demanded=True) as at:
        asked = await at.ask(deciders=None)
        with pytest.raises(NotProved, match="HANDOFFS_PROOF demands a passkey"):
            await at.answer(asked, "ada", None)
        with pytest.raises(NotTheirDecision):
            await at.desk.answer(asked, YES, by="agent", channel="elicitation")
        done = await at.answer(asked, "ada", await at.sign(asked, "ada"))
        await at.desk.check_proof(done)
        bare = replace(done, question=replace(done.question, deciders=None))
        with pytest.raises(NotProved, match="not proved"):
            await at.desk.check_proof(bare)


async def test_where_nobody_could_give_a_proof_nothing_is_asked(tmp_path: Path) -> None:
    async with SqliteStore(tmp_path / "handoffs.db") as store:
        with pytest.raises(QuestionRefused, match="handoffs people add"):
            await Inbox(store, demanded=True).ask(deciders=None)


async def test_pinned_keys_count_alone(tmp_path: Path) -> None:
    pinned = Authenticator(credential_id="YWRh")
    async with inbox(tmp_path, pinned={"ada": (pinned.cose,)}) as at:
        asked = await at.ask()
        with pytest.raises(NotProved, match="no active passkey of ada"):
            await at.answer(asked, "ada", await at.sign(asked, "ada"))
        with pytest.raises(NotProved, match="no active passkey of bob"):
            await at.answer(asked, "bob", await at.sign(asked, "bob"))
        at.ada = pinned
        done = await at.answer(asked, "ada", await at.sign(asked, "ada"))
        await at.desk.check_proof(done)


async def test_who_does_not_know_the_page_takes_no_decision(tmp_path: Path) -> None:
    async with inbox(tmp_path) as at:
        asked = await at.ask()
        signed = await at.sign(asked, "ada")

        async def claim(key: str, now: datetime, until: datetime) -> bool:
            return True

        at.proofs = PasskeyProofs(lambda: at.store.people, RelyingParty.of(None), claim=claim)
        elsewhere = Desk(store=at.store, clock=at.clock, proofs=lambda: at.proofs)
        for desk in (elsewhere, Desk(store=at.store, clock=at.clock)):
            with pytest.raises(NotProved, match="handoffs inbox"):
                await desk.answer(asked, YES, by="ada", channel="command line", proof=signed)


async def test_a_signature_covers_the_files_of_the_answer(tmp_path: Path) -> None:
    given = [GivenFile(name="plan.txt", declared="text/plain", content=b"the plan")]
    for other in (
        [],
        [replace(given[0], content=b"another plan")],
        [replace(given[0], name="other.txt")],
        [replace(given[0], declared="text/html")],
        [*given, replace(given[0], name="more.txt", content=b"more")],
    ):
        async with inbox(tmp_path) as at:
            asked = await at.ask(files=True)
            decision = await at.desk.to_sign(asked, YES, by="ada", channel="inbox", files=given)
            assert decision is not None
            with pytest.raises(NotProved):
                await at.answer(asked, "ada", at.ada.sign(decision), files=other)
            assert (await at.desk.get(asked.id)).state is State.OPEN
        (tmp_path / "handoffs.db").unlink()
    async with inbox(tmp_path) as at:
        asked = await at.ask(files=True)
        decision = await at.desk.to_sign(asked, YES, by="ada", channel="inbox", files=given)
        assert decision is not None
        assert decision.attachments[0].digest in decision.signed.decode()
        ended = await at.answer(asked, "ada", at.ada.sign(decision), files=given)
        assert ended.state is State.ANSWERED
        await at.desk.check_proof(ended)
        for attachments in ((), (replace(ended.attachments[0], digest="0" * 64),)):
            with pytest.raises(NotProved, match="not proved"):
                await at.desk.check_proof(replace(ended, attachments=attachments))


async def test_what_takes_several_votes_takes_no_files(tmp_path: Path) -> None:
    given = [GivenFile(name="plan.txt", declared="text/plain", content=b"the plan")]
    async with inbox(tmp_path) as at:
        asked = await at.ask(votes=2, files=True)
        assert not asked.question.takes_files
        with pytest.raises(AnswerRefused, match="or a vote"):
            await at.desk.to_sign(asked, YES, by="ada", channel="inbox", files=given)
