"""Chats, in a SQLite store: who is told where, what was sent, and what its buttons mean.

Each change is one transaction.
"""

import sqlite3
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from typing import Protocol, TypeVar, cast

from handoffs.core.chat import Chat, Code, Told
from handoffs.core.storable import storable
from handoffs.store.chat_rows import (
    CHAT,
    CODE,
    KEPT_FOR,
    TOLD,
    decode_chat,
    decode_code,
    decode_told,
    encode_chat,
    encode_code,
    encode_told,
)
from handoffs.store.values import Cell, micros
from handoffs.store.watches import Line

T = TypeVar("T")

_CHAT, _TOLD, _CODE = ", ".join(CHAT), ", ".join(TOLD), ", ".join(CODE)
_ALL = f"SELECT {_CHAT} FROM chats ORDER BY added_at, id"  # noqa: S608
_KEEP = f"INSERT OR REPLACE INTO chats ({_CHAT}) VALUES ({', '.join('?' * len(CHAT))})"  # noqa: S608
_CHANGE = f"UPDATE chats SET {', '.join(f'{name} = ?' for name in CHAT[1:])} WHERE id = ?"  # noqa: S608
_HOLD = """INSERT INTO chat_holds (account, holder, ends, position) VALUES (?1, ?2, ?3, '')
    ON CONFLICT (account) DO UPDATE SET holder = excluded.holder, ends = excluded.ends
    WHERE holder = excluded.holder OR ends <= ?4 RETURNING position"""
_TELL = f"INSERT OR REPLACE INTO chat_messages ({_TOLD}) VALUES ({', '.join('?' * len(TOLD))})"  # noqa: S608
_END = "DELETE FROM chat_codes WHERE chat = ? AND handoff_id = ? AND used_at IS NULL"
_ADD_CODE = f"INSERT INTO chat_codes ({_CODE}) VALUES ({', '.join('?' * len(CODE))})"  # noqa: S608
_FIND = f"SELECT {_CODE} FROM chat_codes WHERE digest = ?"  # noqa: S608
_USABLE = f"""SELECT {_CODE} FROM chat_codes WHERE digest = ?1 AND chat = ?2 AND expires_at > ?3
    AND (used_at IS NULL OR used_by = ?4) AND chat IN (SELECT id FROM chats WHERE turned_on = 1)"""  # noqa: S608
_USE = "UPDATE chat_codes SET used_at = ?, used_by = ? WHERE chat = ? AND handoff_id = ? AND used_at IS NULL"


class _Run(Protocol):
    def __call__(self, work: Callable[[sqlite3.Connection], T], /, *, brief: bool = False) -> Awaitable[T]: ...


class _Write(Protocol):
    def __call__(self, work: Callable[[sqlite3.Connection], tuple[T, list[Line]]], /) -> Awaitable[T]: ...


