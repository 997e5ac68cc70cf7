"""What is PostgreSQL's own: the database away and back, many servers at once, whom it lets in, what is never said."""

import logging
import sys
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace

import anyio
import pytest

from handoffs.core.errors import (
    QuotaUsedUp,
    StoreCorrupt,
    StoreError,
    StoreTooNew,
    StoreUnwritable,
)
from handoffs.core.events import Collected, Reached
from handoffs.core.lifecycle import advance
from handoffs.core.model import Handoff, State
from handoffs.core.quota import Quota
from handoffs.core.token import Token
from handoffs.store import rows
from handoffs.store.postgres import driver
from handoffs.store.postgres.address import parse
from handoffs.store.postgres.connections import Connections, Patience
from handoffs.store.postgres.driver import Listener
from handoffs.store.postgres.listener import Listening
from handoffs.store.postgres.statements import statements
from handoffs.store.postgres.store import PostgresStore
from handoffs.store.watches import UNKNOWN, Line
from tests.core.strategies import ASKED
from tests.store.postgres_server import PASSWORD, Cluster
from tests.store.relay import Relay, opened
from tests.store.samples import DAY, LATER, LONG_AGO, answered, sample
from tests.waiting import until

HASTY = Patience(call=0.5)
"""Of a store that gives up after half a second."""


def tables(server: Cluster, url: str) -> str:
    return server.sql(f"SELECT tablename FROM pg_tables WHERE schemaname = '{parse(url).schema}' ORDER BY 1")


# Away and back


async def test_a_crash_of_the_database_loses_no_answer_and_no_wake_up(server: Cluster, url: str) -> None:
    handoffs = [sample(f"Question {number}") for number in range(20)]
    kept: list[str] = []
    woken: list[str] = []

    async def wait(store: PostgresStore, handoff_id: str, waiting: Callable[[], None]) -> None:
        async with store.watch(handoff_id) as watch:
            waiting()
            while (await store.get(handoff_id)).state is State.OPEN:
                await watch.changed()
            woken.append(handoff_id)

    async def answer(store: PostgresStore) -> None:
        for handoff in handoffs:
            await store.record(handoff.id, answered())
            kept.append(handoff.id)
            if len(kept) == 5:
                crash.set()

    crash = anyio.Event()
    async with PostgresStore(url) as waits, PostgresStore(url) as answers:
        for handoff in handoffs:
            await waits.open(handoff, collect_after=LONG_AGO)
        with anyio.fail_after(120):
            async with anyio.create_task_group() as tasks:
                left = len(handoffs)
                all_wait = anyio.Event()

                def waiting() -> None:
                    nonlocal left
                    left -= 1
                    if not left:
                        all_wait.set()

                for handoff in handoffs:
                    tasks.start_soon(wait, waits, handoff.id, waiting)
                await all_wait.wait()
                tasks.start_soon(answer, answers)
                await crash.wait()
                await anyio.to_thread.run_sync(server.crash)
                server.start()
                await anyio.to_thread.run_sync(server.wait)
        lines = await waits.log()
    assert kept == [handoff.id for handoff in handoffs]
    assert sorted(woken) == sorted(kept)
    assert sorted(line.handoff_id for line in lines if line.name == "answered") == sorted(kept)


async def test_what_happened_while_the_network_was_cut_is_heard_of_afterwards(
    url: str, through: str, network: Relay
) -> None:
    async with PostgresStore(through) as cut_off, PostgresStore(url) as store:
        handoff = await store.open(sample(), collect_after=LONG_AGO)
        with anyio.fail_after(120):
            async with cut_off.watch(handoff.id) as watch:
                await network.cut()
                await store.record(handoff.id, answered())
                network.up = True
                await watch.changed()
                assert (await cut_off.get(handoff.id)).state is State.ANSWERED


