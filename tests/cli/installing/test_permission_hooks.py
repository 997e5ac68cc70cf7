"""`handoffs install HOST --permissions`: our hooks come and go, and no other byte of the host's file changes."""

import json
import re
import shlex
import tomllib
from pathlib import Path
from typing import Any

import pytest

from handoffs.cli.installing.launching import Launch
from handoffs.cli.installing.permission_hooks import FILES, hook_file, is_written, with_hooks, without_hooks
from handoffs.cli.installing.texts import Unreadable
from handoffs.console import UsageError
from handoffs.hosts.hooks import HOOK_HOSTS
from tests.acceptance.processes import Home
from tests.cli.installing.samples import CLAUDE, CODEX

LAUNCH = Launch("/opt/tools of ada/handoffs")
ALSO: Any = {"matcher": "Bash", "hooks": [{"type": "command", "command": "mine", "timeout": 5}]}

JSON: list[str] = [
    "{}",
    '{"model": "x"}\n',
    json.dumps({"model": "x", "hooks": {"Stop": [ALSO]}}),
    json.dumps({"hooks": {"Stop": [ALSO], "PermissionRequest": [ALSO, ALSO], "BeforeTool": [ALSO]}}, indent=2) + "\n",
    json.dumps({"hooks": {"PermissionRequest": [ALSO], "PostToolUse": [ALSO]}, "z": 1}, indent="\t") + "\n",
    CLAUDE,
]
COMMENTED = '{\n  // mine\n  "hooks": {\n    "PermissionRequest": [ {"hooks": []}, ], // these\n  },\n}\n'
TOML: list[str] = [
    "",
    'model = "x"',
    'model = "x"\n',
    "[a]\r\nb = 1\r\n",
    CODEX,
    '[[hooks.PermissionRequest]]\n[[hooks.PermissionRequest.hooks]]\ntype = "command"\ncommand = "mine"\n',
    '[[hooks.Stop]]\n[[hooks.Stop.hooks]]\ntype = "command"\ncommand = "mine"\ntimeout = 5\n\n# the end\n',
]
COPILOT = ['{"version": 1, "hooks": {"sessionStart": [{"type": "command", "bash": "mine"}]}}']
CASES = [
    *[(name, text) for name in FILES if name not in {"codex", "copilot"} for text in JSON],
    *[("codex", text) for text in TOML],
    *[("copilot", text) for text in ("", *COPILOT)],
    ("gemini", COMMENTED),
    ("qwen", COMMENTED),
]


def read(name: str, text: str) -> Any:
    return tomllib.loads(text) if name == "codex" else json.loads(text)


@pytest.mark.parametrize(("name", "text"), CASES)
def test_hooks_come_and_go_to_the_byte(name: str, text: str) -> None:
    file = hook_file(name)
    after = with_hooks(file, text, LAUNCH)
    assert is_written(file, after)
    assert not is_written(file, text)
    assert with_hooks(file, after, LAUNCH) == after
    assert without_hooks(file, after) == text


@pytest.mark.parametrize("name", FILES)
def test_a_new_file_has_a_long_time_out_in_the_host_s_own_unit(name: str) -> None:
    file, host = hook_file(name), HOOK_HOSTS[name]
    document = read(name, with_hooks(file, "", LAUNCH))
    (entry,) = document["hooks"][host.events[0].name]
    hook = entry if name == "copilot" else entry["hooks"][0]
    words = shlex.split(hook["bash" if name == "copilot" else "command"])
    assert words == [LAUNCH.command, "hook", name, "--timeout", "86400"]
    assert hook["timeoutSec" if name == "copilot" else "timeout"] == (
        86_400_000 if name in {"gemini", "qwen"} else 86_400
    )


def test_claude_code_fails_closed_and_hears_of_its_own_dialog() -> None:
    document = read("claude-code", with_hooks(hook_file("claude-code"), "", LAUNCH))
    assert [*document["hooks"]] == ["PermissionRequest", "Elicitation", "PostToolUse", "SessionEnd"]
    blocking = [hook.get("onFailure") for each in document["hooks"].values() for hook in each[0]["hooks"]]
    assert blocking == ["block", None, None, None]


def test_claude_code_asks_for_the_forms_of_all_servers_but_ours() -> None:
    (entry,) = read("claude-code", with_hooks(hook_file("claude-code"), "", LAUNCH))["hooks"]["Elicitation"]
    matcher = re.compile(entry["matcher"])
    for name in ("orders", "handoffs-docs", "my handoffs", "Handoffs"):
        assert matcher.search(name), name
    assert not matcher.search("handoffs")


