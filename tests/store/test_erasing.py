"""A person is erased, on every engine: what is kept of them afterwards, and that the log can still be verified."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from handoffs.core.deciders import Deciders, Seat
from handoffs.core.errors import PersonNotFound, PersonRefused
from handoffs.core.events import Collected, Declined, Revealed
from handoffs.core.model import Handoff, State
from handoffs.core.person import Absence, mark_of
from handoffs.core.recovery import Recovery
from handoffs.core.voting import vote_for
from handoffs.proof.erasing import rewrite_at
from handoffs.proof.store_checks import verify_store
from handoffs.proof.verifying import verify_folder
from handoffs.proof.writing import export, proof_of, signed_head
from handoffs.store import OpenStore
from handoffs.store.sqlite.store import SqliteStore
from tests.core.strategies import ASKED
from tests.store.by_hand import change
from tests.store.conftest import Place
from tests.store.samples import LATER, LONG_AGO, answered, passkey, permission, person, sample
from tests.store.test_chats import chat, code, told
from tests.store.test_leaves import KEY, ORIGIN, problems

DAY = timedelta(days=1)
AFTER = LATER + 3 * DAY
SECRET = "the word that ada wrote"


def two_of(*people: str) -> Deciders:
    seats = tuple(Seat(person=each) for each in people)
    return Deciders(rule="gate.toml:2", asked_at=ASKED, seats=seats, votes=2)


async def people_of(store: OpenStore, *names: str) -> None:
    for name in names:
        await store.people.add(person(name, "dba", email=f"{name}@example.com"))


async def answer(store: OpenStore, message: str, *, by: str = "ada", note: str = SECRET) -> Handoff:
    asked = await store.open(sample(message), collect_after=LONG_AGO)
    return await store.record(asked.id, answered(by=by, note=note, response=SECRET), Collected(at=LATER))


async def vote(store: OpenStore, message: str, *names: str, of: Deciders | None = None) -> Handoff:
    asked = await store.open(sample(message, deciders=of or two_of("ada", "bob", "cai")), collect_after=LONG_AGO)
    for number, name in enumerate(names):
        outcome = answered(at=LATER + timedelta(seconds=number), by=name, response=SECRET)
        asked = await store.record(asked.id, vote_for(await store.get(asked.id), outcome), outcome)
    assert asked.state is State.ANSWERED
    return await store.record(asked.id, Collected(at=LATER + DAY))


async def with_chats(store: OpenStore) -> None:
    """Give ada and bob a chat each, with a message and a code."""
    for name in ("ada", "bob"):
        made = replace(chat(f"c_of-{name}s-chat", name), sealed=f"address-of-{name}s-chat", account=f"of-{name}s-chat")
        await store.chats.keep(made)
        await store.chats.tell(
            [told(chat=made.id, ref=f"ref-of-{name}s-chat")], [code(f"code-of-{name}s-chat", chat=made.id)]
        )
        assert await store.chats.hold(made.account, "holder", at=ASKED, until=AFTER) == ""


async def erase(store: OpenStore, name: str = "ada") -> str:
    return (await store.people.erase(name, at=AFTER, rewrite=rewrite_at(AFTER))).person


async def everything(place: Place, store: OpenStore) -> str:
    """All texts of a store, as its tables have them."""
    if isinstance(store, SqliteStore):
        return b"".join(path.read_bytes() for path in Path(place.address).parent.iterdir() if path.is_file()).decode(
            "latin-1"
        )
    import asyncpg

    from handoffs.store.postgres.address import parse

    at = parse(place.address)
    connection = await asyncpg.connect(at.dsn)
    found = ""
    for (table,) in await connection.fetch(
        "SELECT tablename FROM pg_catalog.pg_tables WHERE schemaname = $1", at.schema
    ):
        found += str([tuple(row) for row in await connection.fetch(f'SELECT * FROM "{at.schema}"."{table}"')])
    await connection.close()
    return found


async def test_nothing_of_an_erased_person_is_left_in_the_store(place: Place, store: OpenStore) -> None:
    await people_of(store, "ada", "bob", "cai")
    people = store.people
    await people.add_key(passkey("credential-of-ada"))
    await people.away(Absence(person="ada", deputy="bob", since=ASKED, until=LATER), at=ASKED)
    await people.away(Absence(person="cai", deputy="ada", since=ASKED, until=LATER), at=ASKED)
    begins = ASKED + 2 * DAY
    asked = Recovery(person="bob", asked_by="ada", asked_at=ASKED, begins_at=begins, ends_at=begins + DAY)
    await people.ask_recovery("r", asked)
    assert await people.stop_recovery("bob", by="ada", at=LATER)
    await people.invite("d", "ada", expires_at=AFTER)
    await people.begin("c", "ada", at=AFTER, agent="The browser of ada")
    await people.change("ada", at=LATER, identify=frozenset({"oauth:subject-of-ada@id"}))
    await with_chats(store)
    await store.permissions.grant(permission(by="ada"))
    await answer(store, "One?")
    await vote(store, "Two?", "bob", "ada")
    await vote(store, "Three?", "ada", "cai")
    declined = await store.open(sample("Four?"), collect_after=LONG_AGO)
    await store.record(declined.id, Declined(at=LATER, by="ada", channel="inbox", note=SECRET))
    number = await erase(store)
    left = await everything(place, store)
    assert "ada@example.com" not in left
    assert "credential-of-ada" not in left
    assert "The browser of" not in left
    assert "subject-of-ada" not in left
    assert "of-adas-chat" not in left
    # "Three?" was answered by cai, in the same words.
    assert left.count(SECRET) == 1
    assert '"ada"' not in left.replace('"token:ada"', "")
    there = (await people.directory()).people[mark_of(number)]
    assert (there.email, there.groups, there.handle) == ("", frozenset(), "")
    assert [each.deputy for each in (await people.directory()).absences] == [mark_of(number)]
    assert await problems(store) == []


async def test_what_stays_says_which_handoffs_an_erased_person_decided(store: OpenStore) -> None:
    await people_of(store, "ada", "bob", "cai")
    one, both = await answer(store, "One?"), await vote(store, "Two?", "ada", "bob")
    other = await answer(store, "Other?", by="bob")
    mark = mark_of(await erase(store))
    now = await store.get(one.id)
    assert (now.state, now.values, now.version) == (State.ANSWERED, None, one.version + 1)
    assert now.end is not None
    assert (now.end.by, now.end.note, now.end.channel) == (mark, "", "terminal")
    now = await store.get(both.id)
    assert [each.person for each in now.votes] == [mark, "bob"]
    assert now.values == both.values  # bob's
    assert await store.get(other.id) == other
    report = await verify_store(store, ORIGIN, [KEY.verifier])
    assert report.ok
    assert report.erased_people == 1
    lines = {each.number: each.name for each in await store.log()}
    assert sorted({lines[each] for each in report.erased}) == ["answered", "opened", "voted"]


async def test_older_and_newer_exports_and_heads_are_still_right(store: OpenStore, tmp_path: Path) -> None:
    await people_of(store, "ada", "bob", "cai")
    first = await vote(store, "Two?", "bob", "ada")
    _, old = await signed_head(store, KEY)
    await export(store, tmp_path / "out", KEY, server_id="x")
    await export(store, tmp_path / "kept", KEY, server_id="x")
    await erase(store)
    await export(store, tmp_path / "out", KEY, server_id="x")
    await export(store, tmp_path / "new", KEY, server_id="x")
    for folder in ("out", "new"):
        report = verify_folder(tmp_path / folder, [KEY.verifier], old)
        assert (report.problems, report.since is not None, report.closed, report.erased_people) == ([], True, 1, 1)
        written = (tmp_path / folder / "decisions" / f"{first.id}.json").read_text()
        assert SECRET not in written
        assert "ada" not in written
    assert verify_folder(tmp_path / "kept", [KEY.verifier], old).ok
    assert (await verify_store(store, ORIGIN, [KEY.verifier], old)).ok
    proof = await proof_of(store, await store.get(first.id), KEY, server_id="x")
    assert proof["signatures"] == []


CHANGES = {
    "the question": "UPDATE SCHEMA.handoffs SET message = 'Other?' WHERE message = 'Two?'",
    "the answer": "UPDATE SCHEMA.handoffs SET answer = '{\"response\":\"no\"}' WHERE message = 'Two?'",
    "who": "UPDATE SCHEMA.handoffs SET ended_by = 'bob' WHERE message = 'Two?'",
    "the number": "UPDATE SCHEMA.events SET details = replace(details, 'p_', 'p_0') WHERE name = 'erased'",
    "the votes": "UPDATE SCHEMA.handoffs SET votes = replace(votes, 'bob', 'cai') WHERE message = 'Two?'",
    "the rest": "UPDATE SCHEMA.events SET details = replace(details, '1=', '9=') WHERE name = 'erased'",
    "a salt": "UPDATE SCHEMA.events SET salt = '-00' WHERE name = 'collected'",
}


@pytest.mark.parametrize("what", sorted(CHANGES))
async def test_what_is_changed_by_hand_after_an_erasure_is_found(what: str, place: Place, store: OpenStore) -> None:
    await people_of(store, "ada", "bob", "cai")
    await vote(store, "Two?", "bob", "ada")
    await erase(store)
    assert await problems(store) == []
    await change(place.address, CHANGES[what])
    assert await problems(store)


async def test_two_who_decided_one_question_are_erased_in_turn(store: OpenStore, tmp_path: Path) -> None:
    await people_of(store, "ada", "bob", "cai")
    asked = await vote(store, "Two?", "bob", "ada")
    marks = [mark_of(await erase(store, name)) for name in ("ada", "bob")]
    assert [each.person for each in (await store.get(asked.id)).votes] == marks[::-1]
    assert await problems(store) == []
    await export(store, tmp_path, KEY, server_id="x")
    assert verify_folder(tmp_path, [KEY.verifier]).ok


async def test_a_deputy_who_voted_for_the_person_is_told_apart(store: OpenStore) -> None:
    await people_of(store, "ada", "bob", "cai")
    seats = (Seat(person="bob", for_="ada"), Seat(person="cai"))
    await vote(store, "Two?", "bob", "cai", of=Deciders(rule="r", asked_at=ASKED, seats=seats, votes=2))
    mark = mark_of(await erase(store))
    [handoff] = await store.newest(open_only=False)
    assert [(each.person, each.for_) for each in handoff.votes] == [("bob", mark), ("cai", "")]
    assert await problems(store) == []


async def test_what_is_open_and_names_the_person_has_to_end_first(store: OpenStore) -> None:
    await people_of(store, "ada", "bob", "cai")
    await answer(store, "One?")
    asked = await store.open(sample("Open?", deciders=two_of("ada", "bob")), collect_after=LONG_AGO)
    before = await store.log()
    with pytest.raises(PersonRefused, match=f"{asked.id} is open and names ada"):
        await erase(store)
    assert await store.log() == before
    assert (await store.people.directory()).named("ada")
    await erase(store, "cai")


async def test_an_answer_that_its_agent_has_not_received_waits_for_a_day(store: OpenStore) -> None:
    await people_of(store, "ada")
    asked = await store.open(sample("One?"), collect_after=LONG_AGO)
    await store.record(asked.id, answered())
    soon = LATER + timedelta(hours=1)
    with pytest.raises(PersonRefused, match="its agent has not received"):
        await store.people.erase("ada", at=soon, rewrite=rewrite_at(soon))
    await erase(store)


async def test_a_person_is_erased_once_and_their_name_is_not_given_again(
    store: OpenStore, same_store: OpenStore
) -> None:
    await people_of(store, "ada", "bob")
    number = await erase(store)
    for again in ("ada", "ADA"):
        with pytest.raises(PersonRefused, match="who was erased"):
            await same_store.people.add(person(again))
    with pytest.raises(PersonNotFound):
        await erase(store)
    for name in (number, mark_of(number)):
        with pytest.raises(PersonRefused, match="erased before"):
            await erase(store, name)
    with pytest.raises(PersonNotFound):
        await erase(store, "eve")
    assert not await store.people.remove(mark_of(number), at=AFTER)
    await store.people.add(person("eve"))


async def test_a_person_who_was_removed_can_be_erased(store: OpenStore) -> None:
    await people_of(store, "ada", "bob", "cai")
    await vote(store, "Two?", "ada", "bob")
    assert await store.people.remove("ada", at=AFTER)
    asked = await store.open(sample("Three?", deciders=two_of("ada", "bob", "cai")), collect_after=LONG_AGO)
    for by in ("bob", "cai"):
        outcome = answered(at=LATER, by=by)
        asked = await store.record(asked.id, vote_for(await store.get(asked.id), outcome, gone=["ada"]), outcome)
    number = await erase(store)
    there = (await store.people.directory()).people[mark_of(number)]
    assert there.removed_at == AFTER
    assert await problems(store) == []


@pytest.mark.parametrize("removed", [False, True])
async def test_chats_of_an_erased_person_are_gone_with_all_they_had(
    place: Place, store: OpenStore, *, removed: bool
) -> None:
    await people_of(store, "ada", "bob")
    await with_chats(store)
    if removed:
        await store.people.remove("ada", at=LATER)
    await erase(store)
    [left] = await store.chats.all()
    assert left.person == "bob"
    assert await store.chats.code("code-of-adas-chat") is None
    assert await store.chats.redeem("code-of-bobs-chat", chat_id=left.id, event="e", at=ASKED) is not None
    assert [each.ref for each in await store.chats.told([left.id])] == ["ref-of-bobs-chat"]
    assert await store.chats.hold(left.account, "another", at=ASKED, until=AFTER) is None
    assert "of-adas-chat" not in await everything(place, store)


async def test_what_is_refused_erases_no_chat(store: OpenStore) -> None:
    await people_of(store, "ada", "bob")
    await with_chats(store)
    await store.open(sample("Open?", deciders=two_of("ada", "bob")), collect_after=LONG_AGO)
    with pytest.raises(PersonRefused):
        await erase(store)
    assert [each.person for each in await store.chats.all()] == ["ada", "bob"]
    assert await store.chats.code("code-of-adas-chat") is not None


async def test_a_process_that_knows_the_handoff_brings_nothing_back(store: OpenStore, same_store: OpenStore) -> None:
    await people_of(store, "ada")
    known = await answer(store, "One?")
    await erase(store)
    after = await same_store.record(known.id, Revealed(at=AFTER, by="eve", field="f"), known=known)
    assert (after.values, after.end and after.end.note) == (None, "")
    assert await problems(store) == []


async def test_words_that_no_erasure_took_are_missed(place: Place, store: OpenStore) -> None:
    await people_of(store, "ada", "bob")
    await change(place.address, "UPDATE SCHEMA.events SET details = '{}', salt = '' WHERE name = 'personadded'")
    found = await problems(store)
    assert len(found) == 2
    assert all("its salt is gone, and the person was not erased" in each for each in found)
