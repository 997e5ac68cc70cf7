"""Another program verifies the log that a store exports, on every engine: all of it, an entry, and how it goes on."""

from pathlib import Path

import pytest

from handoffs.proof.writing import export
from tests.interop.test_tlog import Program
from tests.store.backends import BACKENDS
from tests.store.test_leaves import KEY, ORIGIN, some


@pytest.mark.parametrize("engine", sorted(BACKENDS))
async def test_an_export_of_a_store_is_verified_by_others(engine: str, aics_tlog: str, tmp_path: Path) -> None:
    backend, program = BACKENDS[engine], Program(aics_tlog, tmp_path)
    (tmp_path / "key").write_text(f"{KEY.verifier}\n")
    async with backend.connect(backend.address(tmp_path / "store")) as store:
        await some(store, 70)
        await export(store, tmp_path / "log", KEY, server_id="localhost")
        (tmp_path / "old").write_bytes((tmp_path / "log/checkpoint").read_bytes())
        await some(store, 80, first=70)
        done = await export(store, tmp_path / "log", KEY, server_id="localhost")
        leaves = await store.leaves.after(-1, limit=1000)
    size, root = done.checkpoint.size, done.checkpoint.root
    assert size == len(leaves) == 600
    assert program.tiles("verify-checkpoint", "--origin", ORIGIN)["ok"]
    assert program.tiles("verify-consistency", "--old-checkpoint", "old")["ok"]
    for index in (0, 255, 256, 279, 280, 599):
        (tmp_path / "leaf").write_text(leaves[index].text)
        assert program.tiles("verify-inclusion", "--index", str(index), "--leaf", "leaf")["ok"], index
    assert not program.tiles("verify-inclusion", "--index", "1", "--leaf", "leaf")["ok"]
    assert program.audit_of(size, root) == "ok"
    bundle = tmp_path / "log/tile/entries/000"
    bundle.write_bytes(bundle.read_bytes().replace(b"answered", b"declined", 1))
    assert program.audit_of(size, root) != "ok"
