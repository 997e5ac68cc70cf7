"""Answering several questions at once: those that a person chose on the board, each with a line of its own in the log.

A page names every question whole, and has one form for those that ask for the same. Questions with other forms stand
apart, with their own. What has ended meanwhile, or can't be answered like this, is left out, and is named.
"""

import hashlib
import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from handoffs.core.desk import Desk
from handoffs.core.errors import AlreadyEnded, AnswerRefused, NotFound, StoreError
from handoffs.core.form import Value
from handoffs.core.model import Handoff, State
from handoffs.core.sentences import say
from handoffs.core.standing import may_vote, sees
from handoffs.web.controls import Control, Posted, chosen_alike, controls, note_of, values_of
from handoffs.web.pages import ended_line
from handoffs.web.receiving import CHANNEL, Unreadable, posted_form
from handoffs.web.together import Said

MOST = 50
"""The most questions that are answered at once."""

QUESTION, KIND, LEFT, DECLINE = "question", "kind", "left", "decline"

Show = Callable[..., Awaitable[Response]]
"""Renders a template as a page of the inbox."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Kind:
    """Questions that have the same form."""

    key: str
    handoffs: Sequence[Handoff]
    controls: Sequence[Control]
    others: Sequence[str] = ()
    """The ids of the chosen questions of other kinds."""


class Alike:
    """Shows the chosen questions, and answers them."""

    def __init__(self, desk: Desk, show: Show, who: Callable[[Request], str]) -> None:
        """Take the desk, how a page is rendered, and who is signed in."""
        self._desk, self._show, self._who = desk, show, who

    def routes(self) -> list[Route]:
        """Return the addresses."""
        return [
            Route("/alike", self.choose, methods=["GET"]),
            Route("/alike/answer", self.answer, methods=["POST"]),
            Route("/alike/answer", self.back, methods=["GET"]),
        ]

    async def back(self, request: Request) -> Response:
        """Lead to what is open: this page is made of what was posted."""
        return RedirectResponse("/", 303)

    async def choose(self, request: Request) -> Response:
        """Show every chosen question whole, by the form that it has. Nothing is recorded."""
        ids = list(dict.fromkeys(request.query_params.getlist(QUESTION)))
        if not 0 < len(ids) <= MOST:
            raise Unreadable(
                400,
                say("Choose up to {most} questions on the page of the open ones. Nothing was recorded.", most=MOST),
            )
        return await self._page(request, ids)

    async def answer(self, request: Request) -> Response:
        """Give each question that still asks for this form the same answer, or refuse each."""
        posted = dict(await posted_form(request))
        ids, kind = list(dict.fromkeys(posted.pop(QUESTION, ()))), "".join(posted.pop(KIND, ()))
        left, declines = list(posted.pop(LEFT, ()))[:MOST], bool(posted.pop(DECLINE, ()))
        if not (0 < len(ids) <= MOST and kind):
            raise Unreadable(400, say("These are no questions that a page showed. Nothing was recorded."))
        by = self._who(request)
        found = [await self._fresh(each, by, kind) for each in ids]
        fresh = next((each for each in found if isinstance(each, Handoff)), None)
        values: Mapping[str, Value] | None = None
        note = ""
        try:
            note = note_of(posted)
            if not declines and fresh is not None:
                values = values_of(fresh.question.form, posted)
        except AnswerRefused as wrong:
            return await self._page(request, ids, posted=posted, problems=wrong.problems, others=left)
        said = [each if isinstance(each, Said) else await self._said(each, values, note, by) for each in found]
        others = f"/alike?{urlencode([(QUESTION, each) for each in left])}" if left else ""
        count = {"part": sum(each.decided for each in said), "whole": len(said)}
        heading = say("{part} of {whole} declined", **count) if declines else say("{part} of {whole} answered", **count)
        return await self._show(request, "decided.html", heading=heading, said=said, left=others)

    async def _page(
        self,
        request: Request,
        ids: Sequence[str],
        *,
        posted: Posted | None = None,
        problems: Mapping[str, str] | None = None,
        others: Sequence[str] = (),
    ) -> Response:
        by = self._who(request)
        left: list[Said] = []
        kinds: dict[str, list[Handoff]] = {}
        for each in ids:
            found = await self._fresh(each, by)
            if isinstance(found, Said):
                left.append(found)
            else:
                kinds.setdefault(kind_of(found), []).append(found)
        shown = [
            Kind(
                key=key,
                handoffs=handoffs,
                controls=[
                    _confirmed(each)
                    for each in controls(handoffs[0].question.form, key=key, posted=posted, problems=problems)
                ],
                others=[*others, *(each.id for other, of in kinds.items() if other != key for each in of)],
            )
            for key, handoffs in kinds.items()
        ]
        status = 200 if problems is None else 422
        return await self._show(
            request, "alike.html", status=status, kinds=shown, left=left, posted=posted, problems=problems or {}
        )

    async def _fresh(self, handoff_id: str, by: str, kind: str = "") -> Handoff | Said:
        """Return a question that may be answered like this; else why it may not."""
        try:
            handoff = await self._desk.get(handoff_id)
            if not sees(handoff.question.deciders, by):
                raise NotFound(handoff_id)
        except NotFound:
            return Said(id=handoff_id, words=say("Left alone: it is not in this inbox."))
        if handoff.state is not State.OPEN:
            return Said(
                id=handoff_id, handoff=handoff, words=say("Not answered here: {outcome}.", outcome=ended_line(handoff))
            )
        if not may_vote(handoff.question.deciders, by, self._desk.clock.now()):
            return Said(id=handoff_id, handoff=handoff, words=say("Left alone: it is not yours to decide."))
        if not chosen_alike(handoff):
            words = say("Left alone: a held call, a secret, and what a passkey signs are decided on their own.")
            return Said(id=handoff_id, handoff=handoff, words=words)
        if kind and kind_of(handoff) != kind:
            return Said(id=handoff_id, handoff=handoff, words=say("Left alone: it asks for something else."))
        return handoff

    async def _said(self, handoff: Handoff, values: Mapping[str, Value] | None, note: str, by: str) -> Said:
        """Answer one question, or refuse it where there are no values; return what became of it."""
        try:
            if values is None:
                ended = await self._desk.decline(handoff, by=by, channel=CHANNEL, note=note)
            else:
                ended = await self._desk.answer(handoff, values, by=by, channel=CHANNEL, note=note, private=True)
        except AlreadyEnded:
            return Said(id=handoff.id, handoff=handoff, words=say("Not answered here: somebody was faster."))
        except (AnswerRefused, StoreError) as wrong:
            # The questions before it are answered, and the person must hear which.
            return Said(id=handoff.id, handoff=handoff, words=say("Not answered: {why}", why=str(wrong)))
        if ended.state is State.OPEN:
            return Said(id=handoff.id, handoff=ended, words=say("Your vote counts. Others must vote, too."))
        return Said(id=handoff.id, handoff=ended, decided=True, words=say("{line}.", line=ended_line(ended)))


def kind_of(handoff: Handoff) -> str:
    """Return what is equal for questions with the same form: for each field, also its title and its choices."""
    written = json.dumps(handoff.question.form.schema, sort_keys=True)
    return hashlib.sha256(written.encode()).hexdigest()[:16]


def _confirmed(control: Control) -> Control:
    """Return a control that only picks: of several questions, no press of an option may answer all at once."""
    return replace(control, widget="radios") if control.widget == "buttons" else control
