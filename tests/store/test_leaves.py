"""The leaves that a store keeps of its events, and the tree over them, on every engine."""

import json
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

import anyio
import pytest

from handoffs.core.events import Collected, Joined, Reached, Sent, Used
from handoffs.core.leaf import leaf_of, leaf_of_beginning, opened_by
from handoffs.core.leaves import Grown
from handoffs.core.model import Handoff, State
from handoffs.core.voting import vote_for
from handoffs.proof.decisions import check_alone
from handoffs.proof.growing import Indices, grow, head, inclusion
from handoffs.proof.merkle import Frontier, leaf_hash
from handoffs.proof.notes import SigningKey
from handoffs.proof.proof_checks import verify_inclusion
from handoffs.proof.recorded import recorded
from handoffs.proof.refused import ProofRefused
from handoffs.proof.store_checks import verify_store
from handoffs.proof.verifying import verify_folder
from handoffs.proof.writing import export, proof_of, signed_head
from handoffs.store import OpenStore
from handoffs.store.sqlite.store import SqliteStore
from tests.core.strategies import ASKED
from tests.store.by_hand import change
from tests.store.conftest import Place
from tests.store.samples import LATER, LONG_AGO, answered, sample, two_of
from tests.store.test_kept import VERSIONS
from tests.store.test_kept import opened as opened_kept
from tests.store.test_prune import DAY, ended, pruned

ORIGIN = "handoffs.example/log"
KEY = SigningKey(ORIGIN, bytes(range(32)))


async def some(store: OpenStore, count: int, *, first: int = 0) -> list[Handoff]:
    """Ask and answer: four events each."""
    found: list[Handoff] = []
    for number in range(first, first + count):
        asked = await store.open(sample(f"Question {number}"), collect_after=LONG_AGO)
        await store.record(asked.id, Reached(at=ASKED, channel="inbox"))
        found.append(await store.record(asked.id, answered(note="but slowly"), Collected(at=ASKED)))
    return found


async def problems(store: OpenStore, since: bytes | None = None) -> list[str]:
    return [str(each) for each in (await verify_store(store, ORIGIN, [KEY.verifier], since)).problems]


async def test_each_event_has_a_leaf_that_its_words_and_salt_open(store: OpenStore) -> None:
    [handoff] = await some(store, 1)
    leaves = await store.leaves.of(handoff.id)
    events = list(recorded(handoff, await store.log(handoff_id=handoff.id)))
    assert [each.event.name for each in events] == ["opened", "reached", "answered", "collected"]
    for leaf, each in zip(leaves, events, strict=True):
        assert leaf.number == each.number
        assert opened_by(leaf.text.encode(), each.after, each.event, bytes.fromhex(leaf.salt)) == []
    assert len({leaf.salt for leaf in leaves}) == 4
    assert "but slowly" not in "".join(leaf.text for leaf in leaves)
    assert [json.loads(leaf.text)["version"] for leaf in leaves] == [1, 2, 3, 4]


async def test_the_tree_is_that_of_all_leaves_in_order_however_it_grew(store: OpenStore) -> None:
    sizes: list[int] = []
    for step in (1, 40, 30):
        await some(store, step, first=sum(sizes) + 1000 * len(sizes))
        sizes.append((await grow(store)).size)
    assert sizes == [4, 164, 284]
    frontier = Frontier()
    for leaf in await store.leaves.after(-1, limit=1000):
        frontier.append(leaf_hash(leaf.text.encode()))
    assert (await head(store, ORIGIN, await store.leaves.grown())).root == frontier.root
    assert await grow(store) == await store.leaves.grown()  # nothing new: nothing is done
    assert await problems(store) == []


async def test_each_leaf_is_proved_to_be_in_the_log(store: OpenStore) -> None:
    for handoff in await some(store, 70):
        last = handoff
    grown = await grow(store)
    root = (await head(store, ORIGIN, grown)).root
    for leaf in await store.leaves.of(last.id):
        index = await Indices(store.leaves).of(leaf)
        proof = await inclusion(store.leaves, index, grown.size)
        verify_inclusion(leaf_hash(leaf.text.encode()), index, grown.size, proof, root)


async def test_of_two_that_build_the_tree_at_once_both_find_it_right(store: OpenStore, same_store: OpenStore) -> None:
    await some(store, 30)
    found: list[Grown] = []

    async def build(by: OpenStore) -> None:
        found.append(await grow(by))

    async with anyio.create_task_group() as tasks:
        for each in (store, same_store, store, same_store):
            tasks.start_soon(build, each)
    assert {each.size for each in found} == {120}
    assert await problems(store) == []


