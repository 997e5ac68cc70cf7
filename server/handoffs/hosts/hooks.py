"""The table of hosts whose own permission prompts `handoffs hook` answers: their hook events, and what those can do.

`T` was tried in November 2026 with the real program, `C` read in its code, `D` in its documents: Claude Code 2.1.332,
Codex 0.171.0, Copilot CLI 1.0.102, Gemini CLI 0.61, Qwen Code 0.24.4.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple


class HookEvent(NamedTuple):
    """One event that asks whether a tool may run."""

    name: str
    """The name as the host's file has it."""
    edits: bool
    """Whether the host runs the tool with other arguments where the answer has some."""
    beside_dialog: bool = False
    """Whether the host shows its own dialog meanwhile, and does not tell the hook that a person has answered there."""


class HookHost(NamedTuple):
    """A host with hooks."""

    name: str
    """The name on the command line, and by which permissions know the host's own tools."""
    title: str
    """The name for people."""
    events: tuple[HookEvent, ...]
    """The first is the one that `handoffs install --permissions` writes."""
    unset_seconds: float
    """How long the host waits for a hook whose entry has no time-out."""
    source: str

    def event(self, name: str) -> HookEvent | None:
        """Return an event by its name; None where it asks for no permission."""
        return next((each for each in self.events if each.name == name), None)


HOOK_HOSTS: Mapping[str, HookHost] = MappingProxyType(
    {
        host.name: host
        for host in (
            HookHost(
                name="claude-code",
                title="Claude Code",
                events=(
                    HookEvent("PermissionRequest", edits=True, beside_dialog=True),
                    HookEvent("PreToolUse", edits=True),
                ),
                unset_seconds=600,
                source="`updatedInput` ran with both events (T); PermissionRequest runs beside the dialog, and is not"
                " told of an answer there (T, claude-code#79651); 600 s (C)",
            ),
            HookHost(
                name="codex",
                title="Codex",
                events=(
                    HookEvent("PermissionRequest", edits=False),
                    HookEvent("PreToolUse", edits=True),
                ),
                unset_seconds=600,
                source="PermissionRequest: `updatedInput` makes the hook fail, and its ordinary dialog comes (T);"
                " PreToolUse runs with it (T); it waits for the hook before any dialog (T); 600 s (codex#39447)",
            ),
            HookHost(
                name="copilot",
                title="Copilot CLI",
                events=(
                    HookEvent("permissionRequest", edits=False),
                    HookEvent("preToolUse", edits=True),
                    HookEvent("PreToolUse", edits=False),
                ),
                unset_seconds=30,
                source="preToolUse: `modifiedArgs` ran (T); permissionRequest has no field for it (D); PreToolUse in"
                " Claude Code's form was not tried with an edit; 30 s (D)",
            ),
            HookHost(
                name="gemini",
                title="Gemini CLI",
                events=(HookEvent("BeforeTool", edits=True),),
                unset_seconds=60,
                source="`hookSpecificOutput.tool_input` overrides arguments (T); it has no event for a permission; 60 s"
                " (D)",
            ),
            HookHost(
                name="qwen",
                title="Qwen Code",
                events=(HookEvent("PermissionRequest", edits=False), HookEvent("PreToolUse", edits=False)),
                unset_seconds=60,
                source="`updatedInput` is documented, and was ignored: the original command ran (T); 60 s (D)",
            ),
        )
    }
)
"""By their names on the command line."""
