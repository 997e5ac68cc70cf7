"""Strands."""

from handoffs.hosts.host import HOUR, Host, Patience

HOST = Host(
    title="Strands",
    stdio=Patience(quiet=280, dialog=24 * HOUR),
    task=True,
    gives_up=True,
    edits_arguments=True,
    source="1.62: no limit on stdio, HTTP read 300 s (T); cancels a task after poll_timeout, 5 min by default (C);"
    " its name is what `application_name` says, else `mcp` (C)",
)
