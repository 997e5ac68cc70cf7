"""Who makes room when a process holds as much as it may."""

from contextlib import ExitStack

import pytest
from mcp.shared.exceptions import MCPError

from handoffs.mcp_server.callers.fair_share import EvictionOrder, Slots


def test_beyond_its_share_a_holder_loses_its_oldest_and_a_repeat_is_newest() -> None:
    held: EvictionOrder[str] = EvictionOrder()
    for name in ("a1", "b1", "a2", "a1"):
        held.add(name, name[0])
        assert held.to_evict(name[0], most=8) is None
    held.add("a3", "a")
    assert held.to_evict("a", most=8) == "a2"
    held.discard("a2")
    held.discard("a2")
    assert held.to_evict("a", most=8) is None


def test_where_all_together_have_too_much_whoever_has_most_makes_room() -> None:
    held: EvictionOrder[str] = EvictionOrder()
    for name in ("a1", "b1", "b2", "c1", "c2", "d1", "d2", "e1"):
        held.add(name, name[0])
    assert held.to_evict("e", most=8) is None
    held.add("f1", "f")
    assert held.to_evict("f", most=8) == "b1"


def test_streams_are_bounded_for_each_caller_and_for_all_and_come_back() -> None:
    streams = Slots()
    with ExitStack() as stack:
        for name in ("a", "a", "b", "b", "c", "c", "d"):
            stack.enter_context(streams.slot(name, most=8))
        with pytest.raises(MCPError, match="of your streams"), streams.slot("a", most=8):
            pass
        with streams.slot("d", most=8), pytest.raises(MCPError, match="open here"), streams.slot("e", most=8):
            pass
        with streams.slot("e", most=8):
            pass
    with streams.slot("a", most=8):
        pass
