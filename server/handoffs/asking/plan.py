"""Planning how one call is carried out: in a dialog, by a link, as a task, beside a card, or by waiting.

A call that finds its handoff ended needs no plan. For an open one, `plan` takes a `Situation` and returns the one
`Plan` that the call carries out. The rules, in order:

1. A question that a rule gives to named people is shown by no host and opens no inbox: who asks has no vote. Its call
   waits, or returns a task.
2. A secret never goes into a form. After "not now", a call that only checks does not show a dialog again, nor after a
   host did not come back from its dialog.
3. The inbox is invited first if the question needs a page there: for a secret, and for a host that shows links.
4. An agent that waits for MCP tasks gets one, if some channel shows the question; but not in place of a link or a card.
5. From 2026-07-28, a dialog or a link is a round: the call returns, and the client calls again with the reply.
6. A card is shown once its call has returned.
7. If no channel would show the question, the agent is told at once, so that it tells the person.
8. Otherwise the call waits: beside the host's dialog, and for answers from other channels.
"""

from dataclasses import dataclass, replace
from enum import Enum


class Way(Enum):
    """The ways in which a host can show one question to the person."""

    FORM = "a dialog"
    """In its own dialog."""
    LINK = "a link"
    """By a link to the inbox."""
    NONE = "nothing"
    """Not at all: other channels reach the person, and the agent is told what to say."""


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
    """The facts that the plan depends on. The defaults describe a host without abilities."""

    breakout: bool = False
    """The question tells the person that the agent is done. No call waits for an answer."""
    others: bool = False
    """A rule names who decides it."""
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
    """The host shows cards, and this call may get one."""
    rounds: bool = False
    """The protocol is 2026-07-28 or later."""
    put_off: bool = False
    """The person said "not now", and the agent only checks."""
    polling: bool = False
    """The call checks a question; it does not ask one."""
    lost: bool = False
    """The host was given a dialog to show, and did not come back from it."""
    sent: bool = False
    """The person has agreed before to open the inbox."""
    inbox: bool = False
    """There is an inbox that can be invited."""
    page: bool | None = None
    """Whether the question has a page in the inbox; None before the inbox was invited."""
    channels: bool = False
    """Another channel, such as a terminal, shows the question here."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Plan:
    """How one call is carried out. It is decided once, here."""

    how: How
    way: Way = Way.NONE
    """The way in which the host shows it."""
    invite: bool = False
    """Whether the inbox is invited while the call waits, for questions that no dialog shows."""
    card: bool = False
    """Whether a card is shown once the call has returned, if the dialog was not shown."""


def way_to_ask(it: Situation) -> Way:
    """Return the best way of the host for the question."""
    if it.others or it.breakout or it.put_off or it.lost:
        return Way.NONE
    if it.forms and it.drawn and not it.secret:
        return Way.FORM
    return Way.LINK if it.links else Way.NONE


def plan(it: Situation) -> Plan:
    """Return how a call is carried out. After an `INVITE`, plan again with the resulting `page`."""
    if it.others:
        return Plan(how=How.TASK if it.tasks else How.HOLD)
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
    """Return how a call goes on after its dialog or link came back without an answer; `sent` is of this round."""
    if it.tasks:
        return Plan(how=How.TASK)
    if it.cards and not (it.sent or it.others):
        return Plan(how=How.CARD)
    return Plan(how=How.HOLD, invite=not it.others)


# Abilities of hosts, for the table.
_HOSTS = {
    "a dialog": Situation(forms=True),
    "a dialog that does not draw the form, and links": Situation(forms=True, drawn=False, links=True),
    "links": Situation(links=True),
    "tasks and a dialog": Situation(forms=True, tasks=True),
    "cards": Situation(cards=True),
    "nothing": Situation(),
}


def drawn() -> str:
    """Return the plans as a Markdown table: by the host's abilities, for a host with an inbox beside it."""
    heads = ["up to 2025-11-25", "from 2026-07-28", "a secret", "checked after *not now*", "a rule names who decides"]
    lines = [f"| the host has | {' | '.join(heads)} |", f"|{' --- |' * (len(heads) + 1)}"]
    for host, it in _HOSTS.items():
        asked = [
            replace(it, inbox=True, page=True),
            replace(it, inbox=True, page=True, rounds=True),
            replace(it, inbox=True, page=True, secret=True),
            replace(it, inbox=True, page=True, put_off=True, polling=True),
            replace(it, inbox=True, others=True),
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
