"""The buttons of the notifications that are pushed to browsers.

A press comes from the service worker, which may run long after the person's session has ended. So it is taken exactly
as a press in a chat is: its code is the proof. It was sent to one browser, encrypted; it is for one answer of one
person to one question as it was shown, ends with the question, and works once. The guard has checked that the inbox's
own origin sends it, and it is JSON, which no form of another site can send.
"""

import re

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from handoffs.channels.chats.codes import digest_of, is_code
from handoffs.channels.chats.pressed import UNKNOWN, Presses, Taken
from handoffs.channels.chats.service import Press
from handoffs.channels.chats.setup import Setup
from handoffs.core.chat import Chat
from handoffs.core.desk import Desk
from handoffs.core.sentences import say
from handoffs.web.languages.words import spoken
from handoffs.web.receiving import Unreadable, posted_json, text_in

PRESS_SECONDS = 20.0
"""How long a press waits for a store that can't be used."""

AWAY = say("The inbox can't reach its store. Press again in a while: if this was recorded, it says so then.")

_EVENT = re.compile(r"[-A-Za-z0-9]{16,64}")


class Push:
    """Takes what is pressed in notifications."""

    def __init__(self, desk: Desk, chats: Setup | None) -> None:
        """Take the desk, and the channels that people set up; None where they set up none here."""
        self._desk, self._setup = desk, chats
        self._channels = [] if chats is None else [name for name, kind in chats.kinds.items() if kind.browser]

    def routes(self) -> list[Route]:
        """Return the addresses."""
        return [Route("/push/press", self.press, methods=["POST"])] if self._channels else []

    async def press(self, request: Request) -> Response:
        """Take the button of a notification, and return in words what became of it."""
        try:
            posted = await posted_json(request)
            code, event = text_in(posted, "code"), text_in(posted, "event")
            if not is_code(code) or not _EVENT.fullmatch(event):
                raise Unreadable(400, UNKNOWN)
        except Unreadable as wrong:
            return JSONResponse({"said": spoken(str(wrong))}, wrong.status)
        taken = await self._taken(code, event)
        if taken is None:
            return JSONResponse({"said": spoken(AWAY)}, 503)
        return JSONResponse({"said": spoken(taken.words)}, 404 if taken.unknown else 200)

    async def _taken(self, code: str, event: str) -> Taken | None:
        """Return what became of a press; None where the store can't be used for so long."""
        with self._desk.clock.limit(PRESS_SECONDS):
            chat = await self._chat(code)
            if chat is None:
                return Taken(words=UNKNOWN, unknown=True)
            press = Press(event=event, position="", code=code)
            language = None if self._setup is None else await self._setup.language_of(chat)
            return await Presses(self._desk.chats, self._desk).take(chat, press, language)
        return None

    async def _chat(self, code: str) -> Chat | None:
        """Return the browser that a code was sent to. The codes of other channels count there alone."""
        kept = await self._desk.chats.code(digest_of(code))
        if kept is None:
            return None
        found = (each for each in await self._desk.chats.all() if each.id == kept.chat)
        return next((each for each in found if each.channel in self._channels), None)
