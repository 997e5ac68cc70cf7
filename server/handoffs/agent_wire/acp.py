"""The Agent Client Protocol, version 1: `session/request_permission`, and `elicitation/create` with a form.

By the schema of `@agentclientprotocol/sdk` 2.4.0. The rules:

- Allowed is the one option of the kind `allow_once`. `allow_always` is never chosen: what is remembered is remembered
  at the desk. Where there is none of the first kind, or several, which may be choices between things, the desk is not
  asked.
- Denied is the first `reject_once`. Without one it is `cancelled`, which no option is: `reject_always` would be a rule.
- Why it was denied stands in the `_meta` of the result, the protocol's place for what it has no field for: an agent
  that does not look there misses nothing else.
- A request names a tool call, and says of it what has changed: the rest was in the `session/update`s before.
"""

import json
import re
from collections.abc import Mapping
from functools import partial
from typing import Final, cast

from handoffs.agent_wire.asked import Asked, Begun, Ended, FormAsked, Heard, PermissionAsked, TakenBack, remember
from handoffs.core import exact_json
from handoffs.gate.relay.outline import outline

PERMISSION: Final = "session/request_permission"
ELICITATION: Final = "elicitation/create"

REASON: Final = "handoffs/reason"
"""The key in `_meta`."""

MAX_CALLS: Final = 200
"""Tool calls under way that are remembered; each may hold files."""

_ASKS = (PERMISSION.encode(), ELICITATION.encode())
_FROM_AGENT = (*_ASKS, b"tool_call", b"$/cancel_request")
_ESCAPED = re.compile(rb"\\(?:/|u00[2-7])")
"""An escape that may write a character of a method."""

_CANCELLED = '{"outcome":{"outcome":"cancelled"}}'
_CANCEL = '{"action":"cancel"}'
_FOLDER = frozenset({"session/new", "session/load", "session/resume", "session/fork"})
_OVER = frozenset({"session/cancel", "session/close", "session/delete"})
_CALL = ("name", "title", "kind", "locations", "rawInput", "content")

Json = Mapping[str, object]


