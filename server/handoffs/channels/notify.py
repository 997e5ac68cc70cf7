"""People told where they are: a message to each of their addresses when a question waits, and before its deadline.

`core.reminders` says when, and the log who: the process that records a stage first sends it, and nobody else does, then
or after a restart. What that process was killed over is not sent again; the next stage is. The sending is apprise's,
which knows a hundred services. It blocks, so each message has a thread, and as long as `SEND_SECONDS`.

An address holds passwords and tokens. It is named by its setting, its number and its scheme, and by nothing else.
"""

import asyncio
import logging
import re
import socket
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

import anyio
from anyio.abc import TaskGroup

from handoffs.core.display import asker_of, left_in_words, stamp
from handoffs.core.errors import HandoffError, NotFound, StoreError
from handoffs.core.model import Handoff, State
from handoffs.core.ports import Overview
from handoffs.core.reminders import Stage, next_due, stages
from handoffs.core.untrusted import inert_line

if TYPE_CHECKING:
    import apprise

NAME = "notify"
"""What the log calls this channel."""

SEND_SECONDS = 30
"""How long one message may take; after that it counts as not sent."""

BACK_OFF = (10, 40, 160, 640)
"""Seconds before each further attempt at a message that was not sent; then it is given up, and the next stage comes."""

_PAUSE_SECONDS = 1
"""Between two looks at what is open, however much happens, and before the first: the server's start comes first."""
_LOOK_SECONDS = 60
"""How often at least: a machine that slept did not feel the time pass."""
_EVERY = 2**31
_MESSAGE = 300
_ASKER = 80
_MACHINE = 80

# What services make a mention, a link or a tag of. The agent's words are shown, and do nothing. A name of a host is a
# link in a chat without any scheme, and so is many a file's (`README.md`, `app.py`): a word joiner, which has no ink,
# stands behind the full stop. Unicode has four that a name may have.
_HARMLESS = str.maketrans({"<": "‹", ">": "›", "@": "＠", "[": "［", "]": "］", "“": "'", "”": "'"})

_FULL_STOP = re.compile(r"(?<=\w)[.\u3002\uff0e\uff61](?=\w)")


class NotSent(Exception):
    """The message was not sent; the words are safe to show and to keep."""


