"""A notice for the person that every result carries beside the outcome; the agent passes it on."""

from collections.abc import Mapping
from typing import cast

from mcp.server.mcpserver import Context
from mcp.types import CallToolResult, TextContent

from handoffs.mcp_server.tool import Call, Given


class Notice:
    """Text that is added to results after the guidance. An empty notice adds nothing and costs nothing."""

    def __init__(self, words: str = "") -> None:
        """Take the text for the person: our own words, never text from an agent or a repository."""
        self._words = f"Tell the person, once: {words}" if words else ""

    def added_by(self, call: Call) -> Call:
        """Return a call that adds the notice to the result of `call`."""
        if not self._words:
            return call  # a call may wait for days: it carries no frame without need

        async def told(given: Mapping[str, object], context: Context) -> Given:
            outcome = await call(given, context)
            return self.add_to(outcome) if isinstance(outcome, CallToolResult) else outcome

        return told

    def add_to(self, result: CallToolResult) -> CallToolResult:
        """Return a result with the notice added to its text and its guidance: hosts show the model one of the two."""
        if not self._words:
            return result
        content = list(result.content)
        if content and isinstance(content[0], TextContent):  # files follow it
            content[0] = TextContent(type="text", text=self._added(content[0].text))
        structured = result.structured_content
        if structured is not None:
            structured = {**structured, "guidance": self._added(str(cast("object", structured.get("guidance", ""))))}
        return result.model_copy(update={"content": content, "structured_content": structured})

    def _added(self, text: str) -> str:
        return f"{text}\n\n{self._words}" if text else self._words


NO_NOTICE = Notice()
