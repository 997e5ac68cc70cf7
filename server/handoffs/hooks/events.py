"""What a host's hook is told, read from the JSON of its standard input."""

import hashlib
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import cast

from handoffs.core import exact_json
from handoffs.core.action import Action, Asker
from handoffs.hosts.hooks import HookEvent, HookHost

ELICITATION = "Elicitation"
"""The event of Claude Code in which an MCP server asks the person by a form or a link."""

_RAN = frozenset({"PostToolUse", "PostToolUseFailure", "postToolUse", "AfterTool"})
_OVER = frozenset({"SessionEnd", "sessionEnd"})
_NAMED = re.compile(rb'"hook_?[eE]vent_?[nN]ame"\s*:\s*"([A-Za-z]{1,40})"')


@dataclass(frozen=True, kw_only=True)
class Heard:
    """One event of a host."""

    host: HookHost
    name: str
    given: Mapping[str, object]
    asks: HookEvent | None = None
    """What it can answer, where it asks whether a tool may run."""

    @property
    def ran(self) -> bool:
        """Whether it says that a tool has run."""
        return self.name in _RAN

    @property
    def over(self) -> bool:
        """Whether it says that the session is over."""
        return self.name in _OVER

    @cached_property
    def tool(self) -> str:
        """The name of the tool; empty where none is named."""
        return self._text("tool_name", "toolName")

    @cached_property
    def input(self) -> Mapping[str, object] | None:
        """The arguments of the tool; None where there is no object."""
        for name in ("tool_input", "toolInput", "toolArgs"):
            if name in self.given:
                found = self.given[name]
                return cast("Mapping[str, object]", found) if isinstance(found, dict) else None
        return None

    @cached_property
    def action(self) -> Action:
        """The use of the tool, as a person decides on it. Raises ValueError: No tool, or no arguments, are named."""
        if not self.tool:
            raise ValueError("it names no tool")
        if self.input is None:
            raise ValueError("the tool's arguments are no JSON object")
        return Action(asker=Asker.HOST, server=self.host.name, tool=self.tool, arguments=exact_json.dumps(self.input))

    @cached_property
    def session(self) -> str:
        """What stands for the host's session: a digest, which can be shown; empty where the host names none."""
        named = self._text("session_id", "sessionId")
        whole = f"{self.host.name} {named}".encode(errors="backslashreplace")
        return hashlib.sha256(whole).hexdigest()[:16] if named else ""

    @cached_property
    def tool_use(self) -> str:
        """The host's id for this use; empty where it sends none."""
        return self._text("tool_use_id", "toolUseId", "tool_call_id")

    @cached_property
    def project(self) -> str:
        """The folder in which the agent works.

        The variable comes first: it is the host's, while the folder in the event follows what the agent does in its
        shell, and a permission counts for one project.
        """
        named = os.environ.get("CLAUDE_PROJECT_DIR", "")
        return named if os.path.isabs(named) else self._text("cwd")

    @property
    def attended(self) -> bool:
        """Whether somebody may sit before the host, as far as the host says."""
        return os.environ.get("CLAUDE_CODE_SESSION_ATTENDED") != "0"

    def _text(self, *names: str) -> str:
        return next((each for name in names if isinstance(each := self.given.get(name), str)), "")


def read_event(host: HookHost, text: bytes) -> Heard:
    """Return what a host says. Raises ValueError, in words: it is no event of a host's."""
    try:
        given = exact_json.loads(text)
    except ValueError as wrong:
        raise ValueError(f"what {host.title} wrote can't be read: {wrong}") from None
    if not isinstance(given, dict):
        raise ValueError(f"what {host.title} wrote is no JSON object")
    told = cast("Mapping[str, object]", given)
    name = _name_in(told)
    return Heard(host=host, name=name, given=told, asks=host.event(name))


def event_in(host: HookHost, text: bytes) -> str:
    """Return the name of the event that a text seems to tell of, which can't be read; else the host's usual one."""
    found = _NAMED.search(text)
    return host.events[0].name if found is None else found[1].decode()


def _name_in(given: Mapping[str, object]) -> str:
    for key in ("hook_event_name", "hookEventName", "hookName"):
        if isinstance(name := given.get(key), str):
            # Copilot CLI sends the word of its own event, however the file wrote it.
            return "permissionRequest" if key == "hookName" and name.lower() == "permissionrequest" else name
    return "preToolUse" if "toolArgs" in given and "toolName" in given else ""
