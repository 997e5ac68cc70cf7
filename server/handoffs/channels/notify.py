"""Notifications: a message to each address of a person when a question waits, and before its deadline.

`core.reminders` says when. The log decides who: the process that records a stage first sends it, and no other process
does, also after a restart. If that process is killed, its messages are not sent again; the next stage is. Apprise sends
them, to a hundred services. It blocks, so each message gets a thread, for `SEND_SECONDS` at most.

An address holds passwords and tokens. It is named only by its setting, number and scheme.
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
"""The channel's name in the log."""

SEND_SECONDS = 30
"""How long one message may take; after that it counts as not sent."""

BACK_OFF = (10, 40, 160, 640)
"""Seconds before each further try of a message that was not sent. After them, only the next stage is sent."""

PAUSE_SECONDS = 1
"""The least time between two looks at the open questions, and before the first: the server's start comes first."""
_LOOK_SECONDS = 60
"""The most time between two looks: a machine that slept did not notice the time pass."""
_EVERY = 2**31
_MESSAGE = 300
_ASKER = 80
_MACHINE = 80

# Characters that services turn into mentions, links or tags. The agent's words are shown, without effect. A host name
# is a link in a chat even without a scheme, and so are many file names (`README.md`, `app.py`): a word joiner, which
# has no ink, is put behind the full stop. Unicode has four full stops that a name may have.
_HARMLESS = str.maketrans({"<": "‹", ">": "›", "@": "＠", "[": "［", "]": "］", "“": "'", "”": "'"})

_FULL_STOP = re.compile(r"(?<=\w)[.\u3002\uff0e\uff61](?=\w)")


class NotSent(Exception):
    """The message was not sent. The text is safe to show and to log."""


