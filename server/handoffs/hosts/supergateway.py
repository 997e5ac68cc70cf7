"""Supergateway."""

from handoffs.hosts.host import Host, Kind, Patience

HOST = Host(
    title="supergateway",
    kind=Kind.GATEWAY,
    stdio=Patience(quiet=45, dialog=45),
    source="4.0.0: none within 600 s (T); its client's own limit, 60 s as a rule, is shorter",
)
