"""Google ADK."""

from handoffs.hosts.host import Host, Patience

HOST = Host(
    title="Google ADK",
    stdio=Patience(quiet=4, dialog=4),
    source="2.13.0: 5 s, with its dialog open too (T); StdioConnectionParams(timeout)",
)
