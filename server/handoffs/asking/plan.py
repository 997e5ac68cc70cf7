"""How one call is carried out: in a dialog, by a link, as a task, beside a card, or by waiting.

A call that finds its handoff ended needs no plan. For one that is open, `plan` looks at a `Situation` and returns the
one `Plan` that the call carries out. The rules, in order:

1. A secret never goes into a form. A person who said "not now" is not shown a dialog again by a call that only checks;
   nor is one whose host was given a dialog and never came back.
2. The inbox is invited first where the question must have a page there: for a secret, and for a host that shows links.
3. An agent that waits for MCP tasks gets one, where somebody sees the question; but not in place of a link or a card.
4. From 2026-07-28 a dialog or a link is a round: the call returns, and the client calls again with the reply.
5. A card is shown once its call has returned.
6. Where nobody would see the question until the person hears of it from the agent, the agent is told so at once.
7. Else the call waits: beside the host's dialog, and for whatever else answers.
"""

from dataclasses import dataclass, replace
from enum import Enum


class Way(Enum):
    """How a host can put one question to the person."""

    FORM = "a dialog"
    """In a dialog of its own."""
    LINK = "a link"
    """By a link to the inbox."""
    NONE = "nothing"
    """Not at all: the person is reached by other channels, and the agent is told what to say."""


class How(Enum):
    """What a call does."""

    INVITE = "has the inbox show it, and plans again"
    TASK = "returns a task"
    ROUND = "returns, and the client calls again with the reply"
    CARD = "returns PENDING, and the host shows its card"
    UNSEEN = "returns PENDING: the agent must tell the person"
    HOLD = "waits, with the call open"


@dataclass(frozen=True, kw_only=True, slots=True)
class Situation:
    """All that the choice depends on. Every field has the value for a host that can do nothing."""

    breakout: bool = False
    """It tells the person that the agent is done, and asks nothing that a call waits for."""
    secret: bool = False
    """The form asks for a secret."""
    drawn: bool = True
    """The host draws every field of the form."""
    forms: bool = False
    """The host shows forms."""
    links: bool = False
    """The host shows links."""
    tasks: bool = False
    """The host declares tasks, and its agent waits for them."""
    cards: bool = False
    """The host shows cards, and this call may be given one."""
    rounds: bool = False
    """The protocol is of 2026-07-28 or later."""
    put_off: bool = False
    """The person said "not now", and the agent only checks."""
    polling: bool = False
    """The call asks what became of a question; it does not ask it."""
    lost: bool = False
    """The host was given a dialog to show, and never came back from it."""
    sent: bool = False
    """The person has agreed to open the inbox before."""
    inbox: bool = False
    """There is an inbox that may be invited."""
    page: bool | None = None
    """Whether the question has a page in the inbox; None where nobody has invited it yet."""
    channels: bool = False
    """Another channel shows the question here: a terminal."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Plan:
    """What one call does, and nothing else decides it again."""

    how: How
    way: Way = Way.NONE
    """What the host shows."""
    invite: bool = False
    """While it waits, the inbox is to show what no dialog shows."""
    card: bool = False
    """Where the dialog was not shown, a card is, once the call has returned."""


def way_to_ask(it: Situation) -> Way:
    """Return the best way that the host has for the question."""
    if it.breakout or it.put_off or it.lost:
        return Way.NONE
    if it.forms and it.drawn and not it.secret:
        return Way.FORM
    return Way.LINK if it.links else Way.NONE


def plan(it: Situation) -> Plan:
    """Return how a call is carried out. After an `INVITE`, plan again with the `page` that came of it."""
    way, again = way_to_ask(it), not it.put_off
    if again and it.inbox and it.page is None and (it.secret or (way is Way.LINK and not it.cards)):
        return Plan(how=How.INVITE)
    if way is Way.LINK and (not it.page or (it.polling and it.sent)):
        way = Way.NONE
    if it.tasks and way is not Way.LINK and (way is Way.FORM or not it.cards):
        if way is Way.FORM or it.polling or it.page or it.channels:
            return Plan(how=How.TASK, way=way, invite=again)
        if it.inbox and it.page is None:
            return Plan(how=How.INVITE)
    if it.rounds and way is not Way.NONE:
        return Plan(how=How.ROUND, way=way)
    if it.cards and way is Way.NONE:
        return Plan(how=How.CARD)
    if (it.secret or it.tasks) and again and not (it.polling or it.page or it.channels):
        return Plan(how=How.UNSEEN)
    return Plan(how=How.HOLD, way=way, invite=again, card=it.cards)


def plan_after(it: Situation) -> Plan:
    """Return how a call goes on whose dialog or link came back without an answer; `sent` is of this round."""
    if it.tasks:
        return Plan(how=How.TASK)
    if it.cards and not it.sent:
        return Plan(how=How.CARD)
    return Plan(how=How.HOLD, invite=True)


# What hosts can do, for the drawing.
_HOSTS = {
    "a dialog": Situation(forms=True),
    "a dialog that does not draw the form, and links": Situation(forms=True, drawn=False, links=True),
    "links": Situation(links=True),
    "tasks and a dialog": Situation(forms=True, tasks=True),
    "cards": Situation(cards=True),
    "nothing": Situation(),
}


def drawn() -> str:
    """Return what calls do, as a table in Markdown: by what the host can do, for a host with an inbox beside it."""
    lines = ["| the host has | up to 2025-11-25 | from 2026-07-28 | a secret | checked after *not now* |"]
    lines.append("| --- | --- | --- | --- | --- |")
    for host, it in _HOSTS.items():
        asked = [
            replace(it, inbox=True, page=True),
            replace(it, inbox=True, page=True, rounds=True),
            replace(it, inbox=True, page=True, secret=True),
            replace(it, inbox=True, page=True, put_off=True, polling=True),
        ]
        lines.append(f"| {host} | {' | '.join(map(_told, asked))} |")
    return "\n".join(lines)


def _told(it: Situation) -> str:
    chosen = plan(it)
    match chosen.how:
        case How.HOLD:
            return "waits" if chosen.way is Way.NONE else f"waits beside {chosen.way.value}"
        case How.ROUND:
            return f"returns for {chosen.way.value}, and is called again"
        case _:
            return chosen.how.value
