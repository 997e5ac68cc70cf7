"""Deciding on one question of the inbox: its answer, what is signed for it, and a refusal to answer."""

from collections.abc import Awaitable, Callable
from typing import Protocol
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from handoffs.core.attachment import refused
from handoffs.core.desk import Desk
from handoffs.core.errors import AlreadyEnded, AnswerRefused
from handoffs.core.model import Handoff, State
from handoffs.web.controls import PREFIX, Posted, note_of
from handoffs.web.edited_call import answer_in
from handoffs.web.guard import wants_json
from handoffs.web.languages.words import spoken
from handoffs.web.pages import ended_line
from handoffs.web.proving import Signatures
from handoffs.web.receiving import CHANNEL
from handoffs.web.uploads import posted_answer

PROOF = "proof"
"""The name by which a form has what a passkey signed."""


class Show(Protocol):
    """Renders the page of one question."""

    async def __call__(
        self,
        request: Request,
        handoff: Handoff,
        *,
        status: int = 200,
        posted: Posted | None = None,
        problems: dict[str, str] | None = None,
    ) -> Response:
        """Return the page."""
        ...


class Deciding:
    """Takes what a person decides."""

    def __init__(
        self,
        desk: Desk,
        signatures: Signatures,
        *,
        find: Callable[[Request], Awaitable[Handoff]],
        before: Callable[[Handoff], Awaitable[Handoff | None]],
        show: Show,
        who: Callable[[Request], str],
    ) -> None:
        """Take the parts; `before` returns the earlier handoff in which the same question was decided."""
        self._desk, self._signatures = desk, signatures
        self._find, self._before, self._show, self._who = find, before, show, who

    def routes(self) -> list[Route]:
        """Return the addresses."""
        return [
            Route("/h/{id}/answer", self.answer, methods=["POST"]),
            Route("/h/{id}/sign", self.sign, methods=["POST"]),
            Route("/h/{id}/decline", self.decline, methods=["POST"]),
            *(Route(f"/h/{{id}}/{name}", self.back, methods=["GET"]) for name in ("answer", "sign", "decline")),
        ]

    async def answer(self, request: Request) -> Response:
        """Answer the question."""
        posted, files = await posted_answer(request)
        signed = "".join(posted.pop(PROOF, ()))
        handoff = await self._find(request)
        if handoff.state is not State.OPEN:
            return await self._late(request, handoff)
        try:
            note = note_of(posted)
            said = answer_in(handoff, posted, await self._before(handoff))
            proof = self._signatures.taken(request, handoff, signed)
            by = self._who(request)
            # Input on this page passes no host and no model, so secrets are allowed.
            ended = await self._desk.answer(
                handoff,
                said.values,
                by=by,
                channel=CHANNEL,
                note=note,
                other=said.other,
                private=True,
                proof=proof,
                files=files,
            )
        except AnswerRefused as wrong:
            return await self._wrong(request, handoff, posted, wrong)
        except AlreadyEnded:
            return await self._late(request, await self._desk.get(handoff.id))
        return self._done(request, ended)

    async def sign(self, request: Request) -> Response:
        """Return, as JSON, what the browser signs for this answer: null where it needs none. Nothing is recorded."""
        posted, files = await posted_answer(request)
        handoff = await self._find(request)
        if handoff.state is not State.OPEN:
            return await self._late(request, handoff)
        try:
            note = note_of(posted)
            said = answer_in(handoff, posted, await self._before(handoff))
            by = self._who(request)
            decision = await self._desk.to_sign(
                handoff, said.values, by=by, channel=CHANNEL, note=note, other=said.other, files=files
            )
            options = None if decision is None else await self._signatures.offer(request, decision)
        except AnswerRefused as wrong:
            return await self._wrong(request, handoff, posted, wrong)
        return JSONResponse({"publicKey": options})

    async def decline(self, request: Request) -> Response:
        """Refuse to answer."""
        posted, files = await posted_answer(request)
        handoff = await self._find(request)
        if handoff.state is not State.OPEN:
            return await self._late(request, handoff)
        try:
            if files:
                raise refused("go only with an answer: take them out to decline, or answer")
            by = self._who(request)
            ended = await self._desk.decline(handoff, by=by, channel=CHANNEL, note=note_of(posted))
        except AnswerRefused as wrong:
            return await self._wrong(request, handoff, posted, wrong)
        except AlreadyEnded:
            return await self._late(request, await self._desk.get(handoff.id))
        return self._done(request, ended)

    async def back(self, request: Request) -> Response:
        """Lead to the question: these addresses are for forms."""
        return RedirectResponse(f"/h/{quote(request.path_params['id'])}", 303)

    def _done(self, request: Request, handoff: Handoff) -> Response:
        if wants_json(request):
            # A vote that does not decide yet: the script loads the page that says so.
            return JSONResponse(
                {"ended": spoken(ended_line(handoff))} if handoff.end else {"voted": f"/h/{handoff.id}"}
            )
        return RedirectResponse(f"/h/{handoff.id}", 303)

    async def _late(self, request: Request, handoff: Handoff) -> Response:
        if wants_json(request):
            return JSONResponse({"ended": spoken(ended_line(handoff))}, 409)
        return await self._show(request, handoff, status=409)

    async def _wrong(self, request: Request, handoff: Handoff, posted: Posted, wrong: AnswerRefused) -> Response:
        if wants_json(request):
            # By the control's name; a problem of no field has a name that is empty or starts with a blank.
            why = {name: spoken(each) for name, each in wrong.problems.items()}
            named = {PREFIX + n if n.strip() and n[0] != " " else n.strip(): each for n, each in why.items()}
            return JSONResponse({"problems": named}, 422)
        return await self._show(request, handoff, status=422, posted=posted, problems=wrong.problems)
