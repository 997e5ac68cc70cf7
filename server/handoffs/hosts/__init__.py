"""The table of known hosts: one file for each, found by the name of its client.

A call has to return before its host gives up: the agent would see an error, and may ask again. So a call waits no
longer than that, and then returns PENDING. `HANDOFFS_HOLD_SECONDS` overrides the table. Hosts change: each row names
its sources. A new host is a file with a `HOST`, and a line here.

A row is imported when a client with its name connects. Every host starts its own server, which needs one row at most.
"""

import re
from functools import cache, lru_cache
from importlib import import_module
from typing import TYPE_CHECKING, cast

from handoffs.core.client_name import bare_name

if TYPE_CHECKING:
    from handoffs.hosts.host import Host

_ROWS: tuple[tuple[str, str], ...] = (
    (r"claude-code", "claude_code"),
    (r"claude-ai|claude desktop.*", "claude_desktop"),
    (r"visual studio code.*|code - insiders|vscode.*", "vscode"),
    (r".*copilot.*", "copilot"),
    (r"goose.*", "goose"),
    (r"codex.*", "codex"),
    (r"gemini-cli.*", "gemini"),
    (r"qwen.*", "qwen"),
    (r"cursor.*", "cursor"),
    (r"windsurf.*", "windsurf"),
    (r"zed.*", "zed"),
    (r"opencode", "opencode"),
    (r"strands.*", "strands"),
    (r"google-adk.*", "google_adk"),
    (r"(mcp-)?inspector.*", "inspector"),
    (r"stdio: .*", "openai_agents_js"),
    (r"mcp", "mcp"),
    (r"fastmcp.*", "fastmcp"),
    (r"mcp-proxy", "mcp_proxy"),
    (r"mcp-hub", "mcp_hub"),
    (r"supergateway", "supergateway"),
    (r"mcp-remote.*", "mcp_remote"),
    (r"litellm.*", "litellm"),
    (r"contextforge.*|mcp-?gateway.*", "contextforge"),
    (r"mcpo", "mcpo"),
)
"""A regular expression for the whole of `clientInfo.name`, in any case, and the file with the row."""


@lru_cache(maxsize=256)  # each call asks several times, and a server has few clients
def host_named(client: str) -> "Host":
    """Return the row for a client's name; for an unknown name, the row of unknown hosts."""
    name = bare_name(client)
    return _row(next((row for pattern, row in _ROWS if re.fullmatch(pattern, name, re.IGNORECASE)), "unknown"))


def known_hosts() -> "tuple[Host, ...]":
    """Return all rows but the one of unknown hosts. Imports them all."""
    return tuple(_row(name) for _, name in _ROWS)


@cache
def _row(name: str) -> "Host":
    return cast("Host", import_module(f"{__name__}.{name}").HOST)
