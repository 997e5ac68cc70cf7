"""The routes of the HTTP interface for programs.

- Every request is of the caller whose token it shows. What others have asked is not found.
- Nothing here answers a question or declines one: an agent has the same token, and must not answer itself.
- An `Idempotency-Key` names a question of this caller for good: the same key with the same body is the same question.
- The `key` of a body is that of `handoffs ask --key`: it joins the same words as at a store of one's own, for a while.
"""

import hashlib
import hmac
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import aclosing
from functools import partial
from typing import TypeAlias
from urllib.parse import quote

from mcp.server.auth.middleware.bearer_auth import AuthenticatedUser
from starlette.background import BackgroundTask
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route, Router
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from handoffs.api.access_requests.binding import DecisionPoint
from handoffs.api.access_requests.routes import AccessRequests
from handoffs.api.bodies import Asked, read_asked, read_body, read_key, read_note, read_wait
from handoffs.api.events import events_of, last_line
from handoffs.api.openapi import document as openapi
from handoffs.api.parts import Inbox, Whose
from handoffs.api.problems import Problem, problem_of
from handoffs.core.asked import digest_of_key
from handoffs.core.desk import Desk
from handoffs.core.document import document
from handoffs.core.errors import HandoffError, NotFound, QuestionRefused
from handoffs.core.ids import ID_PREFIX, id_of, new_id
from handoffs.core.model import APART, Caller, Declared, Handoff, State
from handoffs.core.question import Asking, Limits

LONGEST_WAIT = 300.0
"""For how many seconds one request waits at most."""

CHANNEL = "program"

_METHODS = frozenset({"DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT", "TRACE"})

Checked: TypeAlias = Callable[[Request], Awaitable[Response | None]]
"""Returns a refusal of a request from another host or page; None lets it in."""


