"""`handoffs gate install` before servers over HTTP: no secret is an argument, and each entry comes back to the byte."""

import json
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from handoffs.cli import gate_install
from handoffs.cli.gate_install import GateOptions
from handoffs.cli.installing import gating
from handoffs.cli.installing.gating import Server
from handoffs.cli.installing.hosts import HOSTS, Host, find
from handoffs.cli.installing.planning import ADDRESSES
from handoffs.cli.installing.texts import Unreadable
from handoffs.console import UsageError
from handoffs.serving.gate import read_options
from handoffs.serving.gate_url import remote_server
from tests.acceptance.processes import Home
from tests.cli.installing.samples import CLAUDE_HTTP, CODEX_HTTP, GOOSE_HTTP, HTTP, LAUNCH
from tests.cli.installing.test_round_trips import BLANKS, REMARKS, spread
from tests.cli.test_gate_install import all_behind, all_out, entry, home, toml, write
from tests.gate.relay.http_servers import http_recorder
from tests.gate.test_url import answers

__all__ = ["home"]

CASES = [pytest.param(host, text, id=f"{host}-{n}") for host, texts in HTTP.items() for n, text in enumerate(texts)]
CASES.append(
    pytest.param(
        "codex", "mcp_servers = {a = {url = 'https://x/'}, b = {url = 'https://y/', http_headers = {X = 'secret'}}}"
    )
)
PASSED = {"DOCS_TOKEN": "of-docs", "TEAM": "blue"}
"""What Codex passes on."""


def headers_of(host: Host, before: dict[str, Any]) -> dict[str, str]:
    """Return the headers that a host sends, references unresolved."""
    assert host.http is not None
    headers: dict[str, str] = dict(before.get(host.http.headers) or {})
    headers |= {name: PASSED[each] for name, each in before.get(host.http.variables or "", {}).items()}
    if host.http.variable is not None and host.http.variable in before:
        headers["Authorization"] = f"Bearer {PASSED[before[host.http.variable]]}"
    headers.pop("Accept", None)  # the gate's own
    return headers


def check_the_call(host: Host, server: Server, after: dict[str, Any]) -> None:
    """Nothing that is for HTTP is left, and the gate sends the same headers to the same address."""
    options = read_options(after["args"][1:])
    assert (options.name, options.url, options.ask) == (server.name, server.url, ["delete_*"])
    assert (options.command, options.header) == ([], [])
    passed = {name: PASSED[name] for name in after.get("env_vars", ())}
    sent = remote_server(options.url, (), options.header_from_env, {**after[host.environment], **passed})
    assert sent.headers == headers_of(host, dict(server.entry))
    assert "secret" not in str(after["args"])
    assert after.get("type", "stdio") == "stdio"
    assert host.http is not None
    assert not {*ADDRESSES, host.http.headers, host.http.variable, host.http.variables, "scopes"} & set(after)
    for key in {"timeout", "tool_timeout_sec", "tools", "trust", "disabled", "description", "name"} & set(server.entry):
        assert after[key] == server.entry[key]


@pytest.mark.parametrize(("name", "text"), CASES)
def test_a_server_over_http_goes_behind_the_gate_with_its_headers(name: str, text: str) -> None:
    host = find(name)
    after = all_behind(host, text)
    called = [each for each in gating.servers_of(host, text) if each.url is not None and each.refused is None]
    assert called
    for server in called:
        check_the_call(host, server, entry(host, after, server.name))
    assert after.count("secret") == text.count("secret")
    assert all_out(host, after) == text


def test_every_host_that_calls_servers_has_a_sample() -> None:
    assert set(HTTP) == {host.name for host in HOSTS if host.http is not None}
    stays = '{"mcpServers": {"a": {"url": "https://x"}}}'
    (server,) = gating.servers_of(find("claude-desktop"), stays)
    assert "Claude Desktop calls no server over HTTP" in str(gating.refusal(server))


@pytest.mark.parametrize(
    ("name", "written", "why"),
    [
        ("gemini", {"url": "https://x"}, "over SSE"),
        ("gemini", {"url": "https://x", "type": "http"}, None),
        ("windsurf", {"url": "https://x"}, None),
        ("zed", {"url": "https://x", "headers": {"A": "${B}"}}, "its header A refers to a variable"),
        ("cursor", {"url": "https://x", "headers": {"A": "${env:B}"}}, "whether Cursor resolves that"),
        ("windsurf", {"serverUrl": "https://x", "headers": {"A": "${env:B}"}}, "whether Windsurf resolves that"),
        ("windsurf", {"serverUrl": "https://x", "headers": {"A": "b"}}, None),
        ("vscode", {"url": "https://x", "headers": {"A": "${input:b}", "C": "${env:D}"}}, None),
        ("gemini", {"httpUrl": "https://x", "headers": {"A": "$B", "C": "${D}"}}, None),
        ("claude-code", {"url": "https://x", "oauth": {"clientId": "$a"}}, None),
    ],
)
def test_each_host_reads_an_entry_in_its_own_way(name: str, written: dict[str, Any], why: str | None) -> None:
    host = find(name)
    (server,) = gating.servers_of(host, json.dumps({host.servers: {"a": written}}))
    assert why in str(gating.refusal(server)) if why else gating.refusal(server) is None


