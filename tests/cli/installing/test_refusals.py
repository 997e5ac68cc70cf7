"""What install leaves alone: what it can't read, what is not its own, and what changed under its hands."""

import os
import re
from pathlib import Path

import pytest

from handoffs.cli.installing import planning, writing
from handoffs.cli.installing.finding import installed
from handoffs.cli.installing.hosts import HOSTS, find
from handoffs.cli.installing.texts import Unreadable
from handoffs.console import UsageError
from tests.cli.installing.samples import LAUNCH
from tests.days import at

NOW = at(19, 30)


@pytest.mark.parametrize(
    ("host", "text", "why"),
    [
        ("claude-desktop", '{\n  // mine\n  "mcpServers": {}\n}', "line 2: there is a comment, which this host can't"),
        ("claude-desktop", '{"mcpServers": {"a": {}},}', "line 1: a key in double quotes is expected"),
        ("claude-code", '{\n "a": 1\n "b": 2}', "line 3: a comma is missing"),
        ("claude-code", '{"a": 1, "a": 2}', "line 1: the same key is there twice"),
        ("claude-code", '{"mcpServers": {"x": {}', "it ends too early"),
        ("claude-code", '{"a": 01}', "this is not a JSON value"),
        ("claude-code", '{"a": "\x01"}', "this is not JSON"),
        ("claude-code", '{"a": 1} extra', "something follows the end"),
        ("claude-code", "[" * 5_000, "nested too deeply"),
        ("claude-desktop", "[]", "top level is not an object"),
        ("claude-desktop", '"text"', "top level is not an object"),
        ("cursor", '{"mcpServers": null}', "mcpServers is null"),
        ("cursor", '{"mcpServers": []}', "mcpServers is a list"),
        ("cursor", '{"mcpServers": {"handoffs": "x"}}', "mcpServers.handoffs is not an object"),
        ("zed", '{"a": 1} /* open', "this is not JSON|something follows"),
        ("codex", "model = \n", "this is not TOML"),
        ("codex", "[a]\n[a]\n", "this is not TOML"),
        ("codex", "mcp_servers = []\n", "mcp_servers is a list"),
        ("codex", 'mcp_servers = { a = { command = "x" } }\n', "can't be changed safely"),
        ("codex", 'mcp_servers.handoffs = { command = "handoffs" }\n', "not written as a table of its own"),
        ("goose", "a: [1\n", "line 2: this is not YAML"),
        ("goose", "a: 1\na: 2\n", "line 2: the same key is there twice"),
        ("goose", "a: 1\n---\nb: 2\n", "several documents"),
        ("goose", "- a\n", "top level is not a mapping"),
        ("goose", "extensions:\n", "extensions is null"),
        ("goose", "x: &e {a: {type: b}}\nextensions: *e\n", "can't be changed safely"),
    ],
)
def test_what_is_not_understood_is_refused_with_the_place(host: str, text: str, why: str) -> None:
    with pytest.raises(Unreadable, match=why):
        planning.to_install(find(host), text, LAUNCH)


@pytest.mark.parametrize(
    "entry",
    [
        '{"command": "npx", "args": ["another-server"]}',
        '{"url": "https://example.org/mcp"}',
        '{"command": "/opt/handoffs-of-others/run"}',
    ],
)
def test_another_server_of_our_name_is_replaced_or_removed_only_by_force(entry: str) -> None:
    host = find("cursor")
    text = f'{{\n  "mcpServers": {{\n    "handoffs": {entry}\n  }}\n}}\n'
    with pytest.raises(UsageError, match="starts something else"):
        planning.to_install(host, text, LAUNCH)
    with pytest.raises(UsageError, match="starts something else"):
        planning.to_remove(host, text)
    replaced = planning.to_install(host, text, LAUNCH, force=True).entry
    assert replaced is not None
    assert replaced.entry == planning.wanted(host, LAUNCH)
    assert planning.to_remove(host, text, force=True).after == '{\n  "mcpServers": {}\n}\n'


