"""`handoffs gate install`: the gate goes before a host's servers and away again, and no other byte changes."""

import json
import sys
import tomllib
from pathlib import Path
from typing import Any

import pexpect
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from handoffs.cli import gate_install
from handoffs.cli.gate_install import GateOptions
from handoffs.cli.installing import gating
from handoffs.cli.installing.hosts import HOSTS, Host, find
from handoffs.cli.installing.launching import Launch
from handoffs.cli.installing.planning import text_of, to_install
from handoffs.cli.installing.texts import Unreadable
from handoffs.console import UsageError
from handoffs.serving.gate import read_options
from handoffs.settings import SettingsError
from tests.acceptance.processes import HANDOFFS, Home
from tests.cli.installing.samples import CLAUDE, CODEX, EVERY, GOOSE, HTTP, LAUNCH
from tests.cli.installing.test_round_trips import BLANKS, REMARKS, spread
from tests.gate.behind import SHOP

CASES = [
    pytest.param(host, text, id=f"{host}-{kind}{n}")
    for kind, samples in (("", EVERY), ("http-", HTTP))
    for host, texts in samples.items()
    for n, text in enumerate(texts)
]
OPTIONS = ["--ask", "delete_*", "--deny=-x"]


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name, value in Home(tmp_path).env.items():
        monkeypatch.setenv(name, value)
    for name in ("CLAUDE_CONFIG_DIR", "CODEX_HOME", "GEMINI_CLI_HOME", "GOOSE_PATH_ROOT"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def all_behind(host: Host, text: str, launch: Launch = LAUNCH) -> str:
    for server in gating.servers_of(host, text):
        if gating.refusal(server) is None:
            text = gating.put_behind(host, text, server, launch, OPTIONS)
    return text


def all_out(host: Host, text: str) -> str:
    for server in gating.servers_of(host, text):
        if server.gate is not None:
            text = gating.take_out(host, text, server)
    return text


def entry(host: Host, text: str, name: str) -> dict[str, Any]:
    return dict(next(each.entry for each in gating.servers_of(host, text) if each.name == name))


def check_the_command(host: Host, before: dict[str, Any], after: dict[str, Any], name: str) -> None:
    """Everything but command and arguments is as it was; these start the gate, which starts what was there."""
    changed = {host.command, "args"}
    assert {k: v for k, v in after.items() if k not in changed} == {k: v for k, v in before.items() if k not in changed}
    assert after[host.command] == LAUNCH.command
    assert after["args"][0] == "gate"
    options = read_options(after["args"][1:])
    assert options.command == [before[host.command], *before.get("args", [])]
    assert (options.name, options.ask, options.deny) == (name, ["delete_*"], ["-x"])


# Samples of every host


@pytest.mark.parametrize(("name", "text"), CASES)
def test_the_gate_comes_and_goes_to_the_byte(name: str, text: str) -> None:
    host = find(name)
    after = all_behind(host, text)
    for server in gating.servers_of(host, text):
        if server.command is not None:
            check_the_command(host, dict(server.entry), entry(host, after, server.name), server.name)
    assert all_behind(host, after) == after
    assert all_out(host, after) == text


@pytest.mark.parametrize(("name", "text"), CASES)
@pytest.mark.parametrize("launch", [Launch("/usr/bin/uvx", ("handoffs",)), Launch("python", ("-m", "handoffs"))])
def test_every_form_of_our_command_is_known_again(name: str, text: str, launch: Launch) -> None:
    host = find(name)
    after = all_behind(host, text, launch)
    assert all(each.gate is not None for each in gating.servers_of(host, after) if each.command is not None)
    assert all_out(host, after) == text


@pytest.mark.parametrize(("name", "text"), CASES)
def test_what_a_person_changed_meanwhile_stays(name: str, text: str) -> None:
    host = find(name)
    edited = to_install(host, all_behind(host, text), LAUNCH).after
    assert all_out(host, edited) == to_install(host, text, LAUNCH).after
    marked = all_behind(host, text).replace("mine", "yours").replace("secret", "rotated")
    assert all_out(host, marked) == text.replace("mine", "yours").replace("secret", "rotated")


def test_every_host_has_a_sample_with_a_server_that_goes_behind_the_gate() -> None:
    assert [host for host, texts in EVERY.items() if any(all_behind(find(host), text) != text for text in texts)] == [
        host.name for host in HOSTS
    ]


def test_a_file_that_the_host_wrote_anew_gives_the_server_back() -> None:
    text = '{"mcpServers":{"a":{"command":"x"},"b":{"command":"x","args":[]},"c":{"command":"x","args":["y"]}}}'
    host = find("claude-code")
    again = json.dumps(json.loads(all_behind(host, text)), indent=2)
    assert json.loads(all_out(host, again)) == json.loads(text)
    turned: Any = json.loads(again)
    turned["mcpServers"]["a"] = dict(reversed(turned["mcpServers"]["a"].items()))
    assert json.loads(all_out(host, json.dumps(turned))) == json.loads(text)
    goose = find("goose")
    anew = yaml.safe_dump(yaml.safe_load(all_behind(goose, GOOSE)), sort_keys=False)
    assert yaml.safe_load(all_out(goose, anew)) == yaml.safe_load(GOOSE)


def test_arguments_that_a_person_added_behind_the_gate_stay() -> None:
    host = find("cursor")
    after = all_behind(host, '{"mcpServers": {"a": {"command": "x"}}}').replace('"x"]', '"x", "-v",]')
    assert json.loads(all_out(host, after).replace(",]", "]")) == {
        "mcpServers": {"a": {"command": "x", "args": ["-v"]}}
    }


def test_a_gate_that_a_person_wrote_by_hand_is_taken_away_too() -> None:
    text = '{"mcpServers": {"a": {"command": "handoffs", "args": ["gate", "--", "uvx", "mcp-server-git"]}}}'
    assert all_out(find("cursor"), text) == '{"mcpServers": {"a": {"command": "uvx", "args": ["mcp-server-git"]}}}'


# What is odd, in each format

ODD = [
    ("cursor", '{"mcpServers": {"a b\\"c\\u00e9": {"args": [ /* none */ ], "command": "n\\u0070x"}}}'),
    ("cursor", '{"mcpServers": {"a": {"args": [\n  "-y", // quiet\n  "x", // what\n], "command": "npx",},}}'),
    ("cursor", '{"mcpServers": {"a": {\n  "command": "x" // no comma\n  // the end\n}}}'),
    ("cursor", '{"mcpServers": {"a": {"command": "x", "args": ["--", "handoffs", 8080, null, {"b": []}]}}}'),
    ("cursor", '{"mcpServers": {"---": {"command": "x", "args": ["-"]}, "": {"command": "y"}}}'),
    ("zed", '{"context_servers": {"old": {"command": {"path": "x", "args": ["y"], "env": {}}, "settings": {}}}}'),
    ("zed", '{"context_servers": {"old": {"source": "custom", "command": {"path": "x"}}}}'),
    ("codex", "[mcp_servers.'a b\"c']\r\nargs = [] # none\r\ncommand = '''\r\nx''' # why\r\n"),
    ("codex", "[mcp_servers]\na = { command = 'x', env = { K = 'v' } }\nb = {command='y',args=['z']} # b"),
    ("codex", "mcp_servers.a.command = 'x'\nmcp_servers.a.\"args\" = [\n  'y', # y\n]\n"),
    ("codex", "[mcp_servers.a]\n  command = 'x'\n  enabled = true\n\n# b\n[b]\n"),
    ("codex", '[mcp_servers."a.b"]\ncommand = "x"'),
    ("codex", "[mcp_servers]\n'a' . \"command\" = 'x' # dots\n[mcp_servers.c.tools.d]\napproval_mode = 'approve'\n"),
    ("goose", "extensions:\n  a b:\n    cmd: 'x y' # which\n    # then\n  'q\"''s': {cmd: x, args: [y, 'z']}\n"),
    ("goose", "extensions: {a: {cmd: x}, b: {args: [], cmd: \"y\"}}"),
    ("goose", "extensions:\r\n    a:\r\n        args:\r\n            - '1' # one\r\n            # two\r\n"
     "            - b\r\n        cmd: x"),
    ("goose", "extensions:\n  a:\n    args:\n    - y\n    - |\n      long\n\n    cmd: x\n  b:\n    cmd: y"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "text"), ODD)
def test_what_is_written_in_an_odd_way_comes_back_as_it_was(name: str, text: str) -> None:
    host = find(name)
    servers = [each for each in gating.servers_of(host, text) if each.command is not None]
    assert servers
    after = all_behind(host, text)
    behind = {each.name: each for each in gating.servers_of(host, after)}
    for server in servers:
        now = behind[server.name]
        assert now.gate is not None
        assert now.args is not None
        assert (now.args[now.gate], *now.args[now.gate + 1 :]) == (server.command, *(server.args or ()))
        assert read_options([str(each) for each in now.args[1:]]).name == server.name
    assert all_out(host, after) == text


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("goose", "extensions:\n  a:\n    cmd: |\n      x\n    args: []\n"),
        ("goose", "extensions:\n  a:\n    cmd: x, y\n    args: []\n"),
        ("goose", "b: &w [y]\nextensions:\n  a:\n    cmd: x\n    args: *w\n"),
        ("cursor", '{"mcpServers": {"-x": {"command": "x", "args": []}}}'),
    ],
)
def test_what_could_not_be_given_back_is_not_changed(name: str, text: str) -> None:
    with pytest.raises(Unreadable):
        all_behind(find(name), text)


