"""The tools of an agent as the gate knows them: whose they are, and their definitions, as an MCP server lists them."""

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from strands.tools.mcp import MCPAgentTool, MCPClient
from strands.tools.structured_output.structured_output_tool import StructuredOutputTool
from strands.types.tools import AgentTool

from handoffs.core.untrusted import inert_line
from handoffs.strands import HandoffClient

if TYPE_CHECKING:
    from strands.types.agent import LocalAgent

MAX_NAME = 100
"""Characters of a server's own name."""

NO_NAME = "mcp"
"""What a server is called that does not say its name."""


class Source(NamedTuple):
    """Where a tool comes from."""

    client: MCPClient | None
    """None for the agent's own Python tools."""
    server: str
    """The name by which rules, grants and people know it."""


def needs_no_permission(tool: AgentTool) -> bool:
    """Say whether a tool needs no permission, since it does nothing: it asks a person, or holds the model's output."""
    if isinstance(tool, StructuredOutputTool):
        return True
    client = tool.mcp_client if isinstance(tool, MCPAgentTool) else None
    return isinstance(client, HandoffClient) and client.starts_own_server


def source_of(tool: AgentTool, own: str) -> Source:
    """Return where a tool comes from; `own` names the agent's own."""
    if not isinstance(tool, MCPAgentTool):
        return Source(None, own)
    client = tool.mcp_client
    # Strands keeps the session, in which the server has said its name, to itself.
    session = cast("object", getattr(client, "_background_thread_session", None))
    name = cast("object", getattr(getattr(session, "server_info", None), "name", None))
    return Source(client, (inert_line(name, MAX_NAME) if isinstance(name, str) else "") or NO_NAME)


def name_of(tool: AgentTool) -> str:
    """Return the name of a tool: of an MCP server's, the server's own, without the prefix of its client."""
    return tool.mcp_tool.name if isinstance(tool, MCPAgentTool) else tool.tool_name


def listed(agent: "LocalAgent", tool: AgentTool, source: Source) -> str:
    """Return, as JSON, the definitions of the tools that come from where this tool does, and its own."""
    registry = agent.tool_registry
    tools = {name_of(each): each for each in [*registry.registry.values(), *registry.dynamic_tools.values()]
             if _is_from(each, source.client) and not needs_no_permission(each)}  # fmt: skip
    tools[name_of(tool)] = tool
    return json.dumps([_definition(each) for each in tools.values()])


def _is_from(tool: AgentTool, client: MCPClient | None) -> bool:
    return (tool.mcp_client if isinstance(tool, MCPAgentTool) else None) is client


def _definition(tool: AgentTool) -> dict[str, Any]:
    if isinstance(tool, MCPAgentTool):
        # What the server did not say is left out: the definition is the one that `handoffs gate` sees and pins.
        return tool.mcp_tool.model_dump(mode="json", by_alias=True, exclude_unset=True)
    spec = cast("Mapping[str, Any]", tool.tool_spec)
    schema = cast("Mapping[str, Any]", spec["inputSchema"])
    found: dict[str, Any] = {
        "name": tool.tool_name,
        "description": spec["description"],
        "inputSchema": schema.get("json", schema),
    }
    annotations = cast("object", spec.get("annotations"))
    return found if annotations is None else {**found, "annotations": annotations}
