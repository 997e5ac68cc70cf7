import json
import random
from dataclasses import replace

import pytest
import rfc8785
from hypothesis import given, settings

from handoffs.core.events import Answered, Collected, Dismissed, Event, NotShown, Opened, Reached
from handoffs.core.leaf import leaf_of, leaf_of_beginning
from handoffs.core.lifecycle import advance
from handoffs.proof.entry_checks import EntryChecks
from tests.core.strategies import ASKED, any_event, handoff
from tests.proof.sample_log import SALT, some

ENTRIES = some(8)
BEGINNING = leaf_of_beginning(ASKED, events=12)


def problems(*entries: bytes) -> list[str]:
    return [f"{number}: {what}" for number, what in EntryChecks().check(0, entries)]


def changed(entry: bytes, **values: object) -> bytes:
    return rfc8785.dumps(json.loads(entry) | values)


def test_leaves_of_handoffs_are_right() -> None:
    checks = EntryChecks()
    assert checks.check(0, ENTRIES[:5]) == []
    assert checks.check(5, ENTRIES[5:]) == []
    assert checks.handoffs == 2


@settings(max_examples=200, deadline=None)
@given(any_event)
def test_every_leaf_is_right_by_itself(event: Event) -> None:
    """Whether it takes the short way or the long one."""
    after = replace(handoff(), version=2)
    [first] = EntryChecks().check(0, [leaf_of(after, event, salt=SALT)]) or [(0, "")]
    assert first[1] == "" or "never opened" in first[1] or "is opened as" in first[1]


def test_the_short_way_finds_no_leaf_right_that_the_long_one_refuses() -> None:
    chosen = random.Random(11)
    for entry in ENTRIES:
        for _ in range(400):
            altered = bytearray(entry)
            for _ in range(chosen.randrange(1, 3)):
                at = chosen.randrange(len(altered))
                match chosen.randrange(3):
                    case 0:
                        altered[at] = chosen.choice(b'0129azZ"{}:,-_ .\\\x00\x7f\xff')
                    case 1:
                        del altered[at]
                    case _:
                        altered.insert(at, chosen.choice(b'0129az"{}:, '))
            short, long = EntryChecks(), EntryChecks()
            if short.check(0, [bytes(altered)]) == []:
                assert long._other(0, bytes(altered)) == ""  # pyright: ignore[reportPrivateUsage]


def test_a_store_older_than_its_log_begins_in_the_middle() -> None:
    assert problems(BEGINNING, *ENTRIES[2:]) == []
    assert problems(*ENTRIES[2:4]) == ["0: h_00000000000000000000 was never opened: its entries before are missing"]
    assert problems(ENTRIES[0], BEGINNING) == ["1: the log begins a second time"]
    assert problems(BEGINNING, BEGINNING) == ["1: the log begins a second time"]


@pytest.mark.parametrize(
    ("entries", "said"),
    [
        ([ENTRIES[0], ENTRIES[0]], "1: h_00000000000000000000 is opened a second time"),
        ([ENTRIES[0], ENTRIES[2]], "version 3 after 1: entries are missing or not in order"),
        ([*ENTRIES[:2], ENTRIES[1]], "version 2 after 2: entries are missing or not in order"),
        ([changed(ENTRIES[0], version=2)], "is opened as open, version 2"),
        ([changed(ENTRIES[0], state="answered")], "is opened as answered, version 1"),
        (
            [*ENTRIES[:3], changed(ENTRIES[2], version=4)],
            "is answered by answered, which can't happen to one that is answered",
        ),
        ([ENTRIES[0], changed(ENTRIES[1], state="declined")], "is declined by reached, which can't happen to one that"),
        ([b""], "is no leaf: it is no JSON"),
        ([b"\xff"], "is no leaf: it is no UTF-8"),
        ([b"[]"], "not in the one form of JSON"),
        ([b"[" * 60_000], "is no leaf"),
        ([b"{}"], "has no event, or no version of its form"),
        ([ENTRIES[0] + b" "], "not in the one form of JSON"),
        ([ENTRIES[0].replace(b'{"at"', b'{ "at"', 1)], "not in the one form of JSON"),
        ([ENTRIES[0].replace(b'"v":1', b'"v":1,"v":1')], "is no leaf"),
        ([changed(ENTRIES[0], v=2)], "a leaf of form 2; this program reads form 1"),
        ([changed(ENTRIES[0], v=True)], "has no event, or no version of its form"),
        ([changed(ENTRIES[0], version="1")], "handoff, state or version is missing"),
        ([changed(ENTRIES[0], handoff=5)], "handoff, state or version is missing"),
    ],
)
def test_entries_that_do_not_follow_are_told(entries: list[bytes], said: str) -> None:
    [only] = problems(*entries)
    assert said in only
    assert only.startswith(f"{len(entries) - 1}: ")


def test_later_programs_may_add_facts_and_events() -> None:
    later = changed(ENTRIES[1], facts={"channel": "inbox", "new": 5}, event="voted")
    assert problems(ENTRIES[0], later, *ENTRIES[2:4]) == []
    assert problems(rfc8785.dumps({"event": "pruned", "v": 1, "at": "…"})) == []


def test_all_that_the_lifecycle_allows_is_right() -> None:
    current, entries = handoff(), [leaf_of(handoff(), Opened(at=ASKED, transport="http"), salt=SALT)]
    for event in (
        Reached(at=ASKED, channel="inbox"),
        NotShown(at=ASKED, channel="a channel with ä", reason="none there"),
        Dismissed(at=ASKED, channel="inbox"),
        Answered(at=ASKED, by="ada", channel="inbox", values={}),
        Collected(at=ASKED),
    ):
        current = advance(current, event)
        entries.append(leaf_of(current, event, salt=SALT))
    assert problems(*entries) == []
