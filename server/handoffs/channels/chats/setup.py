"""What a person does with their own chats: sets one up, tries it, turns it off and on, and removes it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta

import anyio.to_thread

from handoffs.channels.chats.codes import digest_of, new_code, reply_digest
from handoffs.channels.chats.pressed import TEST
from handoffs.channels.chats.quiet import read_quiet
from handoffs.channels.chats.sealed import seal, unseal
from handoffs.channels.chats.service import Button, ChatRefused, Config, Gone, Kind, Note, NotSent
from handoffs.core.chat import CHAT_PREFIX, Chat, Chats, Code, Shown, Told
from handoffs.core.errors import SecretRefused
from handoffs.core.ids import new_id
from handoffs.core.ports import Clock, Sealer
from handoffs.core.sentences import say

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

    async def add(self, person: str, channel: str, written: Mapping[str, str], *, quiet: str = "") -> tuple[Chat, str]:
        """Set a chat up; return it, with what the person has to do now, which they are told once.

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
        config = kind.read({**wanted, **(await self.browser() if kind.browser else {})})
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
        act = "Reply to this message" if by_reply else "Press the button"
        note = Note(
            title="A test of Handoffs",
            body=f"Questions for you come like this. {act}: then you know that answers arrive, too.",
            buttons=[] if by_reply else [Button(label="It works", code=code)],
            reply=by_reply,
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

    async def turn(self, person: str, chat_id: str, *, on: bool) -> None:
        """Turn a chat on or off. Raises ChatRefused: It is no chat of theirs."""
        chat = await self._own(person, chat_id)
        # What was asked while it was off is not told afterwards.
        added_at = self._clock.now() if on and not chat.on else chat.added_at
        await self._chats.change(replace(chat, on=on, added_at=added_at, problem=""))
        self._changed()

    async def hush(self, person: str, chat_id: str, quiet: str) -> None:
        """Set the quiet hours of a chat. Raises ChatRefused."""
        read_quiet(quiet)
        await self._chats.change(replace(await self._own(person, chat_id), quiet=quiet.strip()))
        self._changed()

    async def remove(self, person: str, chat_id: str) -> None:
        """Forget a chat. Raises ChatRefused: It is no chat of theirs."""
        await self._chats.forget((await self._own(person, chat_id)).id)
        self._changed()

    async def _own(self, person: str, chat_id: str) -> Chat:
        for chat in await self.of(person):
            if chat.id == chat_id:
                return chat
        raise ChatRefused(say("There is no such channel of yours."))

    async def _send(self, kind: Kind, config: Config, note: Note, key: str) -> str:
        async with kind.open([config]) as service:
            return await service.send(config, note, key=key)
