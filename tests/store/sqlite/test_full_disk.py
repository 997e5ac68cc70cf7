"""A store that can't grow: on a file system that is really full, and under a limit that is really reached."""

import itertools
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from handoffs.core.errors import StoreFull
from handoffs.core.events import Reached
from handoffs.core.model import State
from handoffs.store.sqlite.store import SqliteStore
from tests.store.processes import other_process
from tests.store.samples import LATER, LONG_AGO, answered, sample

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="neither limits nor mounts of this kind")


# The first two are too little to make the store at all.
@pytest.mark.parametrize("bytes_in_a_file", [1_000, 20_000, 500_000])
async def test_at_a_limit_nothing_that_was_kept_is_lost_and_later_it_goes_on(
    tmp_path: Path, bytes_in_a_file: int
) -> None:
    path = tmp_path / "handoffs.db"
    async with other_process("sqlite", str(path), "run_out_of_room", str(bytes_in_a_file)) as other:
        await other.go()
        said = await other.says()
        assert await other.ended() == 0
    assert isinstance(said, dict)
    assert said["error"] == "StoreFull"
    assert str(path) in said["words"]
    assert bool(said["kept"]) is (bytes_in_a_file == 500_000)
    async with SqliteStore(path) as store:
        kept = [handoff.id for handoff in await store.newest(open_only=True)]
        assert sorted(kept) == sorted([*said["kept"], said["after"]])
        assert [line.handoff_id for line in await store.log()] == [*said["kept"], said["after"]]


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """Return a file system of one megabyte, where this user may mount one."""
    folder = tmp_path / "small"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(folder)]
    if os.getuid() or subprocess.run(mount, check=False, capture_output=True).returncode:
        pytest.skip("only root can mount a small disk")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


async def test_a_full_disk_loses_nothing_stored_and_the_store_goes_on_with_room(small_disk: Path) -> None:
    ballast = small_disk / "ballast"
    ballast.write_bytes(b"\0" * 400_000)
    kept: list[str] = []
    async with SqliteStore(small_disk / "handoffs.db") as store:

        async def fill() -> None:
            for number in itertools.count():
                handoff = await store.open(sample(f"Question {number}"), collect_after=LONG_AGO)
                kept.append(handoff.id)

        async def reach_all() -> None:
            for handoff_id in kept[1:]:
                await store.record(handoff_id, Reached(at=LATER, channel="inbox"))

        with pytest.raises(StoreFull, match=str(small_disk)):
            await fill()
        # A smaller write may still find the room that the last one had begun to use, but not for long.
        with pytest.raises(StoreFull):
            await reach_all()
        # What is there can still be read.
        assert len(await store.newest(open_only=True)) == len(kept) > 0
        ballast.unlink()
        assert (await store.record(kept[0], answered())).state is State.ANSWERED
        assert (await store.open(sample("Once more"), collect_after=LONG_AGO)).state is State.OPEN
    async with SqliteStore(small_disk / "handoffs.db") as store:
        assert [line.handoff_id for line in await store.log()][: len(kept)] == kept