def test_what_the_second_parser_reads_otherwise_is_not_written(monkeypatch: pytest.MonkeyPatch) -> None:
    from handoffs.cli.installing import json_text

    # A mistake in the scanner's half, of the kind that nobody thought of.
    monkeypatch.setattr(json_text, "_insert", lambda text, node, key, value: text.replace('"a"', '"b"'))
    with pytest.raises(Unreadable, match="can't be changed safely"):
        planning.to_install(find("cursor"), '{"mcpServers": {"a": {}}}', LAUNCH)


# The file


def kept(path: Path, content: bytes = b'{"a": 1}') -> writing.ConfigFile:
    path.write_bytes(content)
    return writing.read(path)


def test_the_old_file_is_kept_beside_the_new_one_and_never_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "mcp.json"
    names = [writing.write(kept(path, b"%d" % n), "new", NOW) for n in range(3)]
    stamp = f"mcp.json.handoffs-backup-{NOW:%Y%m%dT%H%M%SZ}"
    assert names == [tmp_path / stamp, tmp_path / f"{stamp}-2", tmp_path / f"{stamp}-3"]
    assert [name.read_bytes() for name in names if name] == [b"0", b"1", b"2"]
    assert path.read_text() == "new"
    assert len(list(tmp_path.iterdir())) == 4


def test_mode_byte_order_mark_and_line_ends_stay(tmp_path: Path) -> None:
    path = tmp_path / "settings.json"
    path.write_bytes(b"")
    path.chmod(0o640)
    before = kept(path, b'\xef\xbb\xbf{\r\n  "a": 1\r\n}')
    plan = planning.to_install(find("gemini"), before.text, LAUNCH)
    backup = writing.write(before, plan.after, NOW)
    assert backup is not None
    assert (path.stat().st_mode & 0o777, backup.stat().st_mode & 0o777) == (0o640, 0o640)
    content = path.read_bytes()
    assert content.startswith(b'\xef\xbb\xbf{\r\n  "a": 1,\r\n  "mcpServers": {\r\n')
    assert b"\n" not in content.replace(b"\r\n", b"")


def test_a_link_is_followed_and_stays_a_link(tmp_path: Path) -> None:
    real = tmp_path / "dotfiles" / "mcp.json"
    real.parent.mkdir()
    real.write_text("{}")
    link = tmp_path / "mcp.json"
    link.symlink_to(Path("dotfiles") / "mcp.json")
    writing.write(writing.read(link), "new", NOW)
    assert link.is_symlink()
    assert real.read_text() == "new"


def test_a_missing_file_is_made_with_its_folders_and_has_no_backup(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b" / "mcp.json"
    assert writing.write(writing.read(path), "new", NOW) is None
    assert [file.name for file in path.parent.iterdir()] == ["mcp.json"]


def test_a_file_that_changed_or_came_meanwhile_is_left_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "mcp.json"
    before = kept(path)
    path.write_text("changed")
    with pytest.raises(UsageError, match="changed by something else"):
        writing.write(before, "new", NOW)
    assert path.read_text() == "changed"
    fresh = writing.read(tmp_path / "other.json")
    (tmp_path / "other.json").write_text("came")
    with pytest.raises(UsageError, match="changed by something else"):
        writing.write(fresh, "new", NOW)
    assert (tmp_path / "other.json").read_text() == "came"
    assert sorted(file.name for file in tmp_path.iterdir()) == ["mcp.json", "other.json"]


def test_a_locked_file_is_left_as_it_is(tmp_path: Path) -> None:
    import fcntl

    path = tmp_path / "mcp.json"
    before = kept(path)
    with path.open() as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        with pytest.raises(UsageError, match="locked by another program"):
            writing.write(before, "new", NOW)
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.skipif(os.geteuid() == 0, reason="nothing is write-protected for root")
def test_a_write_protected_file_is_left_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "mcp.json"
    before = kept(path)
    path.chmod(0o400)
    with pytest.raises(UsageError, match="write-protected"):
        writing.write(before, "new", NOW)


def test_what_is_no_readable_file_is_said_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "loop").symlink_to("loop")
    (tmp_path / "dangling").symlink_to("nowhere")
    (tmp_path / "latin").write_bytes(b'{"a": "\xe9"}')
    (tmp_path / "plain").write_text("")
    for name, why in {
        "folder": "is not a file",
        "loop": "leads back to itself",
        "dangling": "which is not there",
        "latin": "is not UTF-8",
        "plain/mcp.json": "can't be read|can't be written",
    }.items():
        with pytest.raises(UsageError, match=why) as refused:
            writing.write(writing.read(tmp_path / name), "new", NOW)
        assert "\n" not in str(refused.value)
    assert (tmp_path / "latin").read_bytes() == b'{"a": "\xe9"}'


