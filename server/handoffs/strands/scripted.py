"""A model that plays back a script: for tests, demonstrations, and lessons without a key. No network, no cost."""

import itertools
import json
import secrets
import threading
from collections.abc import AsyncGenerator, AsyncIterable, Callable, Iterator, Mapping, Sequence
from typing import TypeAlias, TypeVar

from pydantic import BaseModel
from strands.models import Model
from strands.types.content import ContentBlock, Message, Messages, SystemContentBlock
from strands.types.event_loop import StopReason
from strands.types.streaming import StreamEvent
from strands.types.tools import ToolChoice, ToolResult, ToolSpec

T = TypeVar("T", bound=BaseModel)

ToolCall: TypeAlias = tuple[str, Mapping[str, object]]
"""The name of a tool, and its arguments."""

Said: TypeAlias = str | Sequence[ToolCall]
"""A final text, or the tool calls of one turn."""

Turn: TypeAlias = Said | Callable[[Messages], Said]
"""What the model says in one turn, fixed or worked out from the conversation so far."""


class ScriptedModel(Model):
    """Says its turns one after the other, and after the last one that its script is over."""

    def __init__(self, *turns: Turn) -> None:
        """Take the turns, in order."""
        self._turns = iter(turns)
        # New with every model: the same tool use, sent again, would be given the answer that the person gave before.
        self._ids, self._part = itertools.count(1), secrets.token_hex(6)
        self.seen: list[Messages] = []
        """The conversation as it was at each call, in order."""

    def update_config(self, **model_config: object) -> None:
        """Ignore every setting: a script has none."""

    def get_config(self) -> dict[str, object]:
        """Return what Strands asks a model for."""
        return {"model_id": "scripted"}

    def structured_output(
        self,
        output_model: type[T],
        prompt: Messages,
        system_prompt: str | None = None,
        **kwargs: object,
    ) -> AsyncGenerator[dict[str, T | object], None]:
        """Not part of a script."""
        raise NotImplementedError("A scripted model has no structured output: write the turn as a tool call.")

    async def stream(
        self,
        messages: Messages,
        tool_specs: list[ToolSpec] | None = None,
        system_prompt: str | None = None,
        *,
        tool_choice: ToolChoice | None = None,
        system_prompt_content: list[SystemContentBlock] | None = None,
        invocation_state: dict[str, object] | None = None,
        cancel_signal: threading.Event | None = None,
        **kwargs: object,
    ) -> AsyncIterable[StreamEvent]:
        """Stream the next turn."""
        self.seen.append(json.loads(json.dumps(messages, default=str)))
        turn = next(self._turns, "The script is over.")
        for event in self._events(turn(messages) if callable(turn) else turn):
            yield event

    def _events(self, said: Said) -> Iterator[StreamEvent]:
        yield {"messageStart": {"role": "assistant"}}
        stop: StopReason = "end_turn"
        if isinstance(said, str):
            yield {"contentBlockStart": {"start": {}}}
            yield {"contentBlockDelta": {"delta": {"text": said}}}
            yield {"contentBlockStop": {}}
        else:
            stop = "tool_use"
            for name, arguments in said:
                use_id = f"tooluse_scripted_{self._part}_{next(self._ids)}"
                yield {"contentBlockStart": {"start": {"toolUse": {"name": name, "toolUseId": use_id}}}}
                yield {"contentBlockDelta": {"delta": {"toolUse": {"input": json.dumps(arguments)}}}}
                yield {"contentBlockStop": {}}
        yield {"messageStop": {"stopReason": stop}}


def last_result(messages: Messages) -> str:
    """Return the text of the newest tool result in a conversation; empty where there is none."""
    for message in reversed(messages):
        for result in reversed(_results(message)):
            return " ".join(block["text"] for block in result["content"] if "text" in block)
    return ""


def _results(message: Message) -> list[ToolResult]:
    blocks: list[ContentBlock] = message["content"]
    return [block["toolResult"] for block in blocks if "toolResult" in block]
