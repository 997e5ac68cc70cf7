"""What a process may forget, and that a client which never comes back costs it nothing for ever."""

from pathlib import Path

from handoffs.mcp_server.callers.bounds import Bounds
from handoffs.mcp_server.callers.lru import BoundedCache
from tests.mcp_server.host import table
from tests.mcp_server.task_host import task_host


def test_what_was_noted_longest_ago_makes_room() -> None:
    noted: BoundedCache[str, int] = BoundedCache(most=2)
    noted["a"] = 1
    noted["b"] = 2
    noted["a"] = 3  # again: now it is the newer one
    noted["c"] = 4
    assert noted == {"a": 3, "c": 4}


async def test_a_task_whose_form_was_forgotten_is_answered_all_the_same(tmp_path: Path) -> None:
    async with table(tmp_path) as here, task_host(here.server(bounds=Bounds(remembered=1))) as client:
        first = (await client.ask("First?"))["taskId"]
        [key] = (await client.get(first))["inputRequests"]
        second = (await client.ask("Second?"))["taskId"]
        await client.get(second)  # and with that the first is forgotten
        here.clock.forward(5)
        assert list((await client.get(first))["inputRequests"]) == [key]
        await client.update(first, key, response="yes")
        assert (await client.get(first))["result"]["structuredContent"]["status"] == "SUCCESS"
