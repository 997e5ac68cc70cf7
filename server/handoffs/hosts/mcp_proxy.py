"""Mcp-proxy."""

from handoffs.hosts.host import Host, Kind, Patience

HOST = Host(
    title="mcp-proxy",
    kind=Kind.GATEWAY,
    stdio=Patience(quiet=45, dialog=45),
    source="npm 6.7.19: 300 s, no dialog (T); its client's own limit, 60 s as a rule, is shorter",
)
