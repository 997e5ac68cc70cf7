"""A store copied into another, there and back: nothing is lost, nothing is mixed, and what was stopped goes on."""

import sqlite3
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager, closing
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import asyncpg
import pytest

from handoffs.core.attachment import GivenFile, attached
from handoffs.core.errors import PersonRefused, StoreError, StoreTooNew
from handoffs.core.events import Answered, Collected, Declined, Reached, Reminded
from handoffs.core.grant import Condition, Pin, Stop
from handoffs.core.people import People
from handoffs.core.person import Absence
from handoffs.core.ports import Permissions
from handoffs.core.quota import Quota
from handoffs.core.recovery import Recovery
from handoffs.core.token import Token
from handoffs.core.voting import vote_for
from handoffs.setting_values import store_address
from handoffs.store.copying import EVENTS, PAGE, TABLES, Phase, Progress, Target, copy
from handoffs.store.postgres.address import Address, parse
from handoffs.store.postgres.cells import decode_cell
from handoffs.store.postgres.copying import PostgresEndpoint
from handoffs.store.postgres.store import PostgresStore
from handoffs.store.sqlite.copying import SqliteEndpoint
from handoffs.store.sqlite.store import SqliteStore
from handoffs.store.values import micros
from tests.core.strategies import ASKED
from tests.store.backends import BACKENDS
from tests.store.by_hand import change
from tests.store.samples import DAY, LATER, LONG_AGO, answered, passkey, permission, person, sample, two_of
from tests.store.test_chats import chat, code, told

NOW = micros(LATER)
ENGINES = sorted(BACKENDS)
MANY = PAGE + 20
PIN_TOOLS, PINS = 90, PAGE + 50

Store = SqliteStore | PostgresStore


def new(engine: str, folder: Path) -> str:
    return BACKENDS[engine].address(folder)


def store_of(address: str) -> Store:
    at = store_address(address)
    return SqliteStore(at) if isinstance(at, Path) else PostgresStore(at.url)


def side(address: str, *, target: bool = False) -> AbstractAsyncContextManager[Target]:
    at = store_address(address)
    if isinstance(at, Path):
        return SqliteEndpoint(at, now=NOW, target=target)
    assert isinstance(at, Address)
    return PostgresEndpoint(at, now=NOW, target=target)


def quietly(phase: Phase, done: int, of: int) -> None:
    assert 0 <= done <= of


async def copied(source: str, target: str) -> dict[str, int]:
    async with side(source) as here, side(target, target=True) as there:
        return dict((await copy(here, there, told=quietly)).rows)


async def fill(address: str, *, many: int = MANY) -> None:
    """Put in whatever a store can hold."""
    async with store_of(address) as store:
        strange = await store.open(
            sample("zero \0, one \1, both \1\0, half a letter \udce9, 🙂\n"), collect_after=LONG_AGO
        )
        await store.record(
            strange.id, Reached(at=LATER, channel="inbox"), Reminded(at=LATER, channel="n", stage="half")
        )
        voted = await store.open(sample("Two of us?", deciders=two_of("ada", "bob")), collect_after=LONG_AGO)
        yes = answered(by="ada")
        await store.record(voted.id, vote_for(voted, yes), yes)
        secret = await store.open(sample("A password?"), collect_after=LONG_AGO)
        sealed = Answered(
            at=LATER, by="ada", channel="inbox", values={"response": "secret:x"}, note="\0", sealed={"r": "sealed"}
        )
        contents = [bytes(range(number, 256)) for number in range(5)]
        given = [GivenFile(name=f"zero {number}", declared="", content=each) for number, each in enumerate(contents)]
        files = tuple(each.attachment for each in attached(given, allowed=True))
        await store.record(secret.id, replace(sealed, attachments=files), Collected(at=LATER), contents=contents)
        for number in range(3):  # the same question, again and again
            again = await store.open(sample("Again?", at=ASKED + number * timedelta(minutes=1)), collect_after=LATER)
            if number < 2:
                at = ASKED + timedelta(seconds=60 * number + 1)
                await store.record(again.id, Declined(at=at, by="ada", channel="inbox"), Collected(at=at))
        for number in range(many):
            await store.open(sample(f"Question {number}"), collect_after=LONG_AGO)
        chats = [chat("c_1"), replace(chat("c_2", "zero \0, half a letter \udce9"), quiet="22:00-07:00", on=False)]
        for each in chats:
            await store.chats.keep(each)
        await store.chats.tell([told("h_1"), told("h_2")], [code("d1"), code("zero \0", "h_2")])
        await store.chats.redeem("d1", chat_id="c_1", event="e", at=ASKED)
        await store.claim("used up", now=ASKED, until=LATER + DAY)
        await store.claim("over", now=ASKED, until=LATER - timedelta(minutes=1))
        await store.tokens.add(Token(name="ci-runner", digest="d1", created_at=ASKED, expires_at=LATER))
        await store.tokens.add(Token(name="Ädmin", digest="d2", created_at=ASKED, expires_at=None))
        await store.tokens.revoke("Ädmin", at=LATER)
        # More than a page, in an order of two columns.
        tools = [f"tool {number % PIN_TOOLS}" for number in range(PINS)]
        await store.permissions.pin(
            [
                Pin(server=f"Sérver \0 {number // PIN_TOOLS}", tool=tool, digest="d1", definition="{}", pinned_at=ASKED)
                for number, tool in enumerate(tools)
            ]
        )
        strange = Condition(name="zero \0", kind="equals", value="half a letter \udce9")
        await store.permissions.grant(permission(tool="zero \0", conditions=(strange,), expires_at=LATER))
        used = permission(uses_left=3)
        await store.permissions.grant(used)
        await store.permissions.use(used.id, at=LATER)
        await store.permissions.suspend(used.id, at=LATER)
        await store.permissions.stop(Stop(by="ada", at=LATER))
        for each in (person("Ada", "zero \0", "half \udce9"), person("Bøb"), person("cyd")):
            await store.people.add(each)
        await store.people.remove("cyd", at=LATER)
        await store.people.away(Absence(person="Ada", deputy="Bøb", since=ASKED, until=LATER), at=ASKED)
        await store.people.add_key(passkey(person="Ada", public_key=bytes(range(256))))
        await store.people.add_key(passkey("K1", person="Bøb", added_with="k1", active_from=LATER))
        await store.people.use_key("k1", sign_count=3, at=LATER)
        begins = ASKED + 2 * DAY
        asked = Recovery(person="Ada", asked_by="eve", asked_at=ASKED, begins_at=begins, ends_at=begins + DAY)
        await store.people.ask_recovery("d2", asked)
        await store.people.invite("d1", "Ada", expires_at=LATER + DAY)
        await store.people.begin("c1", "Ada", at=ASKED, agent="Firefox")


