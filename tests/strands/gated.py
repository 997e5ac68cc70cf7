"""An agent's program with a `HandoffGate`: a real store, and people who answer in it as the inbox does."""

import sys
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import anyio
from mcp import StdioServerParameters, stdio_client
from strands import Agent, tool
from strands.tools.mcp import MCPClient
from strands.types.tools import ToolContext

from handoffs.clock import SystemClock
from handoffs.core.desk import Desk
from handoffs.core.model import Handoff
from handoffs.store.sqlite.store import SqliteStore
from handoffs.strands import ScriptedModel
from handoffs.strands_gate import HandoffGate
from tests.gate.behind import ALLOW, SHOP, waiting
from tests.strands.programs import Home, results

DELETE = ("delete_file", {"name": "a.txt"})
EDITED = ALLOW | {"arguments": '{"name": "b.txt"}'}


@dataclass
class Gated:
    """A program with a gate: its store, its tools, and what they did."""

    home: Home
    done: list[str] = field(default_factory=list)
    way: str = "plugins"
    """How the gate is given to the agent."""

    @property
    def store(self) -> Path:
        return self.home.folder / "handoffs.db"

    @property
    def journal(self) -> Path:
        return self.home.folder / "journal"

    @property
    def ran(self) -> list[str]:
        """What the MCP server really did."""
        return self.journal.read_text().splitlines() if self.journal.exists() else []

    @property
    def tools(self) -> list[Any]:
        @tool
        def delete_file(name: str) -> str:
            """Deletes a file."""
            self.done.append(f"delete {name}")
            return f"{name} was deleted"

        @tool
        def read_file(name: str) -> str:
            """Reads a file."""
            self.done.append(f"read {name}")
            return "a text"

        @tool
        def fail(name: str) -> str:
            """Fails."""
            self.done.append(f"fail {name}")
            raise RuntimeError("no such disk")

        @tool(context=True)
        def ask_why(name: str, tool_context: ToolContext) -> str:
            """Asks the program why."""
            why = tool_context.interrupt("why", reason="Why?")
            self.done.append(f"{name}: {why}")
            return "thanks"

        return [delete_file, read_file, fail, ask_why]

    def shop(self, **options: Any) -> MCPClient:
        """An MCP client with a real server behind it."""
        server = StdioServerParameters(command=sys.executable, args=[str(SHOP), str(self.journal)], env=self.home.env)
        return MCPClient(cast("Any", lambda: stdio_client(server)), **options)

    @contextmanager
    def agent(
        self,
        *turns: Any,
        tools: list[Any] | None = None,
        hooks: Any = (),
        beside: Any = (),
        background_tasks: Any = None,
        **rules: Any,
    ) -> Generator[Agent]:
        """An agent with a gate; `beside` are interventions after it."""
        with HandoffGate(**rules) as gate:
            given: Any = {"plugins": [gate], "interventions": [*beside]}
            if self.way == "interventions":
                given = {"interventions": [gate, *beside]}
            agent = Agent(
                model=ScriptedModel(*turns, "Done."),
                tools=self.tools if tools is None else tools,
                callback_handler=None,
                background_tasks=background_tasks,
                **given,
            )
            for callback, event in hooks:
                agent.add_hook(callback, event)
            try:
                yield agent
            finally:
                agent.cleanup()

    @asynccontextmanager
    async def desk(self) -> AsyncGenerator[Desk]:
        """The desk over the same store, of another process as it were."""
        async with SqliteStore(self.store) as store:
            yield Desk(store=store, clock=SystemClock())

    async def run(self, agent: Agent, *people: "Person") -> list[dict[str, Any]]:
        """Run the agent, with people who answer one after the other; return the tool results of this run."""
        before = len(results(agent))
        with anyio.fail_after(60):
            async with self.desk() as desk, anyio.create_task_group() as tasks:

                async def answers() -> None:
                    answered: tuple[str, ...] = ()
                    for person in people:
                        handoff = await waiting(desk, but=answered)
                        answered = (*answered, handoff.id)
                        await person(desk, handoff)

                tasks.start_soon(answers)
                await agent.invoke_async("Go!")
        return results(agent)[before:]

    async def events(self) -> list[list[str]]:
        """The names of the events of each handoff, the oldest first, once all results are noted."""
        async with self.desk() as desk:
            found = await desk.newest(open_only=False)
            return [[entry.name for entry in await desk.history(each.id)] for each in reversed(found)]


Person = Callable[[Desk, Handoff], Awaitable[object]]


def says(values: dict[str, object]) -> Person:
    async def answers(desk: Desk, handoff: Handoff) -> None:
        await desk.answer(handoff, values, by="ada", channel="inbox")

    return answers
