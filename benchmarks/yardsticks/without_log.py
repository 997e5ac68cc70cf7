"""Our command line, with one thing left out: events get no leaf for the verifiable log."""

from handoffs.core.events import Event
from handoffs.core.model import Handoff
from handoffs.store import rows


def _no_leaf(handoff_after: Handoff, event: Event, *, salt: bytes) -> bytes:
    return b""


rows.leaf_of = _no_leaf
rows.new_salt = bytes

if __name__ == "__main__":
    from handoffs.__main__ import main

    main()
