"""Claude Code."""

from handoffs.hosts.host import HOUR, Host, Patience

HOST = Host(
    title="Claude Code",
    install=("claude-code",),
    stdio=Patience(quiet=110, dialog=27 * HOUR),
    # A task is moved to the background within the same second: the model goes on, and is told not to take a later
    # result for approval. While it shows a task's dialog, it does not notice an answer from elsewhere.
    task=False,
    source="2.1.330 to 2.1.332: a plain wait goes to the background after 120 s (T), one with a dialog open does not"
    " (T), a task at once (T); wall clock MCP_TOOL_TIMEOUT about 28 h (D); progress resets the idle limit of 5 min"
    " HTTP, 30 min stdio (C); draws every field and closes its dialog in the older era (T); structured only (T)",
)
