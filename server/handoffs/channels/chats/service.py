"""What a channel of people's own is made of: how it is set up, what it sends, and what comes back.

Nothing here or behind it may stand in a log: addresses are secrets, and so are codes.
"""

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Protocol, TypeAlias

from handoffs.core.sentences import say
from handoffs.languages.catalogue import Catalogue, catalogue_of
from handoffs.languages.tags import ENGLISH, LANGUAGES

Config: TypeAlias = Mapping[str, str]
"""Address and tokens of one chat, by the names of `Kind.settings`; and the tag of its language, by `LANGUAGE`."""

LANGUAGE = "language"
OPEN_INBOX = say("Open the inbox")


def tag_of(config: Config) -> str:
    """Return the tag of the language in which a chat is told; English where it has none that is known."""
    tag = config.get(LANGUAGE, ENGLISH)
    return tag if tag in LANGUAGES else ENGLISH


async def language_of(config: Config) -> Catalogue | None:
    """Return the language in which a chat is told; None for English."""
    return await catalogue_of(tag_of(config))


NO_FILES = "Only text is an answer here: give files, pictures and voice messages in the inbox. Nothing was recorded."
"""What is told to who sends anything else."""


class ChatRefused(Exception):
    """What a person wrote can't be used. The words are for them, and hold no secret."""


class NotSent(Exception):
    """A service did not take or give what was wanted. The words are safe to show and to keep."""

    def __init__(self, words: str, *, after: float = 0) -> None:
        """Take the words, and the seconds that the service wants to be left alone."""
        super().__init__(words)
        self.after = after


class Gone(NotSent):
    """The address is no more, and comes never back: the chat is forgotten."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Setting:
    """One thing that a person writes to set a chat up."""

    name: str
    title: str
    hint: str = ""
    secret: bool = False
    optional: bool = False
    default: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Limits:
    """What a message of a service holds at most."""

    text: int
    """Bytes of text, in UTF-8."""
    buttons: int
    label: int
    """Characters on a button."""
    replies: bool = False
    """Whether a person can reply to a message with text."""
    lines: int = 0
    """How many lines of 40 characters are surely seen: what is longer has no buttons. 0 where all of a text is seen."""
    by_reply: bool = False
    """A reply names one of the choices, or is the text: there are no buttons, and what was sent can't be changed."""
    brief: bool = False
    """The message opens its page itself: it does not say how it is answered, and has no address in its text."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Button:
    """A button, and the code that it sends."""

    label: str
    code: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Note:
    """A message, as plain text."""

    title: str
    body: str
    buttons: Sequence[Button] = ()
    link: str = ""
    """A page of the inbox. It signs nobody in."""
    reply: bool = False
    """Whether a reply with text answers it."""
    silent: bool = False
    """It says that something has ended, and makes no sound."""
    over: bool = False
    """Nothing that it is about waits any more."""
    language: str = ENGLISH
    """The tag of what we say in it."""
    open: str = OPEN_INBOX
    """What the button says that opens `link`, in this language."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Press:
    """What came back: a button that was pressed, or a text."""

    event: str
    """The service's name of it: the same for one that is delivered again."""
    position: str
    """How far it was read once this is done."""
    sender: str = ""
    """Who sent it, as the service knows them; see `Kind.sender`."""
    code: str = ""
    text: str = ""
    ref: str = ""
    """The message that it is about, by the service's name of it."""
    handle: str = ""
    """What the service wants back with the reply to it."""
    refused: str = ""
    """Why it can't be an answer, for who sent it."""
    problem: str = ""
    """What the page of the person says from now on, where this did not count; see `of`."""
    of: Config | None = None
    """The address of the chat that has the problem."""
    paired: Config | None = None
    """What the address is from now on of the chat whose code this is: the person has shown that it is theirs."""


class Service(Protocol):
    """A connection to a service, for all chats of one account. Every method raises NotSent."""

    async def send(self, config: Config, note: Note, *, key: str) -> str:
        """Send a message, in place of the one of this key where the service can; return its name for it."""
        ...

    async def change(self, config: Config, note: Note, *, key: str, ref: str) -> None:
        """Let the message say this from now on, and take its buttons away; once is as good as twice."""
        ...

    def presses(self, position: str) -> AsyncIterator[Press | None]:
        """Yield what comes back from a position on, without end; an empty position is the first time.

        None says that the service can be read now.
        """
        ...

    async def respond(self, config: Config, press: Press, words: str) -> None:
        """Tell the person who pressed what became of it."""
        ...


Open: TypeAlias = Callable[[Sequence[Config]], AbstractAsyncContextManager[Service]]


@dataclass(frozen=True, kw_only=True)
class Kind:
    """A channel of people's own."""

    name: str
    """Its name in the table of channels."""
    title: str
    about: str
    """What a person does to set it up."""
    settings: tuple[Setting, ...]
    limits: Limits
    read: Callable[[Config], Config]
    """Returns what a person wrote, complete and checked. Raises ChatRefused."""
    hint: Callable[[Config], str]
    """Returns what a page shows in place of the address."""
    account: Callable[[Config], str]
    """Returns what is read by one program at a time, without a secret; empty where that is the chat itself."""
    sender: Callable[[Config], str]
    """Returns who may answer, as the service knows them."""
    open: Open
    """Opens the service of one account. What it needs is imported here."""
    keyed: bool = False
    """Whether a message can be replaced by its key alone, also where it is not known to have been sent."""
    ready: Callable[[Config], bool] = lambda _: True
    """Whether the address is known, and shown to be the person's."""
    next: Callable[[Config], str] = lambda _: ""
    """Returns what the person has to do before it works; empty for nothing."""
    browser: bool = False
    """Whether the address is a browser that has the inbox open: its page writes it, and its links have no host.

    One browser tells one person, the last who set it up there.
    """
