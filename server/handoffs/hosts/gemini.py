"""Gemini CLI."""

from handoffs.hosts.host import MINUTE, Host, Patience

HOST = Host(
    title="Gemini CLI",
    install=("gemini",),
    stdio=Patience(quiet=9 * MINUTE, dialog=45),
    source="0.61: 600 s, progress does not extend it (C, T); no dialog (T)",
)
