"""What a task comes to: the outcome of its handoff, as the plain call would have given it."""

from mcp.types import CallToolResult

from handoffs.core.desk import Desk
from handoffs.core.model import Handoff, State
from handoffs.mcp_server import tools, words
from handoffs.mcp_server.sdk.delivery import Deliveries
from handoffs.mcp_server.tool import RequestContext
from handoffs.mcp_server.words import Pending, Status


class Outcomes:
    """Makes the results of tasks, and notes that they are handed over."""

    def __init__(self, desk: Desk, deliveries: Deliveries) -> None:
        """Take whose clock says how old an outcome is, and what records that it was handed over."""
        self._desk, self._deliveries = desk, deliveries

    async def result_of(
        self, handoff: Handoff, context: RequestContext, *, tool_use: str | None, marks: tuple[str, ...]
    ) -> CallToolResult:
        """Return what a task comes to: the outcome, which is then handed over, or PENDING for what was put off.

        What the request is answered with brings it, or a notification that has these `marks` in it.

        Raises:
            MCPError: The plain call would have failed with it.
        """
        if handoff.state is State.OPEN:
            guidance = words.describe_pending(handoff, Pending.DISMISSED)
            return tools.result(handoff, Status.PENDING, guidance, tool_use=tool_use)
        now = self._desk.clock.now()
        guidance = words.describe(handoff, now=now, earlier=words.is_earlier(handoff, now=now), late=False)
        self._deliveries.expect(handoff, context=context, tool_use=tool_use, marks=marks)
        return tools.result(handoff, words.STATUS_OF[handoff.state], guidance, tool_use=tool_use)
