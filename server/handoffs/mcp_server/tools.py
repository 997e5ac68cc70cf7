"""The two tools as a model sees them: their schemas, the reading of arguments, and the shape of every result."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import cast

from mcp.server.mcpserver import Context
from mcp.types import CallToolResult, ContentBlock, TextContent, ToolAnnotations

from handoffs.core.display import stamp
from handoffs.core.errors import QuestionRefused
from handoffs.core.model import Handoff
from handoffs.core.question import Asking
from handoffs.core.untrusted import inert_line
from handoffs.mcp_server.words import Status

HANDOFF = "handoff_to_user"
CHECK = "check_handoff"

HANDOFF_DESCRIPTION = (
    "Ask the person you work for and wait for the answer: approval before a dangerous step, a choice, a missing fact, "
    "a review. With breakout_of_loop=true: hand over to the person and stop. Only status SUCCESS carries an answer."
)
CHECK_DESCRIPTION = "Wait for, and get, the outcome of a handoff that was PENDING."

# Asking a person changes nothing. Without these three hints Codex asks for permission to ask.
ANNOTATIONS = ToolAnnotations(read_only_hint=True, destructive_hint=False, open_world_hint=False)

# Claude Code hides tools behind a search unless they have this; the model must see this tool without a search.
META = {"anthropic/alwaysLoad": True}

HANDOFF_SCHEMA: dict[str, object] = {
    "type": "object",
    "properties": {
        "message": {
            "type": "string",
            "minLength": 1,
            "maxLength": 20_000,
            "description": "Markdown. What the person must know and decide; the exact action.",
        },
        "breakout_of_loop": {
            "type": "boolean",
            "default": False,
            "description": "true: tell the person, do not wait, end your turn.",
        },
        "options": {
            "type": "array",
            "items": {"type": "string"},
            "maxItems": 20,
            "description": "2 or more. The person picks one.",
        },
        "form": {
            "type": "object",
            "description": "Several typed fields instead of options: a flat JSON schema (string, number, integer, "
            "boolean, enum, array of enum). A password, token or key: a string with format password; you get a name "
            "for it, never the value.",
        },
        "timeout_seconds": {
            "type": "number",
            "description": "How long it stays open; 0: longest.",
        },
    },
    "required": ["message"],
    "additionalProperties": False,
}

CHECK_SCHEMA: dict[str, object] = {
    "type": "object",
    "properties": {"handoff_id": {"type": "string"}},
    "required": ["handoff_id"],
    "additionalProperties": False,
}

_TEXTS = {"type": "array", "items": {"type": "object", "properties": {"text": {"type": "string"}}}}

_NO_ANSWER = [{"text": ""}]
"""One text, empty: the documented way to read an answer takes the first one, whether there was an answer or not."""

OUTPUT_SCHEMA: dict[str, object] = {
    "type": "object",
    "properties": {
        "content": _TEXTS,
        "userInput": _TEXTS,
        "status": {"enum": [status.value for status in Status]},
        "toolUseId": {"type": "string"},
        "handoffId": {"type": "string"},
        "values": {"type": "object"},
        "other": {"type": "string"},
        "answeredBy": {"type": "string"},
        "answeredAt": {"type": "string"},
        "channel": {"type": "string"},
        "breakoutOfLoop": {"type": "boolean"},
        "guidance": {"type": "string"},
    },
    "required": ["content", "userInput", "status", "toolUseId"],
}

# The caller's own id of the call, where its client sends one: our Strands client, Claude Code.
_TOOL_USE_ID_KEYS = ("handoffs/toolUseId", "claudecode/toolUseId")


@dataclass(frozen=True, kw_only=True, slots=True)
class Arguments:
    """The arguments of `handoff_to_user`, typed; their limits are checked where the question is made."""

    message: str
    breakout_of_loop: bool = False
    options: tuple[str, ...] | None = None
    form: Mapping[str, object] | None = None
    timeout_seconds: float | None = None

    @property
    def asking(self) -> Asking:
        """The question, for who says whose decision it is."""
        return Asking(message=self.message, options=self.options, form=self.form, breakout=self.breakout_of_loop)


def read_arguments(given: Mapping[str, object]) -> Arguments:
    """Return the typed arguments of `handoff_to_user`.

    A list or object sent as JSON text is decoded, as are "true" and "60". An optional argument that is empty, or a word
    such as "none", counts as left out: many models fill in every argument.

    Raises:
        QuestionRefused: An argument is missing, unknown or of the wrong type.
    """
    known = cast("Mapping[str, object]", HANDOFF_SCHEMA["properties"])
    _refuse_unknown(given, known, HANDOFF)
    message = given.get("message")
    if not isinstance(message, str):
        raise QuestionRefused("`message` must be a string: tell the person what you need to know, and why.")
    options = _optional(given.get("options"))
    if options is not None and (
        not isinstance(options, list) or not all(isinstance(o, str) for o in cast("list[object]", options))
    ):
        raise QuestionRefused("`options` must be a list of 2 to 20 different strings.")
    form = _optional(given.get("form"))
    if form is not None and not isinstance(form, Mapping):
        raise QuestionRefused('`form` must be a flat JSON schema: {"type": "object", "properties": {…}}.')
    return Arguments(
        message=message,
        breakout_of_loop=_flag(_optional(given.get("breakout_of_loop"))),
        options=tuple(cast("list[str]", options)) if options is not None else None,
        form=cast("Mapping[str, object] | None", form),
        timeout_seconds=_seconds(_optional(given.get("timeout_seconds"))),
    )


def read_handoff_id(given: Mapping[str, object]) -> str:
    """Return the one argument of `check_handoff`. Raises QuestionRefused."""
    _refuse_unknown(given, {"handoff_id": ...}, CHECK)
    handoff_id = given.get("handoff_id")
    if not isinstance(handoff_id, str) or not handoff_id:
        raise QuestionRefused("`handoff_id` must be the id that a PENDING result gave you, like h_….")
    return handoff_id


def tool_use_of(context: Context) -> str | None:
    """Return the caller's own id of this call, where its `_meta` carries one."""
    meta: Mapping[str, object] = context.request_context.meta or {}
    for key in _TOOL_USE_ID_KEYS:
        value = meta.get(key)
        if isinstance(value, str) and value:
            return value
    return None


