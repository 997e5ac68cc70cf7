"""The replies of a hook, in the shape of each host. A field that a host does not take is not in its reply."""

import json
from collections.abc import Mapping

from handoffs.hooks.events import ELICITATION
from handoffs.hosts.hooks import HookHost

NOTHING = "{}"
"""The reply that decides nothing: the host goes on as it would without a hook."""

_NOTHING_TO_DENY = frozenset(
    {"Stop", "SubagentStop", "SessionStart", "SessionEnd", "Notification", "PreCompact", "PostToolUse"}
)
"""Events of Claude Code and its kin after which a refusal would do something else: one of `Stop` goes on for ever."""


def allow(host: HookHost, event: str, edited: str | None = None) -> str:
    """Return the reply that lets the tool run, with the `edited` arguments, given as JSON, where there are some."""
    match host.name, event:
        case "codex", "PreToolUse" if edited is None:
            return NOTHING  # it takes `allow` only together with other arguments
        case "copilot", "permissionRequest":
            return _json({"behavior": "allow"})
        case "copilot", "preToolUse":
            return _with(_json({"permissionDecision": "allow"}), "modifiedArgs", edited)
        case "gemini", _:
            if edited is None:
                return _json({"decision": "allow"})
            specific = _with(_json({"hookEventName": event}), "tool_input", edited)
            return _with(_json({"decision": "allow"}), "hookSpecificOutput", specific)
        case _, "PermissionRequest":
            decision = _with(_json({"behavior": "allow"}), "updatedInput", edited)
            specific = _with(_json({"hookEventName": event}), "decision", decision)
            return _with("{}", "hookSpecificOutput", specific)
        case _:
            specific = _json({"hookEventName": event, "permissionDecision": "allow"})
            return _with("{}", "hookSpecificOutput", _with(specific, "updatedInput", edited))


def deny(host: HookHost, event: str, why: str) -> str:
    """Return the reply that keeps the tool from running; the model is told `why`."""
    match host.name, event:
        case "copilot", "permissionRequest":
            return _json({"behavior": "deny", "message": why})
        case "copilot", "preToolUse":
            return _json({"permissionDecision": "deny", "permissionDecisionReason": why})
        case "gemini", _:
            return _json({"decision": "deny", "reason": why})
        case _, "PermissionRequest":
            return _specific(event, decision={"behavior": "deny", "message": why})
        case _, "PreToolUse":
            return _specific(event, permissionDecision="deny", permissionDecisionReason=why)
        case "claude-code", "Elicitation":
            return elicited("cancel", said=why)
        case "copilot", _:
            both = {"permissionDecision": "deny", "permissionDecisionReason": why}
            return _json({**both, "behavior": "deny", "message": why})
        case _, _ if event in _NOTHING_TO_DENY:
            return _json({"systemMessage": why})
        case _:
            return _json({"decision": "block", "reason": why})


def elicited(action: str, content: Mapping[str, object] | None = None, *, said: str = "") -> str:
    """Return the reply to a form of an MCP server's; `said` is shown to the person."""
    values: dict[str, object] = {} if content is None else {"content": content}
    told: dict[str, object] = {"systemMessage": said} if said else {}
    return _json({**told, "hookSpecificOutput": {"hookEventName": ELICITATION, "action": action, **values}})


def _specific(event: str, **fields: object) -> str:
    return _json({"hookSpecificOutput": {"hookEventName": event, **fields}})


def _json(value: Mapping[str, object]) -> str:
    # In ASCII: half of a character in it must not break the pipe.
    return json.dumps(value)


def _with(whole: str, name: str, member: str | None) -> str:
    """Return a JSON object with one more member, which is written as it is; None adds none."""
    if member is None:
        return whole
    return f"{whole[:-1]}{', ' if whole != '{}' else ''}{json.dumps(name)}: {member}}}"
