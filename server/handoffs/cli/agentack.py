"""The calls that a gate held, as a trace for AgentAck (schema 2): https://pypi.org/project/agentack/.

- Each question about a call is an action with an approval. What was sent counts as executed, whatever came of it: also
  what is *unknown*, which may have run.
- A call that a person changed is two actions of one intent: the original, denied, and the changed one, with an approval
  of its own.
- Silence, a withdrawal and an allowance that permits nothing (by a script) are denials.
- What the log says was sent is executed in the trace, whether it was allowed or not: AgentAck finds that.
- Calls that a rule or a permission for later allowed, and the stop of everything, are not in the log.

Secrets in arguments are masked. The digest is of the exact arguments, so no two calls are taken for one.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import TypeAlias, cast

from handoffs.channels import may_permit
from handoffs.core.action import Action, Asker
from handoffs.core.action_form import ALLOW, ARGUMENTS
from handoffs.core.display import stamp
from handoffs.core.document import exact_values
from handoffs.core.events import Entry
from handoffs.core.form import DECISION
from handoffs.core.masking import masked
from handoffs.core.model import Handoff
from handoffs.gate.edits import checked
from handoffs.gate.waiting import CHANNEL

SCHEMA = 2

SENDING = timedelta(minutes=1)
"""How long it may take from looking at an approval to noting that its call is sent."""

MAX_LEVELS, MAX_CHARACTERS = 16, 900_000
"""What AgentAck reads of arguments; deeper ones are written as text, longer ones are left out."""

Event: TypeAlias = dict[str, object]


@dataclass
class _Asked:
    """One action with its approval."""

    id: str
    intent: str
    action: Mapping[str, object]
    decided: bool = False
    allowed_at: datetime | None = None
    ended: bool = False
    """It was blocked, or executed."""


@dataclass
class _Held:
    """What the log has said of one question so far."""

    asked: _Asked
    edited: _Asked | None = None
    runs_edited: bool = False
    used: dict[str, datetime] = field(default_factory=dict[str, datetime])
    """When each call used the approval up, as far as it was not executed."""
    executed: set[str] = field(default_factory=set[str])
    denials: int = 0


class Trace:
    """Makes events of AgentAck of the lines of the log, in their order."""

    def __init__(self, session: str, *, collected_for: timedelta) -> None:
        """Take the trace's name, and how long after its decision an approval can be collected."""
        self._session, self._lasts = session, collected_for + SENDING
        self._held: dict[str, _Held] = {}

    def events(self, entry: Entry, handoff: Handoff) -> Iterator[Event]:
        """Return the events of one line of the log; none where its question is not about a call that a gate held."""
        action = handoff.question.action
        if action is None or action.asker is not Asker.GATE:
            return
        held = self._held.get(handoff.id)
        if held is None:
            held = self._held[handoff.id] = _Held(_Asked(handoff.id, handoff.id, _described(action)))
            yield from self._ask(held.asked, entry.at)
        details = entry.details
        match entry.name:
            case "answered":
                yield from self._answered(held, handoff, action, entry.at)
            case "declined":
                yield from self._deny(held.asked, entry.at, "a person denied it")
            case "cancelled":
                yield from self._deny(held.asked, entry.at, "the question was withdrawn")
            case "expired":
                yield from self._deny(held.asked, entry.at, "nobody decided before the deadline")
            case "deniedagain":
                held.denials += 1
                again = replace(held.asked, id=f"{handoff.id}/again/{held.denials}", allowed_at=None, ended=False)
                yield from self._ask(again, entry.at)
                yield from self._deny(again, entry.at, "a person had denied the same call several times")
            case "used":
                held.runs_edited = False
                held.used[details.get("tool_use", "")] = entry.at
            case "edited":
                held.runs_edited = True
            case "sent" | "result" | "unknown":
                yield from self._execute(held, details.get("call", ""), entry.at)
            case _:
                return

    def end(self, now: datetime) -> Iterator[Event]:
        """Return the last events, those of what was left: an approval in use has run, one that lapsed has not."""
        for held in self._held.values():
            for call, at in list(held.used.items()):
                yield from self._execute(held, call, at)
            for each in (held.asked, held.edited):
                if each is None or each.ended or each.allowed_at is None or now <= each.allowed_at + self._lasts:
                    continue
                yield self._blocked(each, now, "it was allowed, and not sent again in time")
        yield {**self._event("session_end", now), "reason": "the end of the log"}

    def _answered(self, held: _Held, handoff: Handoff, action: Action, at: datetime) -> Iterator[Event]:
        values, channel = handoff.values or {}, "" if handoff.end is None else handoff.end.channel
        if values.get(DECISION) != ALLOW:
            yield from self._deny(held.asked, at, "a person denied it")
            return
        if not may_permit(channel) and channel != CHANNEL and channel not in action.channels:
            yield from self._deny(held.asked, at, "what allowed it permits nothing")
            return
        try:
            arguments = checked(str(values.get(ARGUMENTS) or ""), action)
        except ValueError:
            yield from self._deny(held.asked, at, "a person changed it, so that it does not fit the tool")
            return
        if arguments is None:
            yield self._decided(held.asked, at, "allow")
            return
        yield from self._deny(held.asked, at, "a person changed it")
        changed = _described(replace(action, arguments=arguments))
        held.edited = _Asked(f"{handoff.id}/edited", handoff.id, changed)
        yield from self._ask(held.edited, at)
        yield self._decided(held.edited, at, "allow")

    def _execute(self, held: _Held, call: str, at: datetime) -> Iterator[Event]:
        held.used.pop(call, None)
        if call in held.executed:
            return
        held.executed.add(call)
        run = held.edited if held.runs_edited and held.edited is not None else held.asked
        run.ended = True
        yield {**self._of("action_executed", run, at, approval=run.decided), "action": run.action}

    def _ask(self, asked: _Asked, at: datetime) -> Iterator[Event]:
        yield {**self._of("action_proposed", asked, at), "action": asked.action}
        yield {**self._of("approval_requested", asked, at, approval=True), "action": asked.action}

    def _deny(self, asked: _Asked, at: datetime, why: str) -> Iterator[Event]:
        yield self._decided(asked, at, "deny")
        yield self._blocked(asked, at, why)

    def _decided(self, asked: _Asked, at: datetime, decision: str) -> Event:
        asked.decided = True
        event = {**self._of("approval_decision", asked, at, approval=True), "decision": decision}
        if decision != "allow":
            return event
        asked.allowed_at = at
        return {**event, "expires_at": stamp(at + self._lasts)}

    def _blocked(self, asked: _Asked, at: datetime, why: str) -> Event:
        asked.ended = True
        return {**self._of("action_blocked", asked, at, approval=True), "reason": why}

    def _of(self, kind: str, asked: _Asked, at: datetime, *, approval: bool = False) -> Event:
        event = {**self._event(kind, at), "action_id": asked.id, "intent_id": asked.intent}
        return {**event, "approval_id": asked.id} if approval else event

    def _event(self, kind: str, at: datetime) -> Event:
        return {"schema_version": SCHEMA, "type": kind, "timestamp": stamp(at), "session_id": self._session}


def line(event: Event) -> str:
    """Return an event as one line of JSON. ASCII only, so that an agent's text can't control a terminal."""
    return json.dumps(event)


def _described(action: Action) -> Mapping[str, object]:
    """Return a call as an action of AgentAck, whose policy wants an approval for each `mcp:*`."""
    arguments: object = exact_values(masked(action).values)
    written = json.dumps(arguments)
    if len(written) > MAX_CHARACTERS:
        arguments = f"left out: {len(written):,} characters"
    elif _levels(arguments) > MAX_LEVELS:
        arguments = written
    return {
        "tool": "mcp",
        "operation": "call",
        "resource": f"{action.server}/{action.tool}",
        "parameters": {"arguments": arguments, "digest": f"sha256:{action.digest}"},
    }


def _levels(value: object) -> int:
    match value:
        case dict():
            return 1 + max(map(_levels, cast("dict[str, object]", value).values()), default=0)
        case list():
            return 1 + max(map(_levels, cast("list[object]", value)), default=0)
        case _:
            return 0
