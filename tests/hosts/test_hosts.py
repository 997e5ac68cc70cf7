"""The host table: which row a client's name gets, and what it costs to have it."""

import subprocess
import sys

import pytest

from handoffs.core.client_name import bare_name
from handoffs.hosts import host_named, known_hosts
from handoffs.hosts.host import Bound, Kind


def test_every_row_has_a_source_and_a_patience_above_a_second() -> None:
    for row in known_hosts():
        assert row.source, row.title
        for patience in (row.patience("stdio"), row.patience("http")):
            assert min(patience.quiet, patience.dialog) > 1, row.title


def test_a_bound_counts_lines_and_characters() -> None:
    bound = Bound(lines=2, characters=5)
    assert [bound.holds(each) for each in ("", "a\nbcd", "a\nb\nc", "abcdef")] == [True, True, False, False]
    assert all(row.shows_whole.lines > 0 and row.shows_whole.characters > 0 for row in known_hosts())


@pytest.mark.parametrize("name", ["", "emacs-mcp", "codeql", "my mcp-proxy", "claude-code-router", "mcp\n"])
def test_a_name_that_no_row_knows_waits_45_seconds_and_gets_no_task(name: str) -> None:
    host = host_named(name)
    assert host.kind is Kind.UNKNOWN
    assert (host.stdio.quiet, host.stdio.dialog, host.task) == (45, 45, False)


@pytest.mark.parametrize(
    "name", ["mcp", "fastmcp", "mcp-proxy", "mcp-hub", "supergateway", "stdio: /home/ada/.local/bin/handoffs"]
)
def test_gateways_and_libraries_tell_nobody_apart(name: str) -> None:
    assert host_named(name).is_shared


def test_hosts_and_unknown_ones_are_one_persons() -> None:
    for name in ("claude-code", "codex-mcp-client", "strands-agents", "google-adk", "emacs-mcp"):
        assert not host_named(name).is_shared


def test_what_mcp_remote_adds_changes_no_row() -> None:
    assert bare_name("claude-code (via mcp-remote 0.15.1)") == "claude-code"
    assert host_named("Claude-Code (via mcp-remote 0.16.0-beta.1)") is host_named("claude-code")
    assert bare_name("claude-code (via proxy)") == "claude-code (via proxy)"


def test_what_ends_a_call_after_seconds_gets_its_outcome_before() -> None:
    assert host_named("google-adk").stdio.dialog < 5
    assert host_named("mcp").stdio.quiet < 5
    assert host_named("fastmcp").stdio.quiet < 10


def test_no_row_is_imported_before_a_client_has_a_name() -> None:
    code = (
        "import sys, handoffs.mcp_server.server\n"
        "print([name for name in sys.modules if name.startswith('handoffs.hosts.')])\n"
        "from handoffs.hosts import host_named\n"
        "host_named('codex')\n"
        "print(sorted(name for name in sys.modules if name.startswith('handoffs.hosts.')))"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert said.splitlines() == ["[]", "['handoffs.hosts.codex', 'handoffs.hosts.host']"]