# What is not put behind the gate


@pytest.mark.parametrize(
    ("written", "why"),
    [
        ({"type": "sse", "url": "https://x"}, "over SSE"),
        ({"url": "https://x/v1/sse/"}, "over SSE"),
        ({"type": "ws", "url": "https://x"}, "its `type`"),
        ({"type": ["http"], "url": "https://x"}, "its `type`"),
        ({"type": "http", "url": "https://x", "command": "x"}, "or a command, too"),
        ({"url": "https://x", "serverUrl": "https://x"}, "more than one address"),
        ({"httpUrl": "https://x"}, "`httpUrl`, which Cursor does not read"),
        ({"url": "https://x/?key=sk-secret"}, "may hold a secret"),
        ({"url": "https://u:sk-secret@x/"}, "may hold a secret"),
        ({"url": "https://${env:HOST}/"}, "has a variable in it"),
        ({"url": "ftp://x"}, "none of an MCP server"),
        ({"url": "https://x", "headers": ["A: b"]}, "are no headers"),
        ({"url": "https://x", "headers": {"A": 1}}, "its header A is no text"),
        ({"url": "https://x", "headers": {"A": "b", "a": "c"}}, "a header twice"),
        ({"url": "https://x", "headers": {"A": "sk-secr\u00e9t"}}, "can't send its header A"),
        ({"url": "https://x", "headers": {"A b": "c"}}, "can't send its header A b"),
        ({"url": "https://x", "headers": {"A": "${env:B${env:C}}"}}, "its header A refers to a variable"),
        ({"url": "https://x", "headers": {"A": "b"}, "env": {"GATE_ENTRY": "c"}}, "its `env` can't hold"),
        ({"url": "https://x", "headersHelper": "/bin/secret"}, "what its `headersHelper` says"),
        ({"command": "handoffs", "args": ["gate", "--url", "https://x"]}, "already"),
        ({"type": "stdio"}, "no command"),
        ({"command": ""}, "no command"),
        ({"command": ["x"]}, "no command"),
        ({"command": "x", "args": None}, "no command"),
        ({"command": "x", "args": "y"}, "no command"),
        ("x", "no command"),
        ({"command": "/opt/handoffs", "args": ["gate", "--", "x"]}, "already"),
        ({"command": "uvx", "args": ["handoffs@1.2", "gate", "--ask", "*", "--", "x"]}, "already"),
        ({"command": "/opt/handoffs", "args": ["serve"]}, "handoffs itself"),
        ({"command": "uvx", "args": ["handoffs[gate]"]}, "handoffs itself"),
        ({"command": "python3", "args": ["-m", "handoffs"]}, "handoffs itself"),
    ],
)
def test_each_server_that_stays_is_told_with_why(written: object, why: str) -> None:
    (server,) = gating.servers_of(find("cursor"), json.dumps({"mcpServers": {"a": written}}))
    assert why in str(gating.refusal(server))


