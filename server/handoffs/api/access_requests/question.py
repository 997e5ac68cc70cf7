"""What the person is asked, and how the task stands by what they said. Pure.

The request is shown as an action: the profile's action, of the decision point, with all that it is about as arguments.
What the decision point vouches for stands beside what the program alone says.
"""

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import cast

from handoffs.api.access_requests.binding import Bound
from handoffs.api.access_requests.submission import Members, Submission, moment_of
from handoffs.channels import may_permit
from handoffs.core.action import Action, Asker
from handoffs.core.action_form import ALLOW, REASON, decision, reason
from handoffs.core.action_shown import MAX_SHOWN, PLAIN_NAME, message_of
from handoffs.core.display import stamp
from handoffs.core.form import DECISION, DENY, Schema
from handoffs.core.model import Handoff, State
from handoffs.core.voting import was_decided

USUAL, LONGEST = timedelta(hours=1), timedelta(days=1)
"""How long an approval counts after it was given: without `requested_until`, and at most."""

KEPT = timedelta(days=1)
"""How long a task is found after its question can't be answered any more."""

NOT_VERIFIED = "not_verified"
"""The argument that holds what the program alone says."""

FORM: Schema = {
    "type": "object",
    "properties": {DECISION: decision(allow="Allow"), REASON: reason()},  # not once: what is said counts for a while
    "required": [DECISION],
}


class TooLong(Exception):
    """A request can't be shown to a person as a whole."""


class Status(StrEnum):
    """How a task stands, in the profile's words."""

    PENDING = "pending"
    APPROVED = "approved"
    DENIED = "denied"
    EXPIRED = "expired"
    CANCELLED = "cancelled"
    FAILED = "failed"


OF_STATE = {
    State.OPEN: Status.PENDING,
    State.DECLINED: Status.DENIED,
    State.CANCELLED: Status.CANCELLED,
    State.EXPIRED: Status.EXPIRED,
}
"""By the state of the question; of an answered one the answer says it."""

TITLES = {
    Status.PENDING: "A person has been asked.",
    Status.APPROVED: "A person approved this. Evaluate it anew, with the approval.",
    Status.DENIED: "A person denied this.",
    Status.EXPIRED: "Nobody decided in time. Silence is not consent.",
    Status.CANCELLED: "The request was withdrawn.",
    Status.FAILED: "What was answered does not count as approval.",
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Shown:
    """The question to the person."""

    message: str
    action: Action


def shown(submission: Submission, bound: Bound, *, point: str) -> Shown:
    """Return the question. Raises TooLong."""
    arguments: dict[str, object] = {
        "subject": bound.subject,
        "action": submission.action,
        "resource": submission.resource,
    }
    if bound.context:
        arguments["context"] = bound.context
    if {*bound.context_members} != {*bound.context}:
        arguments["binding_context_members"] = list(bound.context_members)
    if submission.requested_access:
        arguments["requested_access"] = submission.requested_access
    if bound.evaluation_id:
        arguments["evaluation_id"] = bound.evaluation_id
    if said := _said(submission, bound):
        arguments[NOT_VERIFIED] = said
    text = json.dumps(arguments, ensure_ascii=False, allow_nan=False)
    action = Action(asker=Asker.GATE, server=point, tool=str(submission.action["name"]), arguments=text)
    message = message_of(action, origin=_origin(point, submission.requested_until, said=bool(said)))
    if len(message) > MAX_SHOWN:
        raise TooLong
    return Shown(message=message, action=action)


def _said(submission: Submission, bound: Bound) -> Members:
    """Return what the program alone says."""
    said: dict[str, object] = {}
    if rest := {name: value for name, value in submission.context.items() if name not in bound.context}:
        said["context"] = rest
    if submission.client:
        said["client"] = submission.client
    properties = submission.subject.get("properties")
    if isinstance(properties, Mapping) and "act" in properties:
        said["subject.properties.act"] = cast("Members", properties)["act"]
    denial = {
        name: value for name, value in submission.denial.items() if name in ("reason", "template", "evaluated_at")
    }
    if not bound.evaluation_id and "evaluation_id" in submission.denial:
        denial["evaluation_id"] = submission.denial["evaluation_id"]
    if denial:
        said["denial"] = denial
    return said


def _origin(point: str, until: datetime | None, *, said: bool) -> str:
    who = f"`{point}`" if PLAIN_NAME.fullmatch(point) else "A decision point"
    counts = "for an hour" if until is None else f"until {stamp(until)}, and for a day at most"
    parts = [
        f"{who} denied this to the subject, and lets it be asked for. If you allow it, it decides again, knowing that "
        f"you did; what you say counts {counts}."
    ]
    if said:
        parts.append(f"What stands under `{NOT_VERIFIED}` is the program's own word.")
    return " ".join(parts)


def status_of(handoff: Handoff, *, proved: bool, subject: Collection[str] = ()) -> Status:
    """Return how the task of a question stands: approved only where those who may have allowed it.

    `subject` are the names of whom it is for, in lower case: they approve nothing for themselves.
    """
    if handoff.state is not State.ANSWERED:
        return OF_STATE.get(handoff.state, Status.FAILED)
    values = handoff.values or {}
    if values.get(DECISION) == DENY:
        return Status.DENIED
    allowed = values.get(DECISION) == ALLOW and not handoff.other and {*values} <= {DECISION, REASON}
    return Status.APPROVED if allowed and proved and _is_by_others(handoff, subject) else Status.FAILED


def _is_by_others(handoff: Handoff, subject: Collection[str]) -> bool:
    end, deciders = handoff.end, handoff.question.deciders
    if end is None or not may_permit(end.channel) or end.by.lower() in subject:
        return False
    if deciders is None:
        return True
    votes = [
        vote
        for vote in handoff.votes
        if may_permit(vote.channel) and vote.person.lower() not in subject and vote.for_.lower() not in subject
    ]
    return was_decided(replace(handoff, votes=tuple(votes)), deciders)


def arguments_of(handoff: Handoff) -> Members:
    """Return what was asked for, as the store has it; empty where it is none of ours."""
    action = handoff.question.action
    try:
        return {} if action is None else action.values
    except ValueError:
        return {}


def approved_until(handoff: Handoff) -> datetime:
    """Return until when an approval counts."""
    given = handoff.end.at if handoff.end is not None else handoff.created_at
    requested = arguments_of(handoff).get("requested_access")
    until = moment_of(cast("Members", requested).get("requested_until")) if isinstance(requested, Mapping) else None
    return min(given + USUAL if until is None else until, given + LONGEST)


def told(handoff: Handoff, status: Status) -> Members:
    """Return what the program may show of it: the person's own words on a denial, and no name of anybody."""
    said: dict[str, object] = {"title": TITLES[status]}
    end = handoff.end
    words = str((handoff.values or {}).get(REASON) or (end.note if end is not None else ""))
    if status is Status.DENIED and words:
        said["description"] = words
    return said
