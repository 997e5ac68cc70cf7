"""What the log says of people: a change of them by hand is found, and a recovery keeps its delay, on every engine."""

import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from handoffs.core.leaf import new_salt
from handoffs.core.person import Absence
from handoffs.core.person_log import (
    PersonEvent,
    added,
    come_back,
    erased,
    gone_away,
    key_added,
    person_leaf,
    recovered,
    recovery_asked,
    recovery_stopped,
    removed,
)
from handoffs.core.recovery import LEAST_DELAY, Recovery
from handoffs.proof.entry_checks import EntryChecks
from handoffs.proof.store_checks import verify_store
from handoffs.proof.verifying import verify_folder
from handoffs.proof.writing import export
from handoffs.store import OpenStore
from tests.core.strategies import ASKED
from tests.store.by_hand import change
from tests.store.conftest import Place, place, same_store, store
from tests.store.samples import LATER, passkey, person
from tests.store.test_leaves import KEY, ORIGIN, problems

__all__ = ["place", "same_store", "store"]

BEGINS = ASKED + timedelta(days=2)
ENDS = BEGINS + timedelta(days=3)
RECOVERY = Recovery(person="ada", asked_by="eve", asked_at=ASKED, begins_at=BEGINS, ends_at=ENDS)
AWAY = Absence(person="ada", deputy="bob", since=ASKED, until=BEGINS)


async def filled(store: OpenStore) -> None:
    for name in ("ada", "bob"):
        await store.people.add(person(name, "dba", email=f"{name}@example.com"))
    await store.people.add_key(passkey())
    await store.people.add_key(passkey("k2"))
    await store.people.remove_key("k2", at=LATER + timedelta(microseconds=7))
    await store.people.change("bob", at=LATER, join=frozenset({"ops"}), identify=frozenset({"oauth:2@id"}))
    await store.people.ask_recovery("d", RECOVERY)
    await store.people.away(AWAY, at=LATER)
    await store.people.away(replace(AWAY, person="bob", deputy="ada", since=BEGINS, until=ENDS), at=LATER)
    assert await store.people.come_back("bob", at=LATER)


BY_HAND = {
    "a key is replaced": "UPDATE SCHEMA.passkeys SET public_key = {bytes} WHERE credential_id = 'k1'",
    "a key is given to another": "UPDATE SCHEMA.passkeys SET person = 'bob' WHERE credential_id = 'k1'",
    "a key is taken out": "DELETE FROM SCHEMA.passkeys WHERE credential_id = 'k1'",
    "a removed key is brought back": "UPDATE SCHEMA.passkeys SET removed_at = NULL WHERE credential_id = 'k2'",
    "a key was removed later": "UPDATE SCHEMA.passkeys SET removed_at = 9999999999999999 WHERE credential_id = 'k2'",
    "a key counted sooner": "UPDATE SCHEMA.passkeys SET active_from = 1 WHERE credential_id = 'k1'",
    "a key is put in": "INSERT INTO SCHEMA.passkeys SELECT 'k9', person, public_key, sign_count, label, "
    "added_at, added_with, "
    "active_from, last_used_at, removed_at {more} FROM SCHEMA.passkeys WHERE credential_id = 'k1'",
    "a key of nobody is put in": "UPDATE SCHEMA.passkeys SET person = 'zed' WHERE credential_id = 'k2'",
    "a group is given": "UPDATE SCHEMA.people SET member_of = '[\"dba\",\"root\"]' WHERE name = 'ada'",
    "an identity is given": "UPDATE SCHEMA.people SET identities = '[\"oauth:1@id\"]' WHERE name = 'ada'",
    "an identity is taken": "UPDATE SCHEMA.people SET identities = '[]' WHERE name = 'bob'",
    "an address is changed": "UPDATE SCHEMA.people SET email = 'eve@example.com' WHERE name = 'ada'",
    "a person is renamed": "UPDATE SCHEMA.people SET name = 'eve', folded = 'eve' WHERE name = 'bob'",
    "a person is taken out": "DELETE FROM SCHEMA.people WHERE name = 'bob'",
    "a person is put in": "INSERT INTO SCHEMA.people SELECT 'eve', 'eve', email, member_of, handle, added_at, "
    "removed_at {more}, "
    "identities, 'p_9', '' FROM SCHEMA.people WHERE name = 'bob'",
    "a person is removed": "UPDATE SCHEMA.people SET removed_at = 1 WHERE name = 'bob'",
    "a recovery begins sooner": "UPDATE SCHEMA.recoveries SET begins_at = asked_at",
    "a recovery is stopped": "UPDATE SCHEMA.recoveries SET stopped_at = asked_at",
    "a recovery is taken out": "DELETE FROM SCHEMA.recoveries",
    "somebody is made a deputy": "INSERT INTO SCHEMA.absences (person, deputy, starts, ends) "
    "VALUES ('bob', 'ada', 1, 9)",
    "a deputy is changed": "UPDATE SCHEMA.absences SET deputy = 'ada'",
    "an absence is longer": "UPDATE SCHEMA.absences SET ends = ends + 1",
    "an absence is taken out": "DELETE FROM SCHEMA.absences",
    "a line is changed": "UPDATE SCHEMA.events SET details = replace(details, 'ops', 'dev') WHERE name = "
    "'personchanged'",
    "a line is taken out": "DELETE FROM SCHEMA.events WHERE name = 'keyremoved'",
    "a line is put in": "INSERT INTO SCHEMA.events (number, handoff_id, name, at, details, leaf, salt {written}) "
    "SELECT 900, handoff_id, name, at, details, leaf, salt {more} FROM SCHEMA.events WHERE name = 'personchanged'",
}


