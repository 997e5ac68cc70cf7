"""A user's home, and Strands programs run in it: in this process, as a subprocess, or on a terminal."""

import io
import os
import signal
import subprocess
import sys
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import anyio
import pexpect
from mcp.types import ElicitResult
from strands import Agent

from handoffs.assembly import open_desk
from handoffs.core.model import Handoff
from handoffs.settings import Settings
from handoffs.strands import HandoffClient, HandoffPlugin, ScriptedModel

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "client_examples"


@dataclass
class Home:
    """A store, data and a working folder of its own; nothing that is set outside reaches it."""

    folder: Path
    extra: dict[str, str] = field(default_factory=dict)
    unset: tuple[str, ...] = ()

    @property
    def env(self) -> dict[str, str]:
        outside = ("HANDOFFS_", "NEBIUS_", "OPENAI_")
        kept = {name: value for name, value in os.environ.items() if not name.startswith(outside)}
        own = {
            "XDG_DATA_HOME": str(self.folder / "data"),
            "XDG_CONFIG_HOME": str(self.folder / "config"),
            "TMPDIR": str(self.folder),
            "HANDOFFS_STORE": str(self.folder / "handoffs.db"),
            "HANDOFFS_INBOX": "off",
            "LITELLM_LOCAL_MODEL_COST_MAP": "True",
        }
        return {name: value for name, value in (kept | own | self.extra).items() if name not in self.unset}

    def run(self, *command: str | Path, stdin: str = "", timeout: float = 180) -> subprocess.CompletedProcess[str]:
        """Run a Python program to its end, with its answers piped in."""
        return subprocess.run(
            [sys.executable, *map(str, command)],
            input=stdin,
            capture_output=True,
            text=True,
            timeout=timeout,
            env=self.env,
            cwd=self.folder,
            check=False,
        )

    @contextmanager
    def on_terminal(self, *command: str | Path) -> "Generator[pexpect.spawn[str]]":
        """Run a Python program on a terminal of its own."""
        process = pexpect.spawn(
            sys.executable,
            [str(word) for word in command],
            env=self.env,  # a mapping is what it takes
            cwd=str(self.folder),
            encoding="utf-8",
            timeout=120,
            dimensions=(50, 120),
        )
        process.logfile_read = io.StringIO()
        try:
            yield process
        finally:
            process.close(force=True)

    def handoffs(self, *args: str) -> str:
        """What the `handoffs` command prints."""
        done = self.run("-m", "handoffs", *args)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def kept(self, *, open_only: bool = False) -> list[Handoff]:
        """What is in the store, the newest first. Looked up here: the command would be one more process each time."""

        async def look() -> list[Handoff]:
            async with open_desk(Settings(store=self.folder / "handoffs.db")) as desk:
                return list(await desk.newest(open_only=open_only))

        return anyio.run(look)

    @contextmanager
    def agent(self, *turns: Any, person: Any, tools: Sequence[Any] = (), **options: Any) -> Generator[Agent]:
        """An agent with a scripted model, the real server, and a person who answers."""
        client = HandoffClient(env=self.env, elicitation_callback=person)
        agent = Agent(
            model=options.pop("model", None) or ScriptedModel(*turns),
            tools=[client, *tools],
            plugins=[HandoffPlugin()],
            callback_handler=None,
            **options,
        )
        try:
            yield agent
        finally:
            agent.cleanup()


def answers(*given: str) -> Any:
    """A person who gives these answers, one after the other."""
    left = iter(given)

    async def person(context: Any, params: Any) -> ElicitResult:
        return ElicitResult(action="accept", content={"response": next(left)}, _meta={"handoffs/script": True})

    return person


async def nobody(context: Any, params: Any) -> ElicitResult:
    raise AssertionError("nobody was to be asked")


def screen(process: "pexpect.spawn[str]") -> str:
    """All that a program has written on its terminal."""
    assert isinstance(process.logfile_read, io.StringIO)
    return process.logfile_read.getvalue()


def kill_servers() -> None:
    """Kill every handoffs server that this process has started, as a crash would."""
    found = subprocess.run(["pgrep", "-P", str(os.getpid()), "-f", "handoffs serve"], capture_output=True, check=True)
    for pid in found.stdout.split():
        os.kill(int(pid), signal.SIGKILL)


def results(agent: Agent) -> list[dict[str, Any]]:
    """The tool results in an agent's history."""
    return [dict(block["toolResult"]) for m in agent.messages for block in m["content"] if "toolResult" in block]


def text_of(result: dict[str, Any]) -> str:
    return " ".join(block["text"] for block in result["content"])