@pytest.mark.parametrize("args", [["/home/ada/handoffs"], ["handoffs", "gate"], ["handoffs", "gate", "--"], ["gate"]])
def test_a_server_is_not_taken_for_ours_by_its_arguments(args: list[str]) -> None:
    text = json.dumps({"mcpServers": {"files": {"command": "mcp-server-filesystem", "args": args}}})
    (server,) = gating.servers_of(find("cursor"), text)
    assert gating.refusal(server) is None


@pytest.mark.parametrize("name", ["a\0b", "\ud800", "--"])
def test_a_name_that_no_command_can_have_is_refused(name: str) -> None:
    (server,) = gating.servers_of(find("cursor"), json.dumps({"mcpServers": {name: {"command": "x"}}}))
    assert gating.refusal(server) == "its name can't be a word of a command"


@pytest.mark.parametrize(
    ("host", "written", "found"),
    [
        ("gemini", {"trust": True}, ["trust = true"]),
        ("gemini", {"trust": False}, []),
        ("windsurf", {"alwaysAllow": ["a", "b"]}, ["alwaysAllow = a, b"]),
        ("cursor", {"autoApprove": True, "alwaysAllow": []}, ["autoApprove = true"]),
        ("codex", {"default_tools_approval_mode": "approve"}, ["default_tools_approval_mode = approve"]),
        ("codex", {"default_tools_approval_mode": "prompt"}, []),
        ("codex", {"tools": {"a": {"approval_mode": "approve"}, "b": {}}}, ["tools.a.approval_mode = approve"]),
    ],
)
def test_a_hosts_own_approval_is_found(host: str, written: dict[str, Any], found: list[str]) -> None:
    row = find(host)
    text = text_of(row.format).snippet((row.servers, "a"), {"command": "x", **written})
    (server,) = gating.servers_of(row, text)
    assert gating.approvals(row, server) == found


