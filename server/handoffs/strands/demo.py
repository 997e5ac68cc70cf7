"""The demonstration: an agent wants to delete a file, asks, and acts on the answer.

The agent works in a temporary folder, and its tool really deletes. A guard checks each call of that tool: the file is
deleted only after a person's yes to a question that names it. The server runs as the client's subprocess, on a store of
its own, so that no question is left in a person's inbox.
"""

import os
import re
import shlex
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import cast

from strands import Agent, tool  # pyright: ignore[reportUnknownVariableType] - of its JSON schemas
from strands.hooks import AfterToolCallEvent, BeforeToolCallEvent
from strands.types.content import Messages

from handoffs import env_file
from handoffs.core.untrusted import inert, inert_line
from handoffs.strands.client import HandoffClient
from handoffs.strands.plugin import HANDOFF_TOOLS, HandoffPlugin
from handoffs.strands.response import HandoffResponse, approved, format_handoff_summary, handoff_response
from handoffs.strands.scripted import Said, last_result
from handoffs.strands.tutorial import INTERRUPTED, NOT_STARTED, did_not_start, quieten_strands, tutorial_model

VICTIM = "customers-2019.csv"
FILES = {"notes.txt": "Remember the milk.\n", VICTIM: "id,name\n1,Ada\n2,Grace\n"}
QUESTION = {
    "message": f"May I delete {VICTIM}? It is six years old, and it can't be brought back.",
    "options": ["yes", "no"],
}
TASK = (
    f"Free some space: delete {VICTIM}, it is six years old. It can't be brought back, so first call handoff_to_user "
    f'with {VICTIM} in the message and options ["yes", "no"]. Delete it only after a yes. Then say what you did.'
)


def play() -> int:
    """Play it in this terminal, or with answers from standard input, and return the exit code."""
    env_file.load(Path(env_file.NAME))
    quieten_strands()
    with tempfile.TemporaryDirectory(prefix="handoffs-demo-") as made:
        folder = Path(made, "files")
        folder.mkdir()
        for name, text in FILES.items():
            (folder / name).write_text(text)
        try:
            return _play(folder, store=os.environ.get("HANDOFFS_STORE") or str(Path(made, "handoffs.db")))
        except KeyboardInterrupt:
            _say("\nStopped.")
            return INTERRUPTED
        except Exception as error:  # noqa: BLE001 - a model's API fails in a hundred ways, and this is where a person is told
            return _failed(NOT_STARTED if did_not_start(error) else f"The agent failed: {inert_line(str(error), 500)}")
        finally:
            _say(f"{VICTIM} is {'still there' if (folder / VICTIM).exists() else 'gone'}.")


def _play(folder: Path, *, store: str) -> int:
    model = tutorial_model([("handoff_to_user", QUESTION)], _act, _report)
    _say(f"Its files: {', '.join(sorted(FILES))} in {folder}")
    inbox = f"HANDOFFS_STORE={shlex.quote(store)} handoffs list"
    _say(f"The question is stored before you see it. From another shell: {inbox}\n")
    guard = Guard(folder)
    with HandoffClient(env={"HANDOFFS_STORE": store}) as client:
        agent = Agent(
            model=model,
            tools=[*client.list_tools_sync(), guard.delete_file],
            plugins=[HandoffPlugin()],
            hooks=[guard.note_answer, guard.check_approval],
            callback_handler=None,
        )
        said = str(agent(TASK)).strip()
    if guard.response is not None:
        _say(format_handoff_summary(guard.response, "Approval Handoff"))
        if guard.response["status"] == "ERROR":
            return _failed(guard.response["guidance"])
    _say(f"\nAgent: {inert(said)}")
    return 0


class Guard:
    """Lets a file be deleted once a person has said yes to a question that names it, once."""

    def __init__(self, folder: Path) -> None:
        """Guard the files in `folder`."""
        self._folder = folder
        self._approved: str | None = None
        self.response: HandoffResponse | None = None
        """The newest answer."""

    @tool
    def delete_file(self, name: str) -> str:
        """Delete a file for good.

        Args:
            name: The file's name.
        """
        path = self._folder / Path(name).name
        path.unlink()
        return f"{path.name} was deleted."

    def note_answer(self, event: AfterToolCallEvent) -> None:
        """Keep what the person answered."""
        if event.tool_use["name"] in HANDOFF_TOOLS:
            self.response = handoff_response(cast("Mapping[str, object]", event.result))
            asked = " ".join(block["text"] for block in self.response["content"])
            self._approved = asked if approved(self.response) else None

    def check_approval(self, event: BeforeToolCallEvent) -> None:
        """Stop a deletion that no person approved."""
        if event.tool_use["name"] == "delete_file":
            question, self._approved = self._approved, None
            if question is None or not _names(question, str(event.tool_use["input"].get("name"))):
                event.cancel_tool = "Not approved: a person must say yes to deleting this very file first."


def _names(question: str, name: str) -> bool:
    """Say whether a question names a file, whole: one about `data.txt` is none about `a.txt`."""
    return re.search(rf"(?<![\w./-]){re.escape(name)}(?!\.?[\w-])", question) is not None


def _act(messages: Messages) -> Said:
    if last_result(messages).startswith("The person answered: yes"):
        return [("delete_file", {"name": VICTIM})]
    return f"I have no approval, so I did not touch {VICTIM}."


def _report(messages: Messages) -> Said:
    return f"Done: {last_result(messages)}"


def _failed(why: str) -> int:
    sys.stderr.write(f"{why}\n")
    return 1


def _say(text: str) -> None:
    print(text, flush=True)  # noqa: T201
