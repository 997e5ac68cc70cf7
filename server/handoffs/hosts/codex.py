"""Codex."""

from handoffs.hosts.host import HOUR, Host, Patience

HOST = Host(
    title="Codex",
    install=("codex",),
    stdio=Patience(quiet=50, dialog=24 * HOUR),
    # It draws no other fields: the person sees a bare approval, and *Yes* sends an empty accept.
    draws=frozenset(("string", "enum", "boolean")),
    fills_untouched=True,
    shows_links=False,
    source="0.169: 300 s, 60 s before it (T, C); its clock pauses while a dialog is open (T, codex PR #17566);"
    " 0.171 draws string, enum, boolean, stands on the first choice or *True*, and sends it on a bare Enter (T);"
    " structured content only (T); declares links and declines them unseen (T)",
)
