"""Permission prompts of Claude Code: `claude -p --permission-prompt-tool mcp__handoffs__approve_tool_use …`.

Where its own rules leave a tool's use undecided, Claude Code calls this tool, which asks the person like any other
question, in the inbox or on the terminal. Nothing but an answered *allow* allows: once, and exactly what was shown or
what the person made of it.

`claude_code` is the format: what comes in, what goes out, and how an edit is read. `shown` makes the message, `forms`
what is filled in, `questions` both for Claude's own questions. `words` is what the agent is told. `approvals` puts them
together, and `tool` publishes it.
"""

from handoffs.mcp_server.permission.tool import NAME, Listed, approval_tool, listed_for_its_hosts

__all__ = ["NAME", "Listed", "approval_tool", "listed_for_its_hosts"]