async def dump(address: str) -> list[list[tuple[object, ...]]]:
    """Every row of a store as it is kept, table by table."""
    at = store_address(address)
    live = f"WHERE ends > {NOW}"
    queries = [
        f"SELECT {', '.join(table.columns)} FROM {{}}{table.name} {live if table.name == 'claims' else ''}"
        for table in TABLES
    ]
    if isinstance(at, Path):
        with closing(sqlite3.connect(at)) as file:
            found: Sequence[Sequence[Sequence[object]]] = [file.execute(each.format("")).fetchall() for each in queries]
    else:
        assert isinstance(at, Address)
        connection = await asyncpg.connect(at.dsn)
        found = [await connection.fetch(each.format(f'"{at.schema}".')) for each in queries]
        await connection.close()
    return [sorted([tuple(map(decode_cell, row)) for row in table], key=repr) for table in found]


@pytest.mark.parametrize("first", ENGINES)
@pytest.mark.parametrize("second", ENGINES)
async def test_a_store_copied_there_and_back_is_what_it_was_row_by_row(first: str, second: str, tmp_path: Path) -> None:
    at = new(first, tmp_path), new(second, tmp_path / "there"), new(first, tmp_path / "back")
    await fill(at[0])
    await change(at[0], "INSERT INTO SCHEMA.kept_leaves VALUES (0, '{}')")
    await change(at[0], "INSERT INTO SCHEMA.log_began VALUES (1, 0)")
    kept = await dump(at[0])
    assert [len(table) for table in kept][1:] == [MANY + 23, 1, 2, PINS, 2, 1, 3, 1, 2, 1, 1, 1, 2, 2, 2, 5]
    there = await copied(at[0], at[1])
    assert there == {
        "handoffs": MANY + 6, "events": MANY + 23, "claims": 1, "tokens": 2, "pins": PINS, "grants": 2, "stops": 1,
        "people": 3, "absences": 1, "passkeys": 2, "recoveries": 1, "kept_leaves": 1, "log_began": 1,
        "chats": 2, "chat_messages": 2, "chat_codes": 2, "attachments": 5,
    }  # fmt: skip
    assert await copied(at[1], at[2]) == there
    assert await dump(at[1]) == await dump(at[2]) == kept == await dump(at[0])