async def test_a_step_of_who_read_an_older_tree_writes_nothing(store: OpenStore) -> None:
    await some(store, 1)
    before = await grow(store)
    await some(store, 1, first=1)
    await grow(store)
    tile = await store.leaves.tile(0, 0)
    assert tile is not None
    assert not await store.leaves.grow(before, Grown(size=5, number=99), [tile], [])
    assert await problems(store) == []


async def test_what_is_pruned_keeps_its_leaves_and_loses_its_salts(place: Place, store: OpenStore) -> None:
    old = await ended(store, "Old", at=ASKED)
    await ended(store, "Young", at=ASKED + 90 * DAY)
    _, before = await signed_head(store, KEY)
    assert await pruned(place, 50 * DAY) == 1
    assert await store.leaves.of(old.id) == []
    kept = await store.leaves.after(-1, limit=10)
    assert [(each.handoff_id == "", each.salt == "") for each in kept][:3] == [(True, True)] * 3
    await some(store, 1)
    assert await problems(store, before) == []


async def test_a_server_of_before_writes_no_leaf_and_the_tree_makes_it(place: Place, store: OpenStore) -> None:
    [handoff] = await some(store, 1)
    await grow(store)
    await store.record(handoff.id, Collected(at=ASKED + timedelta(seconds=1), tool_use="toolu_02"))
    await change(
        place.address, f"UPDATE SCHEMA.events SET leaf = '', salt = '' WHERE number = {(await store.log())[-1].number}"
    )
    assert (await grow(store)).size == 5
    last = (await store.leaves.of(handoff.id))[-1]
    assert (json.loads(last.text)["event"], json.loads(last.text)["version"], len(last.salt)) == ("collected", 5, 32)
    assert await problems(store) == []


EDITS: dict[str, Callable[[Handoff, int], str]] = {
    "an answer": lambda handoff, _: f"UPDATE SCHEMA.handoffs SET answer = '{{}}' WHERE id = '{handoff.id}'",
    "who decided": lambda handoff, _: f"UPDATE SCHEMA.handoffs SET note = 'at once' WHERE id = '{handoff.id}'",
    "a message": lambda handoff, _: f"UPDATE SCHEMA.handoffs SET message = 'Else?' WHERE id = '{handoff.id}'",
    "a state": lambda handoff, _: f"UPDATE SCHEMA.handoffs SET state = 'declined' WHERE id = '{handoff.id}'",
    "a version": lambda handoff, _: f"UPDATE SCHEMA.handoffs SET version = 9 WHERE id = '{handoff.id}'",
    "an event": lambda handoff, number: f"UPDATE SCHEMA.events SET name = 'declined' WHERE number = {number - 1}",
    "a channel": lambda handoff, number: f"UPDATE SCHEMA.events SET details = '{{}}' WHERE number = {number - 2}",
    "a time": lambda handoff, number: f"UPDATE SCHEMA.events SET at = at - 1 WHERE number = {number}",
    "a leaf": lambda handoff, number: (
        f"UPDATE SCHEMA.events SET leaf = replace(leaf, 'T', 'X') WHERE number = {number}"
    ),
    "a line less": lambda handoff, number: f"DELETE FROM SCHEMA.events WHERE number = {number - 1}",
    "a handoff": lambda handoff, number: f"DELETE FROM SCHEMA.events WHERE handoff_id = '{handoff.id}'",
    "a tile": lambda handoff, number: "DELETE FROM SCHEMA.log_tiles",
}


@pytest.mark.parametrize("edit", sorted(EDITS))
async def test_what_is_changed_by_hand_is_found(edit: str, place: Place, store: OpenStore) -> None:
    handoff = (await some(store, 3))[1]
    _, since = await signed_head(store, KEY)
    number = (await store.log(handoff_id=handoff.id))[-1].number
    await change(place.address, EDITS[edit](handoff, number))
    found = await problems(store, since)
    assert found, edit
    assert all("Error" not in each for each in found)


async def test_an_old_checkpoint_that_cant_be_read_is_no_fault_of_the_tree(store: OpenStore) -> None:
    await some(store, 1)
    [found] = await problems(store, b"hello\n")
    assert found.startswith("since: ")


