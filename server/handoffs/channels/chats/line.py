"""A line: sends to the chats of one account, withdraws what has ended, and reads what comes back. One holder has it.

- A message is kept as *sending* before it is sent and as *open* after, so a question is told again only where the
  program ended in between. The service replaces the first message then, where it can; its codes are void in any case.
- The first of several questions goes out at once. Those that follow within some seconds are told in one message.
- A chat that fails is tried again after growing pauses, and each of its open questions notes why, once.
- A chat whose address is no more is forgotten.
"""

from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta

import anyio

from handoffs.channels.chats.pressed import ChatDesk, Presses, Taken, is_there
from handoffs.channels.chats.quiet import read_quiet
from handoffs.channels.chats.service import Config, Gone, Kind, Note, NotSent, Press, Service, language_of
from handoffs.channels.chats.wording import Place, list_of, outcome_of, voted_of, written
from handoffs.core.chat import Chat, Chats, Code, Shown, Told
from handoffs.core.errors import HandoffError, NotFound, StoreError
from handoffs.core.ids import new_id
from handoffs.core.model import Handoff, State
from handoffs.core.retry import growing_pauses, retry_while_unavailable
from handoffs.core.sentences import say
from handoffs.core.standing import may_vote
from handoffs.languages.spoken import spoken

BURST_SECONDS = 4.0
"""After a message, further questions of so many seconds are told in one."""

LOOK_SECONDS = 30.0
"""The most time between two looks."""

FIRST_PAUSE, LONGEST_PAUSE = 2.0, 600.0

PAIRED_SECONDS = 30.0

PAIRED = say("This chat is set up. Questions for you come here.")

_EVERY = 2**31
_KEY = "m_"


