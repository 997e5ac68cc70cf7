"""A log of some handoffs, as a store would write it."""

from collections.abc import Iterator
from dataclasses import replace
from itertools import count, islice
from pathlib import Path

from handoffs.core.events import Answered, Collected, Event, Opened, Reached
from handoffs.core.leaf import leaf_of
from handoffs.core.lifecycle import advance
from handoffs.proof.checkpoint import Checkpoint
from handoffs.proof.export import FolderWriter
from handoffs.proof.merkle import Frontier, leaf_hash
from handoffs.proof.notes import SigningKey
from tests.core.strategies import ASKED, handoff

ORIGIN = "handoffs.example/log"
KEY = SigningKey(ORIGIN, bytes(range(32)))
SALT = bytes(16)
EVENTS: tuple[Event, ...] = (
    Reached(at=ASKED, channel="inbox"),
    Answered(at=ASKED, by="ada", channel="inbox", values={"response": "yes"}, note="but slowly"),
    Collected(at=ASKED, tool_use="toolu_01"),
)


def leaves() -> Iterator[bytes]:
    """The leaves of handoffs without end, four for each."""
    current = replace(handoff(), id="h_")
    first = [leaf_of(current, Opened(at=ASKED, transport="stdio", declares="form"), salt=SALT)]
    for event in EVENTS:
        current = advance(current, event)
        first.append(leaf_of(current, event, salt=SALT))
    for number in count():
        yield from (leaf.replace(b'"h_"', b'"h_%020d"' % number) for leaf in first)


def signed(entries: list[bytes], key: SigningKey = KEY, origin: str = ORIGIN) -> bytes:
    """The signed checkpoint of these entries."""
    frontier = Frontier()
    for entry in entries:
        frontier.append(leaf_hash(entry))
    return Checkpoint(origin=origin, size=frontier.size, root=frontier.root).signed(key)


def some(size: int) -> list[bytes]:
    """The first leaves."""
    return list(islice(leaves(), size))


def export(folder: Path, entries: list[bytes]) -> int:
    """Export a log that has these entries now; return how many files were written."""
    writer = FolderWriter(folder)
    writer.append(entries[writer.size :])
    writer.publish(signed(entries))
    return writer.written