def test_hooks_of_before_get_the_one_for_forms() -> None:
    file = hook_file("claude-code")
    document = json.loads(with_hooks(file, json.dumps({"hooks": {"Elicitation": [ALSO]}}), LAUNCH))
    document["hooks"]["Elicitation"].pop()
    after = json.loads(with_hooks(file, json.dumps(document), LAUNCH))
    assert len(after["hooks"]["Elicitation"]) == 2
    assert json.loads(without_hooks(file, json.dumps(after))) == {"hooks": {"Elicitation": [ALSO]}}


@pytest.mark.parametrize("name", FILES)
def test_another_command_takes_the_place_of_the_old_one(name: str) -> None:
    file = hook_file(name)
    after = with_hooks(file, with_hooks(file, "", LAUNCH), Launch("uvx", ("handoffs",)))
    assert after == with_hooks(file, "", Launch("uvx", ("handoffs",)))
    assert "tools of ada" not in after


def test_what_a_person_wrote_behind_ours_stays() -> None:
    file = hook_file("claude-code")
    document = json.loads(with_hooks(file, json.dumps({"hooks": {"PermissionRequest": [ALSO]}}), LAUNCH))
    document["hooks"]["PermissionRequest"].append(ALSO | {"matcher": "Edit"})
    left = json.loads(without_hooks(file, json.dumps(document)))
    assert left == {"hooks": {"PermissionRequest": [ALSO, ALSO | {"matcher": "Edit"}]}}
    codex = hook_file("codex")
    assert without_hooks(codex, with_hooks(codex, "a = 1\n", LAUNCH) + "\n[b]\nc = 2\n") == "a = 1\n\n[b]\nc = 2\n"


def test_an_empty_list_takes_our_hook_too() -> None:
    file = hook_file("claude-code")
    for text in ('{"hooks": {}}', '{"hooks": {"PermissionRequest": []}}'):
        assert is_written(file, with_hooks(file, text, LAUNCH))


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("claude-code", "{"),
        ("claude-code", '{"hooks": []}'),
        ("claude-code", '{"hooks": {"PermissionRequest": {}}}'),
        ("claude-code", '{"hooks": {}, "hooks": {}}'),
        ("codex", "hooks = 1\n"),
        ("codex", "hooks = {PermissionRequest = []}\n"),
        ("codex", "a = \n"),
    ],
)
def test_what_can_not_be_changed_safely_is_refused(name: str, text: str) -> None:
    with pytest.raises(Unreadable):
        with_hooks(hook_file(name), text, LAUNCH)


def test_a_host_without_such_hooks_is_named() -> None:
    with pytest.raises(UsageError, match="claude-code, codex, copilot, gemini, qwen"):
        hook_file("zed")


# As people run it


def test_without_a_host_the_hosts_are_named(tmp_path: Path) -> None:
    refused = Home(tmp_path).run("install", "--permissions")
    assert (refused.returncode, refused.stdout) == (2, "")
    assert "There are: claude-code, codex, copilot, gemini, qwen." in refused.stderr
    assert "`handoffs acp --help`" in Home(tmp_path).run("install", "zed", "--permissions").stderr


def test_it_is_shown_written_told_by_the_doctor_and_removed(tmp_path: Path) -> None:
    home = Home(tmp_path)
    path = tmp_path / ".codex" / "config.toml"
    path.parent.mkdir()
    path.write_text(CODEX)
    refused = home.run("install", "codex", "--permissions", stdin="")
    assert (refused.returncode, path.read_text()) == (2, CODEX)
    done = home.run("install", "codex", "--permissions", "--yes")
    assert done.returncode == 0, done.stderr
    assert "type /hooks, and trust this one" in done.stdout
    assert path.read_text().startswith(CODEX)
    told = home.run("doctor", "codex").stdout
    assert "Permission prompts: come to the desk" in told
    assert "once you have trusted it in `/hooks`" in told
    assert "Codex has them" in home.run("install", "codex", "--permissions").stdout
    assert home.run("install", "codex", "--permissions", "--remove", "--yes").returncode == 0
    assert path.read_text() == CODEX
    assert "stay in the host" in home.run("doctor", "codex").stdout


def test_a_file_of_our_own_goes_with_the_hooks(tmp_path: Path) -> None:
    home = Home(tmp_path)
    path = tmp_path / ".copilot" / "hooks" / "handoffs.json"
    assert home.run("install", "copilot", "--permissions", "--yes").returncode == 0
    assert json.loads(path.read_text())["version"] == 1
    assert "Copilot CLI: come to the desk" in home.run("doctor").stdout
    assert home.run("install", "copilot", "--permissions", "--remove", "--yes").returncode == 0
    assert not path.exists()


def test_a_command_that_starts_something_else_is_refused(tmp_path: Path) -> None:
    done = Home(tmp_path).run("install", "gemini", "--permissions", "--yes", "--command", "cat")
    assert done.returncode == 2
    assert "has to start handoffs" in done.stderr
