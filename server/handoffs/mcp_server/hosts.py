"""What each known host lets a call take before it gives up, as a table with sources.

A call has to return before its host's patience ends: what the host cuts off, the agent sees as an error and may ask
again. So a call waits that long at the most, and then says PENDING. Two figures, since some hosts stop their clock
while a dialog of theirs is open. `T` was tried with that client in November 2026, `C` read in its code, `D` in its
documents. Hosts change; `HANDOFFS_HOLD_SECONDS` overrides the table.
"""

import re
from dataclasses import dataclass

_MINUTE = 60.0
_HOUR = 3600.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Host:
    """How long one host waits, in seconds."""

    name: str
    """A regular expression for the whole of `clientInfo.name`, in any case."""
    quiet: float
    """How long a call may wait while the host shows nothing."""
    dialog: float
    """How long it may wait while the host's own dialog is open."""
    source: str
    install: tuple[str, ...] = ()
    """What `handoffs install` calls it, where it can set it up."""
    gives_up: bool = False
    """Whether it cancels a task when its own time is up: that withdraws nothing, the person may still be thinking."""


HOSTS: tuple[Host, ...] = (
    Host(
        name=r"claude-code",
        install=("claude-code",),
        quiet=110,
        dialog=27 * _HOUR,
        source="2.1.330: a plain wait goes to the background after 120 s (T), one with a dialog open does not (T);"
        " wall clock MCP_TOOL_TIMEOUT about 28 h (D); progress resets the idle limit of 5 min HTTP, 30 min stdio (C)",
    ),
    Host(
        name=r"claude-ai|claude desktop.*",
        install=("claude-desktop",),
        quiet=200,
        dialog=45,
        source="300 s documented (D), about 240 s seen (claude-code#65643, #44032); no forms (claude-ai-mcp#153);"
        " a build that declared forms and never showed them gave up after 60 s (claude-code#88901)",
    ),
    Host(
        name=r"visual studio code.*|code - insiders|vscode.*",
        install=("vscode", "vscode-insiders"),
        quiet=10 * _MINUTE,
        dialog=24 * _HOUR,
        source="no limit on a call (vscode#311595)",
    ),
    Host(
        name=r"goose.*",
        install=("goose",),
        quiet=280,
        dialog=280,
        source="extension time-out 300 s by default; its dialog ends after 5 min (goose documentation, #8295)",
    ),
    Host(
        name=r"codex.*",
        install=("codex",),
        quiet=50,
        dialog=24 * _HOUR,
        source="0.169: 300 s, 60 s before it (T, C); its clock pauses while a dialog is open (T, codex PR #17566)",
    ),
    Host(
        name=r"gemini-cli.*",
        install=("gemini",),
        quiet=9 * _MINUTE,
        dialog=45,
        source="0.61: 600 s, progress does not extend it (C, T)",
    ),
    Host(
        name=r"cursor.*",
        install=("cursor",),
        quiet=45,
        dialog=45,
        source="reports of 60 s and of 5 min (cursor#3510); its version is always 1.0.0, so builds can't be told apart",
    ),
    Host(
        name=r"windsurf.*",
        install=("windsurf",),
        quiet=45,
        dialog=45,
        source="not documented; the shortest common limit",
    ),
    Host(name=r"zed.*", install=("zed",), quiet=45, dialog=45, source="60 s where nothing is set (D); no forms seen"),
    Host(name=r"opencode", quiet=10 * _MINUTE, dialog=45, source="1.18: 60 s, reset by every progress (T)"),
    Host(name=r"pydantic-ai.*", quiet=280, dialog=280, source="2.68: 300 s (C)"),
    Host(
        name=r"strands.*",
        quiet=280,
        dialog=24 * _HOUR,
        gives_up=True,
        source="1.62: no limit on stdio, HTTP read 300 s (T); cancels a task after poll_timeout, 5 min by default (C)",
    ),
)

UNKNOWN = Host(
    name=r".*",
    quiet=45,
    dialog=45,
    source="60 s is the shortest common limit: the TypeScript SDK's default (D), Copilot CLI, Cursor (cursor#3510)",
)


def host_named(client: str) -> Host:
    """Return the row for a client's name, or the one for hosts that are not known."""
    return next((host for host in HOSTS if re.fullmatch(host.name, client, re.IGNORECASE)), UNKNOWN)
