"""The results of tasks: the outcome of the handoff, as the plain call would have returned it."""

from collections.abc import Sequence

from mcp.types import CallToolResult, ContentBlock

from handoffs.core.desk import Desk
from handoffs.core.model import Handoff, State
from handoffs.mcp_server import tools, words
from handoffs.mcp_server.sdk.delivery import Deliveries
from handoffs.mcp_server.tool import RequestContext
from handoffs.mcp_server.words import Pending, Status


class Outcomes:
    """Makes the results of tasks, and expects their delivery."""

    def __init__(self, desk: Desk, deliveries: Deliveries) -> None:
        """Take the desk, for its clock, and the deliveries that record each outcome."""
        self._desk, self._deliveries = desk, deliveries

    async def result_of(
        self, handoff: Handoff, context: RequestContext, *, tool_use: str | None, marks: tuple[str, ...]
    ) -> CallToolResult:
        """Return the result of a task: the outcome, whose delivery is recorded, or PENDING for one that was put off.

        The reply to the request delivers it, or with `marks` the first notification that contains them.

        Raises:
            MCPError: The plain call would have failed with this error.
            NotProved: It demands a proof, and the answer in the store has none.
            FileChanged: A file of the answer is not in the store as the person gave it.
        """
        if handoff.state is State.OPEN:
            guidance = words.describe_pending(handoff, Pending.DISMISSED)
            return tools.result(handoff, Status.PENDING, guidance, tool_use=tool_use)
        await self._desk.check_proof(handoff)
        now = self._desk.clock.now()
        guidance = words.describe(handoff, now=now, earlier=words.is_earlier(handoff, now=now), late=False)
        files: Sequence[ContentBlock] = ()
        if handoff.attachments:
            from handoffs.mcp_server.files import blocks_of  # few answers have files

            files = await blocks_of(self._desk, handoff, over_http=context.request is not None)
        self._deliveries.expect(handoff, context=context, tool_use=tool_use, marks=marks)
        return tools.result(handoff, words.STATUS_OF[handoff.state], guidance, tool_use=tool_use, files=files)
