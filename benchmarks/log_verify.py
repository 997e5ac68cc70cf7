"""The verifiable log: verifying a whole folder, appending to a large log, and the proof of one entry.

The folder is verified by us and by aics-tlog, each in a process of its own and without its start: the checkpoint's
signature, all tiles, all entries, and that the log continues an older checkpoint. We also look at what the entries
say. Before that, both must find one altered entry.
"""

import random
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from benchmarks import seed
from benchmarks.environment import aics_tlog
from benchmarks.plan import Plan
from benchmarks.table import Row, compared
from handoffs.proof.checkpoint import Checkpoint
from handoffs.proof.export import FolderWriter
from handoffs.proof.growing import grow
from handoffs.proof.merkle import Frontier, Tree, leaf_hash
from handoffs.proof.proof_checks import verify_inclusion
from handoffs.proof.tiles import FolderTiles, bundle_path, bundled, entries_of
from handoffs.store.sqlite.store import SqliteStore
from tests.proof.sample_log import KEY, ORIGIN, export, signed, some

VERIFY_BAR, APPEND_BAR, PROOF_BAR = 1.0, 1.2, 20.0
SMALL = 1_000
AT_ONCE = 500
"""So many entries are appended with one root: a store brings its tree up to date for many events at once."""

OURS = """
import sys, time
from pathlib import Path
from handoffs.proof.notes import VerifierKey
from handoffs.proof.verifying import verify_folder
start = time.perf_counter()
key = VerifierKey.parse(Path(sys.argv[2]).read_text())
report = verify_folder(Path(sys.argv[1]), [key], Path(sys.argv[3]).read_bytes())
print(time.perf_counter() - start, *map(str, report.problems))
"""
THEIRS = """
import contextlib, io, json, sys, time
from base64 import b64decode
from aics_tlog import cli
from aics_tlog.tiles import FileSystemTileReader
from aics_tlog.verified import audit_tiles
start = time.perf_counter()
log, key, old = sys.argv[1:]
problem, said = "", io.StringIO()
with contextlib.redirect_stdout(said):
    for command in (["verify-checkpoint"], ["verify-consistency", "--old-checkpoint", old]):
        if cli.main([*command, "--tiles", log, "--vkey-file", key]):
            problem = command[0]
head = json.loads(said.getvalue().splitlines()[0])
try:
    audit_tiles(FileSystemTileReader(log), head["size"], b64decode(head["root"]))
except ValueError as error:
    problem = str(error)
print(time.perf_counter() - start, problem)
"""


async def run(plan: Plan) -> list[Row]:
    """Return the rows."""
    with TemporaryDirectory(prefix="handoffs-bench-") as name:
        place = Path(name)
        return [_verify(plan, place), *_large(plan, place), await _in_a_store(plan, place)]


