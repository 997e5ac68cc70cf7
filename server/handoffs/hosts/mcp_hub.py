"""Mcp-hub."""

from handoffs.hosts.host import Host, Kind, Patience

HOST = Host(
    title="mcp-hub",
    kind=Kind.GATEWAY,
    stdio=Patience(quiet=45, dialog=45),
    source="4.2.1: 300 s, no dialog, no progress (T); its client's own limit, 60 s as a rule, is shorter",
)
