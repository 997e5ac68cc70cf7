"""What a process may forget, and that a client which never comes back costs it nothing for ever."""

from pathlib import Path

import pytest

from handoffs.mcp_server.callers import lru
from handoffs.mcp_server.callers.lru import BoundedCache
from tests.mcp_server.host import table
from tests.mcp_server.task_host import task_host


def test_what_was_noted_longest_ago_makes_room(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lru, "MAX_ENTRIES", 2)
    noted: BoundedCache[str, int] = BoundedCache()
    noted["a"] = 1
    noted["b"] = 2
    noted["a"] = 3  # again: now it is the newer one
    noted["c"] = 4
    assert noted == {"a": 3, "c": 4}


async def test_a_task_whose_form_was_forgotten_is_answered_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lru, "MAX_ENTRIES", 1)
    async with table(tmp_path) as here, task_host(here.server()) as client:
        first = (await client.ask("First?"))["taskId"]
        [key] = (await client.get(first))["inputRequests"]
        second = (await client.ask("Second?"))["taskId"]
        await client.get(second)  # and with that the first is forgotten
        here.clock.forward(5)
        assert list((await client.get(first))["inputRequests"]) == [key]
        await client.update(first, key, response="yes")
        assert (await client.get(first))["result"]["structuredContent"]["status"] == "SUCCESS"