async def test_an_answer_is_heard_after_lost_lines_were_replaced_by_as_many_new(
    server: Cluster, url: str, through: str, network: Relay
) -> None:
    schema = parse(url).schema
    async with PostgresStore(through) as cut_off, PostgresStore(url) as store:
        handoff, lost = [await store.open(sample(name), collect_after=LONG_AGO) for name in ("kept", "lost")]
        with anyio.fail_after(120):
            async with cut_off.watch(handoff.id) as watch, cut_off.watch(lost.id) as heard_of:
                await store.record(lost.id, Reached(at=LATER, channel="inbox"))
                await heard_of.changed()
                (heard,) = [line.number for line in await cut_off.log(after=2)]
                await network.cut()
                # A standby that had not everything has become the primary: its log goes on with the same numbers.
                server.sql(f"DELETE FROM {schema}.events WHERE number = {heard}")
                server.sql(f"SELECT setval('{schema}.events_number', {heard - 1})")
                await store.record(handoff.id, answered())
                assert [line.number for line in await store.log(after=heard - 1)] == [heard]
                network.up = True
                await watch.changed()
                assert (await cut_off.get(handoff.id)).state is State.ANSWERED


@pytest.mark.parametrize("breaks", [False, True], ids=["goes on", "breaks again"])
async def test_the_first_news_after_an_outage_hides_nothing_that_happened_in_it(
    url: str, through: str, network: Relay, breaks: bool
) -> None:
    listens, goes_on = True, anyio.Event()
    goes_on.set()

    class Noticed(Connections):
        async def listener(self) -> Listener:
            nonlocal listens
            made = await super().listener()
            listens = True
            return made

    async def last() -> int:
        if not listens:
            raise ConnectionResetError
        await goes_on.wait()
        return (await store.log())[-1].number

    async def news(after: int) -> list[Line]:
        nonlocal breaks
        if breaks:
            breaks = False
            raise ConnectionResetError
        return [(line.number, line.handoff_id, UNKNOWN) for line in await store.log(after=after)]

    connections = Noticed(parse(through))
    listening = Listening(connections, last=last, news=news)
    async with PostgresStore(url) as store:
        missed, told_of = [await store.open(sample(name), collect_after=LONG_AGO) for name in ("missed", "told of")]
        with anyio.fail_after(120):
            async with listening.watch(missed.id) as first, listening.watch(told_of.id) as second:
                listens, goes_on = False, anyio.Event()
                await network.cut()
                await store.record(missed.id, answered())
                network.up = True
                await until(lambda: listens)
                # By now, or a moment later, it listens; and it has not asked yet what it missed.
                await anyio.sleep(0.1)
                await store.record(told_of.id, answered())
                await second.changed()
                goes_on.set()
                await first.changed()
        await listening.aclose()
        await connections.aclose()


async def test_a_connection_that_is_cut_without_a_word_is_found_out(url: str, through: str, network: Relay) -> None:
    short = Patience(check=0.1, reply=0.2, attempt=0.2)
    async with PostgresStore(f"{through}&connect_timeout=0.2", patience=short) as cut_off, PostgresStore(url) as store:
        handoff = await store.open(sample(), collect_after=LONG_AGO)
        with anyio.fail_after(120):
            async with cut_off.watch(handoff.id) as watch:
                before, network.silent = network.connected, True
                await store.record(handoff.id, answered())
                await until(lambda: network.connected >= before + 3)
                network.silent = False
                await watch.changed()
                assert (await cut_off.get(handoff.id)).state is State.ANSWERED


async def test_a_question_whose_asker_missed_its_commit_is_its_own_even_answered(
    url: str, through: str, network: Relay
) -> None:
    async with PostgresStore(through) as asks, PostgresStore(url) as store, store.watch() as watch:
        await asks.open(sample("Another"), collect_after=LONG_AGO)
        # Its first reply from now is to the insert.
        network.replies, network.cut_at, network.stays_cut = 0, 1, True
        asked, given, left = sample(), list[Handoff](), list[Handoff]()

        async def ask() -> None:
            given.append(await asks.open(asked, collect_after=LONG_AGO))

        with anyio.fail_after(120):
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(ask)
                while not await store.ids(asked.id):
                    await watch.changed()
                await store.record(asked.id, answered())
                left.append(await store.record(asked.id, Collected(at=LATER)))
                network.up = True
        assert given == left
        assert [line.name for line in await store.log(handoff_id=asked.id)] == ["opened", "answered", "collected"]


