"""The outcome of a handoff for a Strands program, from any form of the result.

A status that is not SUCCESS is never an answer, and SUCCESS alone is no approval: the person may have answered no.
"""

from collections.abc import Mapping, Sequence
from typing import Literal, NotRequired, TypeAlias, TypedDict, cast, get_args

from handoffs.core.form import Value
from handoffs.core.untrusted import inert_line

Status: TypeAlias = Literal["SUCCESS", "DECLINED", "CANCELLED", "TIMEOUT", "PENDING", "ERROR"]


class Text(TypedDict):
    """One piece of text."""

    text: str


class HandoffResponse(TypedDict):
    """The documented result of `handoff_to_user`."""

    content: list[Text]
    """The message that the person was shown."""
    userInput: list[Text]
    """The answer as text, one item for each field; one item with an empty text unless a person answered."""
    status: Status
    toolUseId: str
    guidance: str
    """What may and may not be done next, in the words that a model is told."""
    handoffId: NotRequired[str]
    values: NotRequired[dict[str, Value]]
    """The answer by field name, with its types; `response` is the only field where no form was given."""
    other: NotRequired[str]
    """The answer in other words than the options; then there are no values."""
    answeredBy: NotRequired[str]
    answeredAt: NotRequired[str]
    channel: NotRequired[str]
    breakoutOfLoop: NotRequired[bool]
    attachments: NotRequired[list[dict[str, object]]]
    """The files of the answer: `name`, `type`, `size`, `sha256` and `uri`. The tool result has their content."""


def handoff_response(result: Mapping[str, object], *, message: str = "") -> HandoffResponse:
    """Return the documented response in a tool result.

    A result without one, because the server is gone or the call was wrong, becomes an ERROR.

    Args:
        result: The result of a tool call, as Strands gives it; a response is returned as it is.
        message: What the person was asked, for a result that does not say.
    """
    carried = result if "userInput" in result else result.get("structuredContent")
    tool_use_id = str(result.get("toolUseId", ""))
    if isinstance(carried, Mapping):
        response = cast("Mapping[str, object]", carried)
        if response.get("status") in get_args(Status) and isinstance(response.get("userInput"), Sequence):
            # A server of before had no text where there was no answer.
            texts = response["userInput"] or [{"text": ""}]
            named = tool_use_id or response.get("toolUseId", "")
            return cast("HandoffResponse", {**response, "userInput": texts, "toolUseId": named})
    return {
        "content": [{"text": message}] if message else [],
        "userInput": [{"text": ""}],
        "status": "ERROR",
        "toolUseId": tool_use_id,
        "guidance": _joined(result.get("content")) or "The handoff failed; nothing was decided.",
    }


def approved(response: Mapping[str, object], *, field: str = "response") -> bool:
    """Say whether a person answered an explicit yes: the word `yes` or `y`, or a true boolean.

    No other answer and no other outcome is one: not a refusal, not silence, not an error, not a breakout.

    Args:
        response: What `agent.tool.handoff_to_user` returned, or a raw tool result.
        field: Which field of the form asked for the approval.
    """
    view = handoff_response(response)
    values: object = view.get("values")
    if view["status"] != "SUCCESS" or not isinstance(values, Mapping):
        return False
    answer = cast("Mapping[str, object]", values).get(field)
    if isinstance(answer, str):
        return answer.strip().casefold() in {"yes", "y"}
    return answer is True


def format_handoff_summary(response: Mapping[str, object], title: str = "Handoff") -> str:
    """Return a response as a few lines for a terminal, each of them inert: nothing an agent wrote can forge another.

    Args:
        response: What `agent.tool.handoff_to_user` returned, or `result.state["handoff"]`, or a raw tool result.
        title: What stands in the first line.
    """
    view = handoff_response(response)
    lines = [
        f"--- {inert_line(title)} ---",
        f'Agent Message: "{inert_line(_joined(view["content"]))}"',
        f"Status       : {view['status']}",
        f"Reference ID : {inert_line(view['toolUseId'])}",
    ]
    # SUCCESS means that there is an answer, and the answer may be no: never the one without the other.
    said = _joined(view["userInput"], ", ")
    if said:
        lines.append(f'User Response: "{inert_line(said)}"')
    return "\n".join(lines)


def _joined(blocks: object, between: str = " ") -> str:
    if not isinstance(blocks, Sequence) or isinstance(blocks, str):
        return ""
    texts = [
        cast("Mapping[str, object]", block).get("text")
        for block in cast("Sequence[object]", blocks)
        if isinstance(block, Mapping)
    ]
    return between.join(text for text in texts if isinstance(text, str))