class NoService(NotSent):
    """The message can never be sent: the service does not exist, or apprise is not installed."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Notice:
    """A message to a person, as plain text."""

    title: str
    body: str


class Recipient:
    """One address, which is sent one message at a time."""

    def __init__(self, url: str, *, setting: str, number: int, seconds: float = SEND_SECONDS) -> None:
        """Take an apprise URL. Nothing is sent or imported yet.

        Args:
            url: The address.
            setting: The setting that holds it, `HANDOFFS_NOTIFY`.
            number: Its position in that setting, from 1.
            seconds: How long a message may take.
        """
        self.name = f"{setting} {number} ({inert_line(url.partition('://')[0], 20)})"
        self._url = url
        self._seconds = seconds
        self._turn = anyio.Lock()
        self._service: apprise.Apprise | None = None

    async def send(self, notice: Notice) -> None:
        """Send a message; return once the service has accepted it.

        Raises:
            NotSent: It was not accepted. Trying again may help.
            NoService: It can never be sent.
        """
        async with self._turn:
            try:
                with anyio.fail_after(self._seconds):
                    await _in_thread(lambda: self._deliver(notice))
            except TimeoutError:
                raise NotSent(f"no answer within {self._seconds:g} s") from None

    def _deliver(self, notice: Notice) -> None:
        # Imported for the first message: it takes a quarter of a second and 20 MB, and most processes send none.
        try:
            import apprise
        except ImportError:
            from handoffs.extras import command_to_add

            raise NoService(f"the extra notify is not installed: {command_to_add('notify')}") from None
        _silence()
        try:
            if self._service is None:
                # The limit is ours. Apprise's own would use another thread, which the process would have to wait for at
                # its end.
                asset = apprise.AppriseAsset(service_timeout=0)
                service = apprise.Apprise.instantiate(self._url, asset=asset)  # pyright: ignore[reportUnknownMemberType]
                if service is None:
                    raise NoService("not an address that apprise understands")
                self._service = apprise.Apprise(service, asset=asset)
            plain = apprise.NotifyFormat.TEXT  # each service escapes it as needed
            sent = self._service.notify(title=notice.title, body=notice.body, body_format=plain)  # pyright: ignore[reportUnknownMemberType]
        except NotSent:
            raise
        except Exception as broken:  # noqa: BLE001 - services are third-party code; their errors may hold the address
            raise NotSent(f"failed with {type(broken).__name__}") from None
        if not sent:
            raise NotSent("the service can't be reached, or refused it")


async def run(desk: Overview, settings: Mapping[str, Sequence[str]], link: Callable[[str], str] | None) -> None:
    """Notify the people of the settings `notify` and `escalate`, until cancelled."""
    await Notifier(desk, settings["notify"], settings["escalate"], link).run()


class Notifier:
    """Notifies people of all open questions of a store, at the stages of `core.reminders`."""

    def __init__(
        self,
        desk: Overview,
        urls: Sequence[str],
        escalate: Sequence[str] = (),
        link: Callable[[str], str] | None = None,
        *,
        seconds: float = SEND_SECONDS,
    ) -> None:
        """Notify the people at `urls`, and those at `escalate` after three quarters of the time without an answer.

        Args:
            desk: The desk with the questions.
            urls: Apprise URLs.
            escalate: More of them.
            link: Returns the page on which a handoff is answered, by its id, reachable for these people. The link
                passes through other services: it must not sign anyone in. None if there is no such page.
            seconds: How long a message may take.
        """
        self._desk = desk
        self._link = link
        told = recipients("HANDOFFS_NOTIFY", urls, seconds=seconds)
        self._recipients = dict.fromkeys(Stage, told) | {
            Stage.ESCALATED: recipients("HANDOFFS_ESCALATE", escalate, seconds=seconds)
        }

    async def run(self) -> None:
        """Notify people, until cancelled. If the store can't be used, wait for it."""
        async with anyio.create_task_group() as sending:
            while True:
                await self._desk.clock.sleep(PAUSE_SECONDS)
                try:
                    await self._follow(sending)
                except StoreError:
                    # The callers whose questions can't be stored report this, where people read it.
                    await self._desk.clock.sleep(_LOOK_SECONDS)

    async def _follow(self, sending: TaskGroup) -> None:
        async with self._desk.watch(None) as watch:
            while True:
                seconds = await self._look(sending)
                with self._desk.clock.limit(seconds):
                    await watch.changed()
                await self._desk.clock.sleep(PAUSE_SECONDS)

    async def _look(self, sending: TaskGroup) -> float:
        """Send the due stages that this process claims; return the seconds until the next look."""
        now = self._desk.clock.now()
        opened = await self._desk.newest(open_only=True, limit=_EVERY)
        for handoff in reversed(opened):  # oldest first
            for stage in stages(handoff, now):
                told = self._recipients[stage]
                if told and await self._desk.remind(handoff, channel=NAME, stage=stage):
                    for recipient in told:
                        sending.start_soon(self._tell, recipient, handoff, stage)
        coming = [(at - now).total_seconds() for each in opened if (at := next_due(each, now)) is not None]
        return min([_LOOK_SECONDS, *coming])

    async def _tell(self, recipient: Recipient, handoff: Handoff, stage: Stage) -> None:
        """Send one message, with several tries. Errors go only to the handoff's log."""
        for pause in (*BACK_OFF, None):
            again = "" if pause is None else f"; again in {pause} s"
            try:
                current = await self._current(handoff)
                if current is None:
                    return
                link = None if self._link is None else self._link(handoff.id)
                log = await self._log_head()
                notice = notice_of(current, stage, now=self._desk.clock.now(), link=link, log=log)
                await recipient.send(notice)
            except NoService as wrong:
                await self._note(handoff, f"{recipient.name}, {stage}: {wrong}")
                return
            except NotSent as wrong:
                await self._note(handoff, f"{recipient.name}, {stage}: {wrong}{again}")
            except Exception as broken:  # noqa: BLE001 - the link is the caller's code; no server may end over a message
                await self._note(handoff, f"{recipient.name}, {stage}: failed with {type(broken).__name__}{again}")
            else:
                return
            if pause is not None:
                await self._desk.clock.sleep(pause)

    async def _current(self, handoff: Handoff) -> Handoff | None:
        """Return the handoff as it is now; None if people need not be told any more."""
        try:
            handoff = await self._desk.get(handoff.id)
        except NotFound:
            return None
        except StoreError:
            pass  # it was open a moment ago, and may be in the next
        return handoff if handoff.state is State.OPEN else None

    async def _log_head(self) -> str:
        try:
            return await self._desk.log_head()
        except Exception:  # noqa: BLE001 - a question must reach people, whatever is wrong with the log
            return ""

    async def _note(self, handoff: Handoff, reason: str) -> None:
        with suppress(HandoffError):  # without a store there is no log
            await self._desk.not_shown(handoff, channel=NAME, reason=reason)


