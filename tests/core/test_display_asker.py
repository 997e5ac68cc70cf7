"""Who asks, as a person is shown it; and by what of a name two calls are from the same caller."""

from pathlib import Path

import pytest

from handoffs.core.display import asker_of, folder_of, program_of
from handoffs.core.form import Form
from handoffs.core.model import Caller, fingerprint_of
from handoffs.core.question import form_of


def caller(client: str, project: str = "") -> Caller:
    return Caller(subject="ada", client=client, project=project)


@pytest.mark.parametrize(
    ("client", "shown"),
    [
        ("claude-code", "claude-code"),
        ("claude-code (via mcp-remote 0.15.1)", "claude-code (via mcp-remote 0.15.1)"),
        ("mcp", "an agent (mcp)"),
        ("fastmcp", "an agent (fastmcp)"),
        ("", "an agent"),
        ("stdio: /home/ada/.local/bin/handoffs", "an agent (handoffs)"),
        ("stdio: handoffs", "an agent (handoffs)"),
        ("stdio: C:\\Tools\\handoffs.exe", "an agent (handoffs.exe)"),
        ("/usr/bin/node", "an agent (node)"),
        ("streamable-http: https://ada:geheim@team.example:8443/mcp?key=s3cret", "an agent (team.example:8443)"),
    ],
)
def test_a_name_that_tells_nothing_is_told_as_one(client: str, shown: str) -> None:
    assert program_of(caller(client)) == shown


def test_the_home_folder_is_named_and_what_is_below_it_begins_there() -> None:
    assert folder_of(caller("mcp", str(Path.home()))) == "the home folder"
    assert folder_of(caller("mcp", str(Path.home() / "shop"))) == str(Path("~/shop"))
    assert folder_of(caller("mcp", "/srv/shop")) == "/srv/shop"
    assert asker_of(caller("mcp", str(Path.home()))) == "an agent (mcp) · the home folder"


def _fingerprint(client: str) -> str:
    form: Form = form_of("Deploy?", None, None)
    return fingerprint_of(caller(client), message="Deploy?", form=form, breakout_of_loop=False)


def test_an_update_of_mcp_remote_is_the_same_caller() -> None:
    assert _fingerprint("claude-code (via mcp-remote 0.15.1)") == _fingerprint("claude-code (via mcp-remote 0.16.0)")
    assert _fingerprint("claude-code (via mcp-remote 0.15.1)") == _fingerprint("claude-code")
    assert _fingerprint("claude-code") != _fingerprint("codex")
