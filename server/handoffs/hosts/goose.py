"""Goose."""

from handoffs.hosts.host import Host, Patience

HOST = Host(
    title="Goose",
    install=("goose",),
    stdio=Patience(quiet=280, dialog=280),
    source="extension time-out 300 s by default; its dialog ends after 5 min (goose documentation, #8295)",
)
