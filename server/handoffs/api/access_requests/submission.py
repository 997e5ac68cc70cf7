"""The body of an access request, checked member by member.

A member that the profile does not define is refused, but where the profile lets others add members: in `context`, in
`properties`, in `requested_access` and in `client`. There it is kept, and the person sees it.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import cast

from handoffs.api.access_requests.problems import Kind, problem
from handoffs.api.problems import Problem
from handoffs.core import exact_json
from handoffs.core.moments import is_moment
from handoffs.core.untrusted import inert_line

MAX_BYTES = 65_536
"""The most bytes of a request."""

MAX_DEPTH = 16
"""How deeply its values may be nested: a person has to see them."""

MAX_TEXT = 1_000
"""The most characters of an identifier."""

MAX_TOKEN = 16_384
"""The most characters of a binding token."""

TOP = ("subject", "resource", "action", "context", "denial", "requested_access", "client")
ENTITY = ("type", "id", "properties")
ACTION = ("name", "properties")
DENIAL = ("evaluation_id", "evaluated_at", "expires_at", "reason", "binding_token", "template")

_LEFT_OUT = {
    "items": "One request names one resource and one action here: send each item as a request of its own.",
    "callback": "No callbacks are sent here: look at the status endpoint, or have a webhook of this server tell you.",
}

Members = Mapping[str, object]


@dataclass(frozen=True, kw_only=True, slots=True)
class Submission:
    """An access request, as a program sends it. Nothing of it is verified yet."""

    subject: Members
    resource: Members
    action: Members
    context: Members
    denial: Members
    """With a `binding_token`."""
    requested_access: Members
    client: Members
    denied_until: datetime
    """Until when the denial can be asked about, by its own word."""
    requested_until: datetime | None
    digest: str
    """Equal for two bodies that say the same."""

    @property
    def token(self) -> str:
        """The binding token."""
        return str(self.denial["binding_token"])

    @property
    def program(self) -> str:
        """The name that the program gives itself, in one line."""
        return inert_line(str(self.client.get("name") or self.client.get("id") or ""), MAX_TEXT)


def read_submission(given: Members, *, caller: str) -> Submission:
    """Return the request in a body. Raises Problem, with the member."""
    for name, why in _LEFT_OUT.items():
        if name in given:
            raise Problem(422, why, field=name)
    _known(given, TOP, "")
    _plain(given)
    subject = _entity(given, "subject")
    resource = _entity(given, "resource")
    action = _named(given)
    context, requested, client = (_object(given, name) for name in ("context", "requested_access", "client"))
    denial, denied_until = _denial(given)
    until = _moment(requested, "requested_access.requested_until")
    if not isinstance(requested.get("emergency", False), bool):
        raise Problem(422, "It must be true or false.", field="requested_access.emergency")
    _client(client, caller)
    return Submission(
        subject=subject,
        resource=resource,
        action=action,
        context=context,
        denial=denial,
        requested_access=requested,
        client=client,
        denied_until=denied_until,
        requested_until=until,
        digest=hashlib.sha256(exact_json.canonical(given)).hexdigest(),
    )


def _plain(given: Members) -> None:
    """Return if every reader reads the values alike, and a person can. Raises Problem."""
    for name, value in given.items():
        if _depth(value) > MAX_DEPTH:
            raise Problem(422, f"It may be nested {MAX_DEPTH} deep.", field=name)
        if next(exact_json.odd_numbers(value), None) is not None:
            raise Problem(422, "Programs read a number in it differently: write it as a text.", field=name)
        try:
            exact_json.canonical(value)
        except ValueError as wrong:
            raise Problem(422, f"It can't be compared: {wrong}.", field=name) from None


def _depth(value: object) -> int:
    """Return how deeply a value is nested; no more than is needed to know that it is too deep."""
    deepest, at = 0, [(value, 0)]
    while at:
        each, depth = at.pop()
        deepest = max(deepest, depth)
        if depth > MAX_DEPTH:
            return depth
        if isinstance(each, dict):
            at += [(inner, depth + 1) for inner in cast("dict[str, object]", each).values()]
        elif isinstance(each, list):
            at += [(inner, depth + 1) for inner in cast("list[object]", each)]
    return deepest


def _entity(given: Members, name: str) -> Members:
    found = _required(given, name)
    _known(found, ENTITY, name)
    for member in ("type", "id"):
        _text(found, f"{name}.{member}", required=True)
    _object(found, f"{name}.properties")
    return found


def _named(given: Members) -> Members:
    found = _required(given, "action")
    _known(found, ACTION, "action")
    _text(found, "action.name", required=True)
    _object(found, "action.properties")
    return found


def _denial(given: Members) -> tuple[Members, datetime]:
    if "denial" not in given:
        raise problem(
            Kind.INVALID_BINDING, "It needs the denial that it is about, with its binding token.", field="denial"
        )
    denial = _required(given, "denial")
    _known(denial, DENIAL, "denial")
    for name in ("evaluation_id", "reason", "template"):
        _text(denial, f"denial.{name}")
    _text(denial, "denial.binding_token", most=MAX_TOKEN)
    _moment(denial, "denial.evaluated_at")
    until = _moment(denial, "denial.expires_at")
    if until is None:
        raise Problem(422, "It must be a time of RFC 3339: until when the denial can be asked about.",
                      field="denial.expires_at")  # fmt: skip
    if "binding_token" not in denial:
        raise problem(
            Kind.INVALID_BINDING,
            "This server can't look evaluations up: it needs the binding token that the decision point signed.",
            field="denial.binding_token",
        )
    return denial, until


def _client(client: Members, caller: str) -> None:
    for name in ("id", "name"):
        _text(client, f"client.{name}")
    if "actor" in client:
        actor = _object(client, "client.actor")
        _text(actor, "client.actor.id", required=True)
        # An actor counts only as far as the token proves it, and the token names its caller alone.
        if actor["id"] != caller or {*actor} - {"id", "type"}:
            raise Problem(
                422,
                "The token does not prove this actor: leave it out, or name the caller alone.",
                field="client.actor",
            )
        _text(actor, "client.actor.type")
    source = _object(client, "client.source")
    for name in ("session_id", "external_url", "integration_id"):
        _text(source, f"client.source.{name}")
    if not str(source.get("external_url", "https://")).startswith("https://"):
        raise Problem(422, "It must be an https address.", field="client.source.external_url")


def _required(given: Members, name: str) -> Members:
    if name not in given:
        raise Problem(422, "It is missing: it must be a JSON object.", field=name)
    return _object(given, name)


def _object(given: Members, path: str) -> Members:
    """Return the object at the last name of a path; an empty one where there is none."""
    value = given.get(_last(path), {})
    if not isinstance(value, dict):
        raise Problem(422, "It must be a JSON object.", field=path)
    return cast("Members", value)


def _text(given: Members, path: str, *, required: bool = False, most: int = MAX_TEXT) -> None:
    name = _last(path)
    if name not in given and not required:
        return
    value = given.get(name)
    if not isinstance(value, str) or not 0 < len(value) <= most:
        raise Problem(422, f"It must be a text of 1 to {most:,} characters.", field=path)


def _moment(given: Members, path: str) -> datetime | None:
    name = _last(path)
    if name not in given:
        return None
    moment = moment_of(given[name])
    if moment is None:
        raise Problem(422, "It must be a time of RFC 3339, such as 2026-11-22T19:30:00Z.", field=path)
    return moment


def moment_of(value: object) -> datetime | None:
    """Return the time that a text of RFC 3339 says; None where it is none."""
    if not isinstance(value, str) or len(value) > 64 or not is_moment(value):
        return None
    try:
        return datetime.fromisoformat(value.upper()).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def _known(given: Members, names: Sequence[str], path: str) -> None:
    for name in given:
        if name not in names:
            said = f"There is no such member; there are {', '.join(names)}."
            raise Problem(422, said, field=f"{path}.{name}"[:200] if path else name[:200])


def _last(path: str) -> str:
    return path.rpartition(".")[2]