async def test_a_history_that_was_written_anew_does_not_continue_an_old_head(
    place: Place, store: OpenStore, tmp_path: Path
) -> None:
    await some(store, 2)
    _, since = await signed_head(store, KEY)
    async with SqliteStore(tmp_path / "other.db") as other:
        await some(other, 3)
        assert "rewritten" in " ".join(await problems(other, since))
        async with SqliteStore(tmp_path / "short.db") as short:
            await some(short, 1)
            assert "cut off" in " ".join(await problems(short, since))


async def test_an_event_of_a_join_is_read_back_as_it_was(store: OpenStore) -> None:
    asked = await store.open(sample("Twice"), collect_after=LONG_AGO)
    await store.record(asked.id, Joined(at=ASKED, calls=2))
    after = await store.get(asked.id)
    event = list(recorded(after, await store.log(handoff_id=asked.id)))[1].event
    assert event == Joined(at=ASKED, calls=2)
    leaf = (await store.leaves.of(asked.id))[1]
    assert leaf.text.encode() == leaf_of(after, event, salt=bytes.fromhex(leaf.salt))


async def test_a_tree_whose_last_tiles_do_not_go_together_grows_no_more(place: Place, store: OpenStore) -> None:
    await some(store, 1)
    await grow(store)
    await change(place.address, "DELETE FROM SCHEMA.log_tiles")
    await some(store, 1, first=1)
    with pytest.raises(ProofRefused, match="lacks its tile"):
        await grow(store)


async def voted(store: OpenStore, message: str, *, gone: bool = False) -> Handoff:
    """Ask two of three, and let them answer; the first vote ends, since the second is for something else."""
    asked = await store.open(sample(message, deciders=two_of("ada", "bob", "cai")), collect_after=LONG_AGO)
    for number, (by, response) in enumerate([("ada", "no"), ("bob", "yes"), ("ada", "yes")]):
        outcome = answered(at=LATER + timedelta(seconds=number), by=by, response=response)
        now = await store.get(asked.id)
        vote = vote_for(now, outcome, gone=["cai"] if gone else [])
        asked = await store.record(asked.id, vote, outcome)
    assert asked.state is State.ANSWERED
    return await store.record(asked.id, Used(at=LATER + DAY, tool_use="toolu_01"), Sent(at=LATER + DAY, call="c1"))


@pytest.mark.parametrize("gone", [False, True], ids=["all are there", "one was removed"])
async def test_votes_that_ended_and_people_who_were_removed_are_no_problem(gone: bool, store: OpenStore) -> None:
    handoff = await voted(store, "Drop the table?", gone=gone)
    assert len(handoff.votes) == 2
    assert await problems(store) == []


COLUMNS = {
    "votes": "'[]'",
    "deciders": "replace(deciders, '\"votes\":2', '\"votes\":1')",
    "deadline": "deadline + 1000000",
    "ended_by": "'eve'",
    "ended_through": "'inbox'",
    "ended_at": "ended_at + 1",
    "handed_to": "'toolu_02'",
    "collected_at": "collected_at + 1",
    "reached": "'[\"inbox\"]'",
    "reminded": "'[\"half\"]'",
    "sealed": '\'{"a":"b"}\'',
    "calls": "7",
    "created_at": "created_at - 1",
    "subject": "'eve'",
    "tool_use": "'toolu_09'",
}


@pytest.mark.parametrize("column", sorted(COLUMNS))
async def test_a_column_that_is_changed_by_hand_is_found(column: str, place: Place, store: OpenStore) -> None:
    handoff = await voted(store, "Drop the table?")
    await change(place.address, f"UPDATE SCHEMA.handoffs SET {column} = {COLUMNS[column]} WHERE id = '{handoff.id}'")
    found = await problems(store)
    assert len(found) == 1
    assert found[0].startswith(handoff.id)


async def test_a_vote_that_is_put_in_by_hand_is_found_also_where_people_left(place: Place, store: OpenStore) -> None:
    handoff = await voted(store, "Drop the table?", gone=True)
    await change(
        place.address, f"UPDATE SCHEMA.handoffs SET votes = replace(votes, 'bob', 'cai') WHERE id = '{handoff.id}'"
    )
    assert await problems(store) == [f"{handoff.id}: it has a vote that is not among its lines."]


