"""Entries of a server that runs already, over HTTP: the local user's token, and where it may stand."""

import json
import os
import stat
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import httpx2
import pytest
from mcp import Client
from mcp.client.streamable_http import streamable_http_client

from handoffs.access.local import LocalToken
from handoffs.cli import install
from handoffs.cli.install import InstallOptions
from handoffs.cli.installing import planning
from handoffs.cli.installing.hosts import HOSTS, find
from handoffs.cli.installing.planning import Remote, found, is_on_this_machine, snippet, to_install, to_remove
from handoffs.console import UsageError
from handoffs.settings import data_folder
from tests.acceptance.processes import Home
from tests.cli.installing.samples import LAUNCH

URL = "http://127.0.0.1:8765/mcp"
TOKEN = "ho_local_" + "A" * 43
BY_HTTP = [host for host in HOSTS if host.http is not None]


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name, value in Home(tmp_path).env.items():
        monkeypatch.setenv(name, value)
    for name in ("CLAUDE_CONFIG_DIR", "CODEX_HOME", "GEMINI_CLI_HOME", "GOOSE_PATH_ROOT"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def token() -> str:
    return LocalToken(data_folder()).ensure()[0]


@pytest.mark.parametrize("host", BY_HTTP, ids=lambda host: host.name)
@pytest.mark.parametrize("way", [Remote(url=URL, token=TOKEN), Remote(url=URL, variable="VARIABLE")])
def test_every_host_gets_an_entry_that_shows_the_token_or_names_a_variable(host: Any, way: Remote) -> None:
    if way.token is None and host.http.reference is None and host.http.variable is None:
        with pytest.raises(UsageError, match="where no token may stand"):
            snippet(host, way)
        return
    text = snippet(host, way)
    entry = found(host, text)
    assert entry is not None
    assert (entry.ours, entry.url, entry.shows_token) == (True, URL, True)
    assert (TOKEN in text) is (way.token is not None)
    assert ("VARIABLE" in text) is (way.token is None)
    assert not to_install(host, text, way).changes
    assert found(host, to_remove(host, text).after) is None
    # Without an address it stays where it is, and a token that is no longer good is replaced.
    newer = to_install(host, text, Remote(url=None, token=TOKEN[:-1] + "B"))
    assert newer.entry is not None
    assert (newer.entry.url, TOKEN in newer.after) == (URL, False)


def test_claude_desktop_calls_no_server_over_http() -> None:
    with pytest.raises(UsageError, match="without --http"):
        snippet(find("claude-desktop"), Remote(url=URL, token=TOKEN))


@pytest.mark.parametrize("host", BY_HTTP, ids=lambda host: host.name)
def test_from_one_way_to_the_other_nothing_of_the_first_is_left(host: Any) -> None:
    started = snippet(host, LAUNCH)
    called = to_install(host, started, Remote(url=URL, token=TOKEN))
    assert called.entry is not None
    assert dict(called.entry.entry) == planning.wanted(host, Remote(url=URL, token=TOKEN))
    again = to_install(host, called.after, LAUNCH)
    assert again.entry is not None
    assert dict(again.entry.entry) == planning.wanted(host, LAUNCH)


def test_what_a_person_added_to_an_entry_stays_beside_the_token() -> None:
    text = json.dumps({"mcpServers": {"handoffs": {"url": URL, "headers": {"X-Mine": "1"}, "disabled": True}}})
    entry = to_install(find("cursor"), text, Remote(url=None, token=TOKEN)).entry
    assert entry is not None
    assert entry.entry["headers"] == {"X-Mine": "1", "Authorization": f"Bearer {TOKEN}"}
    assert (entry.enabled, entry.url) == (False, URL)
    codex = f'[mcp_servers.handoffs]\nurl = "{URL}"\n\n[mcp_servers.handoffs.http_headers]\nX-Mine = "1"\n'
    after = tomllib.loads(to_install(find("codex"), codex, Remote(url=None, token=TOKEN)).after)
    headers = after["mcp_servers"]["handoffs"]["http_headers"]
    assert headers == {"X-Mine": "1", "Authorization": f"Bearer {TOKEN}"}


@pytest.mark.parametrize(
    ("url", "is_here"),
    [
        (URL, True),
        ("http://localhost:1/mcp", True),
        ("http://[::1]:8765/mcp/", True),
        ("https://handoffs.example.com/mcp", False),
        ("http://127.0.0.1.evil.example/mcp", False),
        ("http://127.0.0.1:8765/", False),
        ("http://[::1", False),
        ("stdio", False),
    ],
)
def test_the_token_goes_to_servers_on_this_machine_only(url: str, is_here: bool) -> None:
    assert is_on_this_machine(url) is is_here


def test_the_token_is_written_but_not_shown_and_only_its_owner_can_read_it(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = home / ".cursor" / "mcp.json"
    path.parent.mkdir()
    path.write_text('{"mcpServers": {"docs": {}}}')
    path.chmod(0o644)
    install.run(InstallOptions(host="cursor", http="127.0.0.1:8765", yes=True))
    said = capsys.readouterr().out
    entry = json.loads(path.read_text())["mcpServers"]["handoffs"]
    assert entry == {"url": URL, "headers": {"Authorization": f"Bearer {token()}"}}
    assert token() not in said
    assert "Bearer ho_local_…" in said
    assert "only you can read it now" in said
    if sys.platform != "win32":
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    capsys.readouterr()
    install.run(InstallOptions(host="cursor", yes=True))  # as it is called already, so it stays
    assert "has it already" in capsys.readouterr().out


def test_an_entry_without_the_token_gets_it_by_the_command_in_the_refusal(home: Path) -> None:
    path = home / ".claude.json"
    path.write_text(json.dumps({"mcpServers": {"handoffs": {"type": "http", "url": "http://127.0.0.1:9/mcp"}}}))
    install.run(InstallOptions(host="claude-code", yes=True))
    entry = json.loads(path.read_text())["mcpServers"]["handoffs"]
    headers = {"Authorization": f"Bearer {token()}"}
    assert entry == {"type": "http", "url": "http://127.0.0.1:9/mcp", "headers": headers}


@pytest.mark.parametrize("project", [True, False])
def test_in_a_file_of_a_repository_stands_a_variable_and_no_token(
    project: bool, home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    repository = home / "repository"
    (repository / ".git").mkdir(parents=True)
    os.chdir(repository)
    path = repository / ".mcp.json"
    if not project:  # the person's own file, kept in a repository of theirs
        path = repository / "claude.json"
        path.write_text("{}")
        (home / ".claude.json").symlink_to(path)
    install.run(InstallOptions(host="claude-code", http=URL, project=project, yes=True))
    said = capsys.readouterr().out
    entry = json.loads(path.read_text())["mcpServers"]["handoffs"]
    assert entry["headers"] == {"Authorization": "Bearer ${HANDOFFS_LOCAL_TOKEN}"}
    assert 'export HANDOFFS_LOCAL_TOKEN="$(handoffs token local)"' in said
    assert not any(token() in file.read_text() for file in repository.iterdir() if file.is_file())
    with pytest.raises(UsageError, match="where no token may stand"):
        install.run(InstallOptions(host="zed", http=URL, project=True, yes=True))
    assert not (repository / ".zed").exists()


@pytest.mark.parametrize("wrong", ["https://handoffs.example.com/mcp", "0.0.0.0:8765", "nonsense", "127.0.0.1:8765/x"])
def test_an_address_that_is_none_of_this_machine_gets_no_token(wrong: str, home: Path) -> None:
    with pytest.raises(UsageError, match="is no server on this machine"):
        install.run(InstallOptions(host="cursor", http=wrong, yes=True))
    assert not (home / ".cursor").exists()


def test_what_goes_together_with_an_address_and_what_does_not(home: Path) -> None:
    for wish in (InstallOptions(host="zed", remove=True, http=URL), InstallOptions(host="zed", command="x", http=URL)):
        with pytest.raises(UsageError, match="--http"):
            install.run(wish)


async def test_a_host_that_was_set_up_so_is_let_in(tmp_path: Path) -> None:
    home = Home(tmp_path)
    async with home.http() as server:
        done = await home.command("install", "claude-code", "--http", server.url, "--yes")
        assert done.returncode == 0, done.stderr
        entry = json.loads((tmp_path / ".claude.json").read_text())["mcpServers"]["handoffs"]
        async with httpx2.AsyncClient(headers=entry["headers"], timeout=120) as http:
            async with Client(streamable_http_client(entry["url"], http_client=http)) as client:
                assert "handoff_to_user" in [tool.name for tool in (await client.list_tools()).tools]
        exported = subprocess.run(
            ["sh", "-c", 'HANDOFFS_LOCAL_TOKEN=x exec "$0" -m handoffs list', sys.executable],
            env=home.env, cwd=tmp_path, capture_output=True, check=False,
        )  # fmt: skip
        assert exported.returncode == 0  # it is no setting, and stops no start
