"""The real Codex in a terminal, with a scripted model: its own dialog is what a person sees, and what counts."""

import json
import time
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any

import pytest

from handoffs.asking.judge import READING_SECONDS
from tests.acceptance.processes import HANDOFFS, Home
from tests.interop.openai_stub import Stub, Turn, serve_openai
from tests.terminals import KIND, Terminal

PATIENCE = 60.0
DIALOG = "enter to submit"
"""The foot of its dialog for fields."""

DOWN, ENTER = "\x1b[B", "\r"

BARE = "needs your approval"
"""What it shows of a form with a field that it does not draw: no field at all. Its Yes is no answer."""

ASK = "mcp__handoffs/handoff_to_user"
COPIES = {
    "type": "object",
    "properties": {"n": {"type": "integer", "minimum": 1, "maximum": 5, "title": "Copies"}},
    "required": ["n"],
}
CONFIRM = {"type": "object", "properties": {"ok": {"type": "boolean", "title": "Delete it"}}, "required": ["ok"]}
MANY = [f"part {number} of the documentation of the shop" for number in range(1, 21)]
PARTS = {"type": "object", "properties": {"parts": {"type": "array", "items": {"enum": MANY}}}, "required": ["parts"]}

CONFIG = """
model = "gpt-5"
model_provider = "script"
check_for_update_on_startup = false

[model_providers.script]
name = "script"
base_url = {base}
wire_api = "responses"

[projects.{folder}]
trust_level = "trusted"

[mcp_servers.handoffs]
command = {command}
args = {args}
required = true
startup_timeout_sec = 60

[mcp_servers.handoffs.env]
{env}
"""


class Session:
    """Codex at work on one prompt."""

    def __init__(self, program: str, home: Home, stub: Stub) -> None:
        own, project = home.folder / "codex", home.folder / "project"
        own.mkdir()
        project.mkdir()
        # Codex hands its servers few variables of its own.
        env = {name: value for name, value in home.env.items() if name.startswith(("HANDOFFS_", "XDG_", "PATH"))}
        (own / "config.toml").write_text(
            CONFIG.format(
                base=json.dumps(stub.base),
                folder=json.dumps(str(project)),
                command=json.dumps(HANDOFFS[0]),
                args=json.dumps([*HANDOFFS[1:], "serve"]),
                env="\n".join(f"{name} = {json.dumps(value)}" for name, value in env.items()),
            )
        )
        self.home, self._stub = home, stub
        self.terminal = Terminal(
            # Its background server would outlive the test.
            [program, "--no-daemon", "go"],
            home.env | KIND | {"CODEX_HOME": str(own)},
            cwd=project,
            rows=40,
            columns=100,
            patience=PATIENCE,
            replies=True,
        )

    def shows_dialog(self, *words: str) -> str:
        """Wait until the dialog is there with these words in it, and as long as one reads; return the screen."""
        for text in (*words, DIALOG):
            self.terminal.sees(text)
        time.sleep(READING_SECONDS + 0.2)  # who answers sooner has not read the question
        return "\n".join(self.terminal.lines)

    def results(self, *, text: str) -> list[dict[str, Any]]:
        """Wait until the model has said its last words; return what it was given for each call, in order."""
        self.terminal.sees(text)
        return [_structured(result) for result in self._stub.tool_results()]

    def writes(self, text: str) -> None:
        """Type a line. An Enter that comes together with what is before it is taken for a pasted line's end."""
        self.terminal.types(text)
        self.terminal.sees(f"› {text}")
        time.sleep(0.5)
        self.terminal.types("\r")

    def is_asked(self) -> str:
        """Wait until one question is open; return its id."""
        end = time.monotonic() + PATIENCE
        while not (found := json.loads(self.home.run("list", "--json").stdout)):
            assert time.monotonic() < end, "nothing was asked"
        return found[0]["id"]

    def answers_elsewhere(self, value: str) -> None:
        """Answer the open question in a shell."""
        done = self.home.run("answer", self.is_asked(), "--set", value)
        assert done.returncode == 0, done.stderr


def _structured(result: str) -> dict[str, Any]:
    # Codex puts how long a call took before what it gave.
    return json.loads(result[result.index("{") :])


Starts = Callable[..., Session]