class NoService(NotSent):
    """It never will be: there is no such service, or what sends is not installed."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Notice:
    """A message to a person, as plain text."""

    title: str
    body: str


class Recipient:
    """One address to send to, one message at a time."""

    def __init__(self, url: str, *, setting: str, number: int, seconds: float = SEND_SECONDS) -> None:
        """Take an apprise URL. Nothing is sent or imported yet.

        Args:
            url: The address, whole.
            setting: Where it stands, `HANDOFFS_NOTIFY`.
            number: Which of that list it is, from 1.
            seconds: How long a message may take.
        """
        self.name = f"{setting} {number} ({inert_line(url.partition('://')[0], 20)})"
        self._url = url
        self._seconds = seconds
        self._turn = anyio.Lock()
        self._service: apprise.Apprise | None = None

    async def send(self, notice: Notice) -> None:
        """Return once the service has taken the message.

        Raises:
            NotSent: It has not, and trying again may help.
            NoService: It can't, ever.
        """
        async with self._turn:
            try:
                with anyio.fail_after(self._seconds):
                    await _in_thread(lambda: self._deliver(notice))
            except TimeoutError:
                raise NotSent(f"no answer within {self._seconds:g} s") from None

    def _deliver(self, notice: Notice) -> None:
        # Imported by the first message: it takes a quarter of a second and 20 MB, and most processes send none.
        try:
            import apprise
        except ImportError:
            from handoffs.extras import command_to_add

            raise NoService(f"the extra notify is not installed: {command_to_add('notify')}") from None
        _silence()
        try:
            if self._service is None:
                # The limit is ours. Apprise's own would move the message to another thread, which the process's end
                # would have to wait for.
                asset = apprise.AppriseAsset(service_timeout=0)
                service = apprise.Apprise.instantiate(self._url, asset=asset)  # pyright: ignore[reportUnknownMemberType]
                if service is None:
                    raise NoService("not an address that apprise understands")
                self._service = apprise.Apprise(service, asset=asset)
            plain = apprise.NotifyFormat.TEXT  # for each service to escape as it must
            sent = self._service.notify(title=notice.title, body=notice.body, body_format=plain)  # pyright: ignore[reportUnknownMemberType]
        except NotSent:
            raise
        except Exception as broken:  # noqa: BLE001 - a service is anybody's code; its words may hold the address
            raise NotSent(f"failed with {type(broken).__name__}") from None
        if not sent:
            raise NotSent("the service can't be reached, or refused it")


async def run(desk: Overview, settings: Mapping[str, Sequence[str]], link: Callable[[str], str] | None) -> None:
    """Tell people, until it is cancelled: those of the settings `notify` and `escalate`."""
    await Notifier(desk, settings["notify"], settings["escalate"], link).run()


class Notifier:
    """Tells people of every open question of a store, at the stages of `core.reminders`."""

    def __init__(
        self,
        desk: Overview,
        urls: Sequence[str],
        escalate: Sequence[str] = (),
        link: Callable[[str], str] | None = None,
        *,
        seconds: float = SEND_SECONDS,
    ) -> None:
        """Tell the people at `urls`, and, when they have not answered after three quarters of the time, at `escalate`.

        Args:
            desk: Whose questions.
            urls: Apprise URLs.
            escalate: More of them.
            link: Returns the page on which a handoff is answered, by its id, for people who are anywhere. It goes
                through other people's services: it must not sign anybody in. None where there is no such page.
            seconds: How long a message may take.
        """
        self._desk = desk
        self._link = link
        told = recipients("HANDOFFS_NOTIFY", urls, seconds=seconds)
        self._recipients = dict.fromkeys(Stage, told) | {
            Stage.ESCALATED: recipients("HANDOFFS_ESCALATE", escalate, seconds=seconds)
        }

    async def run(self) -> None:
        """Tell people, until it is cancelled. A store that can't be used is waited for."""
        async with anyio.create_task_group() as sending:
            while True:
                await self._desk.clock.sleep(_PAUSE_SECONDS)
                try:
                    await self._follow(sending)
                except StoreError:
                    # Whoever has a question to keep says so, in a place where somebody reads it.
                    await self._desk.clock.sleep(_LOOK_SECONDS)

    async def _follow(self, sending: TaskGroup) -> None:
        async with self._desk.watch(None) as watch:
            while True:
                seconds = await self._look(sending)
                with self._desk.clock.limit(seconds):
                    await watch.changed()
                await self._desk.clock.sleep(_PAUSE_SECONDS)

    async def _look(self, sending: TaskGroup) -> float:
        """Send what is due and ours to send; return after how many seconds to look again."""
        now = self._desk.clock.now()
        opened = await self._desk.newest(open_only=True, limit=_EVERY)
        for handoff in reversed(opened):  # who asked first is told of first
            for stage in stages(handoff, now):
                told = self._recipients[stage]
                if told and await self._desk.remind(handoff, channel=NAME, stage=stage):
                    for recipient in told:
                        sending.start_soon(self._tell, recipient, handoff, stage)
        coming = [(at - now).total_seconds() for each in opened if (at := next_due(each, now)) is not None]
        return min([_LOOK_SECONDS, *coming])

    async def _tell(self, recipient: Recipient, handoff: Handoff, stage: Stage) -> None:
        """Send one message, again and again for a while; what goes wrong is in the handoff's log and nowhere else."""
        for pause in (*BACK_OFF, None):
            again = "" if pause is None else f"; again in {pause} s"
            try:
                current = await self._current(handoff)
                if current is None:
                    return
                link = None if self._link is None else self._link(handoff.id)
                notice = notice_of(current, stage, now=self._desk.clock.now(), link=link)
                await recipient.send(notice)
            except NoService as wrong:
                await self._note(handoff, f"{recipient.name}, {stage}: {wrong}")
                return
            except NotSent as wrong:
                await self._note(handoff, f"{recipient.name}, {stage}: {wrong}{again}")
            except Exception as broken:  # noqa: BLE001 - the link is anybody's code; no server may end over a message
                await self._note(handoff, f"{recipient.name}, {stage}: failed with {type(broken).__name__}{again}")
            else:
                return
            if pause is not None:
                await self._desk.clock.sleep(pause)

    async def _current(self, handoff: Handoff) -> Handoff | None:
        """The handoff as it is now; None where nobody needs to be told any more."""
        try:
            handoff = await self._desk.get(handoff.id)
        except NotFound:
            return None
        except StoreError:
            pass  # it was open a moment ago, and may be in the next
        return handoff if handoff.state is State.OPEN else None

    async def _note(self, handoff: Handoff, reason: str) -> None:
        with suppress(HandoffError):  # without a store there is no log
            await self._desk.not_shown(handoff, channel=NAME, reason=reason)


