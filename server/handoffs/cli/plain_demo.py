"""The demonstration without Strands: a scripted agent, with the real server, store and terminal.

The agent is an MCP client that starts the server as a host does, on a store of its own. It deletes a file in a
temporary folder once a person has said yes to a question that names the file. The question is read from the store and
asked in this terminal, as `handoffs answer` does.
"""

import os
import shlex
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import cast

import anyio
from mcp import Client, StdioServerParameters
from mcp.client.stdio import stdio_client
from mcp.types import CallToolResult, Implementation

from handoffs.assembly import open_desk
from handoffs.cli.deciding import ask_here
from handoffs.console import UsageError, print_out
from handoffs.core.desk import Desk
from handoffs.core.errors import AlreadyEnded
from handoffs.core.model import Handoff
from handoffs.core.untrusted import inert_line
from handoffs.settings import Settings
from handoffs.terminal import Terminal, open_terminal

VICTIM = "customers-2019.csv"
FILES = {"notes.txt": "Remember the milk.\n", VICTIM: "id,name\n1,Ada\n2,Grace\n"}
QUESTION: Mapping[str, object] = {
    "message": f"May I delete {VICTIM}? It is six years old, and it can't be brought back.",
    "options": ["yes", "no"],
}
HOLD_SECONDS = "3600"
"""How long the server holds the call: the demonstration has no time-out."""

TELLING_SECONDS = 2.0
"""How long the end waits for the terminal's last notice."""


def play() -> int:
    """Run it in this terminal, or with answers from standard input, and return the exit code."""
    with tempfile.TemporaryDirectory(prefix="handoffs-demo-") as made:
        folder = Path(made, "files")
        folder.mkdir()
        for name, text in FILES.items():
            (folder / name).write_text(text)
        store = Path(os.environ.get("HANDOFFS_STORE") or Path(made, "handoffs.db")).absolute()
        print_out(f"Its files: {', '.join(sorted(FILES))} in {folder}")
        inbox = f"HANDOFFS_STORE={shlex.quote(str(store))} handoffs list"
        print_out(f"The question is stored before you see it. From another shell: {inbox}\n")
        try:
            print_out(f"\nAgent: {inert_line(anyio.run(_act, folder, store), 500)}")
        finally:
            print_out(f"{VICTIM} is {'still there' if (folder / VICTIM).exists() else 'gone'}.")
    return 0


async def _act(folder: Path, store: Path) -> str:
    """Ask, act on the answer, and return the agent's last message."""
    said = await _asked(store)
    values = cast("Mapping[str, object]", said.get("values") or {})
    if said.get("status") == "SUCCESS" and values.get("response") == "yes":
        (folder / VICTIM).unlink()
        return f"Done: {VICTIM} was deleted."
    return f"I have no approval, so I did not touch {VICTIM}. {said.get('guidance', '')}"


async def _asked(store: Path) -> Mapping[str, object]:
    """Return the result that the agent got; empty when the person put the question off.

    Raises:
        KeyboardInterrupt: The person pressed Ctrl-C at the question.
    """
    got: list[Mapping[str, object]] = []
    stopped, told = False, anyio.Event()
    environment = {**os.environ, "HANDOFFS_STORE": str(store), "HANDOFFS_INBOX": "off"}
    server = StdioServerParameters(
        command=sys.executable,
        args=["-m", "handoffs", "serve"],
        env={**environment, "HANDOFFS_HOLD_SECONDS": HOLD_SECONDS},
    )
    me = Implementation(name="handoffs-demo", version="1")
    async with (
        open_terminal() as terminal,
        open_desk(Settings(store=store)) as desk,
        Client(stdio_client(server), client_info=me) as agent,
        anyio.create_task_group() as tasks,
    ):

        async def call() -> None:
            result = await agent.call_tool("handoff_to_user", dict(QUESTION))
            got.append(_content(result))
            while (id_ := got[-1].get("handoffId")) and got[-1].get("status") == "PENDING":
                got.append(_content(await agent.call_tool("check_handoff", {"handoff_id": id_})))
            with anyio.move_on_after(TELLING_SECONDS):
                await told.wait()  # the person first reads why the prompt is withdrawn
            tasks.cancel_scope.cancel()

        async def ask() -> None:
            nonlocal stopped
            try:
                decided = await _answered(desk, terminal)
            except KeyboardInterrupt:
                # Raised in a task it would end the loop at once, and the errors of the other tasks would be printed.
                decided, stopped = False, True
            told.set()
            if not decided:
                tasks.cancel_scope.cancel()

        tasks.start_soon(call)
        tasks.start_soon(ask)
    if stopped:
        raise KeyboardInterrupt
    return got[-1] if got else {}


async def _answered(desk: Desk, terminal: Terminal) -> bool:
    """Ask the person the agent's question; return whether it is decided, here or elsewhere."""
    handoff = await _first(desk)
    try:
        await ask_here(desk, terminal, handoff)
    except AlreadyEnded:
        await terminal.tell("This was decided elsewhere.")
    except UsageError as put_off:
        print_out(str(put_off))
        return False
    return True


async def _first(desk: Desk) -> Handoff:
    async with desk.watch() as watch:
        while True:
            for handoff in await desk.newest(open_only=True, limit=100):
                if handoff.question.message == QUESTION["message"]:
                    return handoff
            with desk.clock.limit(1):
                await watch.changed()


def _content(result: CallToolResult) -> Mapping[str, object]:
    return cast("Mapping[str, object]", result.structured_content or {})
