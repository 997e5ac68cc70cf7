"""Mcpo."""

from handoffs.hosts.host import Host, Kind, Patience

HOST = Host(
    title="mcpo",
    kind=Kind.GATEWAY,
    stdio=Patience(quiet=45, dialog=45),
    source="0.0.20: no dialog, no users; calls itself `mcp` (T)",
)
