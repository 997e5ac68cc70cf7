"""Codex's `app-server`, version 2 of its protocol: approvals, permissions, questions, and forms of MCP servers.

By the schema that `codex app-server generate-json-schema --experimental` of 0.171.0 writes. The rules:

- Allowed is `accept`, for this once. Denied is `decline`, after which the turn goes on; a turn that was cancelled gets
  `cancel`. Amendments of its policy, and `acceptForSession`, are never chosen.
- A file change is named by its item alone: what it would change was in `item/started`.
- Permissions of the sandbox are granted as they were asked for, kind by kind and word for word, or not at all. A kind
  that is not known here is shown, and not granted. They last for the turn, or for the session where a person says so.
- Questions of the model are one form. See `codex_questions`.
- All other requests are left to the editor.
- Once a request has its answer, Codex tells the editor so by itself (`serverRequest/resolved`).
"""

import json
from collections.abc import Mapping
from typing import Final, cast

from handoffs.agent_wire.asked import (
    MAX_KNOWN,
    Asked,
    Begun,
    Ended,
    FormAsked,
    Heard,
    PermissionAsked,
    TakenBack,
)  # fmt: skip
from handoffs.core import exact_json
from handoffs.gate.relay.outline import outline

COMMAND: Final = "item/commandExecution/requestApproval"
CHANGE: Final = "item/fileChange/requestApproval"
FORM: Final = "mcpServer/elicitation/request"
GRANT: Final = "item/permissions/requestApproval"
QUESTIONS: Final = "item/tool/requestUserInput"

_ASKS = tuple(each.encode() for each in (COMMAND, CHANGE, FORM, GRANT, QUESTIONS))
_FROM_AGENT = (*_ASKS, b'"item/started"', b'"turn/completed"', b'"serverRequest/resolved"')
_ACCEPT, _DECLINE, _CANCEL = ('{"decision":"%s"}' % each for each in ("accept", "decline", "cancel"))  # noqa: UP031
_CANCELLED = '{"action":"cancel"}'
_NOTHING = '{"permissions":{},"scope":"turn"}'
"""The answer to a request for permissions that grants none: the protocol has no other denial."""
_NO_ANSWERS = '{"answers":{}}'
_KINDS = ("network", "fileSystem")
"""The kinds of permissions that can be granted. What is within them may restrict it, and is never left out."""
_PART = "What is neither `network` nor `fileSystem` is not granted, whatever you decide."
_UNREADABLE = ((FORM, _CANCELLED), (GRANT, _NOTHING), (QUESTIONS, _NO_ANSWERS))
_NOT_SHOWN = frozenset({"threadId", "turnId", "itemId", "startedAtMs", "approvalId", "availableDecisions"})
_RULES = frozenset({"proposedExecpolicyAmendment", "proposedNetworkPolicyAmendments"})
"""What a person could make a rule of; nothing is made of it here."""

Json = Mapping[str, object]


class Codex:
    """The table, for one editor and one `codex app-server`."""

    def __init__(self) -> None:
        """Know of no item yet."""
        self._changes: dict[tuple[str, str], object] = {}

    def from_agent(self, line: bytes) -> Heard | None:
        """See `Table`."""
        if not any(each in line for each in _FROM_AGENT):
            return None
        try:
            body = _object(exact_json.loads(line))
        except ValueError as wrong:
            return _unreadable(line, str(wrong))
        params, asks = _object(body.get("params")), outline(line)
        thread = _text(params.get("threadId"))
        match body.get("method"):
            case "item/started":
                self._note(thread, _object(params.get("item")))
            case "turn/completed":
                for each in [key for key in self._changes if key[0] == thread]:
                    del self._changes[each]
                return Ended(thread)
            case "serverRequest/resolved":
                return TakenBack(json.dumps(params.get("requestId")), answered=True)
            case "item/commandExecution/requestApproval" if asks is not None:
                return _command(asks.id, thread, params)
            case "item/fileChange/requestApproval" if asks is not None:
                return self._change(asks.id, thread, params)
            case "mcpServer/elicitation/request" if asks is not None and params.get("mode") == "form":
                return _form(asks.id, thread, params)
            case "item/permissions/requestApproval" if asks is not None:
                return _grant(asks.id, thread, params)
            case "item/tool/requestUserInput" if asks is not None:
                from handoffs.agent_wire.codex_questions import asked_of  # a start does not wait for what it imports

                return asked_of(asks.id, thread, params, nothing=_NO_ANSWERS)
            case _:
                pass
        return None

    def from_editor(self, line: bytes) -> Heard | None:
        """See `Table`."""
        if b'"turn/start"' in line:
            return Begun()
        if b'"turn/interrupt"' not in line:
            return None
        try:
            body = _object(json.loads(line))
        except (ValueError, RecursionError):
            return None
        return Ended(_text(_object(body.get("params")).get("threadId")))

    def reply(self, id: str, result: str) -> bytes:  # noqa: A002 - JSON-RPC's word
        """See `Table`. Codex leaves `jsonrpc` out."""
        return f'{{"id":{id},"result":{result}}}\n'.encode()

    def withdrawal(self, id: str) -> bytes | None:  # noqa: A002 - see `Table`
        """Return None: Codex tells the editor by itself."""
        return None

    def _note(self, thread: str, item: Json) -> None:
        if item.get("type") == "fileChange":
            self._changes[thread, _text(item.get("id"))] = item.get("changes")
            if len(self._changes) > MAX_KNOWN:
                del self._changes[next(iter(self._changes))]

    def _change(self, name: str, thread: str, params: Json) -> Asked:
        changes = self._changes.get((thread, _text(params.get("itemId"))))
        shown = _shown(params) | ({} if changes is None else {"changes": changes})
        why = "" if changes else "it does not say what would change"
        if params.get("grantRoot") is not None:
            why = "it asks for a folder for the rest of the session"
        return _permission(name, thread, "fileChange", shown, project="", why=why)


