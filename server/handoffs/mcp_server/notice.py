"""What every result tells beside the outcome, as long as it is the case: for the person, by way of the agent."""

from collections.abc import Mapping
from typing import cast

from mcp.server.mcpserver import Context
from mcp.types import CallToolResult, TextContent

from handoffs.mcp_server.tool import Call, Given


class Notice:
    """Words that are added to results, after the guidance; without words it adds nothing and costs nothing."""

    def __init__(self, words: str = "") -> None:
        """Take what the person should know: words of ours, without what an agent or a file of a repository says."""
        self._words = f"Tell the person, once: {words}" if words else ""

    def under(self, call: Call) -> Call:
        """Return what a tool does, with the words added to what comes of it."""
        if not self._words:
            return call  # a call may wait for days: no frame of ours for nothing

        async def told(given: Mapping[str, object], context: Context) -> Given:
            outcome = await call(given, context)
            return self.on(outcome) if isinstance(outcome, CallToolResult) else outcome

        return told

    def on(self, result: CallToolResult) -> CallToolResult:
        """Return a result with the words added to its text and its guidance: hosts show the model one of the two."""
        if not self._words:
            return result
        content = list(result.content)
        if content and isinstance(content[-1], TextContent):
            content[-1] = TextContent(type="text", text=self._added(content[-1].text))
        structured = result.structured_content
        if structured is not None:
            structured = {**structured, "guidance": self._added(str(cast("object", structured.get("guidance", ""))))}
        return result.model_copy(update={"content": content, "structured_content": structured})

    def _added(self, text: str) -> str:
        return f"{text}\n\n{self._words}" if text else self._words


NOTHING_TO_TELL = Notice()
