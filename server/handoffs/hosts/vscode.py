"""VS Code."""

from handoffs.hosts.host import HOUR, MINUTE, Host, Patience

HOST = Host(
    title="VS Code",
    install=("vscode", "vscode-insiders"),
    stdio=Patience(quiet=10 * MINUTE, dialog=24 * HOUR),
    source="no limit on a call (vscode#311595); tasks of 2025-11-25 only (vscode PR #277888)",
)
