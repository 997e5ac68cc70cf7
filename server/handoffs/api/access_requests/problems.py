"""The problem types that the profile names (its section "Error Responses")."""

from enum import StrEnum

from handoffs.api.problems import Problem

_URN = "urn:openid:authzen:access-request:error:"


class Kind(StrEnum):
    """What is wrong with an access request, or with what is done with its task."""

    NOT_REQUESTABLE = "not_requestable"
    EXPIRED_DENIAL = "expired_denial"
    INVALID_BINDING = "invalid_denial_binding"
    DUPLICATE = "duplicate_request"
    UNKNOWN_TASK = "unknown_task"
    TASK_EXPIRED = "task_expired"
    INVALID_STATE = "invalid_task_state"


STATUS = {
    Kind.NOT_REQUESTABLE: 400,
    Kind.EXPIRED_DENIAL: 410,
    Kind.INVALID_BINDING: 400,
    Kind.DUPLICATE: 409,
    Kind.UNKNOWN_TASK: 404,
    Kind.TASK_EXPIRED: 410,
    Kind.INVALID_STATE: 409,
}


def problem(kind: Kind, detail: str, *, field: str = "") -> Problem:
    """Return a problem of a type that the profile names."""
    return Problem(STATUS[kind], detail, field=field, kind=_URN + kind)
