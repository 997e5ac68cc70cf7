"""Programs of other frameworks, each in an environment of its own, and the people who decide what they ask."""

import json
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import anyio

from handoffs.clock import SystemClock
from handoffs.core.desk import Desk
from handoffs.core.model import Handoff
from handoffs.store.sqlite.store import SqliteStore
from tests.acceptance.processes import Home
from tests.interop.conftest import HERE, missing
from tests.waiting import until


@dataclass(frozen=True)
class Program:
    """A program of tests/interop/bridges, run in the home of a test with the Python of its framework."""

    python: str
    path: Path
    home: Home

    async def run(self, *, code: int = 0, **job: Any) -> Any:
        """Run it to its end, and return what it prints."""
        with anyio.fail_after(240):
            command = [self.python, str(self.path), json.dumps(job)]
            done = await anyio.run_process(command, check=False, cwd=self.home.folder, env=self.env)
        assert done.returncode == code, done.stderr.decode()
        return json.loads(done.stdout) if done.stdout else None

    @property
    def env(self) -> dict[str, str]:
        own = {"OPENAI_AGENTS_DISABLE_TRACING": "1", "LANGSMITH_TRACING": "false", "ANONYMIZED_TELEMETRY": "false"}
        own |= {"CREWAI_DISABLE_TELEMETRY": "true", "CREWAI_TRACING_ENABLED": "false", "OTEL_SDK_DISABLED": "true"}
        return self.home.env | own

    @property
    def paid(self) -> list[str]:
        """The payments that its tool has made."""
        noted = self.home.folder / "paid.txt"
        return sorted(noted.read_text().splitlines()) if noted.exists() else []


def program(name: str, folder: Path) -> Program:
    """The program for a framework; skips the test where `make interop` could not install it."""
    python = HERE / f".{name}" / "bin" / "python"
    if not python.exists():
        missing(name)
    return Program(str(python), HERE / "bridges" / f"{name.replace('-', '_')}_agent.py", Home(folder))


@dataclass(frozen=True)
class People:
    """Those who decide, as the inbox does."""

    desk: Desk

    async def decide(self, decisions: Mapping[str, Mapping[str, Any]]) -> list[Handoff]:
        """Answer each question, once it is open, whose message holds the text that stands for it."""
        return [await self.answer(text, **values) for text, values in decisions.items()]

    async def answer(self, text: str, **values: Any) -> Handoff:
        return await self.desk.answer(await self.asked(text), values, by="ada", channel="inbox")

    async def asked(self, text: str) -> Handoff:
        """The open question with this text in its message, now or later."""

        async def look() -> Handoff | None:
            found = await self.desk.newest(open_only=True)
            return next((each for each in found if text in each.question.message), None)

        return await until(look, seconds=200)

    async def count(self) -> int:
        """How many questions there were."""
        return len(await self.desk.newest(open_only=False))


@asynccontextmanager
async def people(home: Home) -> AsyncGenerator[People]:
    """The people of a home's store."""
    async with SqliteStore(home.store) as store:
        yield People(Desk(store=store, clock=SystemClock()))
