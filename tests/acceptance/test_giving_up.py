"""A client that ends a call because its time was up is given PENDING sooner from then on; a real server, real time."""

from pathlib import Path

import anyio
import pytest
from mcp.shared.exceptions import MCPError

from tests.acceptance.processes import Home, ask, nobody

LIVES = 3.0


@pytest.mark.parametrize("name", ["emacs-mcp", "codex-mcp-client"])
async def test_after_a_time_out_the_same_question_returns_its_id_before_the_next(name: str, tmp_path: Path) -> None:
    home = Home(tmp_path)
    async with home.stdio("legacy", name=name) as client:
        with pytest.raises(MCPError, match=r"(?i)timed? ?out"):
            await client.session.call_tool("handoff_to_user", {"message": "Deploy?"}, read_timeout_seconds=LIVES)
        begun = anyio.current_time()
        got = await ask(client, "Deploy?")
        assert got["status"] == "PENDING"
        assert got["handoffId"] in got["guidance"]
        assert anyio.current_time() - begun < LIVES
        # Another question of the same session, too.
        begun = anyio.current_time()
        assert (await ask(client, "And now?"))["status"] == "PENDING"
        assert anyio.current_time() - begun < LIVES


async def test_a_call_that_was_cancelled_by_a_person_teaches_nothing(tmp_path: Path) -> None:
    home = Home(tmp_path)
    async with home.stdio("legacy", nobody, name="emacs-mcp") as client:
        with anyio.move_on_after(1):
            await ask(client, "Deploy?")
        with anyio.move_on_after(3) as longer:
            await ask(client, "Deploy?")
    assert longer.cancelled_caught
