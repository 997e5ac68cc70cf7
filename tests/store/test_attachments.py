"""The files of an answer in a store, on every engine: kept once, found if they were changed, gone with the answer."""

from dataclasses import replace
from pathlib import Path

import anyio
import pytest

from handoffs.core.attachment import AttachedFile, GivenFile, attached
from handoffs.core.desk import Desk
from handoffs.core.errors import AlreadyEnded, FileChanged, NotFound
from handoffs.core.events import Answered, Collected, Declined
from handoffs.core.model import Handoff, State
from handoffs.proof.decisions import check_alone
from handoffs.proof.verifying import verify_folder
from handoffs.proof.writing import export, proof_of
from handoffs.store import OpenStore
from tests.core.strategies import ADA, ASKED
from tests.fakes import FakeClock
from tests.store.by_hand import change
from tests.store.conftest import Place
from tests.store.samples import LATER, LONG_AGO, answered, person, sample
from tests.store.test_erasing import erase, everything
from tests.store.test_leaves import KEY, problems
from tests.store.test_prune import DAY, pruned

WORDS = b"the words in the file of ada"
FILES = attached(
    [
        GivenFile(name="shot.png", declared="image/png", content=b"\x89PNG\r\n\x1a\n" + bytes(range(256))),
        GivenFile(name="notes \u2713.txt", declared="text/plain", content=WORDS),
    ],
    allowed=True,
)


def with_files(event: Answered, files: tuple[AttachedFile, ...] = FILES) -> Answered:
    return replace(event, attachments=tuple(each.attachment for each in files))


CONTENTS = [each.content for each in FILES]


async def answer(store: OpenStore, message: str = "Which one?", *, by: str = "ada") -> Handoff:
    asked = await store.open(sample(message), collect_after=LONG_AGO)
    event = with_files(answered(by=by, channel="inbox"))
    return await store.record(asked.id, event, Collected(at=LATER), known=asked, contents=CONTENTS)


async def of(store: OpenStore, handoff: Handoff) -> list[bytes | None]:
    return [await store.content(handoff.id, number) for number in (1, 2, 3)]


async def test_files_are_kept_beside_the_answer_and_read_by_number(store: OpenStore, same_store: OpenStore) -> None:
    handoff = await answer(store)
    there = await same_store.get(handoff.id)
    assert there == handoff == (await same_store.newest(open_only=False))[0]
    assert there.attachments == tuple(each.attachment for each in FILES)
    assert await of(same_store, handoff) == [*CONTENTS, None]
    assert await store.content("h_nothing", 1) is None
    [line] = [each for each in await store.log(handoff_id=handoff.id) if each.name == "answered"]
    assert dict(line.details) == {"by": "ada", "channel": "inbox"}


async def test_files_come_with_the_answer_that_was_first_and_with_no_other(store: OpenStore) -> None:
    stale = await store.open(sample(), collect_after=LONG_AGO)
    other = attached([GivenFile(name="late.txt", declared="text/plain", content=b"late")], allowed=True)

    async def say(event: Answered | Declined, contents: list[bytes]) -> bool:
        try:
            await store.record(stale.id, event, known=stale, contents=contents)
        except AlreadyEnded:
            return False
        return True

    assert await say(with_files(answered()), CONTENTS)
    assert not await say(with_files(answered(by="bob"), other), [b"late"])
    assert await of(store, stale) == [*CONTENTS, None]
    declined = await store.open(sample("Another?"), collect_after=LONG_AGO)
    await store.record(declined.id, Declined(at=LATER, by="ada", channel="inbox"))
    with pytest.raises(AlreadyEnded):
        await store.record(declined.id, with_files(answered()), known=declined, contents=CONTENTS)
    assert await of(store, declined) == [None, None, None]
    late = await store.open(sample("Too late?"), collect_after=LONG_AGO)
    with pytest.raises(AlreadyEnded):
        await store.record(late.id, with_files(answered(at=ASKED + 2 * DAY)), known=late, contents=CONTENTS)
    assert await of(store, late) == [None, None, None]


async def test_of_two_answers_with_files_at_once_one_is_kept_whole(store: OpenStore, same_store: OpenStore) -> None:
    asked = await store.open(sample(), collect_after=LONG_AGO)
    lost: list[str] = []

    async def say(at: OpenStore, by: str) -> None:
        files = attached([GivenFile(name=f"{by}.txt", declared="", content=by.encode() * 1000)], allowed=True)
        try:
            await at.record(asked.id, with_files(answered(by=by), files), known=asked, contents=[files[0].content])
        except AlreadyEnded:
            lost.append(by)

    async with anyio.create_task_group() as group:
        group.start_soon(say, store, "ada")
        group.start_soon(say, same_store, "bob")
    there = await store.get(asked.id)
    assert there.end is not None
    assert [there.end.by] == [each for each in ("ada", "bob") if each not in lost]
    assert there.attachments[0].name == f"{there.end.by}.txt"
    assert await of(store, there) == [there.end.by.encode() * 1000, None, None]


