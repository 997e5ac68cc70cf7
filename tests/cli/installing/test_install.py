"""`handoffs install` as people run it."""

import json
import os
import sys
from pathlib import Path

import pexpect
import pytest

from handoffs.cli import install
from handoffs.cli.install import InstallOptions, difference
from handoffs.cli.installing import planning
from handoffs.cli.installing.hosts import find
from handoffs.console import UsageError
from tests.acceptance.processes import HANDOFFS, Home
from tests.cli.installing.samples import CLAUDE, CODEX, LAUNCH


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name, value in Home(tmp_path).env.items():
        monkeypatch.setenv(name, value)
    for name in ("CLAUDE_CONFIG_DIR", "CODEX_HOME", "GEMINI_CLI_HOME", "GOOSE_PATH_ROOT"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_person_is_shown_the_difference_and_says_yes_or_no(tmp_path: Path) -> None:
    path = tmp_path / ".codex" / "config.toml"
    path.parent.mkdir()
    path.write_text(CODEX)

    def said(answer: str) -> tuple[str, int | None]:
        child = pexpect.spawn(
            sys.executable, [*HANDOFFS[1:], "install", "codex"], env=Home(tmp_path).env, timeout=120, encoding="utf-8"
        )
        child.expect(r"Write this\? \[y/N\] ")
        shown = child.before or ""
        child.sendline(answer)
        child.expect(pexpect.EOF)
        child.close()
        return shown + (child.before or ""), child.exitstatus

    shown, code = said("n")
    assert "+[mcp_servers.handoffs]\r\n" in shown
    assert "+tool_timeout_sec = 3600\r\n" in shown
    assert "Nothing was written." in shown
    assert (code, path.read_text(), len(list(path.parent.iterdir()))) == (2, CODEX, 1)
    shown, code = said("y")
    assert code == 0
    assert path.read_text().startswith(CODEX + "\n\n[mcp_servers.handoffs]\ncommand = ")
    (backup,) = path.parent.glob("config.toml.handoffs-backup-*")
    assert f"As it was: {backup}" in shown
    assert backup.read_text() == CODEX


def test_a_script_is_not_asked_and_writes_only_with_yes(tmp_path: Path) -> None:
    home = Home(tmp_path)
    path = tmp_path / ".claude.json"
    path.write_text(CLAUDE)
    asked = home.run("install", "claude-code", "--command", "handoffs")
    assert asked.returncode == 2
    assert '+    "handoffs": {' in asked.stdout
    assert "Pass --yes to write it." in asked.stderr
    assert path.read_text() == CLAUDE
    done = home.run("install", "claude-code", "--command", "handoffs", "--yes")
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(path.read_text())["mcpServers"]["handoffs"] == {
        "type": "stdio", "command": "handoffs", "args": [],
    }  # fmt: skip
    assert home.run("install", "claude-code", "--remove", "-y").returncode == 0
    assert path.read_text() == CLAUDE


def test_what_is_there_already_needs_no_yes_and_no_backup(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    install.run(InstallOptions(host="cursor", yes=True))
    capsys.readouterr()
    install.run(InstallOptions(host="cursor"))
    assert capsys.readouterr().out == f"Cursor has it already: {home}/.cursor/mcp.json\n"
    assert [file.name for file in (home / ".cursor").iterdir()] == ["mcp.json"]
    install.run(InstallOptions(host="windsurf", remove=True))
    assert capsys.readouterr().out.startswith("Windsurf has no handoffs in ")
    assert not (home / ".codeium").exists()


def test_print_touches_nothing_and_prints_nothing_else(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (home / ".codex").mkdir()
    (home / ".codex" / "config.toml").write_text("not = toml = at all")
    install.run(InstallOptions(host="codex", print_only=True, command="handoffs serve"))
    assert capsys.readouterr().out == (
        '[mcp_servers.handoffs]\ncommand = "handoffs"\nargs = ["serve"]\n'
        'env = { HANDOFFS_HOST_TIMEOUT_SECONDS = "3600" }\ntool_timeout_sec = 3600\n'
    )
    assert len(list((home / ".codex").iterdir())) == 1


def test_a_projects_file_is_written_where_the_host_has_one(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    install.run(InstallOptions(host="claude", project=True, yes=True))
    assert "handoffs" in json.loads((home / ".mcp.json").read_text())["mcpServers"]
    assert "For a file that others use, give --command handoffs." in capsys.readouterr().out
    with pytest.raises(UsageError, match="Windsurf has no file for a project"):
        install.run(InstallOptions(host="windsurf", project=True, yes=True))


@pytest.mark.parametrize("link", [".cursor", ".cursor/mcp.json"])
def test_a_projects_file_that_leads_outside_is_named_and_left_alone(link: str, home: Path) -> None:
    elsewhere = home / "elsewhere"
    (elsewhere / "mcp.json").parent.mkdir()
    (elsewhere / "mcp.json").write_text("{}")
    project = home / "project"
    (project / link).parent.mkdir(parents=True)
    (project / link).symlink_to(elsewhere / "mcp.json" if link.endswith("json") else elsewhere)
    os.chdir(project)
    with pytest.raises(UsageError) as refused:
        install.run(InstallOptions(host="cursor", project=True, yes=True))
    assert f"{project}/.cursor/mcp.json leads to {elsewhere}/mcp.json" in str(refused.value)
    assert (elsewhere / "mcp.json").read_text() == "{}"
    assert len(list(elsewhere.iterdir())) == 1


def test_a_broken_configuration_is_left_alone_with_its_line(home: Path) -> None:
    path = home / ".gemini" / "settings.json"
    path.parent.mkdir()
    path.write_text('{\n  "theme": "x"\n  "mcpServers": {}\n}')
    with pytest.raises(UsageError) as refused:
        install.run(InstallOptions(host="gemini", yes=True))
    assert str(refused.value) == f"{path}: line 3: a comma is missing. It was left as it is."
    assert [file.name for file in path.parent.iterdir()] == ["settings.json"]


def test_without_a_host_the_list_says_where_and_whether(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    install.run(InstallOptions(host="cursor", yes=True))
    (home / ".codex").mkdir()
    (home / ".codex" / "config.toml").write_text("= broken")
    (home / ".claude.json").write_text('{"mcpServers": {"handoffs": {"url": "https://x"}}}')
    capsys.readouterr()
    install.tell()
    said = capsys.readouterr().out
    here, _, elsewhere = said.partition("\nNot seen here:\n")
    assert "cursor" in here
    assert "\nOn this machine:\n" in here
    assert "zed " in elsewhere
    rows = {line.split("  ")[0]: line for line in said.splitlines()[1:] if line and not line.endswith(":")}
    assert rows["cursor"].split(None, 1)[1] == f"installed      {home}/.cursor/mcp.json"
    assert "  can't be read  " in rows["codex"]
    assert "  another one    " in rows["claude-code"]
    assert "  no file yet    " in rows["zed"]
    assert len(rows) == 10


def test_the_difference_shows_no_neighbours_secrets_or_control_characters() -> None:
    before = '[mcp_servers.docs.env]\nKEY = "sk-secret"\n# \x1b[31mred\n'
    shown = "\n".join(difference("config.toml", before, before + "\n[mcp_servers.handoffs]\n"))
    assert "sk-secret" not in shown
    assert " KEY = …" in shown
    assert "\x1b" not in shown
    assert "+[mcp_servers.handoffs]" in shown


def test_what_a_person_added_to_our_entry_goes_without_showing_its_values() -> None:
    before = '[mcp_servers.handoffs]\ncommand = "handoffs"\n[mcp_servers.handoffs.env]\nHANDOFFS_NOTIFY = "tgram://t"\n'
    after = planning.to_remove(find("codex"), before).after
    shown = list(difference("config.toml", before, after))
    assert '-command = "handoffs"' in shown
    assert "-HANDOFFS_NOTIFY = …" in shown


def test_a_one_line_configuration_is_shown_only_where_it_changes() -> None:
    before = '{"mcpServers": {"docs": {"command": "npx", "env": {"KEY": "sk-secret"}}}, "theme": "%s"}' % ("x" * 90)
    after = planning.to_install(find("windsurf"), before, LAUNCH).after
    shown = list(difference("mcp.json", before, after))
    assert shown[-2:] == ["-……", '+…, "handoffs": {"command": "/opt/tools/bin/handoffs", "args": []}…']


def test_remove_goes_without_what_only_installing_needs(home: Path) -> None:
    for wish in (
        InstallOptions(host="zed", remove=True, print_only=True),
        InstallOptions(host="zed", remove=True, command="x"),
    ):
        with pytest.raises(UsageError, match="--remove goes without"):
            install.run(wish)
