"""Cursor."""

from handoffs.hosts.host import Host, Patience

HOST = Host(
    title="Cursor",
    install=("cursor",),
    stdio=Patience(quiet=45, dialog=45),
    source="reports of 60 s and of 5 min (cursor#3510); its version is always 1.0.0, so builds can't be told apart",
)
