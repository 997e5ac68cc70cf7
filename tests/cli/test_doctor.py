"""The doctor: what it tells of a host from what really happened, and what it sees while a question is asked."""

import json
import subprocess
from datetime import timedelta
from pathlib import Path
from typing import Any

import anyio
import pytest

from handoffs.cli.diagnosis import declaration, happened, observed, verdict
from handoffs.cli.installing.hosts import HOSTS as INSTALLABLE
from handoffs.core.doctor_question import TRIAL_MESSAGE, TRIAL_OPTIONS, is_trial
from handoffs.core.events import Entry
from handoffs.hosts import known_hosts
from tests.acceptance.processes import HANDOFFS, Home, ask, says
from tests.core.strategies import ASKED, handoff

DECLARED = {"version": "2.1", "protocol": "2025-11-25", "transport": "stdio", "declares": "form url"}


def entries(*lines: tuple[float, str, dict[str, str]]) -> list[Entry]:
    return [
        Entry(number=n, handoff_id="h", name=name, at=ASKED + timedelta(seconds=after), details=details)
        for n, (after, name, details) in enumerate(lines, 1)
    ]


def told(*lines: tuple[float, str, dict[str, str]]) -> list[str]:
    return verdict(observed([(handoff(), entries((0, "opened", DECLARED), *lines))]))


def test_a_dialog_that_a_person_used_is_told_with_how_long_it_waited() -> None:
    said = told((1, "reached", {"channel": "elicitation"}), (42, "answered", {"channel": "elicitation", "by": "ada"}))
    assert said == [
        "Its dialog was shown for 1 of 1 questions; it waited up to 42 s.",
        "People decided through elicitation (1 x).",
    ]


def test_a_dialog_that_answered_by_itself_is_told_with_what_it_said() -> None:
    said = told(
        (0.1, "notshown", {"channel": "elicitation", "reason": "decline after 0.004 s"}),
        (60, "left", {"seconds": "59.8"}),
        (90, "answered", {"channel": "inbox", "by": "ada"}),
    )
    assert said == [
        "Its dialog came back without a person: decline after 0.004 s (1 x). Those questions stayed open elsewhere.",
        "It once ended a call after 60 s. What is answered later is kept; the agent gets it with check_handoff.",
        "People decided through inbox (1 x).",
    ]


def test_a_dialog_that_was_declared_and_never_seen_is_told() -> None:
    assert told() == ["It declares a dialog, and none was seen on a screen: look for the question in the inbox."]


def test_what_a_host_writes_of_itself_cannot_act_on_the_terminal() -> None:
    line = happened(entries((0, "opened", DECLARED | {"version": "1\x1b[2J"}))[0], ASKED)
    assert "\x1b" not in line
    assert "forms in a dialog of its own, links to open" in line
    assert declaration({}) == "Nothing is known of what it declared."


def test_every_host_that_can_be_set_up_has_a_row_of_what_it_does() -> None:
    rows = [name for host in known_hosts() for name in host.install]
    assert sorted(rows) == sorted(host.name for host in INSTALLABLE)


async def test_it_watches_a_real_question_and_then_knows_the_host(tmp_path: Path) -> None:
    home = Home(tmp_path)
    doctor = await anyio.open_process(
        [*HANDOFFS, "doctor", "--wait", "30"], stdin=subprocess.DEVNULL, env=home.env, cwd=home.folder
    )
    assert doctor.stdout is not None
    said = ""
    with anyio.fail_after(40):
        while "Ctrl-C ends" not in said:
            said += (await doctor.stdout.receive()).decode()
        async with home.stdio("legacy", says(after=1.3, response=TRIAL_OPTIONS[0]), name="Some Editor") as client:
            got: dict[str, Any] = await ask(client, TRIAL_MESSAGE, options=list(TRIAL_OPTIONS))
            assert got["status"] == "SUCCESS"
            async for chunk in doctor.stdout:
                said += chunk.decode()
            assert await doctor.wait() == 0
    assert "+0.0 s  asked. It declares forms in a dialog of its own" in said.replace(" " * 4, " ")
    assert "the host's dialog is on a screen" in said
    assert "answered by" in said
    assert "Its dialog was shown for 1 of 1 questions; it waited up to" in said

    known = await home.command("doctor", "Some Editor")
    assert known.returncode == 0
    assert "Of the last 1 questions through it:" in known.stdout.decode()
    assert "MCP 2025-11-25, stdio" in known.stdout.decode()


async def test_a_host_that_nobody_knows_is_refused_with_those_that_are(tmp_path: Path) -> None:
    home = Home(tmp_path)
    refused = await home.command("doctor", "emacs")
    assert refused.returncode == 2
    assert "claude-code" in refused.stderr.decode()


async def test_it_says_what_is_set_up_and_what_to_set(tmp_path: Path) -> None:
    home = Home(tmp_path)
    config = home.folder / ".gemini" / "settings.json"
    config.parent.mkdir()
    command = {"command": HANDOFFS[0], "args": HANDOFFS[1:], "timeout": 60_000}
    config.write_text(json.dumps({"mcpServers": {"handoffs": command}}))
    said = (await home.command("doctor", "gemini")).stdout.decode()
    assert f"Gemini CLI: set up, in {config}" in said
    assert "`timeout` gives a call 60 s; set it to 3600000." in said
    said = (await home.command("doctor", "codex")).stdout.decode()
    assert "`tool_timeout_sec` is not set, so expect 60 s; set it to 3600." in said
    # Gemini CLI has no dialog, and nothing is said of one.
    assert "A call is held for 9 min;" in (await home.command("doctor", "gemini")).stdout.decode()
    assert "while its dialog is open" in said


