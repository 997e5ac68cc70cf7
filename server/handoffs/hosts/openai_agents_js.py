"""OpenAI Agents for JavaScript."""

from handoffs.hosts.host import Host, Kind, Patience

HOST = Host(
    title="OpenAI Agents for JavaScript",
    kind=Kind.LIBRARY,
    stdio=Patience(quiet=45, dialog=45),
    source="0.20.0: no dialog; calls itself `stdio: /path/of/the/command` of the server, in every program (T)",
)