def _command(name: str, thread: str, params: Json) -> Asked:
    named = [each for each in ("command", "networkApprovalContext") if params.get(each) is not None]
    offered = params.get("availableDecisions")
    why = "" if named else "it does not say what would run"
    if params.get("kind", "command") not in {"command", "humanCommand"}:
        why = "it is about input for a program that runs"
    if isinstance(offered, list) and "accept" not in offered:
        why = "it offers no way to allow it once"
    return _permission(name, thread, "commandExecution", _shown(params), project=_text(params.get("cwd")), why=why)


def _permission(name: str, thread: str, tool: str, shown: Json, *, project: str, why: str) -> Asked:
    return PermissionAsked(
        id=name,
        session=thread,
        project=project,
        refused=_DECLINE,
        stopped=_CANCEL,
        unfit=why,
        tool=tool,
        named=False,  # any command is the same tool
        arguments=exact_json.dumps(shown),
        allowed=_ACCEPT,
    )


def _grant(name: str, thread: str, params: Json) -> Asked:
    wanted = {kind: each for kind, each in _object(params.get("permissions")).items() if each is not None}
    granted = {kind: wanted[kind] for kind in _KINDS if kind in wanted}
    why = "" if granted else "it does not say what would be granted, or in a way that is not known here"
    if not all(isinstance(each, dict) for each in granted.values()):
        why = "it says in a way that is not known here what would be granted"
    shown = _shown(params) | {"permissions": wanted}
    written = exact_json.dumps(granted)
    return PermissionAsked(
        id=name,
        session=thread,
        project=_text(params.get("cwd")),
        refused=_NOTHING,
        stopped=_NOTHING,
        unfit=why,
        tool="permissions",
        named=False,  # any permission is the same tool
        arguments=exact_json.dumps(shown),
        note=_PART if wanted.keys() - granted.keys() else "",
        allowed=f'{{"permissions":{written},"scope":"turn"}}',
        allowed_in_session=f'{{"permissions":{written},"scope":"session"}}',
    )


def _form(name: str, thread: str, params: Json) -> Asked:
    schema = _object(params.get("requestedSchema"))
    return FormAsked(
        id=name,
        session=thread,
        refused=_CANCELLED,
        stopped=_CANCELLED,
        unfit="" if schema else "it has no form",
        source=f"The MCP server {_text(params.get('serverName'))}",
        message=_text(params.get("message")),
        schema=schema,
        accepted=lambda values: json.dumps({"action": "accept", "content": dict(values)}),
        declined='{"action":"decline"}',
    )


def _shown(params: Json) -> dict[str, object]:
    return {name: each for name, each in params.items() if name not in _NOT_SHOWN | _RULES and each is not None}


def _unreadable(line: bytes, why: str) -> Heard | None:
    found = outline(line)
    if found is None or found.is_response or not any(each in line for each in _ASKS):
        return None
    refused = next((each for method, each in _UNREADABLE if method.encode() in line), _DECLINE)
    return Asked(id=found.id, refused=refused, stopped=refused, unfit=f"it can't be read: {why}")


def _object(value: object) -> Json:
    return cast("Json", value) if isinstance(value, dict) else {}


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""
