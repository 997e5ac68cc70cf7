"""What came back from a chat, turned into an answer: checked here, used up in the store, and given to the desk.

The code is used first, by the name of its event. An event that is delivered again finds its own use and goes on where
it stopped, so a program that ends in between loses nothing, and what the desk records is recorded once.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Protocol

from handoffs.channels.chats.codes import digest_of, is_code, reply_digest
from handoffs.channels.chats.picked import first_lines, picked
from handoffs.channels.chats.service import Press
from handoffs.channels.chats.wording import answers_of, begun, content_of, takes_reply
from handoffs.core.chat import Chat, Chats, Code, Shown, Told
from handoffs.core.errors import AlreadyEnded, AnswerRefused, NotFound
from handoffs.core.field import Kind, Value
from handoffs.core.lifecycle import already_ended
from handoffs.core.model import Handoff, State
from handoffs.core.person import Directory
from handoffs.core.ports import Overview
from handoffs.core.question import checked_other
from handoffs.core.retry import retry_while_unavailable
from handoffs.core.sentences import say
from handoffs.core.untrusted import inert_line
from handoffs.languages.catalogue import Catalogue
from handoffs.languages.spoken import spoken

TEST = "test"
"""In place of a question, in the code of a test."""

UNKNOWN = say("This is none of the buttons that wait for you here. Nothing was recorded.")
NO_REPLY = say("This is no reply to a question that waits for you here. Nothing was recorded.")
ELSEWHERE = say("This is answered in the inbox. Nothing was recorded.")
USED = say("This message was answered before, or replaced by a newer one. Nothing more was recorded.")
WORKS = say("It works: what you press here reaches Handoffs.")
_TRIES, _TRY_SECONDS = 50, 0.1
WHICH = say("Reply to the message of one question. Nothing was recorded.")
FORGOTTEN = say("This question is no longer kept. Nothing was recorded.")


class ChatDesk(Overview, Protocol):
    """The part of the desk that chats use."""

    async def answer(
        self, handoff: Handoff, values: Mapping[str, object], *, by: str, channel: str, other: str = ""
    ) -> Handoff:
        """Answer; see `Desk.answer`."""
        ...

    async def reached(self, handoff: Handoff, *, channel: str) -> None:
        """Record that a person has the question before them."""
        ...

    @property
    def directory(self) -> Callable[[], Awaitable[Directory]] | None:
        """What returns all people as they are now; None where no people are known."""
        ...


async def is_there(desk: ChatDesk, name: str) -> bool:
    """Return whether somebody decides under this name: one of the people, or anybody where there are none."""
    people = Directory() if desk.directory is None else await desk.directory()
    return people.present(name) is not None or not any(each.present for each in people.people.values())


@dataclass(frozen=True, kw_only=True, slots=True)
class Taken:
    """What became of it."""

    words: str
    """For who pressed, in the language of the chat; empty where there is nothing to say."""
    voted: Handoff | None = None
    """The question, where this was a vote that does not decide it yet."""
    ended: str = ""
    """The id of the question, where this has answered it."""
    unknown: bool = False
    """Whether no button of this chat has such a code."""


class Presses:
    """Takes what comes back from chats."""

    def __init__(self, chats: Chats, desk: ChatDesk, *, by_reply: bool = False) -> None:
        """Take where codes are kept, and the desk. `by_reply`: see `Limits`."""
        self._chats, self._desk, self._by_reply = chats, desk, by_reply

    async def take(self, chat: Chat, press: Press, language: Catalogue | None = None) -> Taken:
        """Answer what was pressed or written in a chat of this language; None is English.

        Waits for a store that is unavailable: nothing is lost.
        """
        take = partial(self._take, chat, press, language)
        taken = await retry_while_unavailable(self._desk.clock, take, seconds=None)
        return replace(taken, words=spoken(taken.words, language), unknown=taken.words == UNKNOWN)

    async def _take(self, chat: Chat, press: Press, language: Catalogue | None) -> Taken:
        now = self._desk.clock.now()
        if press.refused:
            return Taken(words=press.refused)
        digest, told = digest_of(press.code) if is_code(press.code) else "", list[Told]()
        if press.ref and not press.code and (press.text or self._by_reply):
            told = [*await self._found(chat, press.ref)]
            if len(told) > 1:
                return Taken(words=WHICH)
            digest = reply_digest(chat.id, told[0].handoff) if told else ""
        if press.text and not press.ref and not digest:
            return Taken(words=WHICH)
        code = await self._chats.code(digest) if digest else None
        if code is None or code.chat != chat.id:
            elsewhere = ELSEWHERE if told else NO_REPLY
            return Taken(words=elsewhere if self._by_reply else UNKNOWN)
        if code.handoff == TEST:
            used = await self._chats.redeem(code.digest, chat_id=chat.id, event=press.event, at=now)
            return Taken(words=WORKS if used else USED)
        try:
            handoff = await self._desk.get(code.handoff)
        except NotFound:
            return Taken(words=FORGOTTEN)
        if handoff.state is not State.OPEN:
            end = handoff.end
            own = (
                end is not None and code.used_by == press.event and (end.by, end.channel) == (chat.person, chat.channel)
            )
            return Taken(words="" if own else _late(already_ended(handoff)))
        if not await is_there(self._desk, chat.person):
            return Taken(words=UNKNOWN)
        try:
            said = self._said(handoff, chat, code, press, language)
        except AnswerRefused as refused:
            return Taken(words=_words(refused, language))
        used = await self._chats.redeem(code.digest, chat_id=chat.id, event=press.event, at=now)
        if used is None:
            return Taken(words=USED)
        values, other = said
        try:
            ended = await self._desk.answer(handoff, values, by=chat.person, channel=chat.channel, other=other)
        except AnswerRefused as refused:
            return Taken(words=_words(refused, language))
        except AlreadyEnded as ended:
            return Taken(words=_late(ended))
        recorded = _recorded(handoff, chat.channel, values, other, language)
        if ended.state is State.OPEN:
            return Taken(words=say("Recorded as your vote: {answer}.", answer=recorded), voted=ended)
        return Taken(words=say("Recorded: {answer}.", answer=recorded), ended=handoff.id)

    async def _found(self, chat: Chat, ref: str) -> Sequence[Told]:
        """Return what a message is about. One that is just being sent has no name here yet: it is waited for."""
        for _ in range(_TRIES):
            found = await self._chats.found(chat.id, ref)
            if found or not any(each.shown is Shown.SENDING for each in await self._chats.told([chat.id])):
                return found
            await self._desk.clock.sleep(_TRY_SECONDS)
        return []

    def _said(
        self, handoff: Handoff, chat: Chat, code: Code, press: Press, language: Catalogue | None
    ) -> tuple[Mapping[str, object], str]:
        """Return the values, and what was said instead of them. Raises AnswerRefused."""
        if code.content != content_of(handoff):
            raise AnswerRefused({"": say("the question is another one than was shown")})
        if code.answer:
            values = dict(code.answer)
            if values not in [dict(each) for _, each in answers_of(handoff, chat.channel)]:
                raise AnswerRefused({"": say("this is answered in the inbox")})
            return values, ""
        choices = answers_of(handoff, chat.channel) if self._by_reply else []
        chosen = picked(press.text, choices, language)
        if chosen is not None:
            return dict(chosen), ""
        if choices and not takes_reply(handoff):
            labels = [inert_line(spoken(label, language), 60) for label, _ in choices[:20]]
            listed = ", ".join(f"{number} ({label})" for number, label in enumerate(labels, 1))
            why = say("your reply does not begin with one of the choices alone: {choices}", choices=listed)
            raise AnswerRefused({"": why})
        if not takes_reply(handoff) or not press.text.strip():
            raise AnswerRefused({"": say("write your answer as text, or answer in the inbox")})
        text, field = press.text.strip(), handoff.question.form.fields[0]
        if self._by_reply and not handoff.question.takes_other and (field.kind is not Kind.STRING or field.format):
            text = first_lines(text)
        try:
            return {field.name: field.coerce(text)}, ""
        except ValueError as wrong:
            if handoff.question.takes_other:
                return {}, checked_other(text, values={}, allowed=True)  # before the code is used up
            raise AnswerRefused({field.name: str(wrong)}) from None


def _recorded(
    handoff: Handoff, channel: str, values: Mapping[str, object], other: str, language: Catalogue | None
) -> str:
    """Return what was answered: a choice by its label, in the language of the chat where that is ours."""
    if other:
        return inert_line(other, 60)
    field = handoff.question.form.fields[0]
    value = values.get(field.name)
    said: Value = value if isinstance(value, str | int | float | bool) else ""
    words = field.text(said)
    if handoff.question.action is not None:
        words = next((label for label, each in answers_of(handoff, channel) if each == values), words)
    return inert_line(spoken(words, language), 60)


def _late(ended: AlreadyEnded) -> str:
    return say("{what} Nothing more was recorded.", what=str(ended))


def _words(refused: AnswerRefused, language: Catalogue | None) -> str:
    problems = (f"{name} {spoken(why, language)}".strip() for name, why in refused.problems.items())
    return say("{what}. Nothing was recorded.", what=begun(inert_line("; ".join(problems), 400)))
