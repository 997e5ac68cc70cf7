"""Deciding on several held calls of one agent at once: what was shown, each with a line of its own in the log.

A page posts the id, the digest and the version of each call that it showed. A call that has changed since, or has
ended, is not decided, and is named. What is decided is confirmed on a page that shows every call whole.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from handoffs.core.action import Asker
from handoffs.core.action_form import ALLOW, REASON
from handoffs.core.desk import Desk
from handoffs.core.errors import AlreadyEnded, AnswerRefused, NotFound, StoreError
from handoffs.core.form import DECISION, DENY, Value
from handoffs.core.model import Handoff, State
from handoffs.core.sentences import say
from handoffs.core.standing import sees
from handoffs.web.action_card import agent_of
from handoffs.web.pages import ended_line
from handoffs.web.receiving import CHANNEL, Unreadable, posted_form

MOST = 100
"""The most calls that are decided at once."""

CALL, REASON_FIELD = "call", "reason"

Show = Callable[..., Awaitable[Response]]
"""Renders a template as a page of the inbox."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Group:
    """Open held calls of one agent, on one page."""

    key: str
    handoffs: tuple[Handoff, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Seen:
    """A call as a page showed it."""

    id: str
    digest: str
    version: int

    @classmethod
    def read(cls, written: str) -> "Seen":
        """Return what `mark` wrote. Raises ValueError."""
        handoff_id, digest, version = written.split(" ")
        if not (handoff_id and digest and version.isascii() and version.isdigit() and len(version) < 10):
            raise ValueError("no call of a page")
        return cls(id=handoff_id, digest=digest, version=int(version))


@dataclass(frozen=True, kw_only=True, slots=True)
class Said:
    """What became of one call."""

    id: str
    words: str
    handoff: Handoff | None = None
    decided: bool = False


def together(handoffs: Sequence[Handoff]) -> list[Handoff]:
    """Return questions in their order, with the held calls of one agent beside the first of them."""
    first: dict[str, int] = {}
    at = [first.setdefault(agent_of(each) or each.id, number) for number, each in enumerate(handoffs)]
    return [each for _, _, each in sorted(zip(at, range(len(at)), handoffs, strict=True), key=lambda item: item[:2])]


def groups(handoffs: Sequence[Handoff]) -> list[Group]:
    """Return the groups of at least two held calls of one agent. Calls that take a passkey are signed one by one."""
    found: dict[str, list[Handoff]] = {}
    for each in handoffs:
        if (key := agent_of(each)) and not each.question.takes_proof:
            found.setdefault(key, []).append(each)
    return [Group(key=key, handoffs=tuple(each)) for key, each in found.items() if len(each) > 1]


class Together:
    """Confirms, and decides, several calls."""

    def __init__(self, desk: Desk, show: Show, who: Callable[[Request], str]) -> None:
        """Take the desk, how a page is rendered, and who is signed in."""
        self._desk, self._show, self._who = desk, show, who

    def routes(self) -> list[Route]:
        """Return the addresses."""
        return [
            Route("/together", self.confirm, methods=["POST"]),
            Route("/together/decide", self.decide, methods=["POST"]),
            Route("/together", self.back, methods=["GET"]),
            Route("/together/decide", self.back, methods=["GET"]),
        ]

    async def back(self, request: Request) -> Response:
        """Lead to what is open: these pages are made of what was posted."""
        return RedirectResponse("/", 303)

    async def confirm(self, request: Request) -> Response:
        """Show every call whole, with the button that decides on them. Nothing is recorded."""
        decision, seen, _ = await _posted(request)
        fresh: list[Handoff] = []
        left: list[Said] = []
        for each in seen:
            found = await self._fresh(each, self._who(request))
            if isinstance(found, Handoff):
                fresh.append(found)
            else:
                left.append(found)
        return await self._show(request, "together.html", decision=decision, handoffs=fresh, left=left)

    async def decide(self, request: Request) -> Response:
        """Decide on each call that is as it was shown."""
        decision, seen, reason = await _posted(request)
        by = self._who(request)
        said = [await self._decided(each, decision, reason, by) for each in seen]
        count = {"part": sum(each.decided for each in said), "whole": len(said)}
        allowed, denied = say("{part} of {whole} allowed", **count), say("{part} of {whole} denied", **count)
        heading = allowed if decision == ALLOW else denied
        return await self._show(request, "decided.html", heading=heading, said=said, left="")

    async def _fresh(self, seen: Seen, by: str) -> Handoff | Said:
        """Return a call that is as it was shown; else why it is not decided."""
        try:
            handoff = await self._desk.get(seen.id)
            if not sees(handoff.question.deciders, by):
                raise NotFound(seen.id)
        except NotFound:
            return Said(id=seen.id, words=say("Not decided: it is no longer in this inbox."))
        action = handoff.question.action
        if handoff.state is not State.OPEN:
            return Said(
                id=seen.id, handoff=handoff, words=say("Not decided here: {outcome}.", outcome=ended_line(handoff))
            )
        if action is None or action.asker is not Asker.GATE or action.digest != seen.digest:
            return Said(id=seen.id, handoff=handoff, words=say("Not decided: it is another call than was shown."))
        if handoff.question.takes_proof:
            return Said(
                id=seen.id, handoff=handoff, words=say("Not decided here: it takes a passkey. Decide on it alone.")
            )
        if handoff.version != seen.version:
            return Said(id=seen.id, handoff=handoff, words=say("Not decided: it has changed since it was shown."))
        return handoff

    async def _decided(self, seen: Seen, decision: str, reason: str, by: str) -> Said:
        try:
            found = await self._fresh(seen, by)
            if isinstance(found, Said):
                return found
            values: dict[str, Value] = {DECISION: decision}
            if reason and decision == DENY:
                values[REASON] = reason
            ended = await self._desk.answer(found, values, by=by, channel=CHANNEL, private=True)
        except AlreadyEnded:
            return Said(id=seen.id, words=say("Not decided here: somebody was faster."))
        except (AnswerRefused, StoreError) as wrong:
            # The calls before it are decided, and the person must hear which.
            return Said(id=seen.id, words=say("Not decided: {why}", why=str(wrong)))
        if ended.state is State.OPEN:
            return Said(id=seen.id, handoff=ended, words=say("Your vote counts. Others must vote, too."))
        return Said(
            id=seen.id, handoff=ended, decided=True, words=say("Allowed.") if decision == ALLOW else say("Denied.")
        )


async def _posted(request: Request) -> tuple[str, list[Seen], str]:
    """Return the decision, the calls that were shown, each once, and the reason. Raises Unreadable."""
    form = await posted_form(request)
    decision = "".join(form.get(DECISION, ()))
    reason = "".join(form.get(REASON_FIELD, ())).replace("\r\n", "\n").strip()
    try:
        seen = list(dict.fromkeys(Seen.read(each) for each in form.get(CALL, ())))
    except ValueError:
        seen = []
    if decision not in (ALLOW, DENY) or not 0 < len(seen) <= MOST:
        raise Unreadable(400, say("This is no decision on calls that a page showed. Nothing was recorded."))
    return decision, seen, reason
