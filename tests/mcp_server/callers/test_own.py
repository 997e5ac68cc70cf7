"""The caller's view of handoffs: its own, and no other's."""

from pathlib import Path

import pytest

from handoffs.core.errors import NotFound
from handoffs.core.model import Caller
from handoffs.first_stage.front import Front
from handoffs.mcp_server.callers.joining import Joining
from handoffs.mcp_server.callers.own import OwnHandoffs
from handoffs.mcp_server.callers.subject import NotAuthenticated
from tests.mcp_server.host import Table, table


def own_of(here: Table, subject: str | None) -> OwnHandoffs:
    return OwnHandoffs(here.desk, subject=subject, project="", joining=Joining(Front()))


async def test_a_caller_sees_its_own_handoffs_and_no_others(tmp_path: Path) -> None:
    async with table(tmp_path) as here:
        mine = await here.desk.ask(message="Mine?", caller=Caller(subject="ada"))
        other = await here.desk.ask(message="Theirs?", caller=Caller(subject="bob"))
        own = own_of(here, "ada")
        assert (await own.get(mine.id)).id == mine.id
        assert [each.id for each in await own.newest(open_only=True)] == [mine.id]
        with pytest.raises(NotFound):
            await own.get(other.id)


async def test_a_request_without_a_token_sees_none_where_one_must_be_shown(tmp_path: Path) -> None:
    async with table(tmp_path) as here:
        mine = await here.desk.ask(message="Mine?", caller=Caller(subject="ada"))
        own = own_of(here, None)
        with pytest.raises(NotAuthenticated):
            await own.get(mine.id)
        with pytest.raises(NotAuthenticated):
            await own.newest(open_only=True)
