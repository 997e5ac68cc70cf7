"""The plugin of agents: the documented result for direct calls, and the end of the loop on a breakout."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, cast
from weakref import WeakSet

from strands.hooks import AfterToolCallEvent, BeforeToolCallEvent, HookOrder, MessageAddedEvent
from strands.plugins import Plugin
from strands.tools.mcp import MCPAgentTool
from strands.types.tools import ToolResult

from handoffs.strands.response import handoff_response

if TYPE_CHECKING:
    from strands import Agent

HANDOFF = "handoff_to_user"
HANDOFF_TOOLS = frozenset({HANDOFF, "check_handoff"})


class HandoffPlugin(Plugin):
    """Gives `agent.tool.handoff_to_user(…)` its documented result, and makes `breakout_of_loop` end the loop.

    The tools of a `HandoffClient` do so by themselves; with a plain `MCPClient` this is what does.

    - A direct call returns a `HandoffResponse`. The history keeps a legal tool result that tells the model the answer.
    - A model's call with `breakout_of_loop` ends the loop after that very call: the model is not called again, other
      tools that it asked for in the same turn do not run, and `result.state["handoff"]` is the response.
    """

    @property
    def name(self) -> str:
        """The plugin's name."""
        return "handoffs"

    def init_agent(self, agent: "Agent") -> None:
        """Attach to an agent."""
        attach(agent)


_attached: "WeakSet[Agent]" = WeakSet()


def attach(agent: "Agent") -> None:
    """Give an agent what `HandoffPlugin` promises, once: the tools bring it along where the plugin was left out."""
    if agent in _attached:
        return
    _attached.add(agent)
    agent.add_hook(_spare_siblings, BeforeToolCallEvent)
    agent.add_hook(_break_out, AfterToolCallEvent)
    # Last of all, so that other hooks see a legal result; first of all, so that a session keeps a legal history.
    agent.add_hook(_document_direct_call, AfterToolCallEvent, order=HookOrder.SDK_LAST)
    agent.add_hook(_keep_history_legal, MessageAddedEvent, order=HookOrder.SDK_FIRST)


def _spare_siblings(event: BeforeToolCallEvent) -> None:
    """Cancel the other tool calls of a turn with a handover, in any order."""
    if not _in_loop(event.invocation_state):
        return
    calls = [block["toolUse"] for block in event.agent.messages[-1]["content"] if "toolUse" in block]
    breaks = {call["toolUseId"] for call in calls if _breaks_out(event.agent, call["name"], call["input"])}
    if breaks and event.tool_use["toolUseId"] not in breaks:
        event.cancel_tool = "Not run: you handed over to the person in this turn."


def _break_out(event: AfterToolCallEvent) -> None:
    """End the loop after a breakout that was delivered; one that failed is for the model to read."""
    if not _in_loop(event.invocation_state) or not _is(event.agent, event.tool_use["name"], {HANDOFF}):
        return
    response = handoff_response(cast("Mapping[str, object]", event.result), message=_message(event))
    if response["status"] == "SUCCESS" and response.get("breakoutOfLoop"):
        event.invocation_state.setdefault("request_state", {})["handoff"] = response
        event.agent.cancel(message=_message(event), after_current_tools=True)


def _document_direct_call(event: AfterToolCallEvent) -> None:
    if not _in_loop(event.invocation_state) and _is(event.agent, event.tool_use["name"], HANDOFF_TOOLS):
        response = handoff_response(cast("Mapping[str, object]", event.result), message=_message(event))
        event.result = cast("ToolResult", response)


def _keep_history_legal(event: MessageAddedEvent) -> None:
    """Replace a documented response in the history by a legal tool result; the caller keeps the response."""
    for index, block in enumerate(event.message["content"]):
        if "toolResult" in block and "userInput" in block["toolResult"]:
            response = handoff_response(cast("Mapping[str, object]", block["toolResult"]))
            legal: ToolResult = {
                "toolUseId": response["toolUseId"],
                "status": "error" if response["status"] == "ERROR" else "success",
                "content": [{"text": response["guidance"]}],
            }
            event.message["content"][index] = {"toolResult": legal}


def _in_loop(invocation_state: Mapping[str, object]) -> bool:
    """Say whether a model asked for the call: `agent.tool.…` runs outside of any cycle."""
    return "event_loop_cycle_id" in invocation_state


def _is(agent: "Agent", name: str, tools: frozenset[str] | set[str]) -> bool:
    """Say whether the agent's tool of that name, which may have a prefix, is one of an MCP server's `tools`."""
    tool = agent.tool_registry.registry.get(name)
    return isinstance(tool, MCPAgentTool) and tool.mcp_tool.name in tools


def _breaks_out(agent: "Agent", name: str, arguments: object) -> bool:
    if not _is(agent, name, {HANDOFF}) or not isinstance(arguments, Mapping):
        return False
    flag = cast("Mapping[str, object]", arguments).get("breakout_of_loop")
    return flag is True or (isinstance(flag, str) and flag.casefold() == "true")


def _message(event: AfterToolCallEvent) -> str:
    arguments: object = event.tool_use["input"]
    message = cast("Mapping[str, object]", arguments).get("message") if isinstance(arguments, Mapping) else None
    return message if isinstance(message, str) else ""
