"""The MCP server: what it publishes, over a desk."""

from collections.abc import Sequence

from mcp.server.mcpserver import MCPServer, RequestStateSecurity

from handoffs import __version__
from handoffs.core.desk import Desk
from handoffs.mcp_server import tools, words
from handoffs.mcp_server.calls import Calls, Inbox
from handoffs.mcp_server.tool import tool

NAME = "handoffs"


def build_server(
    desk: Desk,
    *,
    subject: str,
    project: str,
    keys: Sequence[bytes | str],
    state_seconds: float,
    hold_seconds: float | None = None,
    inbox: Inbox | None = None,
) -> MCPServer:
    """Return the server, ready to run on stdio or HTTP.

    Args:
        desk: Where the handoffs are.
        subject: Who the caller is where nobody authenticates: the user of the operating system.
        project: The folder that callers on stdio work in.
        keys: What seals the state that clients carry between two rounds, 32 bytes or more each; the first seals.
        state_seconds: How long that state can be used: as long as the longest question stays open.
        hold_seconds: How long a call waits before it says PENDING; None goes by the host.
        inbox: Where the person is led to when the host has no dialog or did not show it.
    """
    calls = Calls(desk, subject=subject, project=project, hold_seconds=hold_seconds, inbox=inbox)
    return MCPServer(
        NAME,
        title="Handoffs",
        version=__version__,
        instructions=words.INSTRUCTIONS,
        log_level="WARNING",
        tools=[
            tool(
                tools.HANDOFF, "Ask the person", tools.HANDOFF_DESCRIPTION, tools.HANDOFF_SCHEMA, calls.handoff_to_user
            ),
            tool(
                tools.CHECK, "Get the person's answer", tools.CHECK_DESCRIPTION, tools.CHECK_SCHEMA, calls.check_handoff
            ),
        ],
        request_state_security=RequestStateSecurity(keys=list(keys), ttl=state_seconds),
    )