class Api:
    """The interface over a desk, as an ASGI application below `/v1`."""

    def __init__(
        self,
        desk: Desk,
        *,
        subject: str | None,
        keys: Sequence[str],
        limits: Limits,
        inbox: Inbox | None = None,
        whose: Whose | None = None,
        checked: Checked | None = None,
        base: str = "",
        point: DecisionPoint | None = None,
    ) -> None:
        """Take the parts. `subject` asks where no token is required; None where every request must show one.

        `base` is the server's address, and `point` the decision point whose denials can be asked about.
        `keys` are the server's: what an Idempotency-Key leads to can't be guessed without them.
        """
        self._desk, self._subject, self._limits = desk, subject, limits
        self._key = hashlib.sha256(f"idempotency {keys[0]}".encode()).digest()
        self._inbox, self._whose, self._checked = inbox, whose, checked
        access_requests = AccessRequests(
            desk, caller=self._caller, keys=keys, limits=limits, base=base, point=point, inbox=inbox, whose=whose
        )
        self._router = Router(
            _by_method(
                [
                    Route("/openapi.json", self._served(self._openapi), methods=["GET"]),
                    Route("/handoffs/events", self._served(self._events), methods=["GET"]),
                    Route("/handoffs", self._served(self._ask), methods=["POST"]),
                    Route("/handoffs/{id}", self._served(self._get), methods=["GET"]),
                    Route("/handoffs/{id}/attachments/{number}", self._served(self._attachment), methods=["GET"]),
                    Route("/handoffs/{id}/cancel", self._served(self._cancel), methods=["POST"]),
                    *access_requests.routes(self._served),
                ]
            ),
            default=_not_found,
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request."""
        await self._router(scope, receive, send)

    def _served(self, work: Callable[[Request], Awaitable[Response]]) -> Callable[[Request], Awaitable[Response]]:
        async def serve(request: Request) -> Response:
            if self._checked is not None and (refused := await self._checked(request)) is not None:
                return refused
            try:
                return await work(request)
            except Problem as problem:
                return problem.response()
            except HandoffError as error:
                return problem_of(error, self._desk.clock).response()

        return serve

    async def _openapi(self, request: Request) -> Response:
        return JSONResponse(openapi(self._limits))

    async def _ask(self, request: Request) -> Response:
        subject, key = self._caller(request), read_key(request)
        seconds = read_wait(request, most=LONGEST_WAIT)
        asked = read_asked(await read_body(request))
        caller = Caller(subject=subject, client=asked.client, project=asked.project)
        try:
            self._limits.exact(asked.timeout_seconds)
        except QuestionRefused as refused:
            raise Problem(422, str(refused), field="timeoutSeconds") from None
        if key and asked.key:
            raise Problem(422, "Give it, or the header Idempotency-Key, and not both.", field="key")
        if not key:
            handoff = await self._opened(asked, caller, new_id(), key=asked.key)
            return await self._created(handoff, status=201, wait=seconds)
        handoff_id = id_of(hmac.new(self._key, f"{subject}\n{key}".encode(), "sha256").hexdigest(), ID_PREFIX)
        known = await self._known(handoff_id)
        if known is None:
            try:
                handoff = await self._opened(asked, caller, handoff_id, key=key)
            except ValueError:  # another request with this key was faster
                known = await self._desk.get(handoff_id)
            else:
                return await self._created(handoff, status=201, wait=seconds)
        if not self._is_same(known, asked, caller):
            raise Problem(
                409, "This key was used for another question. A new question takes a new key.", field="Idempotency-Key"
            )
        return await self._created(known, status=200, wait=seconds)

    async def _opened(self, asked: Asked, caller: Caller, handoff_id: str, *, key: str) -> Handoff:
        # Programs that say who they are join what they asked before; of others it is not known that they are one.
        asking = Asking(message=asked.message, options=asked.options, form=asked.form)
        apart = key or ("" if asked.client and asked.project else new_id("a_"))
        return await self._desk.ask(
            message=asked.message,
            caller=caller,
            options=asked.options,
            form=asked.form,
            deadline_seconds=asked.timeout_seconds,
            declared=Declared(transport="api"),
            session=f"{APART}{digest_of_key(apart)}" if apart else "",
            tool_use=digest_of_key(key),
            deciders=None if self._whose is None else await self._whose(caller, asking),
            handoff_id=handoff_id,
            files=asked.files,
        )

    def _is_same(self, known: Handoff, asked: Asked, caller: Caller) -> bool:
        return known.fingerprint == self._desk.fingerprint(
            caller=caller, message=asked.message, options=asked.options, form=asked.form
        )

    async def _known(self, handoff_id: str) -> Handoff | None:
        try:
            return await self._desk.get(handoff_id)
        except NotFound:
            return None

    async def _created(self, handoff: Handoff, *, status: int, wait: float) -> Response:
        page = None
        if handoff.state is State.OPEN and self._inbox is not None and handoff.question.deciders is None:
            page = await self._inbox.invite(handoff)  # before it waits: else nobody hears of the question meanwhile
        handoff = await self._ended(handoff, wait)
        response = await self._shown(handoff, status=status, page=page if handoff.state is State.OPEN else None)
        response.headers["location"] = f"/v1/handoffs/{handoff.id}"
        return response

    async def _get(self, request: Request) -> Response:
        seconds = read_wait(request, most=LONGEST_WAIT)
        return await self._shown(await self._ended(await self._own(request), seconds))

    async def _ended(self, handoff: Handoff, seconds: float) -> Handoff:
        if handoff.state is State.OPEN and seconds:
            return await self._desk.wait(handoff.id, seconds=seconds)
        return handoff

    async def _attachment(self, request: Request) -> Response:
        handoff = await self._own(request)
        await self._desk.check_proof(handoff)
        written = str(request.path_params["number"])
        if not (written.isascii() and written.isdigit() and len(written) < 4):
            raise NotFound(handoff.id)
        number = int(written)
        content = await self._desk.content(handoff, number)
        attachment = handoff.attachments[number - 1]
        headers = {
            "cache-control": "no-store",
            "content-disposition": f"attachment; filename*=UTF-8''{quote(attachment.name, safe='')}",
            "content-security-policy": "default-src 'none'; sandbox",
            "x-content-type-options": "nosniff",
        }
        return Response(content, media_type=attachment.media_type, headers=headers)

    async def _cancel(self, request: Request) -> Response:
        handoff = await self._own(request)
        note = read_note(await read_body(request))
        by = handoff.caller.subject
        return await self._shown(await self._desk.cancel(handoff, by=by, channel=CHANNEL, note=note))

    async def _events(self, request: Request) -> Response:
        subject = self._caller(request)
        known = request.headers.get("last-event-id", "")
        if known and not (known.isascii() and known.isdigit() and len(known) < 16):
            raise Problem(422, "It must be the id of an event.", field="Last-Event-ID")
        after = int(known) if known else await last_line(self._desk)

        async def stream() -> AsyncGenerator[bytes]:
            async with aclosing(events_of(self._desk, subject, after)) as events:
                async for event in events:
                    yield event

        headers = {"cache-control": "no-store", "x-accel-buffering": "no"}
        return StreamingResponse(stream(), media_type="text/event-stream", headers=headers)

    async def _shown(self, handoff: Handoff, *, status: int = 200, page: str | None = None) -> Response:
        if handoff.state is State.ANSWERED:
            await self._desk.check_proof(handoff)
        said = document(handoff, reader=handoff.caller.subject) | {"page": page}
        response = JSONResponse(said, status, headers={"cache-control": "no-store"})
        if handoff.state is not State.OPEN and handoff.collected_at is None:
            # Once it is on the wire: then the same question without a key, asked anew, is a new one.
            response.background = BackgroundTask(self._desk.collect, handoff, tool_use=handoff.tool_use)
        return response

    async def _own(self, request: Request) -> Handoff:
        subject = self._caller(request)
        handoff = await self._desk.get(str(request.path_params["id"])[:100])
        if handoff.caller.subject != subject:
            raise NotFound(handoff.id)
        return handoff

    def _caller(self, request: Request) -> str:
        user: object = request.scope.get("user")
        subject = user.access_token.subject if isinstance(user, AuthenticatedUser) else self._subject
        if not subject:
            raise Problem(401, "The caller is not known, so nothing was done. Show a token.")
        return subject


class Lapsing:
    """Answers a request whose token lapsed while it waited: what ends it leaves it without a response."""

    def __init__(self, app: ASGIApp) -> None:
        """Take the application that may end without one."""
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request."""
        started = False

        async def noting(message: Message) -> None:
            nonlocal started
            started = True
            await send(message)

        await self._app(scope, receive, noting)
        if not started:
            lapsed = Problem(401, "The token has expired, or was revoked. What was asked stays open.")
            await lapsed.response()(scope, receive, send)


def _by_method(routes: Sequence[Route]) -> list[Route]:
    """Return the routes, with one more for each address, which says in words which methods it takes.

    No GET is a HEAD: nothing of an outcome reaches who sends one, so it would count as received and be lost.
    """
    allowed: dict[str, set[str]] = {}
    for route in routes:
        route.methods = (route.methods or set()) - {"HEAD"}
        allowed.setdefault(route.path, set()).update(route.methods)
    others = [
        Route(path, partial(_not_allowed, ", ".join(sorted(methods))), methods=sorted(_METHODS - methods))
        for path, methods in allowed.items()
    ]
    return [*routes, *others]


async def _not_allowed(allowed: str, request: Request) -> Response:
    words = f"This address takes {allowed}; /v1/openapi.json says what there is."
    return Problem(405, words, headers={"allow": allowed}).response()


async def _not_found(scope: Scope, receive: Receive, send: Send) -> None:
    await Problem(404, "There is nothing at this address; /v1/openapi.json says what there is.").response()(
        scope, receive, send
    )
