"""Zed."""

from handoffs.hosts.host import Host, Patience

HOST = Host(
    title="Zed",
    install=("zed",),
    stdio=Patience(quiet=45, dialog=45),
    source="60 s if nothing is set (D); no forms seen",
)
