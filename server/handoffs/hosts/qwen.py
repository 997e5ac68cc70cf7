"""Qwen Code."""

from handoffs.hosts.host import Host, Patience

HOST = Host(
    title="Qwen Code",
    stdio=Patience(quiet=45, dialog=45),
    draws_cards=False,
    gives_both=True,
    source="0.24.4: declares MCP Apps and draws no card in a terminal (T); model reads text and structured content (T)",
)
