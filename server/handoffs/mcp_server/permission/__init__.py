"""Permission prompts of Claude Code: `claude -p --permission-prompt-tool mcp__handoffs__approve_tool_use …`.

When its own rules don't decide on a tool's use, Claude Code calls this tool, which asks the person like any other
question, in the inbox or on the terminal. Only an answered *allow* approves: once, and exactly the input that was shown
or that the person edited.

`claude_code` is the format: arguments, replies and edits. `shown` makes the message, `forms` the form, `questions` both
for Claude's own questions. `words` are the texts for the agent. `approvals` puts them together, and `tool` publishes
it.
"""

from handoffs.mcp_server.permission.tool import NAME, Listed, approval_tool, listed_for_its_hosts

__all__ = ["NAME", "Listed", "approval_tool", "listed_for_its_hosts"]