async def test_a_database_that_is_away_is_said_so_and_found_when_it_comes(
    through: str, network: Relay, caplog: pytest.LogCaptureFixture
) -> None:
    await network.cut()
    shown = parse(through).shown
    async with PostgresStore(through, patience=HASTY) as store:
        with anyio.fail_after(120):
            for _ in range(2):
                with pytest.raises(StoreError, match=f"{shown} can't be reached .* try again"):
                    await store.open(sample(), collect_after=LONG_AGO)
            with pytest.raises(StoreError, match="can't be reached"):
                async with store.watch():
                    pass
        said = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
        assert [words.partition(" (")[0] for words in said] == [f"The store {shown} can't be reached"]
        network.up = True
        with anyio.fail_after(60):
            while True:
                with suppress(StoreError):
                    handoff = await store.open(sample(), collect_after=LONG_AGO)
                    break
        assert (await store.get(handoff.id)).state is State.OPEN
        assert caplog.messages[-1] == f"The store {shown} can't be reached: that is over."


async def test_many_calls_while_the_database_is_away_all_end_soon(through: str, network: Relay) -> None:
    ended: list[str] = []

    async def ask(store: PostgresStore, number: int) -> None:
        try:
            await store.open(sample(f"Question {number}"), collect_after=LONG_AGO)
        except StoreError as error:
            ended.append(str(error))

    async with PostgresStore(through, patience=HASTY) as store:
        await opened(store)
        await network.cut()
        with anyio.fail_after(30):  # one after another, they would take fifty seconds and more
            async with anyio.create_task_group() as tasks:
                for number in range(800):
                    tasks.start_soon(ask, store, number)
    assert len(ended) == 800
    assert all("can't be reached" in words for words in ended)


async def test_tables_that_somebody_dropped_are_made_again(server: Cluster, url: str) -> None:
    async with PostgresStore(url) as store:
        await store.open(sample(), collect_after=LONG_AGO)
        server.sql(f"DROP SCHEMA {parse(url).schema} CASCADE")
        new = sample("new")
        assert await store.open(new, collect_after=LONG_AGO) == new
        assert [line.handoff_id for line in await store.log()] == [new.id]


async def test_a_closed_store_says_so_to_those_who_wait_and_to_newcomers(url: str) -> None:
    store = PostgresStore(url)
    async with store.watch() as watch:
        await store.aclose()
        with anyio.fail_after(120):
            await watch.changed()
    with pytest.raises(StoreError, match="is closed"):
        await store.ids("")


# Many at once


async def test_ten_servers_that_start_at_once_make_the_tables_once(server: Cluster) -> None:
    for _ in range(5):
        url, asked = server.url(), list[str]()

        async def ask(url: str, asked: list[str]) -> None:
            async with PostgresStore(url) as store:
                asked.append((await store.open(sample(), collect_after=LONG_AGO)).id)

        with anyio.fail_after(120):
            async with anyio.create_task_group() as tasks:
                for _ in range(10):
                    tasks.start_soon(ask, url, asked)
        assert len(asked) == 10
        assert len(set(asked)) == 1


async def test_who_follows_the_log_sees_every_line_once_in_order_whoever_writes(url: str) -> None:
    seen: list[int] = []
    writing = 6

    async def write(name: str) -> None:
        nonlocal writing
        async with PostgresStore(url) as store:
            for number in range(30):
                handoff = await store.open(sample(f"{name} {number}"), collect_after=LONG_AGO)
                await store.record(handoff.id, Reached(at=LATER, channel="inbox"), answered())
        writing -= 1

    async with PostgresStore(url) as store:
        with anyio.fail_after(120):
            async with anyio.create_task_group() as tasks:
                for number in range(writing):
                    tasks.start_soon(write, f"writer {number}")
                done = False
                while not done:
                    done = not writing
                    seen += [line.number for line in await store.log(after=seen[-1] if seen else 0)]
        assert seen == [line.number for line in await store.log()]
    assert len(seen) == 6 * 30 * 3


