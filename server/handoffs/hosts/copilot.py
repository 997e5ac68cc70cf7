"""Copilot CLI."""

from handoffs.hosts.host import Host, Patience

HOST = Host(
    title="Copilot CLI",
    stdio=Patience(quiet=45, dialog=45),
    adds_other=True,
    withdraws=False,
    gives_both=True,
    source="1.0.102: draws every field, adds *Other* to each choice, and leaves a dialog of the newer era open (T);"
    " model reads text and structured content (T); 60 s (C); no tasks (copilot-cli#4834)",
)
