"""The record of one decision as envelopes of AAIS 1.0: https://pypi.org/project/agent-approval-interchange/.

- The question is `approval.requested`. What it ends with is `approval.resolved`; before that stands `approval.decided`
  where somebody decided it. Every other line of its log is an `approval.activity`, also what became of the decision.
- The stream of a record is the handoff's id, and counts from 1. Decisions are in a stream of their own, as in the
  package's own authority.
- A question without an action asks for one thing: that an answer is given. It is *approved* when there is one, whatever
  it says. What it says is in the extension `answer`.
- Votes are no decisions of AAIS, which knows one for each request: they are an extension of the resolution.
- A call that a person changed is two requests: the one as it came is `stale`, and the changed one is approved.
- An answer whose votes or signature do not fit, or whose channel permits nothing, is `invalid`.

What AAIS wants and Handoffs does not have: a risk (none is rated, and the level says nothing), and a session of the
agent (the id of the handoff stands there). `authenticated_by` is there for a passkey alone.
"""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from hashlib import sha256
from typing import TypeAlias

from handoffs.core.action import Action
from handoffs.core.action_form import ALLOW, ARGUMENTS, REMEMBER
from handoffs.core.attachment import listed
from handoffs.core.client_name import bare_name
from handoffs.core.decision_record import ENDS, CheckedVote, Record
from handoffs.core.display import event_words
from handoffs.core.document import exact_values
from handoffs.core.events import Entry
from handoffs.core.exact_json import canonical
from handoffs.core.form import DECISION
from handoffs.core.masking import masked
from handoffs.core.model import SCRIPT, End, State
from handoffs.core.standing import sees
from handoffs.core.storable import storable
from handoffs.core.untrusted import inert_line

VERSION = "1.0"

EXTENSION = "handoffs.internal/"
"""Begins the names of our extensions; nobody can own this domain."""

Envelope: TypeAlias = dict[str, object]

SESSION = "session"
"""The value of `remember` that lasts as long as the agent's session."""

_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,199}")
_NO_ID = re.compile(r"[^A-Za-z0-9._:-]+")
_MOST_TEXT, _MOST_LABEL, _MOST_DETAILS, _MOST_SAID, _MOST_PATH = 1_000, 200, 10_000, 2_000, 4_096

_RISK: Mapping[str, object] = {
    "level": "medium",
    "reasons": ["Not rated: Handoffs asks a person, and does not rate risks."],
}
_OF_CALL = frozenset({"used", "edited", "sent", "result", "unknown"})
"""Events of the call that runs."""
_ENDED: Mapping[str, str] = {
    "approved": "A person allowed it.",
    "denied": "A person refused.",
    "cancelled": "It was withdrawn; nobody decided.",
    "expired": "Nobody decided in time.",
    "stale": "The person changed the arguments before they allowed it: see the changed request.",
    "answered": "A person answered; the answer is in the extension.",
    "answered by a program": "A program that says that it is no person answered; the answer is in the extension.",
    "denied by a program": "A program that says that it is no person refused.",
    "changed badly": "The person changed the arguments to what is no JSON object.",
    "permits nothing": "What allowed it permits no use of a tool: a host, or a program.",
}


def envelopes(record: Record, *, reader: str) -> list[Envelope]:
    """Return the record as AAIS envelopes, in order, without the secrets of an action.

    Where only those who decide may know each other, a `reader` who has no vote reads no names.
    """
    return list(_Writer(record=record, named=sees(record.handoff.question.deciders, reader)).all())


def written(record: Record, *, reader: str) -> str:
    """Return the envelopes as one JSON array. ASCII only, so that an agent's text can't control a terminal."""
    return json.dumps(envelopes(record, reader=reader), indent=2)


@dataclass
class _Asked:
    """One request: what it is about, and by which digest decisions name it."""

    id: str
    action: Mapping[str, object]
    digest: str = field(init=False)

    def __post_init__(self) -> None:
        self.digest = f"sha256:{sha256(canonical(dict(self.action))).hexdigest()}"