class Line:
    """Serves the chats of one account, over one service."""

    def __init__(
        self,
        kind: Kind,
        account: str,
        chats: Sequence[tuple[Chat, Config]],
        service: Service,
        *,
        kept: Chats,
        desk: ChatDesk,
        link: Callable[[str], str] | None,
        paired: Callable[[Chat, Config], Awaitable[None]],
        burst: float = BURST_SECONDS,
        pause: float = FIRST_PAUSE,
    ) -> None:
        """Take the chats with their addresses, and what sends. `paired` is told whose address has become known."""
        self._kind, self._account, self._chats, self._service = kind, account, chats, service
        self._kept, self._desk, self._link, self._paired = kept, desk, link, paired
        self._burst, self._pause = burst, pause
        self._presses = Presses(kept, desk, by_reply=kind.limits.by_reply)
        # Where what was sent can't be changed: who has answered there is told so by the reply to their answer alone.
        self._answering = anyio.Lock()
        self._heard: set[tuple[str, str]] = set()
        self._doubted: set[str] = set()  # the chats from which something came that did not count
        # The messages that have not ended: this line alone changes them. None where that must be read.
        self._told: dict[tuple[str, str], Told] | None = None
        self._there: dict[str, datetime] = {}  # when a person was last known to be there
        self._sent: dict[str, datetime] = {}  # when a chat was last sent to
        self._again: dict[str, tuple[datetime, Iterator[float]]] = {}  # when a chat that failed is tried again
        self._stuck: dict[tuple[str, str], tuple[datetime, Iterator[float]]] = {}  # messages that could not be changed
        self._gone: set[str] = set()  # the chats that were forgotten here
        self._noted: dict[tuple[str, str], str] = {}  # by chat and question: the last reason that was noted

    async def run(self, position: str) -> None:
        """Serve until cancelled."""
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._tell)
            tasks.start_soon(self._receive, position)

    # Telling

    async def _tell(self) -> None:
        while True:
            try:
                async with self._desk.watch(None) as watch:
                    while True:
                        began = self._desk.clock.monotonic()
                        seconds = await self._look()
                        # A look reads all that is open: of a store where much happens, it takes a third of the time.
                        await self._desk.clock.sleep(2 * (self._desk.clock.monotonic() - began))
                        with self._desk.clock.limit(seconds):
                            await watch.changed()
            except StoreError:
                self._told = None  # whether the last change was kept is not known
                # The callers whose questions can't be stored report this, where people read it.
                await self._desk.clock.sleep(LOOK_SECONDS)

    async def _look(self) -> float:
        """Send and withdraw what is due; return the seconds until the next look."""
        opened = {each.id: each for each in await self._desk.newest(open_only=True, limit=_EVERY)}
        if self._told is None:
            ids = [chat.id for chat, _ in self._chats]
            self._told = {(each.chat, each.handoff): each for each in await self._kept.told(ids)}
        told = [*self._told.values()]
        waits = [LOOK_SECONDS]
        for chat, config in self._chats:
            own = [each for each in told if each.chat == chat.id]
            waits.append(await self._serve(chat, config, opened, own))
        now = self._desk.clock.now()
        for each in opened.values():
            deciders = each.question.deciders
            later = None if deciders is None else deciders.escalated_at
            waits += [
                (at - now).total_seconds() for at in (each.question.deadline, later) if at is not None and at > now
            ]
        return max(min(waits), 0.01)

    async def _serve(self, chat: Chat, config: Config, opened: Mapping[str, Handoff], told: Sequence[Told]) -> float:
        now = self._desk.clock.now()
        if chat.id in self._gone or not self._kind.ready(config):
            return LOOK_SECONDS
        again = self._again.get(chat.id)
        if again is not None and now < again[0]:
            return (again[0] - now).total_seconds()
        try:
            stuck = await self._withdraw(chat, config, opened, told)
            return min(stuck, await self._announce(chat, config, opened, told))
        except Gone as gone:
            self._gone.add(chat.id)
            await self._failed(chat, f"{gone}: the channel was removed", opened, told)
            await self._kept.forget(chat.id)
            return LOOK_SECONDS
        except NotSent as wrong:
            pauses = again[1] if again is not None else growing_pauses(self._pause, LONGEST_PAUSE)
            seconds = max(next(pauses), wrong.after)
            self._again[chat.id] = self._desk.clock.now() + timedelta(seconds=seconds), pauses
            await self._failed(chat, f"{wrong}; it is tried again", opened, told, problem=str(wrong))
            return seconds

    async def _withdraw(self, chat: Chat, config: Config, opened: Mapping[str, Handoff], told: Sequence[Told]) -> float:
        """Let the messages say how their questions ended; return the seconds until one is tried again.

        A message that the service does not change is tried again after pauses of its own, and holds back nothing else.
        """
        waits, now = [LOOK_SECONDS], self._desk.clock.now()
        over: dict[str, list[tuple[Told, Handoff | None]]] = {}  # by message
        for each in told:
            if each.handoff not in opened:
                ended = await self._handoff(each.handoff)
                if ended is None or ended.state is not State.OPEN:  # else it was opened a moment ago
                    over.setdefault(each.key, []).append((each, ended))
        for key, gone in over.items():
            first, ended = gone[0]
            place = (chat.id, key)
            again = self._stuck.get(place)
            if again is not None and now < again[0]:
                waits.append((again[0] - now).total_seconds())
                continue
            if self._kind.limits.by_reply:
                async with self._answering:  # an answer that is just being told
                    pass
            heard = (chat.id, first.handoff) in self._heard
            if ended is not None and not heard and (first.ref or self._kind.keyed):
                note = await self._after(chat, config, first, ended)
                try:
                    await self._service.change(config, note, key=key, ref=first.ref)
                except Gone:
                    raise
                except NotSent as wrong:
                    pauses = again[1] if again is not None else growing_pauses(self._pause, LONGEST_PAUSE)
                    seconds = max(next(pauses), wrong.after)
                    self._stuck[place] = self._desk.clock.now() + timedelta(seconds=seconds), pauses
                    await self._kept.note(chat.id, str(wrong))
                    waits.append(seconds)
                    break  # of a service that is away, one message at a time finds that out
            await self._keep([replace(each, shown=Shown.ENDED) for each, _ in gone])
            if self._stuck.pop(place, None) is not None and not any(each == chat.id for each, _ in self._stuck):
                await self._kept.note(chat.id, "")
            for each, _ in gone:
                self._noted.pop((chat.id, each.handoff), None)
                self._heard.discard((chat.id, each.handoff))
        return min(waits)

    async def _after(self, chat: Chat, config: Config, told: Told, ended: Handoff) -> Note:
        together = [each for each in await self._kept.found(chat.id, told.ref) if each.key == told.key]
        if not told.ref or len(together) < 2:
            return outcome_of(ended, await self._place(chat, config, ended.id))
        found = [await self._handoff(each.handoff) for each in together]
        return list_of([each for each in found if each is not None], await self._place(chat, config))

    async def _announce(self, chat: Chat, config: Config, opened: Mapping[str, Handoff], told: Sequence[Told]) -> float:
        now = self._desk.clock.now()
        there = {each.handoff: each for each in told if each.shown is Shown.OPEN}
        fresh = [
            each
            for each in reversed([*opened.values()])  # oldest first
            if each.id not in there and each.created_at >= chat.added_at and not each.overdue(now)
            and may_vote(each.question.deciders, chat.person, now)
        ]  # fmt: skip
        if not fresh or not await self._is_there(chat.person, now):
            return LOOK_SECONDS
        quiet = read_quiet(chat.quiet)  # it was read before it was kept
        until = None if quiet is None else quiet.until(now)
        if until is not None:
            return (until - now).total_seconds()
        last = self._sent.get(chat.id)
        wait = 0.0 if last is None else self._burst - (now - last).total_seconds()
        if wait > 0:
            return wait
        # Sent and not confirmed: the same message is sent again, one by one, each in place of the first.
        unsure = {each.handoff: each for each in told if each.shown is Shown.SENDING}
        keys = {each.key for each in unsure.values()}
        key = keys.pop() if len(keys) == 1 and {each.id for each in fresh} == {*unsure} else new_id(_KEY)
        place = await self._place(chat, config, fresh[0].id if len(fresh) == 1 else "")
        made = written(fresh[0], place, now=now) if len(fresh) == 1 else None
        note = list_of(fresh, place) if made is None else made.note
        codes = () if made is None else made.codes
        sending = [Told(chat=chat.id, handoff=each.id, key=key, shown=Shown.SENDING, at=now) for each in fresh]
        await self._keep(sending, codes)
        ref = await self._service.send(config, note, key=key)
        self._sent[chat.id] = self._desk.clock.now()
        await self._keep([replace(each, ref=ref, shown=Shown.OPEN) for each in sending])
        await self._worked(chat)
        for each in fresh:
            with suppress(HandoffError):  # it may have ended meanwhile, which the next look finds
                await self._desk.reached(each, channel=chat.channel)
        return LOOK_SECONDS

    async def _worked(self, chat: Chat) -> None:
        if self._again.pop(chat.id, None) is not None or chat.problem:
            await self._kept.note(chat.id, "")

    async def _failed(
        self, chat: Chat, words: str, opened: Mapping[str, Handoff], told: Sequence[Told], *, problem: str = ""
    ) -> None:
        await self._kept.note(chat.id, problem)
        now = self._desk.clock.now()
        there = {each.handoff for each in told if each.shown is Shown.OPEN}
        for each in opened.values():
            place = (chat.id, each.id)
            due = each.id not in there and each.created_at >= chat.added_at
            if due and self._noted.get(place) != words and may_vote(each.question.deciders, chat.person, now):
                self._noted[place] = words
                with suppress(HandoffError):
                    await self._desk.not_shown(each, channel=chat.channel, reason=words)

    # Receiving

    async def _receive(self, position: str) -> None:
        pauses, failures = growing_pauses(self._pause, LONGEST_PAUSE), 0
        while True:
            after = 0.0
            try:
                async for press in self._service.presses(position):
                    if failures > 1:
                        await self._note_reading("")
                    pauses, failures = growing_pauses(self._pause, LONGEST_PAUSE), 0
                    if press is not None:
                        await self._pressed(press)
                        position = press.position
                        await self._read_to(position)
            except NotSent as wrong:
                after, failures = wrong.after, failures + 1
                if failures > 1:  # a stream ends now and then
                    await self._note_reading(f"Answers can't be read: {wrong}")
            await self._desk.clock.sleep(max(next(pauses), after))

    async def _read_to(self, position: str) -> None:
        async def move() -> None:
            await self._kept.move(self._account, position)

        await retry_while_unavailable(self._desk.clock, move, seconds=None)

    async def _note_reading(self, words: str) -> None:
        with suppress(StoreError):
            for chat, _ in self._chats:
                await self._kept.note(chat.id, words)

    async def _pressed(self, press: Press) -> None:
        if press.problem:
            for chat, config in self._chats:
                if config == press.of:
                    self._doubted.add(chat.id)
                    with suppress(StoreError):
                        await self._kept.note(chat.id, press.problem)
            return
        if press.paired is not None:
            for chat, config in self._chats:
                if config.get("pair") and config["pair"] == press.code:
                    await self._paired(chat, press.paired)
                    # The line begins anew with the address, and this one ends: not before it has said so.
                    with suppress(NotSent), anyio.move_on_after(PAIRED_SECONDS, shield=True):
                        words = spoken(PAIRED, await language_of(press.paired))
                        await self._service.respond(press.paired, press, words)
            return
        found = [each for each in self._chats if self._kind.sender(each[1]) == press.sender]
        if not found:
            return  # a stranger is told nothing
        chat, config = found[0]
        async with self._answering:
            taken = await self._presses.take(chat, press, await language_of(config))
            if chat.id in self._doubted:
                self._doubted.discard(chat.id)
                with suppress(StoreError):
                    await self._kept.note(chat.id, "")
            if taken.words:
                await self._respond(chat, config, press, taken)

    async def _respond(self, chat: Chat, config: Config, press: Press, taken: Taken) -> None:
        with suppress(NotSent, StoreError):  # what was said is recorded; to hear of it is the lesser thing
            await self._service.respond(config, press, taken.words)
            if taken.ended and self._kind.limits.by_reply:
                self._heard.add((chat.id, taken.ended))
            if taken.voted is not None and not self._kind.limits.by_reply:
                for each in await self._kept.told([chat.id]):
                    if each.handoff == taken.voted.id and each.ref:
                        place = await self._place(chat, config, each.handoff)
                        note = voted_of(taken.voted, place, taken.words)
                        await self._service.change(config, note, key=each.key, ref=each.ref)

    # Parts

    async def _keep(self, told: Sequence[Told], codes: Sequence[Code] = ()) -> None:
        await self._kept.tell(told, codes)
        there = {} if self._told is None else self._told
        for each in told:
            there[each.chat, each.handoff] = each
            if each.shown is Shown.ENDED:
                del there[each.chat, each.handoff]

    async def _is_there(self, person: str, now: datetime) -> bool:
        """Return whether a person decides here. Who was removed has no chat; a press asks anew each time."""
        known = self._there.get(person)
        if known is None or now - known > timedelta(seconds=LOOK_SECONDS):
            if not await is_there(self._desk, person):
                return False
            self._there[person] = now
        return True

    async def _place(self, chat: Chat, config: Config, handoff_id: str = "") -> Place:
        link = "" if self._link is None else self._link(handoff_id)
        if self._kind.browser:  # which opens the inbox where it was set up
            link = f"/h/{handoff_id}" if handoff_id else "/"
        language = await language_of(config)
        return Place(chat=chat.id, channel=chat.channel, limits=self._kind.limits, link=link, language=language)

    async def _handoff(self, handoff_id: str) -> Handoff | None:
        with suppress(NotFound):
            return await self._desk.get(handoff_id)
        return None
