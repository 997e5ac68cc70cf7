"""Opencode."""

from handoffs.hosts.host import MINUTE, Host, Patience

HOST = Host(
    title="opencode",
    stdio=Patience(quiet=10 * MINUTE, dialog=45),
    source="1.18: 60 s, reset by every progress (T)",
)
