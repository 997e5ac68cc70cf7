"""The reference pages say what the code has: commands, settings, exit codes, statuses, the life of a handoff."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer

from handoffs.cli.app import app
from handoffs.console import Exit
from handoffs.core.lifecycle import diagram
from handoffs.mcp_server.words import Status
from handoffs.settings import PREFIX, Settings

REFERENCE = Path(__file__).parents[1] / "docs/reference"
COMMANDS = (REFERENCE / "commands.md").read_text("utf-8")
SETTINGS = (REFERENCE / "settings.md").read_text("utf-8")
TOOLS = (REFERENCE / "tools.md").read_text("utf-8")


def commands(command: Any, path: str = "") -> Iterator[str]:
    """The commands that do something, as they are typed after `handoffs`."""
    below = getattr(command, "commands", {})
    for name, each in below.items():
        yield from commands(each, f"{path} {name}".strip())
    if path and (not below or getattr(command, "invoke_without_command", False)):
        yield path


def test_every_command_is_explained() -> None:
    cells = " ".join(line.split("|")[1] for line in COMMANDS.splitlines() if line.startswith("| `handoffs"))
    typed = re.findall(r"`([^`]+)`", cells)
    named = {
        " ".join(re.findall(r"[a-z]+", each.removeprefix("handoffs ").split(" -")[0].split(" [")[0])) for each in typed
    }
    for command in commands(typer.main.get_command(app)):
        assert command in named or command.split()[-1] in named, command


def test_every_setting_is_explained_and_no_other() -> None:
    cells = " ".join(line.split("|")[1] for line in SETTINGS.splitlines() if line.startswith("| `"))
    assert sorted(re.findall(rf"`({PREFIX}[A-Z_]+)`", cells)) == sorted(
        PREFIX + name.upper() for name in Settings.model_fields
    )


def test_every_exit_code_is_explained() -> None:
    assert re.findall(r"^\| (\d+) \|", COMMANDS, re.MULTILINE) == [str(code.value) for code in Exit]


def test_every_status_is_explained() -> None:
    assert re.findall(r"^\| `([A-Z]+)` \|", TOOLS, re.MULTILINE) == [status.value for status in Status]


def test_the_state_diagram_is_printed_from_the_table() -> None:
    shown = re.search(r"<!-- diagram: begin -->\n```mermaid\n(.*)\n```\n<!-- diagram: end -->", TOOLS, re.DOTALL)
    assert shown is not None
    assert shown[1] == diagram()
