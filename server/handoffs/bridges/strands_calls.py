"""Calls of a Strands agent that people decide: what is asked about them, and that nothing else runs than was allowed.

Strands' own yes is `True`, and its no is any other value, without a reason or a change. So hooks carry these: a denied
call is cancelled in the person's words, and an allowed one runs as the person changed it.
"""

import json
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

from strands.hooks import AfterToolCallEvent, BeforeToolCallEvent, HookOrder, HookRegistry

from handoffs.bridges.pauses import Call, edited_arguments
from handoffs.client import Permission

FRAMEWORK = "strands"

OTHER_CALL = "Not run: it is not the call that a person allowed, as something changed it after that. Tell the person."

Object = Mapping[str, Any]


@dataclass(frozen=True)
class Decision:
    """What people decided about a call that Strands is about to run."""

    call: Call
    permission: Permission

    def change(self, event: BeforeToolCallEvent[Any]) -> None:
        """Have it run as the person changed it. The agent's history keeps what the model asked for."""
        edited = edited_arguments(self.permission)
        if edited is not None:
            event.tool_use = {**event.tool_use, "input": dict(edited)}

    def hold(self, event: BeforeToolCallEvent[Any]) -> None:
        """Let nothing run but what was allowed, whatever else has been made of the call."""
        if not self.permission.allowed:
            event.cancel_tool = self.permission.told
            return
        use = event.tool_use
        if (use["name"], as_read(use["input"])) != (self.call.tool, json.loads(self.permission.arguments)):
            event.cancel_tool = OTHER_CALL

    def tell(self, event: AfterToolCallEvent[Any]) -> None:
        """Tell the model of a change: its history does not."""
        if self.permission.allowed and self.permission.edited and event.cancel_message is None:
            said = f"A person changed this call before it ran. It ran with the arguments {self.permission.arguments}."
            event.result = {**event.result, "content": [{"text": said}, *event.result["content"]]}


class Around(ABC):
    """Hooks around the calls of an agent: what was decided reaches the call, and the model."""

    @abstractmethod
    def begin(self, event: BeforeToolCallEvent[Any]) -> None:
        """Take up a call before interventions see it."""

    @abstractmethod
    def decided(self, event: "BeforeToolCallEvent[Any] | AfterToolCallEvent[Any]") -> Decision | None:
        """Return what people decided about a call, if they were asked about it."""

    def register_hooks(self, registry: HookRegistry, **more: object) -> None:
        """Stand around the calls of an agent."""
        registry.add_callback(BeforeToolCallEvent, self.begin, order=HookOrder.INTERVENTION_INPUT - 1)
        registry.add_callback(BeforeToolCallEvent, self._hold, order=HookOrder.SDK_LAST)
        registry.add_callback(AfterToolCallEvent, self._tell)

    def _hold(self, event: BeforeToolCallEvent[Any]) -> None:
        if (decision := self.decided(event)) is not None:
            decision.hold(event)

    def _tell(self, event: AfterToolCallEvent[Any]) -> None:
        if (decision := self.decided(event)) is not None:
            decision.tell(event)


def call_of(call_id: str, tool: str, arguments: object, tools: Mapping[str, Object], *, editable: bool) -> Call:
    """Return a call of one of the agent's `tools`, or of another one."""
    spec = tools.get(tool)
    return Call(
        id=call_id,
        tool=tool,
        arguments=json.dumps(arguments, ensure_ascii=False),
        schema=None if spec is None else cast("Object", spec["inputSchema"]),
        description="" if spec is None else str(spec.get("description") or ""),
        editable=editable,
    )


def tools_of(agent: Any) -> Mapping[str, Object]:
    """Return what is known of the agent's tools, by name."""
    registry = agent.tool_registry
    return {str(name): _spec(tool) for name, tool in {**registry.registry, **registry.dynamic_tools}.items()}


def _spec(tool: Any) -> Object:
    spec = cast("Object", tool.tool_spec)
    schema = cast("Object", spec["inputSchema"])
    schema = cast("Object", schema.get("json", schema))
    if tool.tool_type == "function" and "additionalProperties" not in schema:
        # The tool would drop what it does not know, and a person who edits would not be told.
        schema = {**schema, "additionalProperties": False}
    return {"description": spec.get("description"), "inputSchema": schema}


def as_read(arguments: object) -> object:
    """Return arguments as they are read from JSON; None where they can't be written."""
    try:
        return json.loads(json.dumps(arguments))
    except (TypeError, ValueError):
        return None
