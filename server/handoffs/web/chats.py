"""A person's own channels on their page: set up, tried, turned off and on, removed."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from handoffs.channels.chats.quiet import EXAMPLE
from handoffs.channels.chats.service import ChatRefused, Config, Kind
from handoffs.channels.chats.setup import Setup
from handoffs.channels.vapid import public_key
from handoffs.core.chat import Chat
from handoffs.core.people import People
from handoffs.core.sentences import say
from handoffs.languages.tags import LANGUAGES
from handoffs.web.guard import signed_in_person
from handoffs.web.languages.words import language
from handoffs.web.receiving import Unreadable, posted_form

NOBODY = say("Sign in as a person first. Nothing was recorded.")


class Page(Protocol):
    """Renders the person's page."""

    async def __call__(self, request: Request, *, status: int = 200, said: str = "", wrong: str = "") -> Response:
        """Return the page, with what was done or why it was not."""
        ...


@dataclass(frozen=True, kw_only=True, slots=True)
class ShownChats:
    """What the page shows."""

    chats: Sequence[tuple[Chat, Kind | None]]
    kinds: Sequence[Kind]
    browser: Kind | None = None
    """The channel that is the browser itself, where there is one."""
    server_key: str = ""
    """The key by which browsers know this inbox; empty where none can be kept."""
    quiet: str = EXAMPLE
    speaking: Mapping[str, str]
    """The language of each chat whose messages are in another one than the page, in its own name, by the chat's id."""
    language: str
    """The language of the page, in its own name."""


class OwnChats:
    """Lets people set up where they are told of questions."""

    def __init__(self, setup: Setup, people: People, show: Callable[..., Awaitable[Response]], *, local: str) -> None:
        """Take the parts. Where the store has no people, the user of this machine, `local`, is the only one."""
        self._setup, self._people, self._show, self._local = setup, people, show, local

    def routes(self, page: Page) -> list[Route]:
        """Return the addresses."""

        async def add(request: Request) -> Response:
            form = {name: "".join(values) for name, values in (await posted_form(request)).items()}
            person = await self._of(request)
            try:
                added, told = await self._setup.add(
                    person, form.get("channel", ""), form, quiet=form.get("quiet", ""), language=language()
                )
            except ChatRefused as refused:
                return await page(request, status=422, wrong=str(refused))
            return await page(request, said=_set_up(self._setup.kinds[added.channel].title, told))

        async def test(request: Request) -> Response:
            return await done(request, lambda person, chat, _: self._setup.test(person, chat))

        async def turn_off(request: Request) -> Response:
            return await done(request, lambda person, chat, _: self._turned(person, chat, on=False))

        async def turn_on(request: Request) -> Response:
            return await done(request, lambda person, chat, _: self._turned(person, chat, on=True))

        async def remove(request: Request) -> Response:
            return await done(request, lambda person, chat, _: self._removed(person, chat))

        async def hush(request: Request) -> Response:
            return await done(request, self._hushed)

        async def speak(request: Request) -> Response:
            return await done(request, lambda person, chat, _: self._spoken(person, chat))

        async def done(request: Request, do: Callable[[str, str, str], Awaitable[str]]) -> Response:
            quiet = "".join((await posted_form(request)).get("quiet", ()))
            person = await self._of(request)
            try:
                said = await do(person, str(request.path_params["id"]), quiet)
            except ChatRefused as refused:
                return await page(request, status=422, wrong=str(refused))
            return await page(request, said=said)

        async def back(request: Request) -> Response:
            return RedirectResponse("/you", 303)

        acts = {"test": test, "off": turn_off, "on": turn_on, "remove": remove, "quiet": hush, "language": speak}
        return [
            Route("/you/chats", add, methods=["POST"]),
            *(Route(f"/you/chats/{{id}}/{name}", act, methods=["POST"]) for name, act in acts.items()),
            Route("/you/chats", back, methods=["GET"]),
            *(Route(f"/you/chats/{{id}}/{name}", back, methods=["GET"]) for name in acts),
        ]

    async def shown(self, request: Request) -> ShownChats | None:
        """Return what the page shows; None for somebody who has none here."""
        person = await self.person(request)
        if person is None:
            return None
        kinds = self._setup.kinds
        chats = [(each, kinds.get(each.channel)) for each in await self._setup.of(person)]
        tags = [(each, await self._setup.tag_of(each)) for each, _ in chats]
        browser = next((each for each in kinds.values() if each.browser), None)
        own: Config = {} if browser is None else await self._setup.browser()
        return ShownChats(
            chats=chats,
            kinds=[each for each in kinds.values() if not each.browser],
            browser=browser,
            server_key=public_key(own["vapid"]) if own else "",
            speaking={each.id: LANGUAGES[tag] for each, tag in tags if tag != language()},
            language=LANGUAGES[language()],
        )

    async def person(self, request: Request) -> str | None:
        """Return whose chats these are: a person's, or those of the only user there is; None for nobody's."""
        signed_in = signed_in_person(request)
        if signed_in is not None:
            return signed_in.person
        if getattr(request.state, "by", None) is not None:
            return None  # somebody whom a proxy or a provider names, and who is none of the people
        people = await self._people.directory()
        return None if any(each.present for each in people.people.values()) else self._local

    async def _of(self, request: Request) -> str:
        person = await self.person(request)
        if person is None:
            raise Unreadable(403, NOBODY)
        return person

    async def _turned(self, person: str, chat: str, *, on: bool) -> str:
        await self._setup.turn(person, chat, on=on, language=language())
        return say("It is on.") if on else say("It is off: you are told nothing there, and its buttons do nothing.")

    async def _removed(self, person: str, chat: str) -> str:
        await self._setup.remove(person, chat)
        return say("It is removed. What stands there stays, and its buttons do nothing.")

    async def _spoken(self, person: str, chat: str) -> str:
        await self._setup.speak(person, chat, language())
        return say("Its messages are in {language} from now on.", language=LANGUAGES[language()])

    async def _hushed(self, person: str, chat: str, quiet: str) -> str:
        await self._setup.hush(person, chat, quiet, language=language())
        return say("The quiet hours are set.") if quiet.strip() else say("There are no quiet hours.")


def _set_up(channel: str, told: str) -> str:
    done = say("{channel} is set up.", channel=channel)
    return say("{one} {other}", one=done, other=told) if told else done
