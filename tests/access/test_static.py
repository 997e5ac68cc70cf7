"""Tokens of `handoffs token add`, in a real store: who is let in by them, until when, and what is kept of them."""

import sqlite3
from collections.abc import AsyncGenerator
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest

from handoffs.access.static import StaticTokens
from handoffs.access.tokens import digest_of, new_token
from handoffs.access.unavailable import Unavailable
from handoffs.core.token import Token
from handoffs.store.postgres.store import PostgresStore
from handoffs.store.sqlite.store import SqliteStore
from tests.fakes import FakeClock
from tests.store.backends import BACKENDS

Store = SqliteStore | PostgresStore


@pytest.fixture(params=sorted(BACKENDS))
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncGenerator[Store]:
    backend = BACKENDS[request.param]
    async with backend.connect(backend.address(tmp_path)) as store:
        assert isinstance(store, Store)
        yield store


def made(token: str, clock: FakeClock, *, name: str = "ada", expires: timedelta | None = None) -> Token:
    now = clock.now()
    return Token(
        name=name, digest=digest_of(token), created_at=now, expires_at=None if expires is None else now + expires
    )


async def test_a_token_lets_in_its_caller_until_it_expires(store: Store) -> None:
    clock, token = FakeClock(), new_token()
    static = StaticTokens(store.tokens, clock, scopes=["ask"])
    assert await store.tokens.add(made(token, clock, expires=timedelta(days=1)))
    let_in = await static.verify_token(token)
    assert let_in is not None
    assert (let_in.subject, let_in.scopes) == ("token:ada", ["ask"])
    assert token not in repr(let_in)
    for other in (token + "x", token[:-1], token.lower(), "ho_", "", "\ud800"):
        assert await static.verify_token(other) is None
    clock.forward(86_400)
    assert await static.verify_token(token) is None


async def test_a_revoked_token_lets_nobody_in_from_then_on(store: Store, caplog: pytest.LogCaptureFixture) -> None:
    clock, token = FakeClock(), new_token()
    static = StaticTokens(store.tokens, clock)
    await store.tokens.add(made(token, clock))
    assert await static.verify_token(token) is not None
    assert await store.tokens.revoke("ada", at=clock.now())
    clock.forward(1)
    assert not await store.tokens.revoke("ada", at=clock.now())
    assert await static.verify_token(token) is None
    assert "revoked" in caplog.text
    assert token not in caplog.text


async def test_a_name_has_one_good_token_and_keeps_none_of_the_old_ones(store: Store) -> None:
    clock = FakeClock()
    static = StaticTokens(store.tokens, clock)
    first, second, third = new_token(), new_token(), new_token()
    assert await store.tokens.add(made(first, clock, expires=timedelta(days=1)))
    assert not await store.tokens.add(made(second, clock))
    assert [await static.verify_token(each) is not None for each in (first, second)] == [True, False]
    clock.forward(86_400)
    assert await store.tokens.add(made(second, clock))
    await store.tokens.revoke("ada", at=clock.now())
    assert await store.tokens.add(made(third, clock))
    assert [await static.verify_token(each) is not None for each in (first, second, third)] == [False, False, True]


async def test_the_store_has_a_tokens_digest_and_not_the_token(tmp_path: Path) -> None:
    clock, token = FakeClock(), new_token()
    async with SqliteStore(tmp_path / "handoffs.db") as store:
        await store.tokens.add(made(token, clock))
    with closing(sqlite3.connect(tmp_path / "handoffs.db")) as file:
        [row] = file.execute("SELECT * FROM tokens").fetchall()
    assert digest_of(token) in row
    assert len(token) == 46
    assert not any(token[3:] in path.read_bytes().decode("latin-1") for path in tmp_path.iterdir())


async def test_when_a_token_was_last_seen_is_noted_once_an_hour(store: Store) -> None:
    clock, token = FakeClock(), new_token()
    static = StaticTokens(store.tokens, clock)
    await store.tokens.add(made(token, clock))
    seen = []
    for seconds in (0, 1_800, 1_800):
        clock.forward(seconds)
        await static.verify_token(token)
        [kept] = await store.tokens.all()
        seen.append(clock.now() - kept.used_at if kept.used_at else None)
    assert seen == [timedelta(0), timedelta(minutes=30), timedelta(0)]


async def test_while_the_store_is_away_no_token_is_let_in_and_none_called_wrong(tmp_path: Path) -> None:
    path = tmp_path / "handoffs.db"
    path.write_text("no store at all, but a text of some length that SQLite does not take for an empty file")
    async with SqliteStore(path) as store:
        with pytest.raises(Unavailable):
            await StaticTokens(store.tokens, FakeClock()).verify_token(new_token())
