"""What became of the same call before: whether it may have run, and whether a person has denied it time and again.

And which call of the same tool a person allowed last. The same call is the same tool of the same server, by the same
definition, with the same arguments, for one subject.
"""

from collections.abc import Collection, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from handoffs.core.action import Action, Asker
from handoffs.core.action_form import ALLOW, ARGUMENTS
from handoffs.core.denial import STOPPED
from handoffs.core.desk import Desk
from handoffs.core.form import DECISION
from handoffs.core.model import SCRIPT, Handoff, State

MOST_DENIALS = 3
"""After this many denials within `WITHIN`, a person is not asked about the same call for `FOR`."""

WITHIN, FOR = timedelta(hours=1), timedelta(hours=1)

MOST_EARLIER = 100
"""Earlier questions about the same call that are looked at; the newest first."""


MOST_ENDED = 20
"""Questions that have ended in which the last allowed call of a tool is looked for; the newest first."""

MOST_TOOLS = 1_000
"""Tools of which the last allowed call is remembered."""


class LastAllowed:
    """The call of each tool that a person allowed last, as this gate knows it.

    The store is looked at once for each tool: what another gate has had allowed since is not known here.
    """

    def __init__(self, desk: Desk, *, server: str, subject: str) -> None:
        """Take where questions are kept, and whose calls these are."""
        self._desk, self._server, self._subject = desk, server, subject
        self._of: dict[str, Action | None] = {}

    async def of(self, tool: str) -> Action | None:
        """Return the call that was allowed last, as it ran; None where none is known."""
        if tool not in self._of:
            self._remember(tool, await self._found(tool))
        return self._of[tool]

    def allow(self, action: Action, arguments: str | None) -> None:
        """Remember an allowed call, with the arguments that a person made of it; None where they were not changed."""
        self._remember(action.tool, action if arguments is None else replace(action, arguments=arguments))

    async def _found(self, tool: str) -> Action | None:
        for handoff in await self._desk.newest_of(self._subject, open_only=False, limit=MOST_ENDED):
            action, values = handoff.question.action, handoff.values or {}
            if action is None or (action.asker, action.server, action.tool) != (Asker.GATE, self._server, tool):
                continue
            if handoff.state is State.ANSWERED and values.get(DECISION) == ALLOW:
                return replace(action, arguments=str(values.get(ARGUMENTS) or "") or action.arguments)
        return None

    def _remember(self, tool: str, action: Action | None) -> None:
        if len(self._of) >= MOST_TOOLS:  # the names are the client's
            self._of.clear()
        self._of[tool] = action


async def earlier(desk: Desk, subject: str, digest: str) -> Sequence[Handoff]:
    """Return the questions about the same call that have ended, newest first."""
    return await desk.ended_of_action(subject, digest, limit=MOST_EARLIER)


async def may_have_run(desk: Desk, ended: Sequence[Handoff], *, waiting: Collection[str]) -> bool:
    """Say whether the same call was sent and never answered, by a process that has ended or is cut off, or whose client
    waits no more. `waiting` are the calls of this process whose answer still comes."""
    for handoff in ended:
        if handoff.handed_to and handoff.handed_to not in waiting:
            names = [entry.name for entry in await desk.history(handoff.id)]
            return "sent" in names and "result" not in names
    return False


def last_of_many_denials(ended: Sequence[Handoff], now: datetime) -> Handoff | None:
    """Return the denial because of which the same call is denied without a question; None where a person is asked.

    An answer by a script, silence, and the denial of everything by a stop do not count. A denial of which the agent has
    not heard yet is collected first.
    """
    denials: list[tuple[datetime, Handoff]] = []
    for at, handoff in sorted(((_ended_at(each), each) for each in ended), key=lambda each: each[0], reverse=True):
        if handoff.state is State.ANSWERED and (handoff.values or {}).get(DECISION) == ALLOW:
            break  # a person who has allowed it since has changed their mind
        if _is_denial(handoff):
            denials.append((at, handoff))
    if len(denials) < MOST_DENIALS:
        return None
    (newest, last), (oldest, _) = denials[0], denials[MOST_DENIALS - 1]
    recent = newest - oldest <= WITHIN and now - newest < FOR
    return last if recent and last.collected_at is not None else None


def ends_at(denial: Handoff) -> datetime:
    """Return until when the same call is denied because of this denial."""
    return _ended_at(denial) + FOR


def _is_denial(handoff: Handoff) -> bool:
    end = handoff.end
    if end is None or not handoff.decided or end.channel == SCRIPT:
        return False
    return not (handoff.state is State.DECLINED and end.note == STOPPED)


def _ended_at(handoff: Handoff) -> datetime:
    assert handoff.end is not None
    return handoff.end.at