class Acp:
    """The table, for one editor and one agent."""

    def __init__(self) -> None:
        """Know of no session yet."""
        self._turns: dict[str, str] = {}  # the session of each prompt, by the id of its request
        self._begun: dict[str, str] = {}  # the folder of a session that has no name yet
        self._folders: dict[str, str] = {}
        self._calls: dict[tuple[str, str], dict[str, object]] = {}

    def from_agent(self, line: bytes) -> Heard | None:
        """See `Table`."""
        if (self._turns or self._begun) and (found := outline(line)) is not None and found.is_response:
            return self._replied(found.id, line)
        if not any(each in line for each in _FROM_AGENT) and _ESCAPED.search(line) is None:
            return None
        try:
            body = _object(exact_json.loads(line))
        except ValueError as wrong:
            return self._unreadable(line, str(wrong))
        params, session = _object(body.get("params")), _text(_object(body.get("params")).get("sessionId"))
        match body.get("method"):
            case "session/update":
                self._note(session, _object(params.get("update")))
            case "$/cancel_request":
                return TakenBack(json.dumps(params.get("requestId")))
            case "session/request_permission" if (asks := outline(line)) is not None:
                return self._permission(asks.id, session, params)
            case "elicitation/create" if params.get("mode") == "form" and (asks := outline(line)) is not None:
                return self._form(asks.id, session, params)
            case _:
                pass
        return None

    def from_editor(self, line: bytes) -> Heard | None:
        """See `Table`."""
        if b"session/" not in line and _ESCAPED.search(line) is None:
            return None
        try:
            body = _object(json.loads(line))
        except (ValueError, RecursionError):
            return None
        method, params = body.get("method"), _object(body.get("params"))
        session, name = _text(params.get("sessionId")), json.dumps(body.get("id"))
        if method in _FOLDER:
            folder = _text(params.get("cwd"))
            if session and method != "session/fork":
                remember(self._folders, session, folder)
            else:
                remember(self._begun, name, folder)
        elif method == "session/prompt":
            remember(self._turns, name, session)
            return Begun()
        elif method in _OVER:
            return Ended(session)
        return None

    def reply(self, id: str, result: str) -> bytes:  # noqa: A002 - JSON-RPC's word
        """See `Table`."""
        return f'{{"jsonrpc":"2.0","id":{id},"result":{result}}}\n'.encode()

    def withdrawal(self, id: str) -> bytes | None:  # noqa: A002 - JSON-RPC's word
        """See `Table`. An editor that does not know this notification keeps its dialog open."""
        return f'{{"jsonrpc":"2.0","method":"$/cancel_request","params":{{"requestId":{id}}}}}\n'.encode()

    def _replied(self, name: str, line: bytes) -> Heard | None:
        if (session := self._turns.pop(name, None)) is not None:
            for each in [key for key in self._calls if key[0] == session]:
                del self._calls[each]
            return Ended(session)
        if (folder := self._begun.pop(name, None)) is not None:
            try:
                result = _object(_object(json.loads(line)).get("result"))
            except (ValueError, RecursionError):
                return None
            if session := _text(result.get("sessionId")):
                remember(self._folders, session, folder)
        return None

    def _unreadable(self, line: bytes, why: str) -> Heard | None:
        found = outline(line)
        if found is None or found.is_response or not any(each in line for each in _ASKS):
            return None
        refused = _CANCELLED if _ASKS[0] in line else _CANCEL
        return Asked(id=found.id, refused=refused, stopped=refused, unfit=f"it can't be read: {why}")

    def _note(self, session: str, update: Json) -> None:
        if update.get("sessionUpdate") not in {"tool_call", "tool_call_update"}:
            return
        key = session, _text(update.get("toolCallId"))
        if update.get("status") in {"completed", "failed"}:
            self._calls.pop(key, None)
            return
        self._calls[key] = self._merged(key, update)
        if len(self._calls) > MAX_CALLS:
            del self._calls[next(iter(self._calls))]

    def _merged(self, key: tuple[str, str], update: Json) -> dict[str, object]:
        known = dict(self._calls.get(key, {}))
        return known | {name: update[name] for name in _CALL if update.get(name) is not None}

    def _permission(self, name: str, session: str, params: Json) -> Asked:
        call = _object(params.get("toolCall"))
        call = self._merged((session, _text(call.get("toolCallId"))), call)
        once, denied, why = _options(params.get("options"))
        shown = {each: call[each] for each in ("title", "kind", "locations") if each in call}
        arguments: dict[str, object] = {"call": shown} if shown else {}
        if "rawInput" in call:
            arguments["input"] = call["rawInput"]
        if "content" in call:
            arguments["content"] = _content(call["content"])
        if not (call.get("title") or arguments.keys() & {"input", "content"}):
            why = why or "it does not say what would run"
        tool = _text(call.get("name"))
        refused = _CANCELLED if denied is None else _selected(denied)
        return PermissionAsked(
            id=name,
            session=session,
            project=self._folders.get(session, ""),
            refused=refused,
            explained=partial(_explained, refused),
            stopped=_CANCELLED,
            unfit=why,
            tool=tool or _text(call.get("kind")) or "other",
            named=bool(tool),
            arguments=exact_json.dumps(arguments),
            allowed=_selected(once),
        )

    def _form(self, name: str, session: str, params: Json) -> Asked:
        schema = _object(params.get("requestedSchema"))
        return FormAsked(
            id=name,
            session=session,
            project=self._folders.get(session, ""),
            refused=_CANCEL,
            stopped=_CANCEL,
            unfit="" if schema else "it has no form",
            message=_text(params.get("message")),
            schema={"type": "object", **schema},
            accepted=_accepted,
            declined='{"action":"decline"}',
        )


def _options(given: object) -> tuple[str, str | None, str]:
    """Return the option that allows once, the one that denies, if there is one, and why the desk can't choose."""
    listed = [_object(each) for each in cast("list[object]", given)] if isinstance(given, list) else []
    ids = [each.get("optionId") for each in listed]
    if not listed or not all(isinstance(each, str) for each in ids) or len({*map(str, ids)}) < len(ids):
        return "", None, "its options can't be told apart"
    kinds: dict[object, list[str]] = {}
    for each in listed:
        kinds.setdefault(each.get("kind"), []).append(_text(each.get("optionId")))
    once, denied = kinds.get("allow_once", []), next(iter(kinds.get("reject_once", [])), None)
    if len(once) != 1:
        why = "it offers several ways to allow it once" if once else "it offers no way to allow it once"
        return "", denied, why
    return once[0], denied, ""


def _content(given: object) -> object:
    """Return the content of a tool call without what is for programs alone."""
    if not isinstance(given, list):
        return given
    return [_part(each) for each in cast("list[object]", given)]


def _part(given: object) -> object:
    part = {name: each for name, each in _object(given).items() if name != "_meta"}
    inner = part.get("content")
    if isinstance(inner, dict):
        kept = cast("Json", inner).items()
        part["content"] = {name: each for name, each in kept if name not in {"_meta", "annotations"}}
    return part or given


def _selected(option: str) -> str:
    return json.dumps({"outcome": {"outcome": "selected", "optionId": option}})


def _explained(refused: str, reason: str) -> str:
    return json.dumps({**json.loads(refused), "_meta": {REASON: reason}})


def _accepted(values: Json) -> str:
    return json.dumps({"action": "accept", "content": dict(values)})


def _object(value: object) -> Json:
    return cast("Json", value) if isinstance(value, dict) else {}


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""
