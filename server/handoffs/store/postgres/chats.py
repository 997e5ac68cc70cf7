"""Chats, in a PostgreSQL store: who is told where, what was sent, and what its buttons mean.

Each change is one transaction. A statement may be run again after its connection broke, with the same result.
"""

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from typing import TypeVar, cast

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
from handoffs.store.postgres.cells import decode_cell, encode_cell
from handoffs.store.postgres.connections import Connections
from handoffs.store.postgres.driver import Connection, Row
from handoffs.store.values import Cell, micros

T = TypeVar("T")

_CHAT, _TOLD, _CODE = ", ".join(CHAT), ", ".join(TOLD), ", ".join(CODE)


class PostgresChats:
    """The chats of one store. Every method raises StoreError where it can't be used."""

    def __init__(self, connections: Connections) -> None:
        """Take the store's connections."""
        self._connections = connections
        names = ("chats", "chat_messages", "chat_codes", "chat_holds")
        chats, messages, codes, holds = (f'"{connections.address.schema}".{name}' for name in names)
        self._all = f"SELECT {_CHAT} FROM {chats} ORDER BY added_at, id"  # noqa: S608
        self._keep = _upsert(chats, CHAT, ("id",))
        changed = ", ".join(f"{name} = ${number}" for number, name in enumerate(CHAT[1:], 2))
        self._change = f"UPDATE {chats} SET {changed} WHERE id = $1"  # noqa: S608
        self._forget = tuple(f"DELETE FROM {table} WHERE chat = $1" for table in (messages, codes))  # noqa: S608
        self._there = f"SELECT true FROM {chats} WHERE id = $1"  # noqa: S608
        self._gone = f"DELETE FROM {chats} WHERE id = $1"  # noqa: S608
        self._note = f"UPDATE {chats} SET problem = $1 WHERE id = $2"  # noqa: S608
        self._hold = f"""INSERT INTO {holds} AS there (account, holder, ends, position) VALUES ($1, $2, $3, '')
            ON CONFLICT (account) DO UPDATE SET holder = excluded.holder, ends = excluded.ends
            WHERE there.holder = excluded.holder OR there.ends <= $4 RETURNING position"""  # noqa: S608
        self._move = f"UPDATE {holds} SET position = $1 WHERE account = $2"  # noqa: S608
        self._leave = f"UPDATE {holds} SET ends = 0 WHERE account = $1 AND holder = $2"  # noqa: S608
        self._told = f"SELECT {_TOLD} FROM {messages} WHERE "  # noqa: S608
        self._tell = _upsert(messages, TOLD, ("chat", "handoff_id"))
        self._end = f"DELETE FROM {codes} WHERE chat = $1 AND handoff_id = $2 AND used_at IS NULL"  # noqa: S608
        self._add_code = f"INSERT INTO {codes} ({_CODE}) VALUES ({_marks(len(CODE))}) ON CONFLICT DO NOTHING"  # noqa: S608
        self._old = (
            f"DELETE FROM {codes} WHERE expires_at < $1",  # noqa: S608
            f"DELETE FROM {messages} WHERE told_at < $1 AND shown = 'ended'",  # noqa: S608
        )
        self._code = f"SELECT {_CODE} FROM {codes} WHERE digest = $1"  # noqa: S608
        # Locked in one order: of two events that use codes of one message, the second waits, and finds them used.
        self._lock = f"""SELECT digest FROM {codes} WHERE (chat, handoff_id) IN
            (SELECT chat, handoff_id FROM {codes} WHERE digest = $1) ORDER BY digest FOR UPDATE"""  # noqa: S608
        self._usable = f"""SELECT {_CODE} FROM {codes} WHERE digest = $1 AND chat = $2 AND expires_at > $3
            AND (used_at IS NULL OR used_by = $4)
            AND chat IN (SELECT id FROM {chats} WHERE turned_on = 1)"""  # noqa: S608
        self._use = f"""UPDATE {codes} SET used_at = $1, used_by = $2
            WHERE chat = $3 AND handoff_id = $4 AND used_at IS NULL"""  # noqa: S608

    async def all(self) -> Sequence[Chat]:
        """Return all chats, the oldest first; also those that are turned off."""
        return await self._fetch(lambda row: decode_chat(_decoded(row)), self._all)

    async def keep(self, chat: Chat) -> None:
        """Keep a chat, in place of the one with this id."""
        await self._fetch(bool, self._keep, *encode_chat(chat))

    async def change(self, chat: Chat) -> None:
        """Keep a chat in place of the one with this id, if that is still there: a removed one does not come back."""
        await self._fetch(bool, self._change, *encode_chat(chat))

    async def forget(self, chat_id: str) -> bool:
        """Forget a chat, with its messages and codes; False where there is none."""
        # Asked first: a second run of the deletion would find nothing.
        there = await self._fetch(bool, self._there, storable(chat_id))
        given = encode_cell(storable(chat_id))

        async def work(connection: Connection) -> None:
            for sql in (*self._forget, self._gone):
                await connection.fetch(sql, given)

        await self._whole(work)
        return bool(there)

    async def note(self, chat_id: str, problem: str) -> None:
        """Keep why the last message was not sent; empty where it was."""
        await self._fetch(bool, self._note, storable(problem), storable(chat_id))

    async def hold(self, account: str, holder: str, *, at: datetime, until: datetime) -> str | None:
        """Let one holder alone send and read for an account until then; None where another one does."""
        given = storable(account), storable(holder), micros(until), micros(at)
        found = await self._fetch(lambda row: cast("str", decode_cell(row[0])), self._hold, *given)
        return found[0] if found else None

    async def move(self, account: str, position: str) -> None:
        """Keep how far an account was read."""
        await self._fetch(bool, self._move, storable(position), storable(account))

    async def leave(self, account: str, holder: str) -> None:
        """Let another holder take the account over at once."""
        await self._fetch(bool, self._leave, storable(account), storable(holder))

    async def told(self, chat_ids: Sequence[str]) -> Sequence[Told]:
        """Return the messages of these chats that have not ended, the oldest first."""
        which = f"chat IN ({_marks(len(chat_ids))}) AND shown <> 'ended' ORDER BY told_at, handoff_id"
        return await self._messages(which, *map(storable, chat_ids)) if chat_ids else []

    async def found(self, chat_id: str, ref: str) -> Sequence[Told]:
        """Return what a message of a chat was about, by the service's name of it; also what has ended."""
        which = "chat = $1 AND message_ref = $2 ORDER BY told_at, handoff_id"
        return await self._messages(which, storable(chat_id), storable(ref))

    async def tell(self, told: Sequence[Told], codes: Sequence[Code] = ()) -> None:
        """Keep messages, each in place of the one of the same chat and question, in one transaction."""
        old = micros(max(each.at for each in told) - KEPT_FOR) if told else 0

        async def work(connection: Connection) -> None:
            for each in told:
                await connection.fetch(self._tell, *map(encode_cell, encode_told(each)))
            if not codes:
                return
            for each in told:
                await connection.fetch(self._end, encode_cell(storable(each.chat)), encode_cell(storable(each.handoff)))
            for code in codes:
                await connection.fetch(self._add_code, *map(encode_cell, encode_code(code)))
            for sql in self._old:
                await connection.fetch(sql, old)

        await self._whole(work)

    async def code(self, digest: str) -> Code | None:
        """Return a code, used or not."""
        found = await self._fetch(_code_of, self._code, storable(digest))
        return found[0] if found else None

    async def redeem(self, digest: str, *, chat_id: str, event: str, at: datetime) -> Code | None:
        """Use a code in this chat, and with it all others of its message; return it, or None where it can't be used."""
        named = encode_cell(storable(digest))
        chat, event = (str(encode_cell(storable(each))) for each in (chat_id, event))

        async def work(connection: Connection) -> Code | None:
            await connection.fetch(self._lock, named)
            rows = await connection.fetch(self._usable, named, chat, micros(at), event)
            if not rows:
                return None
            code = _code_of(rows[0])
            await connection.fetch(self._use, micros(at), event, chat, encode_cell(storable(code.handoff)))
            return code

        return await self._whole(work)

    async def _messages(self, which: str, *given: Cell) -> list[Told]:
        return await self._fetch(lambda row: decode_told(_decoded(row)), self._told + which, *given)

    async def _whole(self, work: Callable[[Connection], Awaitable[T]]) -> T:
        async def whole(connection: Connection) -> T:
            async with connection.transaction():
                return await work(connection)

        return await self._connections.run(whole)

    async def _fetch(self, read: Callable[[Row], T], sql: str, *parameters: Cell) -> list[T]:
        given = [encode_cell(each) for each in parameters]

        async def work(connection: Connection) -> list[T]:
            return [read(row) for row in await connection.fetch(sql, *given)]

        return await self._connections.run(work)


def _upsert(table: str, columns: Sequence[str], key: Sequence[str]) -> str:
    changed = ", ".join(f"{name} = excluded.{name}" for name in columns if name not in key)
    return f"""INSERT INTO {table} ({", ".join(columns)}) VALUES ({_marks(len(columns))})
        ON CONFLICT ({", ".join(key)}) DO UPDATE SET {changed}"""  # noqa: S608


def _marks(count: int) -> str:
    return ", ".join(f"${number}" for number in range(1, count + 1))


def _decoded(row: Row) -> tuple[object, ...]:
    return tuple(map(decode_cell, row))


def _code_of(row: Row) -> Code:
    return decode_code(_decoded(row))