@pytest.mark.parametrize(("source", "target"), [("sqlite", "postgres"), ("postgres", "sqlite")])
async def test_on_a_copy_everything_goes_on_as_it_would_have(source: str, target: str, tmp_path: Path) -> None:
    here, there = new(source, tmp_path), new(target, tmp_path / "there")
    await fill(here)
    await copied(here, there)
    async with store_of(here) as was, store_of(there) as now:
        assert await now.newest(open_only=False, limit=10_000) == await was.newest(open_only=False, limit=10_000)
        assert await now.newest(open_only=True, limit=7) == await was.newest(open_only=True, limit=7)
        lines = await was.log(limit=10_000)
        assert await now.log(limit=10_000) == lines
        assert await now.tokens.all() == await was.tokens.all()
        await it_remembers_the_same(now.permissions, was.permissions)
        await it_knows_the_same_people(now.people, was.people)
        assert not await now.claim("used up", now=LATER, until=LATER + DAY)
        for message in ("Question 3", "Again?"):  # it joins the one that is open
            [there_already] = [
                each for each in await was.newest(open_only=True, limit=10_000) if each.question.message == message
            ]
            assert await now.open(replace(sample(message)), collect_after=LATER) == there_already
            await now.record(there_already.id, answered(at=LATER), Collected(at=LATER))
            again = sample(message, at=LATER)
            assert await now.open(again, collect_after=LATER, quota=Quota()) == replace(again, earlier=there_already.id)
        assert [entry.number for entry in await now.log(after=lines[-1].number)] == [
            lines[-1].number + more for more in range(1, 8)
        ]


async def it_remembers_the_same(now: Permissions, was: Permissions) -> None:
    for server in ("Sérver \0 0", "Sérver \0 1", "Sérver \0 2"):
        assert len(await now.pins(server)) > 0
        assert await now.pins(server) == await was.pins(server)
    there = await was.grants()
    assert await now.grants() == there
    assert await now.stopped() == await was.stopped() == Stop(by="ada", at=LATER)
    assert not await now.stop(Stop(by="bob", at=LATER))
    [suspended] = [each for each in there if each.suspended_at is not None]
    assert await now.resume(suspended.id)
    assert await now.use(suspended.id, at=LATER) is None
    assert await now.lift()
    assert await now.use(suspended.id, at=LATER) == replace(suspended, suspended_at=None, uses=2, uses_left=1)


async def it_knows_the_same_people(now: People, was: People) -> None:
    there = await was.directory()
    assert await now.directory() == there
    assert len(there.people) == 3
    for name in there.people:
        assert await now.keys(name) == await was.keys(name)
    with pytest.raises(PersonRefused, match="given once"):
        await now.add(person("CYD"))
    assert not await now.use_key("k1", sign_count=3, at=LATER)
    assert await now.use_key("k1", sign_count=4, at=LATER)
    assert await now.come_back("Ada", at=LATER)
    # People sign in again at the copy.
    assert await now.session("c1", at=ASKED) is None
    assert await now.redeem("d1", at=ASKED) is None
    assert await was.redeem("d1", at=ASKED) == "Ada"


class Stopped(Exception):
    """As Ctrl-C, or an error, in the middle."""


@pytest.mark.parametrize(("source", "target"), [("sqlite", "postgres"), ("postgres", "sqlite")])
async def test_a_copy_that_was_stopped_is_no_store_and_goes_on_where_it_stopped(
    source: str, target: str, tmp_path: Path
) -> None:
    here, there = new(source, tmp_path), new(target, tmp_path / "there")
    await fill(here)
    begun: list[int] = []

    def stop(phase: Phase, done: int, of: int) -> None:
        begun.append(done)
        if done >= PAGE:
            raise Stopped

    async with side(here) as one, side(there, target=True) as other:
        with pytest.raises(Stopped):
            await copy(one, other, told=stop)
    async with store_of(there) as half:
        with pytest.raises(StoreError, match="is half a copy"):
            await half.get("h_x")
    # Meanwhile somebody answers one that was copied, and asks another.
    async with store_of(here) as store:
        first = (await store.newest(open_only=True, limit=10_000))[-1]
        await store.record(first.id, answered(at=LATER))
        await store.open(sample("A new one"), collect_after=LONG_AGO)
    goes_on: list[int] = []
    async with side(here) as one, side(there, target=True) as other:
        await copy(one, other, told=lambda phase, done, of: goes_on.append(done))
    assert begun == [0, PAGE]
    assert goes_on[0] == PAGE
    assert await dump(there) == await dump(here)


async def test_what_changes_while_it_is_copied_is_copied_again(tmp_path: Path) -> None:
    here, there = new("sqlite", tmp_path), new("postgres", tmp_path)
    await fill(here, many=1)
    async with store_of(here) as store, Busy(Path(here), store, changes=3) as one, side(there, target=True) as other:
        await copy(one, other, told=quietly)
    assert await dump(there) == await dump(here)


async def test_a_source_that_keeps_changing_is_said_and_the_copy_stays_closed(tmp_path: Path) -> None:
    here, there = new("sqlite", tmp_path), new("sqlite", tmp_path / "there")
    await fill(here, many=1)
    async with store_of(here) as store, Busy(Path(here), store, changes=99) as one, side(there, target=True) as other:
        with pytest.raises(StoreError, match="Stop the servers"):
            await copy(one, other, told=quietly)
    with pytest.raises(StoreError, match="half a copy"):
        async with side(there):
            pass