def recipients(setting: str, urls: Sequence[str], *, seconds: float = SEND_SECONDS) -> tuple[Recipient, ...]:
    """Return the recipients of a setting's URLs."""
    return tuple(
        Recipient(url, setting=setting, number=number, seconds=seconds) for number, url in enumerate(urls, start=1)
    )


def notice_of(handoff: Handoff, stage: Stage, *, now: datetime, link: str | None, log: str = "") -> Notice:
    """Return the message about a handoff: who asks, what, how long it stays open, and where to answer.

    `log` is the head of the verifiable log: whoever keeps the message can find out if the log is written anew.

    Without a link, it names the machine on which it can be answered.

    The agent's words are one line in quotation marks, cut to 300 characters, without working links, mentions or
    tags.
    """
    theirs = handoff.question.deciders is not None and handoff.question.deciders.visible == "theirs"
    asker = ("" if theirs else _harmless(asker_of(handoff.caller), _ASKER)) or "an agent"
    does = "stopped, and leaves this to you" if handoff.question.breakout_of_loop else "asks you"
    opening = {
        Stage.OPENED: "",
        Stage.HALF: "Still open: ",
        Stage.ESCALATED: "Nobody has answered yet: ",
        Stage.LAST: "Last reminder: ",
    }[stage]
    # An address may be read by more people than those who decide.
    shown = "Only those who decide may read it." if theirs else f"“{_harmless(_words(handoff), _MESSAGE)}”"
    left = left_in_words(handoff.question.deadline - now)
    # A secret can only be typed into the inbox.
    command = "handoffs inbox" if handoff.question.form.secret else f"handoffs answer {handoff.id}"
    machine = _harmless(socket.gethostname(), _MACHINE) or "its machine"
    where = f"Answer: {link}" if link else f"Answer on {machine}: {command}"
    title = f"{opening}{asker} {does}"
    return Notice(
        title=title[0].upper() + title[1:] if title.startswith("an agent") else title,
        body=f"{shown}\n\n{_whose(handoff)}Open for another {left}, until {stamp(handoff.question.deadline)}.\n{where}"
        + (f"\nLog: {log}" if log else ""),
    )


def _whose(handoff: Handoff) -> str:
    deciders = handoff.question.deciders
    if deciders is None:
        return ""
    from handoffs.core.standing import votes_needed, who_decides  # only for a question with a rule

    return f"{_harmless(f'It is {who_decides(deciders)}; {votes_needed(deciders, handoff.votes)}.', _MESSAGE)}\n"


def _words(handoff: Handoff) -> str:
    """Return what a message says of a question: of an action no argument, since any of them may be a secret."""
    message = handoff.question.message
    return message if handoff.question.action is None else message.partition("\n")[0]


def _harmless(text: str, width: int) -> str:
    return _FULL_STOP.sub("\\g<0>\u2060", inert_line(text, width).translate(_HARMLESS).replace("://", "∶//"))


async def _in_thread(work: Callable[[], None]) -> None:
    """Run `work` in a thread of its own, and return when it is done. If cancelled, the thread is left behind.

    Not anyio's threads: the process would wait for them at its end, also for a service that hangs.
    """
    loop = asyncio.get_running_loop()
    done: asyncio.Future[None] = loop.create_future()

    def tell(wrong: NotSent | None) -> None:
        if done.done():
            return  # no caller waits any more
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
    """Turn off the logs of apprise: they hold addresses, and paths with tokens, at every level."""
    for name in ("apprise", "urllib3.connectionpool", "urllib3.connection", "urllib3.util.retry"):
        logging.getLogger(name).disabled = True
