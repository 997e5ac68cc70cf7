"""Finds the language of each request, before anything answers it: pages of errors are in it, too."""

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import cookie_parser
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from handoffs.languages.catalogue import catalogue_of
from handoffs.web.languages.accepted import COOKIE, wanted
from handoffs.web.languages.words import current

VARY = "Accept-Language, Cookie"
"""What a response in the reader's language depends on."""

_MOST_COOKIE = 8_000


class Speaking:
    """Sets the language in which a request is answered, and says in the response which it is."""

    def __init__(self, app: ASGIApp) -> None:
        """Take the application."""
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request in the language that the browser wants."""
        if scope["type"] != "http" or scope["path"].startswith("/static/"):
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        tag = wanted(picked(headers.get("cookie", "")), headers.get("accept-language", ""))
        token = current.set(await catalogue_of(tag))

        async def saying(message: Message) -> None:
            if message["type"] == "http.response.start":
                written = MutableHeaders(scope=message)
                if written.get("content-type", "").startswith("text/html"):
                    written["Content-Language"] = tag
                    written.add_vary_header(VARY)
            await send(message)

        try:
            await self._app(scope, receive, saying)
        finally:
            current.reset(token)


def picked(cookies: str) -> str:
    """Return the tag in a request's cookies as it is written there; empty where there is none."""
    if COOKIE not in cookies or len(cookies) > _MOST_COOKIE:
        return ""
    return cookie_parser(cookies).get(COOKIE, "")
