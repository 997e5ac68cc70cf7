"""LiteLLM."""

from handoffs.hosts.host import Host, Kind, Patience

HOST = Host(
    title="LiteLLM",
    kind=Kind.GATEWAY,
    stdio=Patience(quiet=45, dialog=45),
    source="1.108.7: 60 s, no dialog; calls itself `mcp` (T)",
)