async def test_no_line_of_the_log_is_seen_before_one_with_a_lower_number(server: Cluster, url: str) -> None:
    schema = parse(url).schema
    slow, quick = sample("slow"), sample("quick")
    waits = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
    async with PostgresStore(url) as store:
        for handoff in (slow, quick):
            await store.open(handoff, collect_after=LONG_AGO)
        # A server that has its number, and takes its time to commit.
        connection = await driver.connect(parse(url))
        after = advance(slow, answered())
        with anyio.fail_after(120):
            async with anyio.create_task_group() as tasks:
                async with connection.transaction():
                    cells = [
                        *rows.encode_changing(after),
                        slow.id,
                        1,
                        [slow.id],
                        ["answered"],
                        [0],
                        ["{}"],
                        [""],
                        [""],
                        1,
                    ]
                    assert await connection.fetch(statements(schema).change, *cells)
                    tasks.start_soon(store.record, quick.id, answered())
                    await until(lambda: server.sql(waits) != "0")
                    assert [line.number for line in await store.log()] == [1, 2]
        await driver.leave(connection)
        assert [(line.number, line.handoff_id) for line in await store.log(after=2)] == [(3, slow.id), (4, quick.id)]


async def test_the_same_questions_from_many_servers_at_once_are_asked_once(url: str) -> None:
    asked: dict[str, set[str]] = {}

    async def ask(store: PostgresStore) -> None:
        for number in range(20):
            message = f"Question {number}"
            asked.setdefault(message, set()).add((await store.open(sample(message), collect_after=LONG_AGO)).id)

    stores = [PostgresStore(url) for _ in range(6)]
    with anyio.fail_after(120):
        async with anyio.create_task_group() as tasks:
            for store in stores:
                tasks.start_soon(ask, store)
        assert [len(ids) for ids in asked.values()] == [1] * 20
        assert [line.name for line in await stores[0].log()] == ["opened"] * 20
        for store in stores:
            await store.aclose()


async def test_a_caller_that_asks_many_servers_at_once_stays_within_its_quota(url: str) -> None:
    asked: list[str] = []
    stores = [PostgresStore(url) for _ in range(4)]

    async def ask(number: int) -> None:
        with suppress(QuotaUsedUp):
            question = sample(f"Question {number}")
            await stores[number % 4].open(question, collect_after=LONG_AGO, quota=Quota(open=7))
            asked.append(question.id)

    with anyio.fail_after(120):
        async with anyio.create_task_group() as tasks:
            for number in range(40):
                tasks.start_soon(ask, number)
        assert len(asked) == 7
        assert sorted(await stores[0].ids("", limit=100)) == sorted(asked)
        there = await stores[0].get(asked[0])
        assert await stores[1].open(replace(there, id="h_again"), collect_after=LONG_AGO, quota=Quota(open=7)) == there
        await stores[0].record(asked[0], answered())
        for words, quota in (("bytes", Quota(bytes=500)), ("a minute", Quota(per_minute=7))):
            with pytest.raises(QuotaUsedUp, match=words):
                await stores[2].open(sample("One more"), collect_after=LONG_AGO, quota=quota)
        new = sample("new", caller=replace(there.caller, subject="bob\0"))
        assert await stores[3].open(new, collect_after=LONG_AGO, quota=Quota(open=1)) == new
        for store in stores:
            await store.aclose()


async def test_a_token_is_known_to_every_server_until_it_is_revoked(url: str) -> None:
    token = Token(name="ci", digest="d1", created_at=ASKED, expires_at=ASKED + DAY)
    async with PostgresStore(url) as one, PostgresStore(url) as other:
        assert await one.tokens.add(token)
        assert await one.tokens.add(token)  # again, as after a lost reply
        assert not await other.tokens.add(replace(token, digest="d2"))
        await other.tokens.used("d1", at=LATER)
        assert await other.tokens.find("d1") == replace(token, used_at=LATER)
        assert await one.tokens.find("d2") is None
        assert await one.tokens.revoke("ci", at=LATER)
        assert not await one.tokens.revoke("ci", at=ASKED + DAY)
        assert not await one.tokens.revoke("nobody", at=LATER)
        again = replace(token, digest="d3", created_at=LATER, expires_at=None)
        assert await other.tokens.add(again)
        assert await one.tokens.all() == [again]


# The tables