@dataclass
class _Writer:
    record: Record
    named: bool
    count: int = 0
    decided: int = 0
    changed: bool = False
    """Whether the call that runs is the changed one."""

    def all(self) -> Iterator[Envelope]:
        handoff = self.record.handoff
        asked = _Asked(handoff.id, self._action())
        action = handoff.question.action
        yield self._requested(asked, handoff.created_at, digest="" if action is None else action.digest)
        for entry in self.record.entries:
            if entry.name in ENDS:
                yield from self._ended(asked)
            elif entry.name != "opened":
                yield self._happened(entry)

    # What was asked

    def _action(self) -> Mapping[str, object]:
        handoff = self.record.handoff
        action, message = handoff.question.action, storable(self.record.shown.question.message)
        if action is not None:
            return _call(action, message)
        return {
            "kind": "question",
            "name": "answer",
            "summary": _text(f"Give the agent an answer to: {message}", _MOST_TEXT),
            # As text: the order of its fields is part of what was shown.
            "arguments": {"message": message, "form": storable(json.dumps(handoff.question.form.schema))},
        }

    def _requested(self, asked: _Asked, at: datetime, *, digest: str, changes: str = "") -> Envelope:
        handoff = self.record.shown
        caller, deadline = handoff.caller, handoff.question.deadline
        origin: dict[str, object] = {"harness": _id(bare_name(caller.client) or "unknown"), "session_id": handoff.id}
        if project := storable(caller.project)[:_MOST_PATH]:
            origin["project"] = project
        request: dict[str, object] = {
            "id": asked.id,
            "created_at": _time(at),
            **({"expires_at": _time(deadline)} if deadline > at else {}),
            "status": "pending",
            "origin": origin,
            "action": asked.action,
            "action_digest": asked.digest,
            "risk": _RISK,
            "choices": self._choices(),
            "extensions": {
                f"{EXTENSION}question": {
                    "message": handoff.question.message,
                    "caller": {"subject": caller.subject, "client": caller.client, "project": caller.project},
                    "digest": digest or None,
                    "changes": changes or None,
                    "host": {each: self.record.opened.get(each) for each in ("version", "protocol", "transport")},
                }
            },
        }
        return self._envelope("approval.requested", at, request=request)

    def _choices(self) -> list[object]:
        question = self.record.handoff.question
        offered = [
            choice.value for each in question.form.fields if each.name == REMEMBER for choice in each.choices
        ] if question.action is not None else []  # fmt: skip
        lasting = [each for each in offered if each != SESSION]
        allow, deny = ("Answer", "Decline") if question.action is None else ("Allow once", "Deny")
        choices = [_choice("approve", "once", allow)]
        if SESSION in offered:
            choices.append(_choice("approve", "session", "Allow, and remember in this session", [SESSION]))
        if lasting:
            choices.append(_choice("approve", "persistent", "Allow, and remember", lasting))
        return [*choices, _choice("deny", "once", deny), _choice("cancel", "once", "Withdraw")]

    # How it ended

    def _ended(self, asked: _Asked) -> Iterator[Envelope]:
        handoff, record = self.record.handoff, self.record
        end = handoff.end
        if end is None:
            return
        match handoff.state:
            case State.DECLINED:
                yield self._decided(asked, end, "deny")
                yield self._resolved(asked, end, "denied", decided=True)
            case State.ANSWERED if record.refused:
                yield self._resolved(asked, end, "invalid", said=f"What was answered is not believed: {record.refused}")
            case State.ANSWERED if handoff.question.action is not None:
                yield from self._answered(asked, end, handoff.question.action)
            case State.ANSWERED:
                yield self._decided(asked, end, "approve")
                said = _ENDED["answered by a program" if end.channel == SCRIPT else "answered"]
                yield self._resolved(asked, end, "approved", decided=True, said=said)
            case State.CANCELLED | State.EXPIRED:
                yield self._resolved(asked, end, handoff.state.value)
            case State.OPEN:
                return

    def _answered(self, asked: _Asked, end: End, action: Action) -> Iterator[Envelope]:
        values = self.record.handoff.values or {}  # not masked: a changed secret is a change
        if values.get(DECISION) != ALLOW:
            yield self._decided(asked, end, "deny")
            yield self._resolved(asked, end, "denied", decided=True)
            return
        if not self.record.permits:
            yield self._resolved(asked, end, "invalid", said=_ENDED["permits nothing"])
            return
        try:
            changed = _changed(action, str(values.get(ARGUMENTS) or ""))
        except ValueError:
            yield self._resolved(asked, end, "invalid", said=_ENDED["changed badly"])
            return
        if changed is not None:
            self.changed = True
            yield self._resolved(asked, end, "stale")
            asked = _Asked(_edited(asked.id), _call(changed))
            yield self._requested(asked, end.at, digest=changed.digest, changes=self.record.handoff.id)
        yield self._decided(asked, end, "approve")
        yield self._resolved(asked, end, "approved", decided=True)

    def _decided(self, asked: _Asked, end: End, decision: str) -> Envelope:
        handoff, values = self.record.shown, self.record.shown.values
        remembered = str((values or {}).get(REMEMBER) or "") if handoff.question.action is not None else ""
        scope = (
            "once" if decision != "approve" or not remembered else SESSION if remembered == SESSION else "persistent"
        )
        body: dict[str, object] = {
            "id": f"{asked.id}:decision",
            "request_id": asked.id,
            "action_digest": asked.digest,
            "decided_at": _time(end.at),
            "decision": decision,
            "scope": scope,
            "actor": self._actor(end),
            "extensions": {
                f"{EXTENSION}answer": {
                    "values": None if values is None else dict(values),
                    "other": handoff.other or None,
                    **({"attachments": listed(handoff.attachments)} if handoff.attachments else {}),
                    "note": end.note or None,
                    "channel": end.channel,
                }
            },
        }
        self.decided += 1
        return {
            "aais": VERSION,
            "type": "approval.decided",
            "id": f"{handoff.id}:decided:{self.decided}",
            "occurred_at": _time(end.at),
            "sequence": self.decided,
            "stream": f"{handoff.id}.presenter",
            "decision": body,
        }

    def _actor(self, end: End) -> dict[str, object]:
        kind = "policy" if end.channel == SCRIPT else "human"
        name = inert_line(end.by, _MOST_LABEL) if self.named else ""
        actor: dict[str, object] = {"id": _id(end.by) if name else "unnamed", "type": kind}
        if name:
            actor["display_name"] = name
        if self.record.proved:
            actor["authenticated_by"] = "passkey"
        return actor

    def _resolved(
        self, asked: _Asked, end: End, outcome: str, *, decided: bool = False, said: str | None = None
    ) -> Envelope:
        said = said or _ENDED["denied by a program" if (outcome, end.channel) == ("denied", SCRIPT) else outcome]
        body: dict[str, object] = {
            "id": f"{asked.id}:resolution",
            "request_id": asked.id,
            "action_digest": asked.digest,
            "resolved_at": _time(end.at),
            "outcome": outcome,
            "message": _text(said, _MOST_SAID),
        }
        if decided:
            body["decision_id"] = f"{asked.id}:decision"
        remembered = (self.record.handoff.values or {}).get(REMEMBER)
        # Whether a permission for later stands, the permissions say.
        if outcome == "denied" or (outcome == "approved" and not remembered):
            body["effective_scope"] = "once"
        more = self._voting()
        if not decided and (end.by or end.channel):
            by = end.by if self.named else None
            more[f"{EXTENSION}end"] = {"by": by or None, "channel": end.channel or None, "note": end.note or None}
        if more:
            body["extensions"] = more
        return self._envelope("approval.resolved", end.at, resolution=body)

    def _voting(self) -> dict[str, object]:
        deciders = self.record.handoff.question.deciders
        if deciders is None:
            return {}
        rule = {
            "rule": deciders.rule,
            "votes": deciders.votes,
            "each": list(deciders.each),
            "refusals": deciders.refusals,
            "proof": deciders.proof or None,
            "people": list(deciders.people) if self.named else None,
        }
        votes = [_vote(each) for each in self.record.votes] if self.named else None
        return {f"{EXTENSION}rule": rule, f"{EXTENSION}votes": votes}

    # What else happened

    def _happened(self, entry: Entry) -> Envelope:
        hidden = frozenset[str]() if self.named else {"by", "for_", "digest"}
        details = {name: each for name, each in entry.details.items() if name not in hidden}
        about = _edited(self.record.handoff.id) if self.changed and entry.name in _OF_CALL else self.record.handoff.id
        activity = {
            "request_id": about,
            "message": _text(event_words(entry.name, details), _MOST_SAID),
            "stage": _id(entry.name),
        }
        more = {"extensions": {f"{EXTENSION}event": details}} if details else {}
        return {**self._envelope("approval.activity", entry.at, activity=activity), **more}

    def _envelope(self, kind: str, at: datetime, **body: object) -> Envelope:
        self.count += 1
        stream = self.record.handoff.id
        return {
            "aais": VERSION,
            "type": kind,
            "id": f"{stream}:{self.count}",
            "occurred_at": _time(at),
            "sequence": self.count,
            "stream": stream,
            **body,
        }


