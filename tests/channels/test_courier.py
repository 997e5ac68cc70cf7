"""Which process serves an account: one, and where that ends, at any moment, another one at once."""

import sqlite3
from dataclasses import replace
from pathlib import Path

import anyio
import pytest

from handoffs.channels import ntfy
from handoffs.channels.chats.courier import Courier
from handoffs.sealing import AesGcmSealer
from tests.channels.chatting import home, link
from tests.channels.ntfy_server import ntfy_server
from tests.waiting import until


def taken(folder: Path) -> bool:
    """Whether an account is somebody's."""
    with sqlite3.connect(folder / "handoffs.db") as connection:
        found = connection.execute("SELECT count(*) FROM chat_holds WHERE ends > 0").fetchone()[0] > 0
    connection.close()
    return found


@pytest.mark.parametrize("how", ["began", "changed"])
async def test_a_process_that_ends_at_any_moment_leaves_its_accounts_to_others(tmp_path: Path, how: str) -> None:
    async with ntfy_server() as server, home(tmp_path, serve=False) as there:
        await there.ntfy(server)
        (chat,) = await there.store.chats.all()
        sealer, held = AesGcmSealer(lambda: ["k" * 32]), 0
        for moment in range(40):
            courier = Courier(there.store.chats, there.desk, sealer, {"ntfy": ntfy.KIND}, link)
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(courier.run)
                if how == "changed":
                    await until(lambda: taken(tmp_path))
                    await there.store.chats.change(replace(chat, quiet=f"22:{moment}-07:00"))
                    courier.poke()
                await anyio.sleep(moment / 4_000)
                held += taken(tmp_path)
                tasks.cancel_scope.cancel()
            assert not taken(tmp_path), f"after {moment / 4} ms"
        assert held, "no process had it"