@pytest.fixture
def starts(codex: str, tmp_path: Path) -> Generator[Starts]:
    """Give what starts Codex with the turns of its model."""
    home = Home(tmp_path)
    session: Session | None = None

    def start(*turns: Turn) -> Session:
        nonlocal session
        stub.turns.extend(turns)
        session = Session(codex, home, stub)
        return session

    with serve_openai() as stub:
        yield start
        if session is not None:
            session.terminal.stop()


def test_a_choice_is_made_in_its_own_dialog(starts: Starts) -> None:
    session = starts([(ASK, {"message": "Where to?", "options": ["staging", "production"]})], "All done.")
    session.shows_dialog("Where to?", "2. staging", "3. production")
    session.terminal.types(DOWN + DOWN + ENTER)
    (given,) = session.results(text="All done.")
    assert (given["status"], given["values"], given["channel"]) == (
        "SUCCESS",
        {"response": "production"},
        "elicitation",
    )


@pytest.mark.parametrize(
    ("arguments", "values"),
    [({"options": ["delete", "keep"]}, {"response": "delete"}), ({"form": CONFIRM}, {"ok": True})],
)
def test_a_bare_enter_is_nobodys_yes(starts: Starts, arguments: dict[str, Any], values: dict[str, Any]) -> None:
    """Codex stands on the first line, and sends it: so that is no choice."""
    session = starts([(ASK, {"message": "Delete it all?", **arguments})], "All done.")
    session.shows_dialog("Delete it all?")
    session.terminal.types(ENTER)
    session.shows_dialog("That answer does not fit")
    assert json.loads(session.home.run("list", "--json").stdout)[0]["state"] == "open"
    session.terminal.types(DOWN + ENTER)
    (given,) = session.results(text="All done.")
    assert (given["status"], given["values"]) == ("SUCCESS", values)


def test_a_number_is_asked_for_as_text_and_may_be_answered_in_a_shell(starts: Starts) -> None:
    session = starts([(ASK, {"message": "How many?", "form": COPIES})], "All done.")
    shown = session.shows_dialog("How many?", "Copies", "A whole number, from 1 to 5")
    assert BARE not in shown
    session.answers_elsewhere("n=3")
    (given,) = session.results(text="All done.")
    assert (given["status"], given["values"]) == ("SUCCESS", {"n": 3})
    session.terminal.no_longer_sees(DIALOG)


def test_a_number_typed_into_its_dialog_is_checked_and_arrives_as_one(starts: Starts) -> None:
    session = starts([(ASK, {"message": "How many?", "form": COPIES})], "All done.")
    session.shows_dialog("How many?")
    session.writes("9")
    session.shows_dialog("That answer does not fit", "Type your answer")
    session.writes("2")
    (given,) = session.results(text="All done.")
    assert (given["status"], given["values"], given["channel"]) == ("SUCCESS", {"n": 2}, "elicitation")


def test_what_it_cannot_draw_at_all_is_not_shown_there(starts: Starts) -> None:
    session = starts([(ASK, {"message": "Which parts?", "form": PARTS})], "All done.")
    session.terminal.sees("Calling handoffs")
    session.answers_elsewhere("parts=1,3")
    (given,) = session.results(text="All done.")
    assert (given["status"], given["values"]) == ("SUCCESS", {"parts": [MANY[0], MANY[2]]})
    assert all(each not in session.terminal.raw for each in (BARE, DIALOG))


def test_neither_a_closed_dialog_nor_a_later_refusal_approves_anything(starts: Starts) -> None:
    ask = (ASK, {"message": "Delete the database?", "form": CONFIRM})
    session = starts([ask], "I stopped.", [ask], "I left it.")
    session.shows_dialog("Delete the database?", "2. yes", "3. no")
    session.terminal.types("\x1b")
    (closed,) = session.results(text="I stopped.")
    assert (closed["status"], "values" in closed) == ("PENDING", False)
    assert "The person closed the dialog" in closed["guidance"]
    declined = session.home.run("decline", session.is_asked())
    assert declined.returncode == 0, declined.stderr
    session.writes("go on")
    _, refused = session.results(text="I left it.")
    assert (refused["status"], "values" in refused) == ("DECLINED", False)