def _call(action: Action, message: str = "") -> Mapping[str, object]:
    """Return a use of a tool as an action of AAIS, as far as it may be shown; `message` is what a person read."""
    found = masked(action)
    of = f" of {action.server}" if action.server else ""
    presentation: dict[str, object] = {}
    if found.secrets:
        presentation = {"redacted": True, "binding_hint": f"sha256:{action.digest} of the exact call"}
    if 0 < len(message) <= _MOST_DETAILS:
        presentation["details"] = message
    return {
        "kind": "tool.call",
        "name": _id(action.tool),
        "summary": _text(f"Run {action.tool}{of}", _MOST_TEXT),
        "arguments": exact_values(found.values),
        "resource": storable(f"{action.server}/{action.tool}")[:_MOST_PATH],
        **({"presentation": presentation} if presentation else {}),
    }


def _changed(action: Action, text: str) -> Action | None:
    """Return the action with edited arguments; None where it is the same. Raises ValueError: no JSON object."""
    if not text.strip():
        return None
    changed = replace(action, arguments=text)
    return None if changed.digest == action.digest else changed


def _edited(request: str) -> str:
    return f"{request}:edited"


def _choice(decision: str, scope: str, label: str, remember: list[str] | None = None) -> Mapping[str, object]:
    limits = {} if remember is None else {"scope_constraints": {REMEMBER: remember}}
    return {"decision": decision, "scope": scope, "label": label, **limits}


def _vote(checked: CheckedVote) -> Mapping[str, object]:
    vote = checked.vote
    proof = {
        "credential": checked.key,
        "verified": checked.proved,
        "problem": checked.problem or None,
        "assertion": vote.proof,
    }
    return {
        "person": vote.person,
        "for": vote.for_ or None,
        "at": _time(vote.at),
        "channel": vote.channel,
        "agrees": not vote.refuses,
        "note": checked.note or None,
        "passkey": proof if vote.proof else None,
    }


def _id(text: str) -> str:
    """Return a text as AAIS can have it for an id; one that it can't have gets a digest, so that no two are alike."""
    if _ID.fullmatch(text):
        return text
    plain = _NO_ID.sub("-", text).strip("-._:")[:100]
    return f"{plain or 'x'}-{sha256(storable(text).encode()).hexdigest()[:12]}"


def _text(text: str, most: int) -> str:
    return storable(inert_line(text))[:most] or "-"


def _time(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