async def test_an_answer_whose_salt_was_taken_with_it_is_found(place: Place, store: OpenStore) -> None:
    handoff = (await some(store, 2))[0]
    await grow(store)
    await change(place.address, f"UPDATE SCHEMA.handoffs SET answer = '{{}}' WHERE id = '{handoff.id}'")
    await change(place.address, f"UPDATE SCHEMA.events SET salt = '' WHERE handoff_id = '{handoff.id}'")
    found = await problems(store)
    assert found
    assert all(each.startswith(handoff.id) for each in found)


async def test_a_question_that_was_taken_out_by_hand_is_found(place: Place, store: OpenStore) -> None:
    handoff = (await some(store, 2))[0]
    await change(place.address, f"DELETE FROM SCHEMA.handoffs WHERE id = '{handoff.id}'")
    assert await problems(store) == [f"{handoff.id}: it has lines in the log, and was removed by hand."]


async def test_lines_that_are_put_before_the_beginning_are_found(place: Place, store: OpenStore) -> None:
    await some(store, 3)
    began = leaf_of_beginning(ASKED, events=6).decode()
    await change(place.address, "INSERT INTO SCHEMA.log_began (one, number) VALUES (1, 6)")
    await change(place.address, f"INSERT INTO SCHEMA.kept_leaves (number, leaf) VALUES (0, '{began}')")
    assert await problems(store) == []  # one question was open when the store got its log
    began = leaf_of_beginning(ASKED, events=5).decode()
    await change(place.address, f"UPDATE SCHEMA.kept_leaves SET leaf = '{began}'")
    await change(place.address, "DELETE FROM SCHEMA.log_state")
    await change(place.address, "DELETE FROM SCHEMA.log_tiles")
    assert await problems(store) == [
        "the log: 6 lines have no leaf, and only 5 are older than the log: lines were added by hand."
    ]


async def test_a_leaf_of_a_question_that_has_no_such_line_is_found(place: Place, store: OpenStore) -> None:
    handoff = (await some(store, 2))[0]
    last = (await store.leaves.of(handoff.id))[-1].text.replace('"version":4', '"version":5')
    await change(place.address, f"INSERT INTO SCHEMA.kept_leaves (number, leaf) VALUES (900, '{last}')")
    assert await problems(store) == [
        f"{handoff.id}: the log has an entry of it that is not among its lines: it was added by hand."
    ]


async def test_a_line_of_no_question_does_not_stop_the_tree_in_silence(place: Place, store: OpenStore) -> None:
    await some(store, 1)
    more = ", write_id" if place.backend == "postgres" else ""
    await change(
        place.address,
        f"INSERT INTO SCHEMA.events (number, handoff_id, name, at, details{more}) "
        f"VALUES (900, 'h_none', 'opened', 0, '{{}}'{', 0' if more else ''})",
    )
    with pytest.raises(ProofRefused, match="Line 900 is of h_none, which is not there"):
        await grow(store)
    assert "Line 900" in " ".join(await problems(store))


async def test_what_is_verified_or_exported_while_others_write_is_right(
    store: OpenStore, same_store: OpenStore, tmp_path: Path
) -> None:
    await some(store, 10)
    done = anyio.Event()

    async def write() -> None:
        number = 100
        while not done.is_set():
            await some(same_store, 1, first=(number := number + 1))
            await grow(same_store)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(write)
        for _ in range(8):
            assert await problems(store) == []
            await export(store, tmp_path / "log", KEY, server_id="local")
            found = verify_folder(tmp_path / "log", [KEY.verifier])
            assert list(map(str, found.problems)) == []
            newest = (await store.newest(open_only=False, limit=1))[0]
            alone = await proof_of(store, newest, KEY, server_id="local")
            assert check_alone(json.dumps(alone).encode(), [KEY.verifier]).problems == []
        done.set()


@pytest.mark.parametrize("engine", ["postgres", "sqlite"])
async def test_a_store_of_before_begins_its_log_with_one_leaf(engine: str, tmp_path: Path) -> None:
    async with opened_kept(engine, VERSIONS[0], tmp_path) as store:
        before = len(await store.log(limit=10_000))
        [first] = await store.leaves.after(-1, limit=10)
        at = datetime.fromisoformat(json.loads(first.text)["at"])
        assert first.text.encode() == leaf_of_beginning(at, events=before)
        assert await problems(store) == []
        await some(store, 1)
        assert (await grow(store)).size == 5
        assert await problems(store) == []
