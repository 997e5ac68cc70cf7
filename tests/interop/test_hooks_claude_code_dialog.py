"""The real Claude Code at a terminal, with our hooks: its own dialog and the question are open at once."""

import json
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from handoffs.cli.installing.launching import Launch
from handoffs.cli.installing.permission_hooks import hook_file, with_hooks
from tests.acceptance.processes import HANDOFFS, Home
from tests.interop.anthropic_stub import Stub, serve_anthropic
from tests.interop.test_claude_code_dialog import KEY, PATIENCE, Sitting, leave_nothing
from tests.terminals import KIND, Terminal
from tests.waiting import until_there

ENTER = "\r"
DIALOG = "Do you want to proceed?"


def question(home: Home, state: str) -> dict[str, Any]:
    """Wait until the question, of which there is one, is in this state."""

    def there() -> list[dict[str, Any]]:
        found = json.loads(home.run("list", "--all", "--json").stdout or "[]")
        return [each for each in found if each["state"] == state]

    return until_there(there, seconds=90)[0]


@contextmanager
def at_dialog(claude: str, folder: Path) -> Generator[tuple[Sitting, Path]]:
    """Start Claude Code with our hooks, and have its model use a tool that needs permission."""
    home = Home(folder)
    project = folder.resolve() / "shop"
    (folder / ".claude").mkdir()
    project.mkdir()
    launch = Launch(HANDOFFS[0], tuple(HANDOFFS[1:]))
    (folder / ".claude" / "settings.json").write_text(with_hooks(hook_file("claude-code"), "", launch))
    config = {
        "hasCompletedOnboarding": True,
        "theme": "dark",
        "customApiKeyResponses": {"approved": [KEY[-20:]], "rejected": []},
        "projects": {str(project): {"hasTrustDialogAccepted": True}},
    }
    (folder / ".claude.json").write_text(json.dumps(config))
    made = project / "made"
    use = [("Bash", {"command": f"touch {made}", "description": "makes a file"})]
    with serve_anthropic(use, "So be it.") as stub:
        env = {name: value for name, value in home.env.items() if not name.startswith(("CLAUDE", "ANTHROPIC_"))}
        env |= {
            "ANTHROPIC_BASE_URL": stub.base,
            "ANTHROPIC_API_KEY": KEY,
            "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
            "DISABLE_AUTOUPDATER": "1",
        }
        command = [claude, "--permission-mode", "default"]
        terminal = Terminal(command, env | KIND, cwd=project, rows=40, columns=110, patience=PATIENCE)
        sitting = Sitting(terminal, stub, home)
        try:
            terminal.sees("❯")
            sitting.sees_after("go", "❯\N{NO-BREAK SPACE}go")
            sitting.sees_after(ENTER, DIALOG)
            yield sitting, made
        finally:
            terminal.stop()
            leave_nothing(home)


def test_a_yes_in_its_dialog_withdraws_the_question(claude_code: str, tmp_path: Path) -> None:
    with at_dialog(claude_code, tmp_path) as (sitting, made):
        assert "It may be decided in the host" in question(sitting.home, "open")["message"]
        assert not made.exists()
        sitting.does(ENTER, made.exists)
        sitting.terminal.sees("So be it.")
        ended = question(sitting.home, "cancelled")
        assert ended["answer"] is None


def test_a_yes_elsewhere_runs_it_and_closes_its_dialog(claude_code: str, tmp_path: Path) -> None:
    with at_dialog(claude_code, tmp_path) as (sitting, made):
        handoff = question(sitting.home, "open")
        assert sitting.home.run("answer", handoff["id"], "--set", "decision=allow").returncode == 0
        sitting.terminal.no_longer_sees(DIALOG)
        sitting.terminal.sees("So be it.")
        assert made.exists()


def test_a_no_elsewhere_closes_its_dialog_and_tells_the_model(claude_code: str, tmp_path: Path) -> None:
    with at_dialog(claude_code, tmp_path) as (sitting, made):
        handoff = question(sitting.home, "open")
        given = ("--set", "decision=deny", "--set", "reason=not on a Friday")
        assert sitting.home.run("answer", handoff["id"], *given).returncode == 0
        sitting.terminal.waits_for(lambda: len(sitting.stub.requests) > 1, "the result to reach the model")
        stub: Stub = sitting.stub
        assert 'They said: "not on a Friday"' in stub.tool_results()[0]
        sitting.terminal.waits_for(lambda: not sitting.terminal.shows(DIALOG), "the dialog to go")
        assert not made.exists()