def result(
    handoff: Handoff,
    status: Status,
    guidance: str,
    *,
    tool_use: str | None,
    once: bool = False,
    files: Sequence[ContentBlock] = (),
) -> CallToolResult:
    """Return the result of a call: the text is the guidance, and the structured content carries it too.

    The `files` of the answer follow the text.

    Some hosts show the model only the text, some only the structured content; each must be enough. With `once`, for a
    host that shows both, only the text has the guidance.
    """
    structured: dict[str, object] = {
        "content": [{"text": handoff.question.message}],
        "userInput": _NO_ANSWER,
        "status": status.value,
        "toolUseId": tool_use or handoff.id,
        "handoffId": handoff.id,
    }
    answer = handoff.answer
    if answer is not None and status is Status.SUCCESS:
        texts = [answer.other] if answer.other else handoff.question.form.texts(answer.values)
        structured["userInput"] = [{"text": text} for text in texts] or _NO_ANSWER
        structured |= {
            "values": dict(answer.values),
            **({"other": answer.other} if answer.other else {}),
            **_attachments(handoff),
            "answeredBy": answer.by,
            "answeredAt": stamp(answer.at),
            "channel": answer.channel,
        }
    structured["breakoutOfLoop"] = handoff.question.breakout_of_loop
    if not once:
        structured["guidance"] = guidance
    return CallToolResult(content=[TextContent(type="text", text=guidance), *files], structured_content=structured)


def _attachments(handoff: Handoff) -> Mapping[str, object]:
    if not handoff.attachments:
        return {}
    from handoffs.mcp_server.files import described  # few answers have files

    return {"attachments": described(handoff)}


def refusal(reason: str, *, message: object = None, tool_use: str | None = None) -> CallToolResult:
    """Return the result of a refused call: nothing was stored, and `reason` says what to do instead."""
    structured: dict[str, object] = {
        "content": [{"text": message}] if isinstance(message, str) and message else [],
        "userInput": _NO_ANSWER,
        "status": Status.ERROR.value,
        "toolUseId": tool_use or "",
        "guidance": reason,
    }
    return CallToolResult(content=[TextContent(type="text", text=reason)], structured_content=structured, is_error=True)


def _refuse_unknown(given: Mapping[str, object], known: Mapping[str, object], tool: str) -> None:
    if unknown := sorted(set(given) - set(known)):
        names = ", ".join(inert_line(name, 40) for name in unknown[:5])
        raise QuestionRefused(f"{tool} has no argument {names}; it takes {', '.join(known)}.")


_NOTHING = frozenset({"", "null", "none", "nil", "undefined", "n/a"})


def _optional(value: object) -> object:
    """Return an optional argument, decoded; None when it is empty."""
    value = _unwrapped(value)
    if isinstance(value, str) and value.strip().casefold() in _NOTHING:
        return None
    if isinstance(value, list | dict) and not value:
        return None
    # An empty schema, as models write that fill in every argument.
    if isinstance(value, dict) and all(
        key in {"type", "properties", "required"} and (each == "object" or not each)
        for key, each in cast("dict[object, object]", value).items()
    ):
        return None
    return cast("object", value)


def _unwrapped(value: object) -> object:
    """Decode a list or object that a model sent as JSON text."""
    if isinstance(value, str) and value.lstrip()[:1] in {"[", "{"}:
        try:
            return cast("object", json.loads(value))
        except ValueError:
            return value
    return value


def _flag(value: object) -> bool:
    if value is None:
        return False
    if isinstance(value, str) and value.casefold() in {"true", "false"}:
        return value.casefold() == "true"
    if not isinstance(value, bool):
        raise QuestionRefused("`breakout_of_loop` must be true or false.")
    return value


def _seconds(value: object) -> float | None:
    if value is None:
        return None
    if isinstance(value, str):
        try:
            value = float(value)
        except ValueError:
            value = None
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise QuestionRefused("`timeout_seconds` must be a number of seconds, 0 or more; leave it out for a day.")
    return value
