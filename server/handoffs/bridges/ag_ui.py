"""Answers the interrupts of an AG-UI run: a person's decisions are the `resume` of the next run.

`await resume(go_on, finished)` takes a run that ended with `outcome: {type: "interrupt"}`, asks about all its
interrupts at once, and hands the entries to `go_on`, which runs the agent with them, until a run ends otherwise.

Tried with ag-ui-protocol 1.0.0. A no is `resolved` with a payload that says no; `cancelled` is no answer. An agent may
not check a payload, so each is made here of the interrupt's own `responseSchema`. Nothing in AG-UI keeps a run from
being resumed twice: the store keeps that it has gone on, and `GoneOn` is raised from then on.
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from typing import Any, Protocol, Unpack, cast

from handoffs.bridges.pauses import (
    Call,
    Decided,
    Pauses,
    Question,
    Unanswered,
    Ways,
    edited_arguments,
    pauses,
    run_sync,
)
from handoffs.client import NotAnswered, Permission, Status
from handoffs.core.errors import HandoffError

FRAMEWORK = "ag-ui"

RESPONSE = "response"

MILLISECONDS = 1e11
"""From here on a number of `expiresAt` is one of milliseconds."""

Object = Mapping[str, Any]


class GoOn(Protocol):
    """Runs the agent with `RunAgentInput.resume`, and returns the `RUN_FINISHED` event with which that run ends."""

    async def __call__(self, resume: Sequence[Any], /) -> Any:
        """Run it. It keeps what the next process needs before it returns."""
        ...


async def resume(
    go_on: GoOn,
    finished: Any,
    *,
    messages: Sequence[Any] = (),
    tools: Sequence[Any] = (),
    unanswered: Unanswered | None = None,
    **ways: Unpack[Ways],
) -> Any:
    """Have people decide what a run was interrupted for, go on until a run is not, and return its `RunFinishedEvent`.

    Args:
        go_on: Runs the agent with the entries that it is given.
        finished: The `RunFinishedEvent` of the interrupted run, or its JSON.
        messages: The messages of the thread, so that people see which call of which tool an interrupt concerns. Those
            of later runs are in its list if `go_on` adds them there.
        tools: `Tool`s of the agent: people may edit the arguments of these.
        unanswered: Returns the payload that resolves a question if nobody answered it. Without it, its interrupt is
            cancelled.
        ways: How it is asked; see `Ways`.

    Raises:
        StillPaused: After `wait` seconds, people have not decided everything. Their questions are open.
        GoneOn: A process went on with this very run: `finished` is old.
        HandoffError: The interrupts can't be told apart, or one has an `expiresAt` that is no time.
    """
    run = _finished(finished)
    if not _interrupts(run):
        return run
    async with pauses(FRAMEWORK, ways) as taken:
        while _interrupts(run):
            run = _finished(await _go_on(taken, go_on, run, messages, tools, unanswered))
    return run


def resume_sync(
    go_on: GoOn,
    finished: Any,
    *,
    messages: Sequence[Any] = (),
    tools: Sequence[Any] = (),
    unanswered: Unanswered | None = None,
    **ways: Unpack[Ways],
) -> Any:
    """Do what `resume` does, for a program without an event loop."""
    given = partial(resume, go_on, finished, messages=messages, tools=tools, unanswered=unanswered)
    return run_sync(partial(given, **ways))


async def _go_on(
    taken: Pauses,
    go_on: GoOn,
    run: Any,
    messages: Sequence[Any],
    tools: Sequence[Any],
    unanswered: Unanswered | None,
) -> Any:
    calls, known = _calls_in(messages), _by_name(tools)
    interrupts = _interrupts(run)
    ends = {str(each["id"]): _moment(each.get("expiresAt")) for each in interrupts}

    def expired(key: str) -> bool:
        end = ends[key]
        return end is not None and end <= taken.now()

    # One that has expired is not asked about: it is cancelled with the answers to the others.
    items = {
        key: replace(
            _item(each, calls, known), timeout=None if (end := ends[key]) is None else taken.seconds_until(end)
        )
        for each in interrupts
        if not expired(key := str(each["id"]))
    }

    def prepare(decided: Decided) -> Sequence[Any]:
        # Nor is an answer used that came after that.
        late = {key for key in ends if expired(key)}
        return [
            _entry(each, None if (key := str(each["id"])) in late else items.get(key), decided, unanswered)
            for each in interrupts
        ]

    name = json.dumps([run.thread_id, run.run_id, *ends])
    return await taken.take_up(name, [*items.values()], prepare, go_on)


def _interrupts(run: Any) -> Sequence[Object]:
    """Return what a run was interrupted for; nothing where it ended otherwise."""
    if getattr(run.outcome, "type", None) != "interrupt":
        return []
    found = [cast("Object", each.model_dump(by_alias=True, exclude_none=True)) for each in run.outcome.interrupts]
    if len({each["id"] for each in found}) < len(found):
        raise HandoffError("The run has several interrupts of the same id, so an answer would be for any of them.")
    return found


def _moment(written: object) -> datetime | None:
    """Return the time of an `expiresAt`: by ISO 8601, or a number of seconds or milliseconds."""
    if written is None:
        return None
    text = str(written)
    try:
        number = float(text) if re.fullmatch(r"[0-9.]+", text) else None
        if number is not None:
            return datetime.fromtimestamp(number / 1000 if number >= MILLISECONDS else number, UTC)
        found = datetime.fromisoformat(text)
    except (ValueError, OverflowError, OSError):
        raise HandoffError(f"`expiresAt` is no time: {text!r}. Nobody was asked.") from None
    return found if found.tzinfo is not None else found.replace(tzinfo=UTC)


def _item(interrupt: Object, calls: Mapping[str, Object], tools: Mapping[str, Object]) -> Call | Question:
    key, schema = str(interrupt["id"]), _object(interrupt.get("responseSchema"))
    said = interrupt.get("message") or interrupt["reason"]
    if not _is_approval(schema):
        message = str(said)
        if not schema:
            return Question(id=key, message=message)
        if schema.get("type") == "object":
            return Question(id=key, message=message, form=schema)
        return Question(
            id=key, message=message, form={"type": "object", "properties": {RESPONSE: schema}, "required": [RESPONSE]}
        )
    call = calls.get(str(interrupt.get("toolCallId")))
    if call is None:
        return Call(id=key, tool=str(interrupt["reason"]), arguments={"message": said}, editable=False)
    tool, edits = tools.get(str(call["name"])), _object(_object(schema["properties"]).get("editedArgs"))
    parameters = _object(edits if "properties" in edits else (tool or {}).get("parameters"))
    return Call(
        id=key,
        tool=str(call["name"]),
        arguments=str(call["arguments"]) or "{}",
        schema=parameters or None,
        description=str((tool or {}).get("description") or ""),
        editable=bool(edits),
    )


def _entry(interrupt: Object, item: Call | Question | None, decided: Decided, unanswered: Unanswered | None) -> Any:
    make: Any = partial(_types().ResumeEntry, interrupt_id=interrupt["id"])
    cancelled = make(status="cancelled")
    if item is None:
        return cancelled
    if isinstance(item, Call):
        permission = decided.calls[item.id]
        if permission.status in (Status.EXPIRED, Status.CANCELLED):
            return cancelled
        return make(status="resolved", payload=_approval(permission, _object(interrupt["responseSchema"])))
    answer = decided.answers[item.id]
    if isinstance(answer, NotAnswered):
        return cancelled if unanswered is None else make(status="resolved", payload=unanswered(answer))
    if item.form is None:
        return make(status="resolved", payload=answer.text)
    wrapped = _object(interrupt.get("responseSchema")).get("type") != "object"
    return make(status="resolved", payload=answer.values[RESPONSE] if wrapped else dict(answer.values))


def _approval(permission: Permission, schema: Object) -> Object:
    if permission.allowed:
        edited = edited_arguments(permission)
        return {"approved": True} if edited is None else {"approved": True, "editedArgs": dict(edited)}
    takes_reason = "reason" in _object(schema["properties"]) or schema.get("additionalProperties") is not False
    return {"approved": False, "reason": permission.told} if takes_reason else {"approved": False}


def _is_approval(schema: Object) -> bool:
    return _object(_object(schema.get("properties")).get("approved")).get("type") == "boolean"


def _calls_in(messages: Sequence[Any]) -> Mapping[str, Object]:
    """Return the calls of tools in messages, by id."""
    return {
        str(call["id"]): cast("Object", call["function"])
        for message in messages
        for call in cast("Sequence[Object]", _written(message).get("toolCalls") or ())
    }


def _by_name(tools: Sequence[Any]) -> Mapping[str, Object]:
    return {str(tool["name"]): tool for tool in map(_written, tools)}


def _written(value: Any) -> Object:
    """Return a value of AG-UI as its JSON is."""
    return cast("Object", value if isinstance(value, Mapping) else value.model_dump(by_alias=True, exclude_none=True))


def _object(value: object) -> Object:
    return cast("Object", value) if isinstance(value, Mapping) else {}


def _finished(given: Any) -> Any:
    event = _types().RunFinishedEvent
    if isinstance(given, event):
        return given
    return event.model_validate_json(given) if isinstance(given, str | bytes) else event.model_validate(given)


def _types() -> Any:
    from importlib import import_module  # the framework is an extra

    return import_module("ag_ui.core")
