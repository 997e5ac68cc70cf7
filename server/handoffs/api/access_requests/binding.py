"""Whether a request is about what a decision point denied: what it signed is compared with what is asked for.

The binding token is a JSON Web Token of the decision point for this server (its section "Binding Token Integrity"). It
names the denied evaluation, inline (`subject`, `resource`, `action`, `context`) or by `binding_hash`. Of the context,
the members that `binding_context_members` lists are bound; all else is the program's own word.
"""

import base64
import hashlib
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Protocol, cast

from handoffs.api.access_requests.problems import Kind, problem
from handoffs.api.access_requests.submission import Members, Submission, moment_of
from handoffs.api.problems import RETRY_SECONDS, Problem
from handoffs.core import exact_json

LEEWAY = timedelta(seconds=30)
"""How much the decision point's clock may differ from ours."""

MAX_SEEN = 10_000
"""How many used tokens are remembered."""

EMPTY: Members = {}

MACHINERY = frozenset({"access_request", "approval", "evaluation_id", "evaluated_at", "reason"})
"""Members of a context that are never input to a decision."""


class NotVerified(Exception):
    """A binding token is not one of the decision point's for this server. The message says why."""


class KeysUnavailable(Exception):
    """The decision point's keys can't be had now."""


class DecisionPoint(Protocol):
    """The policy decision point whose denials are taken."""

    @property
    def url(self) -> str:
        """Its identifier."""
        ...

    async def claims(self, token: str, *, audience: str) -> Mapping[str, object]:
        """Return what a token says that it signed for this audience; times are not checked.

        Raises:
            NotVerified: It did not.
            KeysUnavailable: That can't be known now.
        """
        ...


@dataclass(frozen=True, kw_only=True, slots=True)
class Bound:
    """What of a request the decision point vouches for."""

    subject: Members
    """Without the actor, which is bound by nothing."""
    context: Members
    context_members: tuple[str, ...]
    """The members that count, also those that are absent."""
    evaluation_id: str
    token_id: str
    until: datetime
    """When the denial can't be asked about any more."""


async def bind(submission: Submission, point: DecisionPoint, *, audience: str, now: datetime) -> Bound:
    """Return what the decision point vouches for. Raises Problem."""
    try:
        claims = await point.claims(submission.token, audience=audience)
    except NotVerified as why:
        raise _unbound(f"The binding token is not one of {point.url} for {audience}: {why}.") from None
    except KeysUnavailable:
        raise Problem(
            503,
            "The keys of the decision point can't be had now, so nothing was asked.",
            headers={"retry-after": str(RETRY_SECONDS)},
        ) from None
    until = _deadline(claims, submission.denied_until, now)
    members = _context_members(claims)
    context = {name: submission.context[name] for name in members if name in submission.context}
    subject = without_actor(submission.subject)
    _compare(claims, submission, subject, context, members)
    evaluation = claims.get("evaluation_id", "")
    said = submission.denial.get("evaluation_id", evaluation)
    if not isinstance(evaluation, str) or (evaluation and said != evaluation):
        raise _unbound("The binding token is about another evaluation.", "denial.evaluation_id")
    if now >= until + LEEWAY:
        raise problem(Kind.EXPIRED_DENIAL, "The denial can't be asked about any more: evaluate anew.")
    token_id = claims.get("jti")
    return Bound(
        subject=subject,
        context=context,
        context_members=members,
        evaluation_id=evaluation,
        token_id=token_id if isinstance(token_id, str) else "",
        until=until,
    )


def _deadline(claims: Members, denied_until: datetime, now: datetime) -> datetime:
    """Return until when the denial can be asked about, as far as it is protected. Raises Problem."""
    for name in ("nbf", "iat"):
        begins = _time(claims, name)
        if begins is not None and begins > now + LEEWAY:
            raise _unbound("The binding token is not good yet.")
    expires = _time(claims, "exp")
    if "denial_expires_at" in claims:
        if moment_of(claims["denial_expires_at"]) != denied_until:
            raise _unbound("The binding token says another time.", "denial.expires_at")
    elif expires is None or expires > denied_until:
        raise _unbound("The binding token protects no expiry of the denial: it needs denial_expires_at.")
    return denied_until if expires is None else min(expires, denied_until)


