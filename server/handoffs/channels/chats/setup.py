"""What a person does with their own chats: sets one up, tries it, turns it off and on, and removes it."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta

import anyio.to_thread

from handoffs.channels.chats.codes import digest_of, new_code, reply_digest
from handoffs.channels.chats.pressed import TEST
from handoffs.channels.chats.quiet import read_quiet
from handoffs.channels.chats.sealed import seal, unseal
from handoffs.channels.chats.service import (
    LANGUAGE,
    Button,
    ChatRefused,
    Config,
    Gone,
    Kind,
    Note,
    NotSent,
    language_of,
    tag_of,
)
from handoffs.core.chat import CHAT_PREFIX, Chat, Chats, Code, Shown, Told
from handoffs.core.errors import SecretRefused
from handoffs.core.ids import new_id
from handoffs.core.ports import Clock, Sealer
from handoffs.core.sentences import say
from handoffs.languages.catalogue import Catalogue
from handoffs.languages.spoken import spoken
from handoffs.languages.tags import ENGLISH

MOST_CHATS = 10
"""The most chats of one person."""

_TEST_LASTS = timedelta(hours=1)
_MOST_TEXT = 2_000


class Setup:
    """A person's own chats."""

    def __init__(
        self,
        chats: Chats,
        sealer: Sealer,
        clock: Clock,
        kinds: Mapping[str, Kind],
        changed: Callable[[], None],
        browser: Callable[[], Config] = dict,
    ) -> None:
        """Take where chats are kept, what seals addresses, and whom to tell that one was changed.

        `browser` returns what this machine adds to the address of a browser. It may read files.
        """
        self._chats, self._sealer, self._clock, self.kinds, self._changed = chats, sealer, clock, kinds, changed
        self._browser = browser

    async def browser(self) -> Config:
        """Return what this machine adds to the address of a browser; empty where no key can be kept."""
        return await anyio.to_thread.run_sync(self._browser)

    async def of(self, person: str) -> Sequence[Chat]:
        """Return the chats of a person, the oldest first."""
        return [each for each in await self._chats.all() if each.person == person]

    async def add(
        self, person: str, channel: str, written: Mapping[str, str], *, quiet: str = "", language: str = ENGLISH
    ) -> tuple[Chat, str]:
        """Set a chat up, which is told in this language; return it, with what the person has to do now.

        They are told that once.

        Raises:
            ChatRefused: What they wrote can't be used.
        """
        kind = self.kinds.get(channel)
        if kind is None:
            raise ChatRefused(say("There is no such channel here."))
        wanted = {each.name: written.get(each.name, "").strip()[:_MOST_TEXT] for each in kind.settings}
        missing = [
            each.title for each in kind.settings if not each.optional and not wanted[each.name] and not each.default
        ]
        if missing:
            raise ChatRefused(say("{fields}: this is needed.", fields=", ".join(missing)))
        read_quiet(quiet)
        read = kind.read({**wanted, **(await self.browser() if kind.browser else {})})
        config = {**read, LANGUAGE: language}
        everybodys = await self._chats.all()
        same = [each for each in everybodys if kind.browser and each.account == kind.account(config)]
        own = next((each for each in same if each.person == person), None)
        if own is None and sum(each.person == person for each in everybodys) >= MOST_CHATS:
            raise ChatRefused(say("{count} channels are the most: remove one first.", count=MOST_CHATS))
        chat_id = new_id(CHAT_PREFIX) if own is None else own.id
        chat = Chat(
            id=chat_id,
            person=person,
            channel=channel,
            account=kind.account(config) or chat_id,
            sealed="",
            hint=kind.hint(config),
            added_at=own.added_at if own is not None and own.on else self._clock.now(),
            quiet=quiet.strip(),
        )
        try:
            sealed = await seal(self._sealer, chat, config)
        except SecretRefused as refused:
            raise ChatRefused(str(refused)) from None
        await self._chats.keep(sealed)
        for each in same:
            if each.person != person:
                await self._chats.forget(each.id)
        self._changed()
        return sealed, kind.next(config)

    async def test(self, person: str, chat_id: str) -> str:
        """Send a test to a chat, with a button; return in words what became of it.

        Raises:
            ChatRefused: It was not sent.
        """
        chat = await self._own(person, chat_id)
        kind, config = self.kinds.get(chat.channel), await unseal(self._sealer, chat)
        if kind is None or config is None:
            raise ChatRefused(say("This inbox can't open the address: remove the channel, and set it up again."))
        if not kind.ready(config):
            raise ChatRefused(say("It is not set up yet. {next}", next=kind.next(config)))
        now, code, key = self._clock.now(), new_code(), new_id("m_")
        by_reply = kind.limits.by_reply
        about = f"{TEST} {key}" if by_reply else TEST
        made = Code(
            digest=reply_digest(chat.id, about) if by_reply else digest_of(code),
            chat=chat.id,
            handoff=TEST,
            content="",
            answer={},
            expires_at=now + _TEST_LASTS,
        )
        language = await language_of(config)
        body = (
            say("Questions for you come like this. Reply to this message: then you know that answers arrive, too.")
            if by_reply
            else say("Questions for you come like this. Press the button: then you know that answers arrive, too.")
        )
        note = Note(
            title=spoken(say("A test of Handoffs"), language),
            body=spoken(body, language),
            buttons=[] if by_reply else [Button(label=spoken(say("It works"), language), code=code)],
            reply=by_reply,
            language=tag_of(config),
        )
        sending = Told(chat=chat.id, handoff=about, key=key, shown=Shown.ENDED, at=now)
        try:
            await self._chats.tell([sending], [made])
            ref = await self._send(kind, config, note, key)
        except Gone as gone:
            await self.remove(person, chat_id)
            raise ChatRefused(say("It was not sent, and the channel is removed: {why}.", why=str(gone))) from None
        except NotSent as wrong:
            await self._chats.note(chat.id, str(wrong))
            raise ChatRefused(say("It was not sent: {why}.", why=str(wrong))) from None
        await self._chats.tell([replace(sending, ref=ref)])
        await self._chats.note(chat.id, "")
        return say("A test is on its way. Reply to it.") if by_reply else say("A test is on its way. Press its button.")

    async def turn(self, person: str, chat_id: str, *, on: bool, language: str | None = None) -> None:
        """Turn a chat on or off, which is told in this language from now on. Raises ChatRefused."""
        chat = await self._own(person, chat_id)
        # What was asked while it was off is not told afterwards.
        added_at = self._clock.now() if on and not chat.on else chat.added_at
        turned = replace(chat, on=on, added_at=added_at, problem="")
        await self._chats.change(await self._in(turned, language))
        self._changed()

    async def hush(self, person: str, chat_id: str, quiet: str, *, language: str | None = None) -> None:
        """Set the quiet hours of a chat, which is told in this language from now on. Raises ChatRefused."""
        read_quiet(quiet)
        hushed = replace(await self._own(person, chat_id), quiet=quiet.strip())
        await self._chats.change(await self._in(hushed, language))
        self._changed()

    async def speak(self, person: str, chat_id: str, language: str) -> None:
        """Have a chat told in this language from now on. Raises ChatRefused."""
        await self._chats.change(await self._in(await self._own(person, chat_id), language))
        self._changed()

    async def tag_of(self, chat: Chat) -> str:
        """Return the tag of the language in which a chat is told; English where its address can't be opened here."""
        return tag_of(await unseal(self._sealer, chat) or {})

    async def language_of(self, chat: Chat) -> Catalogue | None:
        """Return the language in which a chat is told; None for English."""
        return await language_of(await unseal(self._sealer, chat) or {})

    async def remove(self, person: str, chat_id: str) -> None:
        """Forget a chat. Raises ChatRefused: It is no chat of theirs."""
        await self._chats.forget((await self._own(person, chat_id)).id)
        self._changed()

    async def _own(self, person: str, chat_id: str) -> Chat:
        for chat in await self.of(person):
            if chat.id == chat_id:
                return chat
        raise ChatRefused(say("There is no such channel of yours."))

    async def _in(self, chat: Chat, language: str | None) -> Chat:
        """Return a chat that is told in this language; as it is where its address can't be opened or sealed here."""
        config = None if language is None else await unseal(self._sealer, chat)
        if language is None or config is None or tag_of(config) == language:
            return chat
        with suppress(SecretRefused):
            return await seal(self._sealer, chat, {**config, LANGUAGE: language})
        return chat

    async def _send(self, kind: Kind, config: Config, note: Note, key: str) -> str:
        async with kind.open([config]) as service:
            return await service.send(config, note, key=key)
