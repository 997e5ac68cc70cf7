"""The sockets by which processes call to one another: what they carry, and how they are kept private and tidy."""

import asyncio
import os
import socket
import sys
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import anyio
import pytest

from handoffs.store.sqlite.datagrams import Datagrams, base_folder
from handoffs.store.sqlite.store import SqliteStore
from tests.store.processes import other_process
from tests.store.samples import LONG_AGO, answered, sample

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="no such sockets")


@pytest.fixture
def base() -> Iterator[Path]:
    """Return a private folder with a short path; that of a socket may not be long."""
    with TemporaryDirectory(prefix="hs", dir="/tmp") as name:
        yield Path(name)


class Ear:
    """Collects what is heard."""

    def __init__(self) -> None:
        self._send, self._receive = anyio.create_memory_object_stream[bytes](10_000)

    def hear(self, message: bytes) -> None:
        self._send.send_nowait(message)

    async def next(self) -> bytes:
        with anyio.fail_after(120):
            return await self._receive.receive()

    def close(self) -> None:
        self._send.close()
        self._receive.close()


@pytest.fixture
def ear() -> Iterator[Ear]:
    ear = Ear()
    yield ear
    ear.close()


async def test_what_one_sends_the_others_hear(base: Path, tmp_path: Path, ear: Ear) -> None:
    store = tmp_path / "handoffs.db"
    (tmp_path / "link").symlink_to(tmp_path)
    listener, also, elsewhere = (
        Datagrams(store, base),
        Datagrams(tmp_path / "link" / "handoffs.db", base),
        Datagrams(tmp_path / "other.db", base),
    )
    strange = Ear()
    listener.listen(ear.hear)
    elsewhere.listen(strange.hear)
    try:
        also.send(b"by another path")
        assert await ear.next() == b"by another path"
        listener.listen(ear.hear)  # again changes nothing
        also.send(b"once")
        elsewhere.send(b"not for this store")
        also.send(b"twice")
        assert [await ear.next(), await ear.next()] == [b"once", b"twice"]
    finally:
        for each in (listener, also, elsewhere):
            each.close()
        strange.close()
    assert list(base.iterdir()) == []


async def test_a_sender_does_not_hear_itself(base: Path, tmp_path: Path, ear: Ear) -> None:
    both, other = Datagrams(tmp_path / "handoffs.db", base), Datagrams(tmp_path / "handoffs.db", base)
    both.listen(ear.hear)
    try:
        both.send(b"mine")
        other.send(b"the other's")
        assert await ear.next() == b"the other's"
    finally:
        both.close()
        other.close()


async def test_without_a_listener_a_send_makes_nothing(base: Path, tmp_path: Path) -> None:
    Datagrams(tmp_path / "handoffs.db", base).send(b"hello")
    assert list(base.iterdir()) == []


async def test_a_listener_who_does_not_keep_up_holds_nobody_up(base: Path, tmp_path: Path, ear: Ear) -> None:
    listener, sender = Datagrams(tmp_path / "handoffs.db", base), Datagrams(tmp_path / "handoffs.db", base)
    listener.listen(ear.hear)
    try:
        for number in range(5_000):
            sender.send(b"%d" % number)
        assert await ear.next() == b"0"
    finally:
        listener.close()
        sender.close()


async def test_the_socket_of_a_killed_process_is_removed_by_the_next_finder(tmp_path: Path) -> None:
    path = tmp_path / "handoffs.db"
    base = base_folder()
    assert base is not None
    folder = Datagrams(path, base).folder
    async with SqliteStore(path) as store:
        handoff = await store.open(sample(), collect_after=LONG_AGO)
        async with other_process("sqlite", str(path), "wait", handoff.id) as other:
            await other.go()
            assert await other.says() == "waiting"
            assert len(list(folder.iterdir())) == 1
            await other.kill()
        assert len(list(folder.iterdir())) == 1
        await store.record(handoff.id, answered())
        assert list(folder.iterdir()) == []
        async with store.watch():
            assert len(list(folder.iterdir())) == 1
    assert not folder.exists()


async def test_what_killed_processes_left_is_swept_away_by_the_next_who_listens(
    base: Path, tmp_path: Path, ear: Ear
) -> None:
    alive = Datagrams(tmp_path / "alive.db", base)
    alive.listen(ear.hear)
    for name in ("killed", "another"):
        (base / name).mkdir()
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as left:
            left.bind(str(base / name / "1-left"))
    (base / "empty").mkdir()
    (base / "file").touch()  # not ours, not touched
    listener, strange = Datagrams(tmp_path / "handoffs.db", base), Ear()
    listener.listen(strange.hear)
    try:
        assert set(base.iterdir()) == {alive.folder, listener.folder, base / "file"}
        assert len(list(alive.folder.iterdir())) == 1
    finally:
        listener.close()
        alive.close()
        strange.close()


@pytest.mark.parametrize("mode", [0o755, 0o770, 0o701])
async def test_a_folder_that_others_may_enter_is_not_used(base: Path, tmp_path: Path, ear: Ear, mode: int) -> None:
    listener, sender = Datagrams(tmp_path / "handoffs.db", base), Datagrams(tmp_path / "handoffs.db", base)
    base.chmod(mode)
    listener.listen(ear.hear)
    assert list(base.iterdir()) == []
    # Nor is anything sent to what is in it.
    folder = listener.folder
    folder.mkdir()
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as stranger:
        stranger.bind(str(folder / "stranger"))
        stranger.setblocking(False)
        sender.send(b"h_secret")
        with pytest.raises(BlockingIOError):
            stranger.recv(100)
        base.chmod(0o700)
        sender.send(b"h_secret")
        assert stranger.recv(100) == b"h_secret"
    sender.close()


@pytest.mark.skipif(sys.platform == "win32" or os.getuid() != 0, reason="only root can give a folder away")
async def test_a_folder_of_somebody_else_is_not_used(base: Path, tmp_path: Path, ear: Ear) -> None:
    os.chown(base, 65534, 65534)
    Datagrams(tmp_path / "handoffs.db", base).listen(ear.hear)
    assert list(base.iterdir()) == []


async def test_a_link_in_the_place_of_the_folder_is_not_followed(base: Path, tmp_path: Path, ear: Ear) -> None:
    (base / "real").mkdir(mode=0o700)
    (base / "link").symlink_to(base / "real")
    Datagrams(tmp_path / "handoffs.db", base / "link").listen(ear.hear)
    assert list((base / "real").iterdir()) == []


async def test_where_a_socket_can_not_be_made_nothing_is_said(tmp_path: Path, base: Path, ear: Ear) -> None:
    (base / "file").touch()
    for impossible in (base / ("long" * 25), base / "file", base / "missing" / "base"):
        datagrams = Datagrams(tmp_path / "handoffs.db", impossible)
        datagrams.listen(ear.hear)
        datagrams.send(b"hello")
        datagrams.close()
    assert [entry.name for entry in base.iterdir()] == ["file"]


async def test_a_message_that_is_none_is_passed_over(tmp_path: Path) -> None:
    path = tmp_path / "handoffs.db"
    base = base_folder()
    assert base is not None
    stranger = Datagrams(path, base)
    wrong: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: wrong.append(context))
    async with SqliteStore(path) as store, store.watch("h_one") as watch:
        for nonsense in (b"", b" ", b"x h_one", b"-1 h_one", b"\xff\xff \xff", b"1" * 600):
            stranger.send(nonsense)
        stranger.send(b"12 h_one")
        with anyio.fail_after(120):
            await watch.changed()
    stranger.close()
    assert wrong == []