def test_a_variable_of_codex_has_to_have_a_name() -> None:
    host = find("codex")
    (server,) = gating.servers_of(host, "[mcp_servers.a]\nurl = 'https://x'\nbearer_token_env_var = 'sk secret'")
    assert "no name that can be given" in str(gating.refusal(server))


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("cursor", '{"mcpServers": {"a": {"url": "https://x", /* $HOME */ "headers": {"A": "b"}}}}'),
        ("codex", "[mcp_servers.a]\nurl = 'https://x'\n[b]\n[mcp_servers.a.http_headers]\nA = 'b'\n"),
        ("codex", "[mcp_servers.a]\nurl = '''\nhttps://x'''\n"),
        (
            "goose",
            "extensions:\n  a:\n    type: streamable_http\n    uri: https://x\n    headers:\n      A: |-\n        b\n",
        ),
        ("goose", "b: &b bc\nextensions:\n  a:\n    type: streamable_http\n    uri: https://x\n    headers: {A: *b}\n"),
    ],
)
def test_what_could_not_be_given_back_is_not_changed(name: str, text: str) -> None:
    with pytest.raises(Unreadable):
        all_behind(find(name), text)


# What a person does with an entry behind the gate


def test_what_a_person_changed_in_an_entry_stays() -> None:
    host = find("claude-code")
    after = all_behind(host, CLAUDE_HTTP)
    edited = after.replace('"timeout": 60000', '"timeout": 9, "alwaysAllow": ["a"]').replace(
        "docs.example", "d.example"
    )
    back = json.loads(all_out(host, edited.replace('"env": {', '"env": {"MORE": "x", ', 1)))["mcpServers"]["docs"]
    assert (back["timeout"], back["alwaysAllow"], back["env"]) == (9, ["a"], {"MORE": "x"})
    assert (back["url"], back["headers"]["X-Team"]) == ("https://d.example.com/mcp", "sk-secret")
    goose = find("goose")
    edited = all_behind(goose, GOOSE_HTTP).replace("    timeout: 300\n", "")
    assert all_out(goose, edited) == GOOSE_HTTP.replace("    timeout: 300\n", "")


def test_a_variable_that_a_person_wrote_meanwhile_comes_back_as_a_header() -> None:
    host = find("windsurf")
    (text,) = HTTP["windsurf"]
    edited = all_behind(host, text).replace("sk-secret", "${env:Y}")
    assert all_out(host, edited) == text.replace("sk-secret", "${env:Y}")


def test_a_file_that_the_host_wrote_anew_gives_the_server_back() -> None:
    claude, goose = find("claude-code"), find("goose")
    again = json.dumps(json.loads(all_behind(claude, CLAUDE_HTTP)), indent=1, sort_keys=True)
    assert json.loads(all_out(claude, again)) == json.loads(CLAUDE_HTTP)
    for step in (2, 4):
        anew = yaml.safe_dump(yaml.safe_load(all_behind(goose, GOOSE_HTTP)), width=1000, indent=step)
        assert yaml.safe_load(all_out(goose, anew)) == yaml.safe_load(GOOSE_HTTP)


