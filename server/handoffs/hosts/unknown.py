"""A host that is not known."""

from handoffs.hosts.host import Host, Kind, Patience

HOST = Host(
    title="a host that is not known",
    kind=Kind.UNKNOWN,
    stdio=Patience(quiet=45, dialog=45),
    source="60 s is the shortest common limit: the TypeScript SDK's default (D), Copilot CLI, Cursor (cursor#3510)",
)