def put_in(home: Home, **entry: Any) -> None:
    (home.folder / ".claude.json").write_text(json.dumps({"mcpServers": {"handoffs": entry}}))


async def test_a_hosts_command_is_started_and_lists_its_tools_and_has_its_store(tmp_path: Path) -> None:
    home = Home(tmp_path)
    own = tmp_path / "own.db"
    put_in(home, command=HANDOFFS[0], args=[*HANDOFFS[1:], "serve"], env={"HANDOFFS_STORE": str(own)})
    done = await home.command("doctor", "claude-code")
    assert done.returncode == 0, done.stderr
    assert "It starts, and lists check_handoff, handoff_to_user; its store answers" in done.stdout.decode()
    assert own.exists()
    assert f"The store answers: {home.store}" in done.stdout.decode()


@pytest.mark.parametrize(
    ("entry", "why"),
    [
        ({"command": "/nowhere/handoffs"}, "its command /nowhere/handoffs is not there"),
        ({"command": HANDOFFS[0], "args": ["-c", "raise SystemExit('no module: handoffs')", "handoffs"]}, "no module"),
        (
            {"command": HANDOFFS[0], "args": [*HANDOFFS[1:]], "env": {"HANDOFFS_STORE": "/proc/nowhere/x.db"}},
            "/proc/nowhere/x.db",
        ),
        ({"command": HANDOFFS[0], "args": [*HANDOFFS[1:]], "env": {"HANDOFFS_TERMINAL": "maybe"}}, "HANDOFFS_TERMINAL"),
        ({"type": "http", "url": "http://127.0.0.1:1/mcp"}, "it shows no token to http://127.0.0.1:1/mcp"),
        (
            {"url": "http://127.0.0.1:1/mcp", "headers": {"Authorization": "Bearer x"}},
            "`handoffs serve --http 127.0.0.1:1`",
        ),
    ],
)
async def test_what_a_host_starts_and_does_not_work_is_said_with_why(
    entry: dict[str, Any], why: str, tmp_path: Path
) -> None:
    home = Home(tmp_path)
    put_in(home, **entry)
    for words in (("doctor", "claude-code"), ("doctor",)):
        done = await home.command(*words)
        assert done.returncode == 1
        [line] = [line for line in done.stdout.decode().splitlines() if "FAILS: " in line]
        assert why in line
        assert b"Traceback" not in done.stdout + done.stderr


async def test_a_server_over_http_is_called_with_the_token_that_the_host_has(tmp_path: Path) -> None:
    home = Home(tmp_path)
    async with home.http() as server:
        put_in(home, type="http", url=server.url, headers={"Authorization": f"Bearer {server.token}"})
        done = await home.command("doctor", "claude-code")
        assert (done.returncode, "It is let in, and lists" in done.stdout.decode()) == (0, True)
        put_in(home, type="http", url=server.url, headers={"Authorization": "Bearer ho_local_of_yesterday"})
        done = await home.command("doctor", "claude-code")
        assert (done.returncode, "is not good; `handoffs install claude-code`" in done.stdout.decode()) == (1, True)


async def test_a_projects_command_is_not_started_and_a_missing_token_is_reported(tmp_path: Path) -> None:
    home = Home(tmp_path)
    ran = tmp_path / "ran"
    (tmp_path / ".mcp.json").write_text(
        json.dumps({"mcpServers": {"handoffs": {"command": "sh", "args": ["-c", f"touch {ran}", "handoffs"]}}})
    )
    assert (await home.command("doctor", "claude-code")).returncode == 0
    assert not ran.exists()
    (tmp_path / ".mcp.json").write_text(json.dumps({"mcpServers": {"handoffs": {"url": "http://127.0.0.1:9/mcp"}}}))
    done = await home.command("doctor", "claude-code")
    assert (done.returncode, "FAILS: in .mcp.json here it shows no token" in done.stdout.decode()) == (1, True)


async def test_a_raised_time_out_that_the_server_is_not_told_of_is_found(tmp_path: Path) -> None:
    home = Home(tmp_path)
    config = tmp_path / ".codex" / "config.toml"
    config.parent.mkdir()
    command = json.dumps([*HANDOFFS[1:]])
    text = f'[mcp_servers.handoffs]\ncommand = "{HANDOFFS[0]}"\nargs = {command}\ntool_timeout_sec = 3600\n'
    config.write_text(text)
    said = (await home.command("doctor", "codex")).stdout.decode()
    assert "`handoffs install codex` sets HANDOFFS_HOST_TIMEOUT_SECONDS" in said
    config.write_text(f'{text}env = {{ HANDOFFS_HOST_TIMEOUT_SECONDS = "3600" }}\n')
    assert "HOST_TIMEOUT" not in (await home.command("doctor", "codex")).stdout.decode()


def test_the_doctors_question_is_known_by_its_first_line() -> None:
    assert not is_trial(handoff())
    assert is_trial(handoff(message=TRIAL_MESSAGE))
    assert is_trial(handoff(message=TRIAL_MESSAGE.partition("\n")[0] + "\n\nIn my own words."))


def test_a_store_that_was_not_there_is_told_of(tmp_path: Path) -> None:
    home = Home(tmp_path)
    first, second = home.run("doctor", "zed"), home.run("doctor", "zed")
    assert "see that HANDOFFS_STORE is right" in first.stderr
    assert f"The store answers: {home.store} (made just now)\n" in first.stdout
    assert f"The store answers: {home.store}\n" in second.stdout


def test_it_makes_nothing_in_a_hosts_folder(tmp_path: Path) -> None:
    home = Home(tmp_path)
    home.run("doctor", "claude-desktop")
    assert not (tmp_path / "config" / "Claude").exists()
