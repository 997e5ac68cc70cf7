"""Windsurf."""

from handoffs.hosts.host import Host, Patience

HOST = Host(
    title="Windsurf",
    install=("windsurf",),
    stdio=Patience(quiet=45, dialog=45),
    source="not documented; the shortest common limit",
)