# The command


def write(home: Path, text: str, path: str = ".cursor/mcp.json") -> Path:
    file = home / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
    return file


def test_a_person_is_shown_the_difference_and_says_yes_or_no(tmp_path: Path) -> None:
    path = write(tmp_path, CODEX, ".codex/config.toml")

    def said(answer: str) -> tuple[str, int | None]:
        typed = [*HANDOFFS[1:], "gate", "install", "codex", "docs", "--ask", "delete_*"]
        child = pexpect.spawn(sys.executable, typed, env=Home(tmp_path).env, timeout=120, encoding="utf-8")
        child.expect(r"Write this\? \[y/N\] ")
        shown = child.before or ""
        child.sendline(answer)
        child.expect(pexpect.EOF)
        child.close()
        return shown + (child.before or ""), child.exitstatus

    shown, code = said("n")
    assert '"gate", "--name", "docs", "--ask", "delete_*", "--", "npx", …,' in shown
    assert "sk-secret" not in shown
    assert "docs-mcp" not in shown
    assert (code, path.read_text(), len(list(path.parent.iterdir()))) == (2, CODEX, 1)
    shown, code = said("y")
    assert code == 0
    (backup,) = path.parent.glob("config.toml.handoffs-backup-*")
    assert backup.read_text() == CODEX
    server = tomllib.loads(path.read_text())["mcp_servers"]["docs"]
    assert server["args"][-5:] == ["delete_*", "--", "npx", "-y", "docs-mcp"]
    done = Home(tmp_path).run("gate", "install", "codex", "--remove", "--yes")
    assert (done.returncode, done.stderr) == (0, "")
    assert path.read_text() == CODEX


