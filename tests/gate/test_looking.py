"""What a rule denies does not run because a person allowed it: neither as they edited it, nor after the rule came."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
import pytest
from mcp.types import CallToolResult

from handoffs.core.desk import Desk
from tests.acceptance.processes import Home
from tests.gate.behind import ALLOW, Shop, text_of, waiting

FORCED = '[[rule]]\ntool = "*"\nwhen = "has(args.force) && args.force"\ndo = "deny"\n'


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    return Shop(Home(tmp_path))


@asynccontextmanager
async def deleting(shop: Shop, policy: Path, results: list[CallToolResult]) -> AsyncGenerator[Desk]:
    """Give the desk while an order is to be deleted; the result is there after the block."""
    policy.write_text(FORCED)
    async with shop.client("legacy", rules=("--policy", str(policy))) as client, shop.desk() as desk:

        async def delete() -> None:
            results.append(await client.call_tool("delete_order", {"number": 7}))

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(delete)
            yield desk


async def test_an_edit_that_a_rule_denies_is_asked_for_again(shop: Shop) -> None:
    results: list[CallToolResult] = []
    async with deleting(shop, shop.home.folder / "policy.toml", results) as desk:
        first = await shop.answered(desk, {**ALLOW, "arguments": '{"number": 7, "force": true}'})
        second = await waiting(desk, but=(first.id,))
        assert "the rule policy.toml:1 denies it" in second.question.message
        await desk.answer(second, {**ALLOW, "arguments": '{"number": 8}'}, by="ada", channel="inbox")
    assert text_of(results[0]).endswith("deleted 8")
    assert shop.done == ["delete 8"]


async def test_a_rule_that_denies_counts_also_for_a_call_that_waits(shop: Shop) -> None:
    results: list[CallToolResult] = []
    policy = shop.home.folder / "policy.toml"
    async with deleting(shop, policy, results) as desk:
        await waiting(desk)
        policy.write_text('[[rule]]\ntool = "delete_*"\ndo = "deny"\nreason = "Not today."\n')
        await shop.answered(desk, ALLOW)
    assert "Not today." in text_of(results[0])
    assert shop.done == []
