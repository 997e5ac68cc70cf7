"""Handoffs to keep, and what can happen to them."""

from datetime import datetime, timedelta

from handoffs.core.action import Action
from handoffs.core.deciders import Deciders, Seat
from handoffs.core.events import Answered, Cancelled, Declined, Event
from handoffs.core.form import Form
from handoffs.core.grant import Grant, Reach, new_grant_id
from handoffs.core.ids import new_id
from handoffs.core.model import Caller, Handoff, Question, fingerprint_of
from handoffs.core.passkey import Passkey
from handoffs.core.person import Person, new_handle
from handoffs.core.schema import response_form
from tests.core.strategies import ADA, ASKED

LATER = ASKED + timedelta(minutes=5)
"""A moment at which the samples are open."""
DAY = timedelta(hours=24)
"""How long they stay open."""
LONG_AGO = ASKED - timedelta(days=365)


def sample(
    message: str = "Format the drive /dev/sdb?",
    *,
    at: datetime = ASKED,
    handoff_id: str | None = None,
    caller: Caller = ADA,
    form: Form | None = None,
    stays_open: timedelta = DAY,
    breakout: bool = False,
    tool_use: str = "",
    action: Action | None = None,
    deciders: Deciders | None = None,
) -> Handoff:
    """Return a new handoff, asked at `at`."""
    form = form or response_form()
    return Handoff(
        id=handoff_id or new_id(),
        caller=caller,
        question=Question(
            message=message,
            form=form,
            deadline=at + stays_open,
            breakout_of_loop=breakout,
            action=action,
            deciders=deciders,
        ),
        created_at=at,
        fingerprint=fingerprint_of(caller, message=message, form=form, breakout_of_loop=breakout, action=action),
        tool_use=tool_use,
    )


def two_of(*people: str) -> Deciders:
    """Return that two of these people decide."""
    seats = tuple(Seat(person=person, groups=frozenset({"dba"})) for person in people)
    return Deciders(rule="gate.toml:2", asked_at=ASKED, seats=seats, votes=2, requester=frozenset({"agent"}))


def answered(
    *, at: datetime = LATER, by: str = "ada", channel: str = "terminal", note: str = "", response: str = "yes"
) -> Answered:
    """Return a person's answer to a sample."""
    return Answered(at=at, by=by, channel=channel, values={"response": response}, note=note)


def decision(number: int, *, by: str) -> Event:
    """Return one of the three ways in which a person can end a sample, by turns."""
    ways: tuple[Event, ...] = (
        answered(by=by),
        Declined(at=LATER, by=by, channel="inbox"),
        Cancelled(at=LATER, by=by, channel="command line"),
    )
    return ways[number % len(ways)]


def permission(*, at: datetime = ASKED, **changes: object) -> Grant:
    """Return a new grant, given at `at`."""
    given: dict[str, object] = {
        "id": new_grant_id(),
        "subject": "ada",
        "project": "/home/ada/site",
        "server": "shop",
        "tool": "write_query",
        "definition": "d1",
        "reach": Reach.TOOL,
        "created_at": at,
        "by": "ada",
        "channel": "inbox",
        "handoff_id": "h_1",
    }
    return Grant(**(given | changes))  # type: ignore[arg-type]


def person(name: str = "ada", *groups: str, at: datetime = ASKED, **changes: object) -> Person:
    """Return a new person, added at `at`."""
    given: dict[str, object] = {"name": name, "groups": frozenset(groups), "handle": new_handle(), "added_at": at}
    return Person(**(given | changes))  # type: ignore[arg-type]


def passkey(credential_id: str = "k1", *, at: datetime = ASKED, **changes: object) -> Passkey:
    """Return a passkey of ada, enrolled at `at`, whose bytes are no text."""
    given: dict[str, object] = {
        "credential_id": credential_id,
        "person": "ada",
        "public_key": b"\xa5\x01\x02\x00\xff",
        "label": "the blue one",
        "added_at": at,
        "active_from": at,
    }
    return Passkey(**(given | changes))  # type: ignore[arg-type]
