"""E-mail: a message of the installation's mailbox to a person's own address, answered by a reply.

The mailbox is a setting; the address is the person's. They show that it is theirs by a message from it with a code that
the page has told them, so nothing is ever sent to an address of somebody else. A reply counts where the mailbox's own
server vouches for its sender (`mailbox.authenticity`), it is the address of the person, and it has the code of the
message that it replies to. All else is told nothing: an answer to a forged sender would reach a stranger.
"""

import json
import re
import secrets
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial

import anyio.to_thread

from handoffs.channels.chats.codes import digest_of
from handoffs.channels.chats.replies import items, parsed, text
from handoffs.channels.chats.service import ChatRefused, Config, Kind, Limits, Note, NotSent, Press, Service, Setting
from handoffs.channels.mailbox.imap import Imap, reading
from handoffs.channels.mailbox.incoming import MOST_BYTES, Head, head_of, said_in
from handoffs.channels.mailbox.outgoing import Thread, code_of, message_to, name_of_other, name_of_question
from handoffs.channels.mailbox.servers import Mailbox, is_address, mailbox_of
from handoffs.channels.mailbox.smtp import Outbox
from handoffs.clock import SystemClock
from handoffs.core.sentences import Moment, say
from handoffs.languages.tags import ENGLISH

NAME = "email"

TOO_LONG = say("Your reply is too long to be read whole. Write it without what it quotes, or answer in the inbox.")

_NOBODY = "-"
_HOUR = 3600.0
_MOST_REMEMBERED = 1_000
_CONFIRM = re.compile(r"confirm-[a-z2-7]{16}")
_LETTERS = "abcdefghijklmnopqrstuvwxyz234567"
_POSITION = re.compile(r"([0-9a-f]{12})\.(\d{1,10})\.(\d{1,10})")


@dataclass(frozen=True, kw_only=True, slots=True)
class Pace:
    """How long is waited."""

    idle: float = 300.0
    """For how long a connection may say nothing before it is asked whether it is still there."""
    poll: float = 30.0
    """How often a server is asked that can't say by itself that something came."""
    step: float = 30.0
    """How long a server may take for one step."""
    confirm: timedelta = timedelta(hours=1)
    """How long the code lasts by which a person shows that an address is theirs."""
    words: int = 20
    """The most replies to one person in an hour: no two programs write to each other for long."""


class _Mail:
    """One mailbox, for all people whose addresses write to it."""

    def __init__(self, mailbox: Mailbox, configs: Sequence[Config], pace: Pace) -> None:
        self._mailbox, self._configs, self._pace, self._clock = mailbox, configs, pace, SystemClock()
        self._outbox = Outbox(mailbox, seconds=pace.step)
        self._subjects: dict[str, str] = {}  # of what was sent, by its name
        self._responded: dict[str, str] = {}  # what was replied, by what it was to
        self._words: dict[str, list[float]] = {}

    async def send(self, config: Config, note: Note, *, key: str) -> str:
        code = code_of(config["secret"], key)
        _remember(self._subjects, key, note.title)
        # What takes no reply has a code, too: then a reply to it is told so.
        name = name_of_question(code, self._mailbox)
        shown = code if note.reply else ""
        await self._post(config, note.title, note.body, name=name, code=shown, language=note.language)
        return digest_of(code)

    async def change(self, config: Config, note: Note, *, key: str, ref: str) -> None:
        """Say it in the thread: what was sent can't be changed."""
        first = name_of_question(code_of(config["secret"], key), self._mailbox)
        before = self._subjects.get(key)
        body = "\n\n".join((note.title, note.body))
        await self._post(
            config,
            note.title if before is None else f"Re: {before}",
            body,
            name=name_of_other(config["secret"], f"{key} {body}", self._mailbox),
            thread=Thread(before=first),
        )

    async def respond(self, config: Config, press: Press, words: str) -> None:
        now = anyio.current_time()
        said = [at for at in self._words.get(config["user"], ()) if now - at < _HOUR]
        if press.event in self._responded:
            return  # it was delivered twice
        if len(said) >= self._pace.words:
            raise NotSent("so many replies were sent within an hour")
        self._words[config["user"]] = [*said, now]
        _remember(self._responded, press.event, words)
        handle = parsed(press.handle)
        subject = re.sub(r"(?i)^(?:re:\s*)+", "", text(handle, "subject") or "") or "Handoffs"
        references = tuple(each for each in items(handle.get("references")) if isinstance(each, str))
        name = name_of_other(config["secret"], f"{press.event} {words}", self._mailbox)
        thread = Thread(before=text(handle, "before") or "", all=references)
        await self._post(config, f"Re: {subject}", words, name=name, thread=thread, replied=True)

    async def presses(self, position: str) -> AsyncIterator[Press | None]:
        async with reading(self._mailbox.imap, seconds=self._pace.step) as imap:
            uids, last = await self._begin(imap, position)
            yield None
            while True:
                for uid in uids:
                    last = max(last, uid)
                    yield await self._press(imap, uid)
                    # It was dealt with: for who opens the mailbox, and where its names change.
                    with suppress(NotSent):
                        await imap.see(uid)
                if not uids:
                    await imap.wait(idle=self._pace.idle, poll=self._pace.poll)
                uids = await imap.after(last)

    async def _begin(self, imap: Imap, position: str) -> tuple[list[int], int]:
        """Return what came since a position, and the name of the last that was read."""
        found = _POSITION.fullmatch(position)
        if found is not None and found[1] == self._mailbox.name and int(found[2]) == imap.validity:
            return await imap.after(int(found[3])), int(found[3])
        # The first time, or the server has named all messages anew: what nobody has seen, of the last days.
        since = self._clock.now() - (timedelta(days=1) if found is None else timedelta(days=7))
        return await imap.unseen_since(since.date()), 0

    async def _press(self, imap: Imap, uid: int) -> Press:
        position = f"{self._mailbox.name}.{imap.validity}.{uid}"
        nothing = Press(event=position, position=position, sender=_NOBODY)
        fetched = await imap.fetch(uid, MOST_BYTES)
        if fetched is None:
            return nothing
        cut = fetched.size > len(fetched.raw)
        try:
            return await anyio.to_thread.run_sync(self._read, fetched.raw, cut, nothing)
        except Exception:  # noqa: BLE001 - anybody can send what no library can read: it counts for nothing
            return nothing

    def _read(self, raw: bytes, cut: bool, nothing: Press) -> Press:
        head = head_of(raw, self._mailbox)
        own = [each for each in self._configs if each["address"].lower() == head.sender]
        if not own or head.by_machine:
            return nothing
        if not head.authentic:
            words = f"{self._mailbox.authserv} does not say that it is authentic"
            return Press(
                event=nothing.event,
                position=nothing.position,
                sender=_NOBODY,
                of=own[0],
                problem=f"A message from your address did not count: {words}",
            )
        said = said_in(raw, head, self._mailbox, cut=cut)
        confirming = _CONFIRM.search(f"{head.subject}\n{said.text}")
        if confirming is not None and not said.code:
            return self._confirmed(confirming[0], own, head, nothing)
        if not any(each["user"] for each in own):
            return nothing
        return Press(
            event=head.name,
            position=nothing.position,
            sender=head.sender,
            text=said.text,
            ref=digest_of(said.code) if said.code else "",
            refused=TOO_LONG if said.cut else "",
            handle=_handle(head),
        )

    def _confirmed(self, code: str, own: Sequence[Config], head: Head, nothing: Press) -> Press:
        """Return that an address was shown to be a person's; nothing where the code is of no use any more."""
        taken = any(each["user"] for each in self._configs if each["address"].lower() == head.sender)
        for config in own:
            if config["pair"] and secrets.compare_digest(config["pair"], code):
                late = self._clock.now() >= datetime.fromisoformat(config["until"])
                if late or taken:
                    why = "The code has expired" if late else "This address is set up already"
                    problem = f"{why}: remove this, and add it again" if late else why
                    return Press(event=head.name, position=nothing.position, sender=_NOBODY, of=config, problem=problem)
                paired = {**config, "pair": "", "until": "", "user": head.sender}
                return Press(
                    event=head.name,
                    position=nothing.position,
                    sender=head.sender,
                    code=code,
                    paired=paired,
                    handle=_handle(head),
                )
        return nothing

    async def _post(
        self,
        config: Config,
        subject: str,
        body: str,
        *,
        name: str,
        thread: Thread | None = None,
        replied: bool = False,
        code: str = "",
        language: str = ENGLISH,
    ) -> None:
        message = message_to(
            config["user"],
            self._mailbox,
            name=name,
            subject=subject,
            body=body,
            at=self._clock.now(),
            thread=thread,
            replied=replied,
            code=code,
            language=language,
        )
        await self._outbox.send(message)