# The table


def test_every_row_names_an_absolute_file_on_every_platform() -> None:
    home = {"HOME": "/home/ada", "USERPROFILE": "/users/ada", "APPDATA": "/users/ada/roaming"}
    for platform in ("linux", "darwin", "win32"):
        files = [host.file(home, platform) for host in HOSTS]
        assert all(file.is_absolute() for file in files)
        assert len(set(files)) == len(HOSTS)
    assert str(find("claude-desktop").file(home, "win32")) == "/users/ada/roaming/Claude/claude_desktop_config.json"
    assert str(find("zed").file(home, "darwin")) == "/home/ada/.config/zed/settings.json"
    assert str(find("vscode").file(home | {"XDG_CONFIG_HOME": "/etc/x"}, "linux")) == "/etc/x/Code/User/mcp.json"
    assert str(find("goose").file(home | {"XDG_CONFIG_HOME": "not/absolute"}, "linux")).startswith("/home/ada/.config/")


@pytest.mark.parametrize(
    ("host", "variable", "file"),
    [
        ("claude-code", "CLAUDE_CONFIG_DIR", "/elsewhere/.claude.json"),
        ("codex", "CODEX_HOME", "/elsewhere/config.toml"),
        ("gemini", "GEMINI_CLI_HOME", "/elsewhere/.gemini/settings.json"),
        ("goose", "GOOSE_PATH_ROOT", "/elsewhere/config/config.yaml"),
    ],
)
def test_a_host_that_was_moved_is_found(host: str, variable: str, file: str) -> None:
    assert str(find(host).file({"HOME": "/home/ada", variable: "/elsewhere"}, "linux")) == file
    assert str(find(host).file({"HOME": "/home/ada", variable: ""}, "linux")).startswith("/home/ada/")


def test_names_are_found_as_people_type_them_and_no_two_hosts_share_one() -> None:
    assert find("Claude").name == "claude-code"
    assert find("VS Code").name == "vscode"
    names = [name for host in HOSTS for name in (host.name, *host.aliases)]
    assert len(names) == len(set(names))
    with pytest.raises(UsageError, match=r"'emacs' is no host that handoffs knows. There are claude-desktop, "):
        find("emacs")


def test_without_a_home_nobody_guesses_one() -> None:
    with pytest.raises(UsageError, match="set HOME"):
        find("cursor").file({}, "linux")


def test_what_is_installed_is_told_with_its_time_out_in_seconds(tmp_path: Path) -> None:
    environ = {"HOME": str(tmp_path)}
    host = find("gemini")
    assert installed(host, environ, "linux") is None
    path = host.file(environ, "linux")
    path.parent.mkdir()
    path.write_text('{"mcpServers": {"handoffs": {"command": "uvx", "args": ["handoffs"], "timeout": 1500}}}')
    now = installed(host, environ, "linux")
    assert now is not None
    assert (now.ours, now.enabled, now.timeout_seconds) == (True, True, 1.5)
    path.write_text("{")
    with pytest.raises(UsageError, match=re.escape(str(path))):
        installed(host, environ, "linux")
