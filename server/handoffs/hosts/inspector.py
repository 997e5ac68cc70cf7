"""MCP Inspector."""

from handoffs.hosts.host import Host, Patience

HOST = Host(
    title="MCP Inspector",
    stdio=Patience(quiet=45, dialog=45),
    task=True,
    source="2.12: declares tasks, and looks for the outcome itself (T)",
)
