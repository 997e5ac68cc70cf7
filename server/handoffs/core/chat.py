"""Chats: a person's own ways to be told of questions and to answer them, by phone or mail; and where they are kept.

A button or a reply answers by a code. Of the code, only the digest is kept. It is for one question as it was shown, one
answer, one chat and so one person; it ends with the question, and is used once.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Protocol

CHAT_PREFIX = "c_"


@dataclass(frozen=True, kw_only=True, slots=True)
class Chat:
    """One channel of a person, as they have set it up."""

    id: str
    person: str
    channel: str
    """Its name in the table of channels."""
    account: str
    """What is read by one program at a time: chats with one account share its bot, its mailbox."""
    sealed: str = field(repr=False)
    """Address and tokens, as JSON, sealed for `context`."""
    hint: str
    """What a page shows in place of the address."""
    added_at: datetime
    quiet: str = ""
    """The hours in which nothing is sent, as `channels.chats.quiet` reads them; empty for none."""
    on: bool = True
    problem: str = ""
    """Why the last message was not sent; empty where it was."""

    @property
    def context(self) -> str:
        """What its address is sealed for."""
        return f"chat {self.id} {self.channel} {self.person}"


class Shown(StrEnum):
    """What has become of a message."""

    SENDING = "sending"
    """It may have been sent: the program that sends it has not heard so, or has ended."""
    OPEN = "open"
    """It was sent, and its question is open."""
    ENDED = "ended"
    """It says how the question ended, or was withdrawn."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Told:
    """One question in one chat. Several that came at once are in one message, and have its key."""

    chat: str
    handoff: str
    key: str
    """The name of the message, of our making: a service that knows it replaces the message of this name."""
    ref: str = ""
    """The name of the message, of the service's making."""
    shown: Shown
    at: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class Code:
    """What a button or a reply means."""

    digest: str
    chat: str
    handoff: str
    content: str
    """The digest of what was decided on, see `channels.chats.wording`."""
    answer: Mapping[str, object]
    """The values of the form; empty for a code that only says to which question a reply belongs."""
    expires_at: datetime
    used_at: datetime | None = None
    used_by: str = ""
    """The service's name of the event that used it: the same event, delivered again, is no second use."""


class Chats(Protocol):
    """Where chats are kept. Safe for any number of processes at once.

    Every method raises StoreError where the store can't be used. What a method has returned has been made durable. No
    watch is woken.
    """

    async def all(self) -> Sequence[Chat]:
        """Return all chats, the oldest first; also those that are turned off."""
        ...

    async def keep(self, chat: Chat) -> None:
        """Keep a chat, in place of the one with this id."""
        ...

    async def change(self, chat: Chat) -> None:
        """Keep a chat in place of the one with this id, if that is still there: a removed one does not come back."""
        ...

    async def forget(self, chat_id: str) -> bool:
        """Forget a chat, with its messages and codes; False where there is none."""
        ...

    async def note(self, chat_id: str, problem: str) -> None:
        """Keep why the last message was not sent; empty where it was."""
        ...

    async def hold(self, account: str, holder: str, *, at: datetime, until: datetime) -> str | None:
        """Let one holder alone send and read for an account until then; None where another one does.

        Returns how far it was read, see `move`; empty at first.
        """
        ...

    async def move(self, account: str, position: str) -> None:
        """Keep how far an account was read."""
        ...

    async def leave(self, account: str, holder: str) -> None:
        """Let another holder take the account over at once."""
        ...

    async def told(self, chat_ids: Sequence[str]) -> Sequence[Told]:
        """Return the messages of these chats that have not ended, the oldest first."""
        ...

    async def found(self, chat_id: str, ref: str) -> Sequence[Told]:
        """Return what a message of a chat was about, by the service's name of it; also what has ended."""
        ...

    async def tell(self, told: Sequence[Told], codes: Sequence[Code] = ()) -> None:
        """Keep messages, each in place of the one of the same chat and question, in one transaction.

        Where there are codes, those of these messages end that were not used. What has ended long ago is forgotten.
        """
        ...

    async def code(self, digest: str) -> Code | None:
        """Return a code, used or not."""
        ...

    async def redeem(self, digest: str, *, chat_id: str, event: str, at: datetime) -> Code | None:
        """Use a code in this chat, and with it all others of its message; return it.

        None, and nothing is written, where there is none for this chat, it was used by another event, it has expired,
        or the chat is turned off. Of several events at once, one uses it.
        """
        ...
