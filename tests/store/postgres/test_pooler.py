"""A store behind PgBouncer: in session mode all works, in transaction mode it says what is wrong."""

import os
import shutil
import socket
import subprocess
from collections.abc import Generator
from functools import partial
from pathlib import Path

import anyio
import asyncpg
import pytest

from handoffs.cli import db
from handoffs.core.errors import StoreError
from handoffs.core.model import State
from handoffs.setting_values import store_address
from handoffs.settings import Settings
from handoffs.store.postgres.store import PostgresStore
from tests.store import postgres_server as postgres
from tests.store.samples import LATER, LONG_AGO, answered, sample
from tests.waiting import until_there

PROGRAM = shutil.which("pgbouncer") or shutil.which("pgbouncer", path="/usr/sbin")


@pytest.fixture(params=["session", "transaction"])
def mode(request: pytest.FixtureRequest) -> str:
    """Give the way in which the pooler lends its connections."""
    return str(request.param)


@pytest.fixture
def url(mode: str, tmp_path: Path) -> Generator[str]:
    """Give the address of a new store, behind a pooler in that mode."""
    if PROGRAM is None:
        (pytest.fail if os.environ.get("CI") else pytest.skip)("no PgBouncer here: apt-get install pgbouncer")
    server = postgres.cluster()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = int(free.getsockname()[1])
    written = f"""
[databases]
* = host=127.0.0.1 port={server.port} user=handoffs
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = any
pool_mode = {mode}
"""
    config = tmp_path / "pgbouncer.ini"
    config.write_text(written)
    user = [] if os.getuid() else ["setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups"]
    for folder in (tmp_path, tmp_path.parent, tmp_path.parent.parent, tmp_path.parent.parent.parent):
        if folder.stat().st_uid == os.getuid() and folder != Path("/tmp"):
            folder.chmod(0o755)
    process = subprocess.Popen([*user, str(PROGRAM), "-q", str(config)], stderr=subprocess.PIPE)
    try:
        until_there(lambda: _listens(port) or process.poll() is not None)
        assert process.poll() is None, process.stderr and process.stderr.read()
        yield server.url(port=port)
    finally:
        process.terminate()
        process.wait(20)


def _listens(port: int) -> bool:
    with socket.socket() as there:
        return there.connect_ex(("127.0.0.1", port)) == 0


@pytest.mark.parametrize("mode", ["session"], indirect=True)
async def test_in_session_mode_an_answer_wakes_who_waits_in_another_process(url: str) -> None:
    asked = sample()
    with anyio.fail_after(120):
        async with PostgresStore(url) as here, PostgresStore(url) as there:
            await here.open(asked, collect_after=LONG_AGO)
            async with here.watch(asked.id) as watch:
                await there.record(asked.id, answered(at=LATER))
                await watch.changed()
            assert (await here.get(asked.id)).state is State.ANSWERED


@pytest.mark.parametrize("mode", ["session"], indirect=True)
async def test_its_connections_are_set_up_like_any_other(url: str) -> None:
    wanted = {"statement_timeout": "10s", "jit": "off", "default_transaction_isolation": "read committed"}
    async with PostgresStore(url) as store:
        await store.ids("")

        async def shown(connection: object) -> dict[str, str]:
            return {name: (await connection.fetch(f"SHOW {name}"))[0][0] for name in wanted}  # type: ignore[attr-defined]

        assert await store._connections.run(shown) == wanted  # pyright: ignore[reportPrivateUsage]


@pytest.mark.parametrize("mode", ["transaction"], indirect=True)
@pytest.mark.parametrize("cached", [True, False])
async def test_in_transaction_mode_it_says_what_to_change(
    url: str, cached: bool, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    if not cached:  # as with a pooler that carries prepared statements along: only the listening shows it then
        for name in ("connect", "create_pool"):
            monkeypatch.setattr(asyncpg, name, partial(getattr(asyncpg, name), statement_cache_size=0))
    settings = Settings(store=store_address(url))
    with anyio.fail_after(60), pytest.raises(StoreError, match="pool_mode = session"):
        await db.migrated(settings)
    assert capsys.readouterr().out == ""
