"""The doctor: what it tells of a host from what really happened, and what it sees while a question is asked."""

import json
import subprocess
from datetime import timedelta
from pathlib import Path
from typing import Any

import anyio

from handoffs.cli.diagnosis import conduct, declaration, happened, verdict
from handoffs.cli.installing.hosts import HOSTS as INSTALLABLE
from handoffs.core.events import Entry
from handoffs.core.trial import TRIAL_MESSAGE, TRIAL_OPTIONS, is_trial
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
    return verdict(conduct([(handoff(), entries((0, "opened", DECLARED), *lines))]))


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
    config.write_text(json.dumps({"mcpServers": {"handoffs": {"command": "handoffs", "timeout": 60_000}}}))
    said = (await home.command("doctor", "gemini")).stdout.decode()
    assert f"Gemini CLI: set up, in {config}" in said
    assert "`timeout` gives a call 60 s; set it to 3600000." in said
    said = (await home.command("doctor", "codex")).stdout.decode()
    assert "`tool_timeout_sec` is not set, so expect 60 s; set it to 3600." in said


def test_the_doctors_question_is_known_by_its_first_line() -> None:
    assert not is_trial(handoff())
    assert is_trial(handoff(message=TRIAL_MESSAGE))
    assert is_trial(handoff(message=TRIAL_MESSAGE.partition("\n")[0] + "\n\nIn my own words."))


def test_it_makes_nothing_in_a_hosts_folder(tmp_path: Path) -> None:
    home = Home(tmp_path)
    home.run("doctor", "claude-desktop")
    assert not (tmp_path / "config" / "Claude").exists()