@pytest.mark.parametrize("what", sorted(BY_HAND))
async def test_what_is_changed_by_hand_is_found(what: str, place: Place, store: OpenStore) -> None:
    await filled(store)
    assert await problems(store) == []
    postgres = place.backend == "postgres"
    sql = BY_HAND[what].format(
        bytes="'\\x00'" if postgres else "x'00'",
        more=", write_id" if postgres else "",
        written=", write_id" if postgres else "",
    )
    await change(place.address, sql)
    assert await problems(store)


async def test_people_are_counted_and_exported_logs_have_their_entries(store: OpenStore, tmp_path: Path) -> None:
    await filled(store)
    assert (await verify_store(store, ORIGIN, [KEY.verifier])).people == 2
    await export(store, tmp_path, KEY, server_id="x")
    report = verify_folder(tmp_path, [KEY.verifier])
    assert (report.problems, report.people) == ([], 2)
    entries = (tmp_path / "tile/entries/000.p/10").read_bytes()
    for word in (b'"ada"', b'"eve"', b'"k1"', b"dba\\", b"example.com"):
        assert word not in entries


ADA = person("ada")
KEPT = passkey()


def asked(**times: object) -> PersonEvent:
    return recovery_asked(ADA, replace(RECOVERY, **times))


def said(*events: PersonEvent, first: int = 1) -> list[str]:
    leaves = [person_leaf(event, version=version, salt=new_salt()) for version, event in enumerate(events, first)]
    return [what for _, what in EntryChecks().check(0, leaves)]


def test_entries_of_a_person_that_follow_each_other_are_right() -> None:
    stopped = recovery_stopped(ADA, by="ada", at=LATER)
    assert said(added(ADA), key_added(ADA, KEPT), asked(), stopped, asked(), recovered(ADA, KEPT, BEGINS)) == []
    assert said(added(ADA), asked(), removed(ADA, LATER), erased(ADA, LATER)) == []
    away = gone_away(ADA, AWAY, deputy=person("bob"), at=LATER)
    assert said(added(ADA), away, away, come_back(ADA, LATER), away, removed(ADA, LATER), erased(ADA, LATER)) == []


WRONG: dict[str, tuple[Sequence[PersonEvent], str]] = {
    "too early": (
        [added(ADA), asked(), recovered(ADA, KEPT, BEGINS - timedelta(microseconds=1))],
        "no recovery was good",
    ),
    "too late": ([added(ADA), asked(), recovered(ADA, KEPT, ENDS)], "no recovery was good"),
    "not asked for": ([added(ADA), recovered(ADA, KEPT, BEGINS)], "no recovery was good"),
    "twice": (
        [added(ADA), asked(), recovered(ADA, KEPT, BEGINS), recovered(ADA, KEPT, BEGINS)],
        "no recovery was good",
    ),
    "after a stop": (
        [added(ADA), asked(), recovery_stopped(ADA, by="ada", at=LATER), recovered(ADA, KEPT, BEGINS)],
        "no recovery was good",
    ),
    "too short a delay": (
        [added(ADA), asked(begins_at=ASKED + LEAST_DELAY - timedelta(microseconds=1))],
        "begins too soon",
    ),
    "a stop of none": ([added(ADA), recovery_stopped(ADA, by="ada", at=LATER)], "that nobody asked for"),
    "back who was not away": ([added(ADA), come_back(ADA, LATER)], "who was not away"),
    "away without a time": (
        [added(ADA), gone_away(ADA, replace(AWAY, until=ASKED), deputy=person("bob"), at=LATER)],
        "ends before it begins",
    ),
    "added twice": ([added(ADA), added(ADA)], "a second time"),
    "never added": ([key_added(ADA, KEPT)], "was never added"),
    "after they were erased": ([added(ADA), erased(ADA, LATER), key_added(ADA, KEPT)], "is gone"),
    "a key after they were removed": ([added(ADA), removed(ADA, LATER), key_added(ADA, KEPT)], "is gone"),
}


@pytest.mark.parametrize("what", sorted(WRONG))
def test_entries_that_can_t_have_happened_are_found(what: str) -> None:
    events, why = WRONG[what]
    [found] = said(*events)
    assert why in found


def test_an_entry_of_a_person_that_is_missing_is_found() -> None:
    leaves = [person_leaf(each, version=version, salt=new_salt()) for version, each in ((1, added(ADA)), (3, asked()))]
    [(index, what)] = EntryChecks().check(0, leaves)
    assert index == 1
    assert "entries are missing" in what


@pytest.mark.parametrize("part", ["person", "version", "facts", "committed", "at"])
def test_an_entry_of_a_person_with_a_part_of_no_sense_is_found(part: str) -> None:
    leaf = json.loads(person_leaf(asked(), version=1, salt=new_salt()))
    leaf[part] = []
    written = json.dumps(leaf, sort_keys=True, separators=(",", ":")).encode()
    [(_, what)] = EntryChecks().check(0, [written])
    assert what
