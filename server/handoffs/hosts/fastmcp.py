"""A program with FastMCP."""

from handoffs.hosts.host import Host, Kind, Patience

HOST = Host(
    title="a program with FastMCP",
    kind=Kind.LIBRARY,
    stdio=Patience(quiet=8, dialog=280),
    source="agno 3.1.10 10 s, no dialog (T); pydantic-ai 2.68 300 s (C), with forms (T); FastMCP 4.2.3 create_proxy"
    " declares forms and held a call for 600 s (T)",
)