def recipients(setting: str, urls: Sequence[str], *, seconds: float = SEND_SECONDS) -> tuple[Recipient, ...]:
    """Return whom the URLs of a setting reach."""
    return tuple(
        Recipient(url, setting=setting, number=number, seconds=seconds) for number, url in enumerate(urls, start=1)
    )


def notice_of(handoff: Handoff, stage: Stage, *, now: datetime, link: str | None) -> Notice:
    """Return what a person is told of a handoff: who asks, what, how long it stays open, and where to answer.

    Without a link it names the machine that it is answered on.

    What the agent wrote is one line between quotation marks, cut to 300 characters, in which nothing is a link, a
    mention or a tag.
    """
    asker = _harmless(asker_of(handoff.caller), _ASKER) or "an agent"
    does = "stopped, and leaves this to you" if handoff.question.breakout_of_loop else "asks you"
    opening = {
        Stage.OPENED: "",
        Stage.HALF: "Still open: ",
        Stage.ESCALATED: "Nobody has answered yet: ",
        Stage.LAST: "Last reminder: ",
    }[stage]
    left = left_in_words(handoff.question.deadline - now)
    # A secret is typed into the inbox and nowhere else.
    command = "handoffs inbox" if handoff.question.form.secret else f"handoffs answer {handoff.id}"
    machine = _harmless(socket.gethostname(), _MACHINE) or "its machine"
    where = f"Answer: {link}" if link else f"Answer on {machine}: {command}"
    title = f"{opening}{asker} {does}"
    return Notice(
        title=title[0].upper() + title[1:] if title.startswith("an agent") else title,
        body=f"“{_harmless(handoff.question.message, _MESSAGE)}”\n\n"
        f"Open for another {left}, until {stamp(handoff.question.deadline)}.\n{where}",
    )


def _harmless(text: str, width: int) -> str:
    return _FULL_STOP.sub("\\g<0>\u2060", inert_line(text, width).translate(_HARMLESS).replace("://", "∶//"))


async def _in_thread(work: Callable[[], None]) -> None:
    """Return when `work` is done in a thread of its own; cancelled, leave it behind.

    Not anyio's threads: the process would not end before they do, and a service that hangs must hold nobody up.
    """
    loop = asyncio.get_running_loop()
    done: asyncio.Future[None] = loop.create_future()

    def tell(wrong: NotSent | None) -> None:
        if done.done():
            return  # nobody waits any more
        if wrong is None:
            done.set_result(None)
        else:
            done.set_exception(wrong)

    def run() -> None:
        wrong: NotSent | None = None
        try:
            work()
        except NotSent as error:
            wrong = error
        with suppress(RuntimeError):  # the loop has ended meanwhile
            loop.call_soon_threadsafe(tell, wrong)

    threading.Thread(target=run, name="handoffs: notify", daemon=True).start()
    await done


def _silence() -> None:
    """Let what sends write no log: it names addresses, and paths with tokens in them, at every level."""
    for name in ("apprise", "urllib3.connectionpool", "urllib3.connection", "urllib3.util.retry"):
        logging.getLogger(name).disabled = True
