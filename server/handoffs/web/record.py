"""The page with the record of one decision, for a person to print, and the same record as JSON."""

from collections.abc import Awaitable, Callable
from typing import Protocol
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from handoffs.channels import could_permit
from handoffs.core.decision_record import CheckedVote, Record, read_record
from handoffs.core.desk import Desk
from handoffs.core.model import SCRIPT, Handoff, State
from handoffs.core.sentences import say
from handoffs.core.untrusted import inert_line

_NAME = 60


class ShowPage(Protocol):
    """Renders a template as a page of the inbox."""

    async def __call__(self, request: Request, template: str, *, status: int = 200, **context: object) -> Response:
        """Return the page."""
        ...


class RecordPage:
    """Shows who asked, what was shown, who decided, how it is proved, and what became of it."""

    def __init__(
        self,
        desk: Desk,
        *,
        find: Callable[[Request], Awaitable[Handoff]],
        show: ShowPage,
        who: Callable[[Request], str],
    ) -> None:
        """Take the parts; `find` returns the question of an address, where the person may see it."""
        self._desk, self._find, self._show, self._who = desk, find, show, who

    def routes(self) -> list[Route]:
        """Return the addresses."""
        return [Route("/h/{id}/record", self.page), Route("/h/{id}/record.json", self.json)]

    async def page(self, request: Request) -> Response:
        """Return the page; of a question that is open, its own page."""
        handoff = await self._find(request)
        if handoff.state is State.OPEN:
            return RedirectResponse(f"/h/{quote(handoff.id)}", 303)
        record = await read_record(self._desk, handoff, could_permit)
        return await self._show(
            request, "record.html", record=record, proofs=proof_words(record), printed=self._desk.clock.now()
        )

    async def json(self, request: Request) -> Response:
        """Return the record as envelopes of AAIS."""
        from handoffs.core.aais import written

        record = await read_record(self._desk, await self._find(request), could_permit)
        return Response(written(record, reader=self._who(request)) + "\n", media_type="application/json")


def proof_words(record: Record) -> tuple[str, ...]:
    """Return how a decision is proved, in sentences, and what it rests on where it is not."""
    handoff, end = record.handoff, record.handoff.end
    lines = [_vote_words(each) for each in record.votes if each.vote.proof]
    if record.refused:
        lines.append(say("What was answered is not believed: {why}", why=_ended(record.refused)))
    if end is None or not end.by or record.proved or record.refused:
        return tuple(lines)
    who = inert_line(end.by, _NAME)
    unsigned = say("To refuse takes no passkey.") if handoff.question.takes_proof else say("No passkey has signed it.")
    rests = say("That it was {who} rests on the channel, and on who can write the store.", who=who)
    lines.append(say("{one} {other}", one=unsigned, other=rests))
    if end.channel == SCRIPT:
        lines.append(say("The program that answered says that it is no person."))
    return tuple(lines)


def _vote_words(checked: CheckedVote) -> str:
    who, key = inert_line(checked.vote.person, _NAME), inert_line(checked.key, _NAME)
    if checked.problem:
        return say(
            "{who}: the signature of the passkey {key} proves nothing: {why}.", who=who, key=key, why=checked.problem
        )
    return say(
        "{who}: signed with the passkey {key}. The signature fits this decision, and a key of {who}.", who=who, key=key
    )


def _ended(words: str) -> str:
    return words if words.endswith(".") else say("{line}.", line=words)