class SqliteChats:
    """The chats of one store. Every method raises StoreError where it can't be used."""

    def __init__(self, run: _Run, write: _Write) -> None:
        """Take what runs work on the store's connection, and what does so in a transaction."""
        self._run, self._write = run, write

    async def all(self) -> Sequence[Chat]:
        """Return all chats, the oldest first; also those that are turned off."""

        def work(connection: sqlite3.Connection) -> list[Chat]:
            return [decode_chat(row) for row in connection.execute(_ALL)]

        return await self._run(work, brief=True)

    async def keep(self, chat: Chat) -> None:
        """Keep a chat, in place of the one with this id."""
        await self._changed(_KEEP, *encode_chat(chat))

    async def change(self, chat: Chat) -> None:
        """Keep a chat in place of the one with this id, if that is still there: a removed one does not come back."""
        first, *rest = encode_chat(chat)
        await self._changed(_CHANGE, *rest, first)

    async def forget(self, chat_id: str) -> bool:
        """Forget a chat, with its messages and codes; False where there is none."""

        def work(connection: sqlite3.Connection) -> tuple[bool, list[Line]]:
            there = connection.execute("DELETE FROM chats WHERE id = ?", (storable(chat_id),)).rowcount == 1
            for table in ("chat_messages", "chat_codes"):
                connection.execute(f"DELETE FROM {table} WHERE chat = ?", (storable(chat_id),))  # noqa: S608
            return there, []

        return await self._write(work)

    async def note(self, chat_id: str, problem: str) -> None:
        """Keep why the last message was not sent; empty where it was."""
        await self._changed("UPDATE chats SET problem = ? WHERE id = ?", storable(problem), storable(chat_id))

    async def hold(self, account: str, holder: str, *, at: datetime, until: datetime) -> str | None:
        """Let one holder alone send and read for an account until then; None where another one does."""

        def work(connection: sqlite3.Connection) -> tuple[str | None, list[Line]]:
            given = storable(account), storable(holder), micros(until), micros(at)
            rows = connection.execute(_HOLD, given).fetchall()
            return (cast("str", rows[0][0]) if rows else None), []

        return await self._write(work)

    async def move(self, account: str, position: str) -> None:
        """Keep how far an account was read."""
        await self._changed(
            "UPDATE chat_holds SET position = ? WHERE account = ?", storable(position), storable(account)
        )

    async def leave(self, account: str, holder: str) -> None:
        """Let another holder take the account over at once."""
        await self._changed(
            "UPDATE chat_holds SET ends = 0 WHERE account = ? AND holder = ?", storable(account), storable(holder)
        )

    async def told(self, chat_ids: Sequence[str]) -> Sequence[Told]:
        """Return the messages of these chats that have not ended, the oldest first."""
        marks = ", ".join("?" * len(chat_ids))
        return await self._told(
            f"chat IN ({marks}) AND shown <> 'ended' ORDER BY told_at, handoff_id", *map(storable, chat_ids)
        )

    async def found(self, chat_id: str, ref: str) -> Sequence[Told]:
        """Return what a message of a chat was about, by the service's name of it; also what has ended."""
        which = "chat = ? AND message_ref = ? ORDER BY told_at, handoff_id"
        return await self._told(which, storable(chat_id), storable(ref))

    async def tell(self, told: Sequence[Told], codes: Sequence[Code] = ()) -> None:
        """Keep messages, each in place of the one of the same chat and question, in one transaction."""
        old = micros(max(each.at for each in told) - KEPT_FOR) if told else 0

        def work(connection: sqlite3.Connection) -> tuple[None, list[Line]]:
            connection.executemany(_TELL, [encode_told(each) for each in told])
            if codes:
                connection.executemany(_END, [(storable(each.chat), storable(each.handoff)) for each in told])
                connection.executemany(_ADD_CODE, [encode_code(each) for each in codes])
                connection.execute("DELETE FROM chat_codes WHERE expires_at < ?", (old,))
                connection.execute("DELETE FROM chat_messages WHERE told_at < ? AND shown = 'ended'", (old,))
            return None, []

        await self._write(work)

    async def code(self, digest: str) -> Code | None:
        """Return a code, used or not."""

        def work(connection: sqlite3.Connection) -> Code | None:
            row = cast("tuple[object, ...] | None", connection.execute(_FIND, (storable(digest),)).fetchone())
            return None if row is None else decode_code(row)

        return await self._run(work, brief=True)

    async def redeem(self, digest: str, *, chat_id: str, event: str, at: datetime) -> Code | None:
        """Use a code in this chat, and with it all others of its message; return it, or None where it can't be used."""

        def work(connection: sqlite3.Connection) -> tuple[Code | None, list[Line]]:
            given = storable(digest), storable(chat_id), micros(at), storable(event)
            row = cast("tuple[object, ...] | None", connection.execute(_USABLE, given).fetchone())
            if row is None:
                return None, []
            code = decode_code(row)
            connection.execute(_USE, (micros(at), storable(event), storable(chat_id), storable(code.handoff)))
            return code, []

        return await self._write(work)

    async def _told(self, which: str, *given: Cell) -> list[Told]:
        def work(connection: sqlite3.Connection) -> list[Told]:
            return [
                decode_told(row)
                for row in connection.execute(f"SELECT {_TOLD} FROM chat_messages WHERE {which}", given)  # noqa: S608
            ]

        return await self._run(work, brief=True)

    async def _changed(self, sql: str, *given: Cell) -> int:
        def work(connection: sqlite3.Connection) -> tuple[int, list[Line]]:
            return connection.execute(sql, given).rowcount, []

        return await self._write(work)