def _verify(plan: Plan, place: Path) -> Row:
    size, rounds = plan.pick(full=100_000, quick=5_000), plan.pick(full=5, quick=1)
    entries = some(size)
    export(place / "log", entries)
    (place / "key").write_text(f"{KEY.verifier}\n")
    (place / "old").write_bytes(signed(entries[: size // 3]))
    theirs = str(aics_tlog().with_name("python"))

    def once(python: str, code: str) -> tuple[float, str]:
        command = [python, "-c", code, "log", "key", "old"]
        done = subprocess.run(command, cwd=place, capture_output=True, text=True, timeout=300, check=True)
        seconds, _, problem = done.stdout.strip().partition(" ")
        return float(seconds), problem

    at = random.SystemRandom().randrange(size)
    bundle = place / "log" / bundle_path(at // 256, min(256, size - at // 256 * 256))
    whole = bundle.read_bytes()
    altered = entries_of(whole) or []
    altered[at % 256] = altered[at % 256].replace(b"19:30", b"19:31")
    bundle.write_bytes(bundled(altered))
    for python, code, place_ in ((sys.executable, OURS, f"entry {at}: "), (theirs, THEIRS, "tile/entries/")):
        problem = once(python, code)[1]
        if place_ not in problem:
            raise RuntimeError(f"entry {at} was altered, which was not found: {problem!r}")
    bundle.write_bytes(whole)

    ours: list[list[float]] = []
    yardstick: list[list[float]] = []
    for _ in range(rounds):
        for python, code, samples in ((sys.executable, OURS, ours), (theirs, THEIRS, yardstick)):
            seconds, problem = once(python, code)
            if problem:
                raise RuntimeError(problem)
            samples.append([seconds])
    return compared(f"a log of {size:,} entries verified ÷ aics-tlog", "s", ours, yardstick, bar=VERIFY_BAR)


def _large(plan: Plan, place: Path) -> list[Row]:
    size, rounds = plan.pick(full=1_000_000, quick=20_000), plan.pick(full=41, quick=5)
    folder = place / "large"
    writer, frontier = FolderWriter(folder), Frontier()
    entries = (b'{"at":"2026-11-22T19:35:00.000000Z","number":%d}' % number for number in range(size))
    while block := list(islice(entries, 10_000)):
        writer.append(block)
        for entry in block:
            frontier.append(leaf_hash(entry))
    writer.publish(Checkpoint(origin=ORIGIN, size=size, root=frontier.root).signed(KEY))

    hashes = [leaf_hash(b"later %d" % number) for number in range(AT_ONCE)]
    large, small = (
        _appends(lambda: Frontier.read(size, FolderTiles(folder)), rounds, hashes),
        _appends(_small, rounds, hashes),
    )
    pairs = list(zip(large, small, strict=True))
    ours, yardstick = [[each] for each, _ in pairs], [[each] for _, each in pairs]
    what = f"append to a log of {size:,} ÷ of {SMALL:,}"
    return [compared(what, "µs", ours, yardstick, bar=APPEND_BAR), _proof(folder, size, frontier.root, rounds)]


async def _in_a_store(plan: Plan, place: Path) -> Row:
    """Return how long a question takes to be on disk and in the tree, by the lines that the log of its store has."""
    size, rounds = plan.pick(full=1_000_000, quick=20_000), plan.pick(full=101, quick=9)
    samples: list[list[float]] = [[], []]
    async with AsyncExitStack() as open_:
        stores: list[SqliteStore] = []
        for each in (size, SMALL):
            plan.say(f"a store whose log has {each:,} lines")
            await seed.fill_log(place / f"{each}.db", each)
            stores.append(await open_.enter_async_context(SqliteStore(place / f"{each}.db")))
        for number in range(rounds):
            for store, took in zip(stores, samples, strict=True):
                asked = seed.handoff(number, datetime.now(UTC))
                start = time.perf_counter()
                await store.open(asked, collect_after=asked.created_at)
                await grow(store)
                took.append((time.perf_counter() - start) * 1e3)
    ours, yardstick = ([[each] for each in took] for took in samples)
    what = f"recorded and in the tree, SQLite, a log of {size:,} ÷ of {SMALL:,}"
    return compared(what, "ms", ours, yardstick, bar=APPEND_BAR)


def _small() -> Frontier:
    frontier = Frontier()
    for number in range(SMALL):
        frontier.append(leaf_hash(b"%d" % number))
    return frontier


def _appends(begun: Callable[[], Frontier], rounds: int, hashes: list[bytes]) -> Iterator[float]:
    """Yield the microseconds of one append, each time to a log of the same size."""
    for _ in range(rounds):
        frontier = begun()
        start = time.perf_counter()
        for each in hashes:
            frontier.append(each)
        assert frontier.root
        yield (time.perf_counter() - start) / len(hashes) * 1e6


def _proof(folder: Path, size: int, root: bytes, rounds: int) -> Row:
    samples: list[float] = []
    for _ in range(rounds):
        index = random.SystemRandom().randrange(size)
        start = time.perf_counter()
        tiles = FolderTiles(folder)
        entry, proof = tiles.entry(index, size), Tree(size, tiles).inclusion(index)
        samples.append((time.perf_counter() - start) * 1e3)
        verify_inclusion(leaf_hash(entry), index, size, proof, root)
    return Row(what=f"proof of one entry of {size:,}", unit="ms", ours=median(samples), bar=PROOF_BAR)