def test_all_servers_go_and_those_that_stay_are_named(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = json.dumps({
        "mcpServers": {
            "handoffs": {"command": "handoffs"},
            "git": {"command": "uvx", "args": ["mcp-server-git"], "alwaysAllow": ["log"], "env": {"T": "sk-secret"}},
            "web": {"url": "https://x/?key=sk-secret"},
            "odd\x1b[2J": {"type": "stdio"},
            "done": {"command": "handoffs", "args": ["gate", "--", "x"]},
        }
    })  # fmt: skip
    path = write(home, text)
    gate_install.run(GateOptions(host="cursor", yes=True))
    said = capsys.readouterr().out
    assert "git: goes behind the gate\n  `alwaysAllow = log` in its entry lets Cursor run its calls" in said
    assert "web: is left as it is: its address may hold a secret" in said
    assert "[2J: is left as it is: its entry has no command" in said
    assert "done: is left as it is: it is behind the gate already" in said
    assert "There are no rules yet" in said
    assert "handoffs: is" not in said
    assert "sk-secret" not in said
    assert "\x1b" not in said
    after: Any = json.loads(path.read_text())
    assert [name for name, each in after["mcpServers"].items() if "gate" in each.get("args", ())] == ["git", "done"]
    gate_install.run(GateOptions(host="cursor", servers=["git"], remove=True, yes=True))
    assert path.read_text() == text
    assert "git: the gate before it goes" in capsys.readouterr().out


def test_what_is_in_order_needs_no_yes_and_writes_nothing(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write(home, '{"mcpServers": {"a": {"command": "x"}}}')
    gate_install.run(GateOptions(host="cursor", yes=True))
    written = path.read_bytes()
    capsys.readouterr()
    gate_install.run(GateOptions(host="cursor"))
    gate_install.run(GateOptions(host="cursor", servers=["a"]))
    said = capsys.readouterr().out
    assert said.count("a: is left as it is: it is behind the gate already") == 2
    assert "Cursor has no other server in " in said
    assert path.read_bytes() == written
    gate_install.run(GateOptions(host="windsurf", remove=True))
    assert capsys.readouterr().out.startswith("Windsurf has no server behind the gate in ")
    assert not (home / ".codeium").exists()


def test_the_options_are_written_into_the_arguments(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(home, "", "rules.toml")
    path = write(home, '{"mcpServers": {"a": {"command": "x"}}}', ".mcp.json")
    gate_install.run(GateOptions(
        host="claude-code", policy=Path("rules.toml"), project=True, command="uvx handoffs", yes=True
    ))  # fmt: skip
    found: Any = json.loads(path.read_text())
    assert found["mcpServers"]["a"] == {
        "command": "uvx",
        "args": ["handoffs", "gate", "--name=a", "--policy", str(home / "rules.toml"), "--", "x"],
    }
    assert "What is written is of this machine." in capsys.readouterr().out
    gate_install.run(GateOptions(host="claude-code", project=True, remove=True, yes=True))
    gate_install.run(GateOptions(
        host="claude-code", project=True, yes=True, allow=["a b", "-c"], deny=['"d"'], trust_hints=True
    ))  # fmt: skip
    found = json.loads(path.read_text())
    options = read_options(found["mcpServers"]["a"]["args"][1:])
    assert (options.allow, options.deny, options.trust_hints, options.command) == (["a b", "-c"], ['"d"'], True, ["x"])


BAD: list[tuple[dict[str, Any], str]] = [
    ({"host": "nowhere"}, "'nowhere' is no host"),
    ({"host": "cursor", "servers": ["b\x1b"]}, "Cursor has no server 'b"),
    ({"host": "cursor", "servers": ["git", "web"]}, "web is left as it is: its address is none of"),
    ({"host": "cursor", "servers": ["odd"]}, "odd is left as it is: its entry has no command"),
    ({"host": "cursor", "servers": ["handoffs"]}, "handoffs is left as it is: it is handoffs itself"),
    ({"host": "cursor", "remove": True, "ask": ["x"]}, "--remove goes without"),
    ({"host": "cursor", "command": "other"}, "--command has to start handoffs"),
    ({"host": "cursor", "policy": Path("x"), "ask": ["x"]}, "not both"),
    ({"host": "gemini"}, "line 1: .* It was left as it is"),
    ({"host": "zed"}, "context_servers is a list"),
    ({"host": "codex"}, "this is not TOML"),
    ({"host": "goose"}, "this is not YAML"),
    ({"host": "windsurf", "project": True}, "has no file for a project"),
    ({"host": "cursor"}, "Pass --yes to write it"),
]


@pytest.mark.parametrize(("typed", "said"), BAD)
def test_what_can_not_be_done_is_refused_and_nothing_written(typed: dict[str, Any], said: str, home: Path) -> None:
    servers = {"git": {"command": "x"}, "web": {"url": "u"}, "odd": {}, "handoffs": {"command": "handoffs"}}
    write(home, json.dumps({"mcpServers": servers}))
    write(home, "{no JSON", ".gemini/settings.json")
    write(home, '{"context_servers": []}', "config/zed/settings.json")
    write(home, "= no TOML", ".codex/config.toml")
    write(home, "a: [", "config/goose/config.yaml")
    before = {file: file.read_bytes() for file in home.rglob("*") if file.is_file()}
    options: dict[str, Any] = {"yes": said[:4] != "Pass"} | typed
    with pytest.raises(UsageError, match=said):
        gate_install.run(GateOptions(**options))
    assert {file: file.read_bytes() for file in home.rglob("*") if file.is_file()} == before


def test_a_policy_that_would_stop_the_gate_is_refused_first(home: Path) -> None:
    path = write(home, '{"mcpServers": {"a": {"command": "x"}}}')
    for policy in (write(home, "rule = 3", "rules.toml"), home / "missing.toml"):
        with pytest.raises(SettingsError):
            gate_install.run(GateOptions(host="cursor", policy=policy, yes=True))
    assert path.read_text() == '{"mcpServers": {"a": {"command": "x"}}}'


def test_a_server_whose_name_begins_with_a_dash_is_named_behind_two(tmp_path: Path) -> None:
    path = write(tmp_path, '{"mcpServers": {"-x": {"command": "y"}, "b": {"command": "c"}}}')
    done = Home(tmp_path).run("gate", "install", "cursor", "--yes", "--command", "handoffs", "--", "-x")
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(path.read_text())["mcpServers"] == {
        "-x": {"command": "handoffs", "args": ["gate", "--name=-x", "--", "y"]}, "b": {"command": "c"},
    }  # fmt: skip


async def test_what_is_written_stands_before_the_server_which_ran_only_then(tmp_path: Path) -> None:
    home, journal = Home(tmp_path), tmp_path / "journal"
    server = {"command": sys.executable, "args": [str(SHOP), str(journal)]}
    path = write(tmp_path, json.dumps({"mcpServers": {"shop": server}}))
    command = f"{sys.executable} -m handoffs"
    done = await home.command(
        "gate", "install", "cursor", "-y", "--command", command, "--allow", "read_*", "--deny", "delete_*"
    )
    assert (done.returncode, done.stderr) == (0, b"")
    assert not journal.exists()
    written: Any = json.loads(path.read_text())["mcpServers"]["shop"]
    assert written["command"] == sys.executable
    assert written["args"][:2] == ["-m", "handoffs"]
    async with home.stdio(args=written["args"][2:]) as client:
        assert not (await client.call_tool("read_order", {"number": 1})).is_error
        assert (await client.call_tool("delete_order", {"number": 1})).is_error
    assert journal.read_text() == "read 1\n"


def test_the_doctor_says_which_servers_are_behind_the_gate(tmp_path: Path) -> None:
    path = write(tmp_path, CLAUDE, ".claude.json")
    home = Home(tmp_path)
    write(tmp_path, '{"mcpServers": {"web": {"url": "x"}, "fs": {"command": "x"}, "n": {}}}', ".mcp.json")
    before = home.run("doctor", "claude-code", "--wait", "0").stdout
    assert "  Not behind the gate: github. `handoffs gate install claude-code` puts them there.\n" in before
    assert "  Not behind the gate in .mcp.json here: fs. `handoffs gate install claude-code --project`" in before
    assert "  Without a gate in .mcp.json here: web; its address is none of an MCP server over HTTP.\n" in before
    assert "  Without a gate, with no command in .mcp.json here: n.\n" in before
    assert home.run("gate", "install", "claude-code", "--yes").returncode == 0
    assert path.read_text() != CLAUDE
    after = home.run("doctor", "claude-code", "--wait", "0").stdout
    assert "  Behind the gate: github.\n" in after
    assert "Not behind the gate: github" not in after


# Properties

WORDS = st.text(alphabet="abzé01 #:-'\"\\,[]{}$\n", max_size=8)
ENTRIES = st.fixed_dictionaries(
    {"command": WORDS.filter(bool)},
    optional={
        "args": st.lists(WORDS, max_size=3), "env": st.dictionaries(WORDS, WORDS, max_size=2), "enabled": st.booleans()
    },
)  # fmt: skip
NAMES = WORDS.filter(lambda name: not name.startswith("-"))


@settings(deadline=None)
@given(st.data())
def test_any_json_gets_the_gate_and_loses_it_again(data: st.DataObject) -> None:
    comments = data.draw(st.booleans())
    host = find("cursor" if comments else "claude-desktop")
    servers: dict[str, Any] = data.draw(st.dictionaries(NAMES, ENTRIES, max_size=3))
    text = spread(data.draw, {"mcpServers": servers}, REMARKS | BLANKS if comments else BLANKS, trailing=comments)
    after = all_behind(host, text)
    for name, before in servers.items():
        check_the_command(host, before, entry(host, after, name), name)
    assert all_out(host, after) == text


@settings(deadline=None)
@given(st.dictionaries(NAMES, ENTRIES, max_size=3), st.sampled_from([True, False, None]), st.booleans())
def test_any_yaml_gets_the_gate_or_is_left_alone(servers: dict[str, Any], flow: bool | None, crlf: bool) -> None:
    host = find("goose")
    extensions = {name: {"cmd": each["command"], **each} for name, each in servers.items()}
    for each in extensions.values():
        del each["command"]
    text = yaml.safe_dump({"extensions": extensions, "end": 1}, sort_keys=False, default_flow_style=flow, width=1000)
    if crlf:
        text = text.replace("\n", "\r\n")
    for server in gating.servers_of(host, text):
        try:
            after = gating.put_behind(host, text, server, LAUNCH, OPTIONS)
        except Unreadable:
            continue
        check_the_command(host, dict(server.entry), entry(host, after, server.name), server.name)
        assert all_out(host, after) == text


def toml(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{toml(k)} = {toml(v)}" for k, v in value.items()) + "}"
    if isinstance(value, list):
        return "[" + "".join(f"\n  {toml(each)}, # [" for each in value) + ("\n]" if value else "]")
    return json.dumps(value, ensure_ascii=False)


@settings(deadline=None)
@given(st.dictionaries(NAMES, ENTRIES, max_size=3), st.booleans(), st.booleans(), st.booleans())
def test_any_toml_gets_the_gate_and_loses_it_again(
    servers: dict[str, Any], inline: bool, ended: bool, crlf: bool
) -> None:
    host = find("codex")
    text = "[mcp_servers]\n" if inline else ""
    for name, each in servers.items():
        if inline:
            text += f"{toml(name)} = {toml({k: v for k, v in each.items() if k != 'args' or not v})} # why\n"
        else:
            text += f"[mcp_servers.{toml(name)}] # why\n" + "".join(f"{k} = {toml(v)} # ]\n" for k, v in each.items())
    text = text.replace("\n", "\r\n") if crlf else text
    text = text if ended else text.removesuffix("\n").removesuffix("\r")
    after = all_behind(host, text)
    for server in gating.servers_of(host, text):
        check_the_command(host, dict(server.entry), entry(host, after, server.name), server.name)
    assert all_out(host, after) == text