async def test_the_tables_have_what_the_rows_have(server: Cluster, url: str) -> None:
    async with PostgresStore(url) as store:
        await store.ids("")
    where = f"table_schema = '{parse(url).schema}' AND table_name = 'handoffs'"
    first = rows.COLUMNS.index("other")  # the first that a migration added
    columns = server.sql(f"SELECT column_name FROM information_schema.columns WHERE {where} ORDER BY ordinal_position")
    assert columns.split() == [*rows.COLUMNS[:first], "place", "nth", "asked", "size", *rows.COLUMNS[first:]]


async def test_a_store_of_a_newer_version_is_refused_with_both_versions(server: Cluster, url: str) -> None:
    async with PostgresStore(url) as store:
        await store.ids("")
    server.sql(f"UPDATE {parse(url).schema}.handoffs_layout SET version = 999")
    async with PostgresStore(url) as store:
        with pytest.raises(StoreTooNew, match=r"layout 999.*up to 15\b"):
            await store.ids("")


async def test_another_program_s_tables_are_left_as_they_are(server: Cluster, url: str) -> None:
    schema = parse(url).schema
    server.sql(f"CREATE SCHEMA {schema}; CREATE TABLE {schema}.events (theirs text)")
    async with PostgresStore(url) as store:
        with pytest.raises(StoreCorrupt, match=f"{schema}.*events.*schema=NAME"):
            await store.ids("")
    assert tables(server, url) == "events"


async def test_a_schema_that_is_there_needs_no_right_to_make_one(server: Cluster, url: str) -> None:
    schema = parse(url).schema
    user = f"user_{schema}"
    server.sql(f"CREATE ROLE {user} LOGIN")
    its_own = url.replace("//handoffs@", f"//{user}@")
    async with PostgresStore(its_own) as store:
        with pytest.raises(StoreUnwritable, match="CREATE on the database"):
            await store.ids("")
    server.sql(f"CREATE SCHEMA {schema} AUTHORIZATION {user}")
    async with PostgresStore(its_own) as store:
        assert await store.ids("") == []
    assert tables(server, url).split() == [
        "absences", "attachments", "chat_codes", "chat_holds", "chat_messages", "chats", "claims", "events", "grants",
        "handoffs", "handoffs_layout", "inbox_sessions", "invitations", "kept_leaves", "log_began", "log_state",
        "log_tiles", "passkeys", "people", "pins", "recoveries", "stops", "tokens",
    ]  # fmt: skip


async def test_a_database_that_can_t_hold_every_text_is_refused(server: Cluster) -> None:
    with suppress(Exception):  # from an earlier test of this process
        server.sql("CREATE DATABASE latin ENCODING 'LATIN1' TEMPLATE template0")
    async with PostgresStore(server.url().replace("/postgres?", "/latin?")) as store:
        with pytest.raises(StoreError, match=r"encoding LATIN1.*ENCODING 'UTF8'"):
            await store.ids("")


async def test_writes_are_on_the_disk_even_where_the_database_is_set_to_be_fast(url: str) -> None:
    for setting, expected in (("off", "on"), ("remote_apply", "remote_apply")):
        connection = await driver.connect(parse(f"{url}&synchronous_commit={setting}"))
        assert [tuple(row) for row in await connection.fetch("SHOW synchronous_commit")] == [(expected,)]
        await driver.leave(connection)


async def test_a_change_that_may_be_lost_waits_for_no_disk_and_the_next_one_does(server: Cluster, url: str) -> None:
    server.sql("ALTER SYSTEM SET wal_writer_delay = '10s'")  # nobody else writes the log of the database meanwhile
    server.sql("SELECT pg_reload_conf()")
    unwritten = "SELECT pg_current_wal_insert_lsn() - pg_current_wal_flush_lsn()"
    left: list[int] = []
    try:
        async with PostgresStore(url) as store:
            while not any(left) and len(left) < 5:  # another test's commit, or a checkpoint, may come in between
                opened = await store.open(sample(f"Question {len(left)}"), collect_after=LONG_AGO)
                ended = await store.record(opened.id, answered())
                await store.record(ended.id, Collected(at=LATER), known=ended, durable=False)
                left.append(int(float(server.sql(unwritten))))
            assert any(left)
            await store.record(opened.id, Collected(at=LATER, tool_use="again"))
            assert int(float(server.sql(unwritten))) == 0
    finally:
        server.sql("ALTER SYSTEM RESET wal_writer_delay")
        server.sql("SELECT pg_reload_conf()")


