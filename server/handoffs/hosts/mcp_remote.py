"""Mcp-remote."""

from handoffs.hosts.host import Host, Kind, Patience

HOST = Host(
    title="mcp-remote",
    kind=Kind.GATEWAY,
    stdio=Patience(quiet=45, dialog=45),
    source="0.15.1 carries its client's name (T); this row is for clients without a name",
)