def _handle(head: Head) -> str:
    return json.dumps(
        {"before": head.message_id, "references": [*reversed(head.references)], "subject": head.subject[:200]}
    )


def _remember(memory: dict[str, str], name: str, value: str) -> None:
    memory[name] = value
    while len(memory) > _MOST_REMEMBERED:
        del memory[next(iter(memory))]


def _written(mailbox: Mailbox, pace: Pace, written: Config) -> Config:
    address = written["address"].removeprefix("mailto:")
    if not is_address(address):
        raise ChatRefused(say("Write your e-mail address like this: {example}.", example="ada@example.org"))
    if address.lower() == mailbox.address.lower():
        raise ChatRefused(say("This is the address that the questions come from: write your own."))
    until = SystemClock().now() + pace.confirm
    return {
        "address": address,
        "user": "",
        "secret": secrets.token_hex(16),
        "pair": "confirm-" + "".join(secrets.choice(_LETTERS) for _ in range(16)),
        "until": until.isoformat(),
    }


def _hint(config: Config) -> str:
    return config["address"] if config["user"] else f"{config['address']}, not confirmed yet"


def _next(mailbox: Mailbox, config: Config) -> str:
    if config["user"]:
        return ""
    return say(
        "Now send a message from {own} to {mailbox} with the subject {code} It works once, until {time}.",
        own=config["address"],
        mailbox=mailbox.address,
        code=config["pair"],
        time=Moment(datetime.fromisoformat(config["until"])),
    )


@asynccontextmanager
async def _opened(mailbox: Mailbox, pace: Pace, configs: Sequence[Config]) -> AsyncGenerator[Service]:
    yield _Mail(mailbox, configs, pace)


def kind_of(settings: Mapping[str, object], *, pace: Pace | None = None) -> Kind | None:
    """Return the channel over the mailbox that the settings name; None where they name none."""
    mailbox = mailbox_of(settings)
    if mailbox is None:
        return None
    used = pace or Pace()
    return Kind(
        name=NAME,
        title=say("E-mail"),
        about=say(
            "Questions come from {mailbox}; a reply answers. First you show that the address is yours.",
            mailbox=mailbox.address,
        ),
        settings=(Setting(name="address", title=say("Your e-mail address")),),
        limits=Limits(text=100_000, buttons=0, label=60, replies=True, by_reply=True),
        read=partial(_written, mailbox, used),
        hint=_hint,
        account=lambda _: NAME,
        sender=lambda config: config["user"],
        open=partial(_opened, mailbox, used),
        ready=lambda config: bool(config["user"]),
        next=partial(_next, mailbox),
    )