async def test_four_megabytes_and_all_bytes_come_back_as_they_were(store: OpenStore) -> None:
    large = bytes(range(256)) * 16_384
    [file] = attached([GivenFile(name="large", declared="", content=large)], allowed=True)
    asked = await store.open(sample(), collect_after=LONG_AGO)
    await store.record(asked.id, with_files(answered(), (file,)), known=asked, contents=[large])
    assert await store.content(asked.id, 1) == large


async def test_a_desk_gives_a_file_only_as_the_person_gave_it(place: Place, store: OpenStore) -> None:
    desk = Desk(store=store, clock=FakeClock())
    asked = await desk.ask(message="Which one?", caller=ADA, files=True)
    given = [GivenFile(name="../a.txt", declared="text/plain", content=WORDS)]
    ended = await desk.answer(asked, {"response": "this"}, by="ada", channel="inbox", files=given)
    assert [each.name for each in ended.attachments] == ["a.txt"]
    assert await desk.content(ended, 1) == WORDS
    for number in (0, 2, -1):
        with pytest.raises(NotFound):
            await desk.content(ended, number)
    await change(place.address, "UPDATE SCHEMA.attachments SET data = substr(data, 2)")
    with pytest.raises(FileChanged, match=r"File 1 of h_.* as the person gave it"):
        await desk.content(ended, 1)


async def test_the_log_has_a_commitment_to_the_files_that_finds_every_change(
    place: Place, store: OpenStore, tmp_path: Path
) -> None:
    handoff = await answer(store)
    await answer(store, "Another?", by="bob")
    assert await problems(store) == []
    proof = await proof_of(store, handoff, KEY, server_id="x")
    assert check_alone(_json(proof), [KEY.verifier]).problems == []
    assert WORDS.decode() not in str(proof)
    await export(store, tmp_path / "out", KEY, server_id="x")
    report = verify_folder(tmp_path / "out", [KEY.verifier])
    assert (report.ok, report.decisions) == (True, 2)
    where = f"WHERE handoff_id = '{handoff.id}' AND number = 2"
    told = f"{handoff.id}: line 2 (answered): attachments is not what the log has."
    for sql in (
        f"UPDATE SCHEMA.attachments SET data = substr(data, 2) {where}",
        f"DELETE FROM SCHEMA.attachments {where}",
    ):
        await change(place.address, sql)
        assert await problems(store) == [told]
        changed = await proof_of(store, handoff, KEY, server_id="x")
        assert check_alone(_json(changed), [KEY.verifier]).problems == [
            "event 1: `attachments` is not what the leaf commits to"
        ]
        await export(store, tmp_path / sql[:6], KEY, server_id="x")
        assert len(verify_folder(tmp_path / sql[:6], [KEY.verifier]).problems) == 1
    await change(place.address, f"UPDATE SCHEMA.handoffs SET attachments = '[]' WHERE id = '{handoff.id}'")
    assert await problems(store) == [told]


async def test_an_erased_person_leaves_no_file_and_a_log_that_is_right(place: Place, store: OpenStore) -> None:
    for name in ("ada", "bob"):
        await store.people.add(person(name, "dba"))
    hers = await answer(store)
    his = await answer(store, "Another?", by="bob")
    await erase(store)
    now = await store.get(hers.id)
    assert (now.state, now.values, now.attachments) == (State.ANSWERED, None, ())
    assert await of(store, hers) == [None, None, None]
    assert await of(store, his) == [*CONTENTS, None]
    assert await problems(store) == []
    await erase(store, "bob")
    assert WORDS.decode() not in await everything(place, store)
    assert await problems(store) == []


async def test_what_is_pruned_goes_with_its_files(place: Place, store: OpenStore) -> None:
    old = await answer(store)
    young = await store.open(sample("Young?", at=ASKED + 99 * DAY), collect_after=LONG_AGO)
    event = with_files(answered(at=ASKED + 99 * DAY))
    await store.record(young.id, event, Collected(at=ASKED + 99 * DAY), known=young, contents=CONTENTS)
    assert await pruned(place, 50 * DAY) == 1
    assert await of(store, old) == [None, None, None]
    assert await of(store, young) == [*CONTENTS, None]
    assert await problems(store) == []


def _json(proof: dict[str, object]) -> bytes:
    import json

    return json.dumps(proof).encode()