class Busy(SqliteEndpoint):
    """A store in which somebody answers and asks whenever it was looked at."""

    def __init__(self, path: Path, store: Store, *, changes: int) -> None:
        super().__init__(path, now=NOW)
        self._store, self._left = store, changes

    async def last_line(self) -> int:
        if self._left:
            self._left -= 1
            [newest] = await self._store.newest(open_only=True, limit=1)
            await self._store.record(newest.id, answered(at=LATER))
            await self._store.open(sample(f"Change {self._left}", at=LATER), collect_after=LONG_AGO)
        return await super().last_line()


@pytest.mark.parametrize("engine", ENGINES)
async def test_what_has_anything_in_it_is_not_copied_into_and_stays_as_it_is(engine: str, tmp_path: Path) -> None:
    here, there = new("sqlite", tmp_path), new(engine, tmp_path / "there")
    await fill(here, many=0)
    async with store_of(there) as other:
        kept = await other.open(sample("Another's"), collect_after=LONG_AGO)
        with pytest.raises(StoreError, match="never mixed"):
            await copied(here, there)
        assert await other.newest(open_only=False) == [kept]
    with pytest.raises(StoreError, match="into itself"):
        await copied(there, there)


@pytest.mark.parametrize("engine", ENGINES)
async def test_half_a_copy_of_one_store_does_not_become_one_of_another(engine: str, tmp_path: Path) -> None:
    first, second, there = (new(kind, tmp_path / str(n)) for n, kind in enumerate(("sqlite", "sqlite", engine)))
    for address in (first, second):
        await fill(address, many=0)
    async with side(first) as one, side(there, target=True) as other:
        begun = await other.begin(Progress(source=one.identity, caught_up=0))
    with pytest.raises(StoreError, match="of another store"):
        await copied(second, there)
    # And of two who copy at once, one goes on.
    async with side(there, target=True) as other, side(there, target=True) as late:
        rows = [(1, "h_x", "Opened", 1, "{}", "", "")]
        await other.write(EVENTS, rows, begun, begun.reached(events=1))
        with pytest.raises(StoreError, match="Another copy into"):
            await late.write(EVENTS, rows, begun, begun.reached(events=1))
        assert await late.count(EVENTS) == 1


@pytest.mark.parametrize("engine", ENGINES)
async def test_a_copy_that_somebody_writes_into_is_found_out_and_never_opened(engine: str, tmp_path: Path) -> None:
    here, there = new("sqlite", tmp_path), new(engine, tmp_path / "there")
    await fill(here, many=0)

    async def meddle() -> None:
        at = store_address(there)
        sql = "UPDATE {}events SET at = at + 1 WHERE number = 1"
        if isinstance(at, Path):
            with closing(sqlite3.connect(at)) as file, file:
                file.execute(sql.format(""))
        else:
            assert isinstance(at, Address)
            connection = await asyncpg.connect(at.dsn)
            await connection.execute(sql.format(f'"{at.schema}".'))
            await connection.close()

    async with side(here) as one, side(there, target=True) as other:

        class Meddled:
            def __getattr__(self, name: str) -> object:
                return getattr(other, name)

            async def write(self, *arguments: object) -> None:
                await other.write(*arguments)  # type: ignore[arg-type]
                if arguments[0] is EVENTS:
                    await meddle()

        with pytest.raises(StoreError, match=r"differs from .*: events\."):
            await copy(one, Meddled(), told=quietly)  # type: ignore[arg-type]
    async with store_of(there) as half:
        with pytest.raises(StoreError, match="half a copy"):
            await half.newest(open_only=False)


async def test_a_source_that_is_not_there_is_not_made_and_a_newer_one_is_refused(tmp_path: Path) -> None:
    missing, there = tmp_path / "missing.db", new("sqlite", tmp_path / "there")
    with pytest.raises(StoreError, match="There is no store"):
        await copied(str(missing), there)
    assert not missing.exists()
    newer = new("sqlite", tmp_path)
    await fill(newer, many=0)
    with closing(sqlite3.connect(newer)) as file:
        file.execute("PRAGMA user_version = 999")
    with pytest.raises(StoreTooNew):
        await copied(newer, there)
    with pytest.raises(StoreTooNew):
        await copied(there if Path(there).exists() else await _made(there), newer)
    server = new("postgres", tmp_path)
    await fill(server, many=0)
    connection = await asyncpg.connect(parse(server).dsn)
    await connection.execute(f'UPDATE "{parse(server).schema}".handoffs_layout SET version = 999')
    await connection.close()
    with pytest.raises(StoreTooNew):
        await copied(server, there)


async def _made(address: str) -> str:
    await fill(address, many=0)
    return address
