"""How chats, their messages and their codes are written as rows, and read back as equal values."""

import json
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import TypeAlias, cast

from handoffs.core.chat import Chat, Code, Shown, Told
from handoffs.core.storable import storable
from handoffs.store.values import Cell, Unreadable, micros, moment

KEPT_FOR = timedelta(days=30)
"""For how long it is known what an old message was about, and why its buttons do nothing."""

CHAT = ("id", "person", "channel", "account", "sealed", "hint", "added_at", "quiet", "turned_on", "problem")
"""The columns of a chat."""

TOLD = ("chat", "handoff_id", "message_key", "message_ref", "shown", "told_at")
"""The columns of a message."""

CODE = ("digest", "chat", "handoff_id", "content", "answer", "expires_at", "used_at", "used_by")
"""The columns of a code."""

_ChatRow: TypeAlias = tuple[str, str, str, str, str, str, int, str, int, str]
_CodeRow: TypeAlias = tuple[str, str, str, str, str, int, int | None, str]


def encode_chat(chat: Chat) -> tuple[Cell, ...]:
    """Return a chat as a row of `CHAT`."""
    return (
        *map(storable, (chat.id, chat.person, chat.channel, chat.account, chat.sealed, chat.hint)),
        micros(chat.added_at),
        storable(chat.quiet),
        int(chat.on),
        storable(chat.problem),
    )


def decode_chat(row: tuple[object, ...]) -> Chat:
    """Return the chat that a row of `CHAT` holds. Raises Unreadable."""
    chat_id, person, channel, account, sealed, hint, added_at, quiet, on, problem = cast("_ChatRow", row)
    return Chat(
        id=chat_id,
        person=person,
        channel=channel,
        account=account,
        sealed=sealed,
        hint=hint,
        added_at=_moment(added_at),
        quiet=quiet,
        on=bool(on),
        problem=problem,
    )


def encode_told(told: Told) -> tuple[Cell, ...]:
    """Return a message as a row of `TOLD`."""
    named = map(storable, (told.chat, told.handoff, told.key, told.ref, told.shown.value))
    return *named, micros(told.at)


def decode_told(row: tuple[object, ...]) -> Told:
    """Return the message that a row of `TOLD` holds. Raises Unreadable."""
    chat, handoff, key, ref, shown, at = cast("tuple[str, str, str, str, str, int]", row)
    try:
        return Told(chat=chat, handoff=handoff, key=key, ref=ref, shown=Shown(shown), at=_moment(at))
    except ValueError as wrong:
        raise Unreadable(f"a message of the chat {chat} can't be read: {wrong}") from wrong


def encode_code(code: Code) -> tuple[Cell, ...]:
    """Return a code as a row of `CODE`."""
    return (
        *map(storable, (code.digest, code.chat, code.handoff, code.content)),
        json.dumps(code.answer, separators=(",", ":")),
        micros(code.expires_at),
        None if code.used_at is None else micros(code.used_at),
        storable(code.used_by),
    )


def decode_code(row: tuple[object, ...]) -> Code:
    """Return the code that a row of `CODE` holds. Raises Unreadable."""
    digest, chat, handoff, content, answer, expires_at, used_at, used_by = cast("_CodeRow", row)
    try:
        return Code(
            digest=digest,
            chat=chat,
            handoff=handoff,
            content=content,
            answer=cast("Mapping[str, object]", json.loads(answer)),
            expires_at=_moment(expires_at),
            used_at=None if used_at is None else _moment(used_at),
            used_by=used_by,
        )
    except ValueError as wrong:
        raise Unreadable(f"a code of the chat {chat} can't be read: {wrong}") from wrong


def _moment(stored: int) -> datetime:
    try:
        return moment(stored)
    except OverflowError as wrong:
        raise Unreadable(f"a time of a chat can't be read: {wrong}") from wrong