def test_a_gate_that_a_person_wrote_by_hand_is_left_and_named(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = '{"mcpServers": {"a": {"command": "handoffs", "args": ["gate", "--url", "https://x"]}}}'
    path = write(home, text)
    gate_install.run(GateOptions(host="cursor", remove=True, yes=True))
    assert "a: is left behind the gate: its GATE_ENTRY does not say what it was" in capsys.readouterr().out
    with pytest.raises(UsageError, match="take the gate out by hand"):
        gate_install.run(GateOptions(host="cursor", servers=["a"], remove=True, yes=True))
    assert path.read_text() == text


# The command


def test_a_server_without_a_header_goes_only_when_it_is_named(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write(home, CODEX_HTTP, ".codex/config.toml")
    gate_install.run(GateOptions(host="codex", yes=True))
    said = capsys.readouterr().out
    assert "docs: goes behind the gate\n  `tools.search.approval_mode = approve`" in said
    assert "plain: is left as it is: it sends no header. If Codex signs in to it (OAuth)" in said
    assert '"X-Key=GATE_HEADER_1", "--header-from-env", "X-Team=TEAM"' in said
    assert "+env = { GATE_HEADER_1 = …, GATE_ENTRY = … }" in said
    assert "secret" not in said
    gate_install.run(GateOptions(host="codex", servers=["plain"], yes=True))
    said = capsys.readouterr().out
    assert '"--name", "plain", "--url", …]\n' in said
    assert "that sign-in reaches it no longer: the gate signs in nowhere. A server that wants one then refuses" in said
    servers = tomllib.loads(path.read_text())["mcp_servers"]
    assert set(servers["plain"]) == {"command", "args", "env"}
    assert servers["docs"]["env_vars"] == ["TEAM", "DOCS_TOKEN"]
    gate_install.run(GateOptions(host="codex", remove=True, yes=True))
    assert path.read_text() == CODEX_HTTP


async def test_what_is_written_stands_before_the_server(tmp_path: Path) -> None:
    home = Home(tmp_path)
    with http_recorder(answers) as server:
        written = {"type": "http", "url": server.url, "headers": {"X-Key": "sk-secret"}}
        path = write(tmp_path, json.dumps({"mcpServers": {"move": written}}))
        done = await home.command(
            "gate", "install", "cursor", "-y", "--command", f"{sys.executable} -m handoffs", "--allow", "move"
        )
        assert (done.returncode, done.stderr) == (0, b"")
        assert server.got == []
        found: Any = json.loads(path.read_text())["mcpServers"]["move"]
        started = Home(tmp_path, found["env"])
        async with started.stdio("auto", args=found["args"][2:]) as client:
            assert not (await client.call_tool("move", {"to": "south"})).is_error
        assert all(each.headers["x-key"] == "sk-secret" for each in server.got)


def test_the_doctor_knows_servers_over_http(tmp_path: Path) -> None:
    write(tmp_path, CLAUDE_HTTP, ".claude.json")
    write(tmp_path, '{"mcpServers": {"web": {"type": "http", "url": "https://x"}}}', ".mcp.json")
    home = Home(tmp_path)
    before = home.run("doctor", "claude-code", "--wait", "0").stdout
    assert "  Not behind the gate: docs, own. `handoffs gate install claude-code` puts them there.\n" in before
    assert "  Without a gate: old; it is called over SSE, which the gate does not speak.\n" in before
    assert (
        "  Not behind the gate, over HTTP without a header in .mcp.json here: web."
        " `handoffs gate install claude-code --project NAME` puts one there"
    ) in before
    assert home.run("gate", "install", "claude-code", "--yes").returncode == 0
    assert "  Behind the gate: docs, own.\n" in home.run("doctor", "claude-code", "--wait", "0").stdout


# Properties

TEXTS = st.text(alphabet="ab é:-'\"\\#/", max_size=6)
CALLED = st.fixed_dictionaries(
    {"url": st.sampled_from(["https://x", "http://127.0.0.1:1/m"])},
    optional={
        "headers": st.dictionaries(st.sampled_from(["X-A", "X-B", "Accept"]), st.text(alphabet="ab'\"\\#", min_size=1)),
        "timeout": st.integers(), "note": TEXTS, "env": st.dictionaries(TEXTS, TEXTS, max_size=2),
        "deep": st.dictionaries(TEXTS, st.lists(TEXTS, max_size=2), max_size=2),
    },
)  # fmt: skip
SERVERS = st.dictionaries(TEXTS.filter(lambda name: not name.startswith("-")), CALLED, min_size=1, max_size=2)


@settings(deadline=None)
@given(st.data())
def test_any_json_gets_the_gate_and_loses_it_again(data: st.DataObject) -> None:
    servers: dict[str, Any] = data.draw(SERVERS)
    text = spread(data.draw, {"mcpServers": servers}, REMARKS | BLANKS, trailing=True)
    host = find("cursor")
    after = all_behind(host, text)
    assert all(each.at_url for each in gating.servers_of(host, after))
    assert all_out(host, after) == text


@settings(deadline=None)
@given(SERVERS, st.sampled_from([True, False, None]), st.booleans())
def test_any_yaml_gets_the_gate_or_is_left_alone(servers: dict[str, Any], flow: bool | None, crlf: bool) -> None:
    host = find("goose")
    extensions = {name: {"uri": each["url"], **each} for name, each in servers.items()}
    for each in extensions.values():
        del each["url"]
    text = yaml.safe_dump({"extensions": extensions, "end": 1}, sort_keys=False, default_flow_style=flow, width=1000)
    text = text.replace("\n", "\r\n") if crlf else text
    for server in gating.servers_of(host, text):
        try:
            after = gating.put_behind(host, text, server, LAUNCH, [])
        except Unreadable:
            continue
        assert all_out(host, after) == text


@settings(deadline=None)
@given(SERVERS, st.booleans(), st.booleans(), st.booleans())
def test_any_toml_gets_the_gate_and_loses_it_again(
    servers: dict[str, Any], inline: bool, ended: bool, crlf: bool
) -> None:
    host = find("codex")
    text = "[mcp_servers]\n" if inline else ""
    for name, each in servers.items():
        entry = {"http_headers" if key == "headers" else key: value for key, value in each.items()}
        if inline:
            text += f"{toml(name)} = {toml(entry)} # why\n"
        else:
            text += f"[mcp_servers.{toml(name)}] # why\n" + "".join(f"{k} = {toml(v)} # ]\n" for k, v in entry.items())
    text = text.replace("\n", "\r\n") if crlf else text
    text = text if ended else text.removesuffix("\n").removesuffix("\r")
    after = all_behind(host, text)
    assert all(each.at_url for each in gating.servers_of(host, after))
    assert all_out(host, after) == text