async def test_a_row_that_somebody_changed_is_said_to_be_damaged(server: Cluster, url: str) -> None:
    async with PostgresStore(url) as store:
        handoff = await store.open(sample(), collect_after=LONG_AGO)
        server.sql(f"UPDATE {parse(url).schema}.handoffs SET form = 'no form'")
        with pytest.raises(StoreCorrupt, match=handoff.id):
            await store.get(handoff.id)


async def test_a_store_is_reached_through_a_socket_of_the_system_too(server: Cluster, url: str) -> None:
    schema = parse(url).schema
    through = f"postgresql://handoffs@/postgres?host={server.folder}&port={server.port}&schema={schema}"
    async with PostgresStore(url) as store, PostgresStore(through) as same:
        handoff = await store.open(sample(), collect_after=LONG_AGO)
        assert await same.get(handoff.id) == handoff


async def test_without_the_driver_it_is_said_what_to_install(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "asyncpg", None)
    async with PostgresStore(url) as store:
        with pytest.raises(StoreError, match=r"needs .*\bpostgres\b"):
            await store.ids("")


# Who is let in, and what is never said


async def test_a_password_is_in_no_error_and_no_log(
    server: Cluster, network: Relay, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    right = server.url(secret=True)
    async with PostgresStore(right, patience=HASTY) as store:
        assert await (await opened(store)).ids("") == []
    said: list[str] = []
    await network.cut()
    wrong = [
        right.replace("secretive", "nobody"),
        right.replace("%231", "%232"),
        right.replace("/postgres?", "/nowhere?"),
        f"{right}&sslmode=require",
        f"{right}&sslmode=nonsense",
        server.url(secret=True, port=network.port),
    ]
    expected = [
        'role "nobody" does not exist',
        "password authentication failed",
        'database "nowhere" does not exist',
        "rejected SSL upgrade",
        "sslmode",
        "can't be reached",
    ]
    for url in wrong:
        async with PostgresStore(url) as store:
            with pytest.raises(StoreError) as caught:
                await store.ids("")
            said += [str(caught.value), repr(caught.value.__cause__), repr(store), repr(parse(url))]
    assert [words in errors for words, errors in zip(expected, said[::4], strict=True)] == [True] * len(wrong)
    for words in (*said, caplog.text):
        assert "pa/s" not in words
        assert "pa%2Fs" not in words
        assert PASSWORD not in words


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://ada:se/cret@db.example/handoffs",
        "postgresql://ada:sec#ret@db.example/handoffs",
        "postgresql://ada:sec?ret@db.example/handoffs",
        "postgresql://ada:12/3cret@db.example/handoffs",
        "postgresql://ada:secret@db.example:54x/handoffs",
        "postgresql://ada:secret@[::1/handoffs",
        "mysql://ada:secret@db.example/handoffs",
    ],
)
def test_a_url_that_can_t_be_read_is_refused_without_being_shown(url: str) -> None:
    with pytest.raises(StoreError, match="percent-encoded") as caught:
        PostgresStore(url)
    assert "cret" not in str(caught.value)
    assert "example" not in str(caught.value)


@pytest.mark.parametrize("schema", ["", "Robert'); DROP TABLE handoffs; --", 'a"b', "Handoffs", "x" * 64])
def test_a_schema_is_a_plain_name(schema: str) -> None:
    with pytest.raises(StoreError, match="small letters"):
        parse(f"postgresql://db.example/handoffs?schema={schema.replace(';', '%3B').replace('#', '%23')}")


def test_of_a_url_only_place_and_database_are_shown() -> None:
    address = parse(
        "postgresql://ada:s%40cret@one:5432,two:5433/handoffs?sslmode=verify-full&password=another&schema=b"
    )
    assert address.shown == "postgresql://one:5432,two:5433/handoffs"
    assert address.schema == "b"
    assert address.dsn.endswith("/handoffs?sslmode=verify-full&password=another&target_session_attrs=read-write")
    assert address.hide("for s@cret,\n s%40cret and another") == "for …, … and …"