def _time(claims: Members, name: str) -> datetime | None:
    if name not in claims:
        return None
    value = claims[name]
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise _unbound(f"The binding token's {name} is no time.")
    try:
        return datetime.fromtimestamp(value, UTC)
    except (ValueError, OverflowError, OSError):
        raise _unbound(f"The binding token's {name} is no time.") from None


def _context_members(claims: Members) -> tuple[str, ...]:
    given = claims.get("binding_context_members", [])
    names = cast("list[object]", given) if isinstance(given, list) else [None]
    if not all(isinstance(name, str) for name in names):
        raise _unbound("The binding token's binding_context_members is no list of names.")
    return tuple(sorted({cast("str", name) for name in names} - MACHINERY))


def _compare(
    claims: Members, submission: Submission, subject: Members, context: Members, members: tuple[str, ...]
) -> None:
    """Return if the token binds what is asked for. Raises Problem."""
    inline, hashed = {"subject", "resource", "action"} <= {*claims}, "binding_hash" in claims
    if not inline and not hashed:
        raise _unbound("The binding token names no subject, resource and action, nor a binding_hash.")
    asked = {"subject": subject, "resource": submission.resource, "action": submission.action, "context": context}
    if hashed:
        bare = cast("Members", _without_empty(subject))
        written: list[Members] = [subject, bare, *([] if "properties" in bare else [{**bare, "properties": EMPTY}])]
        if claims["binding_hash"] not in [_hash({**asked, "subject": each}) for each in written]:
            raise _unbound("The binding token is about something else than what is asked for.", "denial.binding_token")
    if inline:
        for name in ("subject", "resource", "action"):
            signed, wanted = claims[name], asked[name]
            if name == "subject" and isinstance(signed, dict):
                signed, wanted = _without_empty(without_actor(cast("Members", signed))), _without_empty(wanted)
            if not _same(signed, wanted):
                raise _unbound(f"The binding token is about another {name}.", name)
        signed = claims.get("context", {})
        if not isinstance(signed, dict):
            raise _unbound("The binding token's context is no object.", "context")
        known = cast("Members", signed)
        if not _same({name: known[name] for name in members if name in known}, context):
            raise _unbound("The binding token is about another context.", "context")


def without_actor(subject: Members) -> Members:
    """Return a subject without `properties.act`, which may stand elsewhere and is compared nowhere."""
    properties = subject.get("properties")
    if not isinstance(properties, dict) or "act" not in properties:
        return subject
    return {
        **subject, "properties": {name: each for name, each in cast("Members", properties).items() if name != "act"}
    }  # fmt: skip


def _without_empty(subject: object) -> object:
    """Return a subject without empty properties: an actor may have been all that was in them."""
    if not isinstance(subject, dict) or cast("Members", subject).get("properties") != {}:
        return cast("object", subject)
    return {name: each for name, each in cast("Members", subject).items() if name != "properties"}


def _hash(asked: Members) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(exact_json.canonical(asked)).digest()).rstrip(b"=").decode()


def _same(one: object, other: object) -> bool:
    try:
        return exact_json.canonical(one) == exact_json.canonical(other)
    except ValueError:
        return False


def _unbound(detail: str, field: str = "denial.binding_token") -> Problem:
    return problem(Kind.INVALID_BINDING, detail, field=field)


class UsedTokens:
    """Remembers which task a binding token led to, as long as it is good; one process remembers its own."""

    def __init__(self, most: int = MAX_SEEN) -> None:
        """Remember at most so many."""
        self._most = most
        self._seen: OrderedDict[str, tuple[str, datetime]] = OrderedDict()

    def use(self, bound: Bound, task: str, now: datetime) -> None:
        """Use a token for a task. Raises Problem: It was used for another one."""
        if not bound.token_id:
            return
        for token_id, (_, until) in [*self._seen.items()][:2]:  # a few at a time: they lapse in about this order
            if until + LEEWAY < now:
                del self._seen[token_id]
        known = self._seen.get(bound.token_id)
        if known is not None and known[0] != task:
            raise _unbound("This binding token was used for another request.")
        self._seen[bound.token_id] = task, bound.until
        while len(self._seen) > self._most:
            self._seen.popitem(last=False)

    def release(self, bound: Bound, task: str) -> None:
        """Forget a use that came to nothing."""
        if self._seen.get(bound.token_id, ("",))[0] == task:
            del self._seen[bound.token_id]
