"""A question that a rule gives to named people: what an agent is told, and what its host is not shown."""

from pathlib import Path
from typing import Any

import anyio
import pytest

from handoffs.core.errors import NotTheirDecision
from handoffs.core.person import Person
from handoffs.serving.whose import WhoseDecision
from tests.mcp_server.host import ERAS, Dialog, Table, accept, ask, check, host, table
from tests.waiting import until

TWO = '[[question]]\nto = ["bob", "cyd"]\nvotes = 2\n'


async def people(here: Table, *names: str) -> None:
    for name in names:
        await here.store.people.add(Person(name=name, added_at=here.clock.now()))


def whose(here: Table, folder: Path, text: str) -> WhoseDecision:
    (folder / "gate.toml").write_text(text)
    return WhoseDecision(folder / "gate.toml", here.desk)


@pytest.mark.parametrize("era", ERAS)
async def test_the_host_shows_no_dialog_and_votes_decide(era: str, tmp_path: Path) -> None:
    async with table(tmp_path) as here:
        await people(here, "bob", "cyd")
        dialog = Dialog(here.clock, accept(response="yes"))
        server = here.server(hold_seconds=0, whose=whose(here, tmp_path, TWO))
        async with host(server, era, dialog) as client:
            told = await ask(client)
            assert told["status"] == "PENDING"
            assert "the decision of bob, cyd (rule gate.toml:1), and 2 votes are needed" in told["guidance"]
            handoff = await here.only()
            with pytest.raises(NotTheirDecision):
                await here.desk.answer(handoff, {"response": "yes"}, by="ada", channel="inbox")
            await here.desk.answer(handoff, {"response": "yes"}, by="bob", channel="inbox")
            told = await check(client, handoff.id)
            assert told["status"] == "PENDING"
            assert "1 more vote is needed" in told["guidance"]
            await here.desk.answer(handoff, {"response": "yes"}, by="cyd", channel="inbox")
            assert (await check(client, handoff.id))["status"] == "SUCCESS"
        assert dialog.shown == []


@pytest.mark.parametrize("era", ERAS)
async def test_a_call_that_waits_returns_at_the_last_vote(era: str, tmp_path: Path) -> None:
    async with table(tmp_path) as here:
        await people(here, "bob", "cyd")
        server = here.server(whose=whose(here, tmp_path, TWO))
        async with host(server, era, Dialog(here.clock)) as client, anyio.create_task_group() as tasks:
            told: list[Any] = []

            async def waits() -> None:
                told.append(await ask(client))

            tasks.start_soon(waits)
            await until(here.names, lambda names: "opened" in names)
            for name in ("bob", "cyd"):
                await here.desk.answer(await here.only(), {"response": "yes"}, by=name, channel="inbox")
        assert told[0]["status"] == "SUCCESS"


@pytest.mark.parametrize("era", ERAS)
async def test_a_rule_that_leaves_nobody_refuses_at_once(era: str, tmp_path: Path) -> None:
    async with table(tmp_path) as here:
        await people(here, "ada")
        server = here.server(whose=whose(here, tmp_path, '[[question]]\nto = "ada"\n'))
        async with host(server, era, Dialog(here.clock)) as client:
            result = await client.call_tool("handoff_to_user", {"message": "Deploy?"})
            assert result.is_error
            assert "gate.toml:1" in str(result.content)
            assert "in the name of ada, and who asks has no vote" in str(result.content)
        assert await here.stored() == 0


@pytest.mark.parametrize("era", ERAS)
async def test_the_agent_reads_no_names_that_only_theirs_see(era: str, tmp_path: Path) -> None:
    async with table(tmp_path) as here:
        await people(here, "bob", "cyd")
        server = here.server(hold_seconds=0, whose=whose(here, tmp_path, TWO + 'visible = "theirs"\n'))
        async with host(server, era, Dialog(here.clock)) as client:
            told = await ask(client)
        assert "the people that the rule gate.toml:1 names, and 2 votes are needed" in told["guidance"]
        assert "bob" not in str(told)


async def test_without_a_file_everybody_who_is_reached_decides(tmp_path: Path) -> None:
    async with table(tmp_path) as here:
        decides = WhoseDecision(tmp_path / "gate.toml", here.desk)
        async with host(here.server(whose=decides), "auto", Dialog(here.clock, accept(response="yes"))) as client:
            assert (await ask(client))["status"] == "SUCCESS"
        assert (await here.only()).question.deciders is None
