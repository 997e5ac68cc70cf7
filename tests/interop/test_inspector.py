"""The Inspector's command line, as scripts use it: it shows no dialog, and its exit code says what came of a call."""

import json
from collections.abc import AsyncGenerator
from typing import Any

import anyio
import pytest

from handoffs.core.model import Handoff
from handoffs.store.sqlite.store import SqliteStore
from tests.acceptance.processes import HANDOFFS, Home, HttpServer
from tests.interop.conftest import PACKAGES, output
from tests.waiting import until

INSPECTOR = PACKAGES / "@modelcontextprotocol" / "inspector" / "clients" / "launcher" / "build" / "index.js"
HOLD = {"HANDOFFS_HOLD_SECONDS": "0.2"}

BOTH = ("stdio", "http")
# One method here and the other there: each start of an Inspector costs more than a second.
SOME = [("stdio", "legacy"), ("http", "modern")]
OTHERS = [("stdio", "modern"), ("http", "legacy")]


@pytest.fixture(scope="module")
async def hasty(home: Home, anyio_backend: str) -> AsyncGenerator[HttpServer]:
    """A server whose calls hardly wait."""
    async with Home(home.folder, HOLD).http() as server:
        yield server


class Inspector:
    """Runs one method and gives the exit code, the result, and what was said on standard error."""

    def __init__(self, node: str, home: Home, hasty: HttpServer) -> None:
        self._node, self._home, self._hasty = node, home, hasty

    async def __call__(self, transport: str, era: str, method: str, *args: str) -> tuple[int, dict[str, Any], str]:
        options = ["--cli", "--protocol-era", era, "--method", method, "--format", "json", "-q", *args]
        if transport == "http":
            shown = f"Authorization: Bearer {self._hasty.token}"
            target = ["--server-url", self._hasty.url, "--transport", "http", "--header", shown]
        else:
            # The server is given no environment but what is named.
            named = {name: value for name, value in self._home.env.items() if name.startswith(("HANDOFFS_", "XDG_"))}
            env = [word for name, value in (named | HOLD).items() for word in ("-e", f"{name}={value}")]
            target = [*env, "--", *HANDOFFS, "serve"]
        code, said, complaint = await output(
            self._node, INSPECTOR, *options, *target, cwd=self._home.folder, env=self._home.env
        )
        parsed: dict[str, Any] = json.loads(said) if said.strip() else {}
        return code, parsed.get("result", parsed), complaint


@pytest.fixture
def inspect(node: str, home: Home, hasty: HttpServer) -> Inspector:
    return Inspector(node, home, hasty)


def asking(message: str) -> list[str]:
    return ["tools/call", "--tool-name", "handoff_to_user", "--tool-arg", f"message={message}"]


@pytest.mark.parametrize("transport", BOTH)
async def test_a_call_without_a_dialog_is_told_where_the_person_can_answer(transport: str, inspect: Inspector) -> None:
    code, result, complaint = await inspect(transport, "legacy", *asking(f"Deploy over {transport}?"))
    assert code == 0, complaint
    got = result["structuredContent"]
    assert (got["status"], got["userInput"]) == ("PENDING", [{"text": ""}])
    assert f"`handoffs answer {got['handoffId']}` in a terminal" in got["guidance"]
    assert [block["text"] for block in result["content"]] == [got["guidance"]]


@pytest.mark.parametrize("transport", BOTH)
async def test_in_the_newer_era_it_declares_tasks_and_waits_for_the_answer(
    transport: str, home: Home, inspect: Inspector, inbox: None
) -> None:
    message = f"Release over {transport}?"
    done: list[tuple[int, dict[str, Any], str]] = []

    async def call() -> None:
        done.append(await inspect(transport, "modern", *asking(message)))

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(call)
        handoff = await until_open(home, message)
        answered = await home.command("answer", handoff.id, "go")
        assert answered.returncode == 0, answered.stderr
    [(code, result, complaint)] = done
    assert code == 0, complaint
    got = result["structuredContent"]
    assert (got["status"], got["values"], got["handoffId"]) == ("SUCCESS", {"response": "go"}, handoff.id)


async def until_open(home: Home, message: str) -> Handoff:
    async with SqliteStore(home.store) as store:

        async def asked() -> Handoff | None:
            found = await store.newest(open_only=True)
            return next((each for each in found if each.question.message == message), None)

        return await until(asked)


@pytest.mark.parametrize(("transport", "era"), SOME)
async def test_it_is_told_who_serves(transport: str, era: str, inspect: Inspector) -> None:
    code, result, complaint = await inspect(transport, era, "initialize")
    assert code == 0, complaint
    assert result["serverInfo"]["name"] == "handoffs"
    assert result["protocolVersion"] == ("2026-07-28" if era == "modern" else "2025-11-25")


@pytest.mark.parametrize(("transport", "era"), OTHERS)
async def test_it_finds_no_fault_with_the_schemas_of_the_tools(transport: str, era: str, inspect: Inspector) -> None:
    code, result, complaint = await inspect(transport, era, "tools/list", "--strict")
    assert (code, complaint) == (0, "")
    assert {"handoff_to_user", "check_handoff"} <= {tool["name"] for tool in result["tools"]}


async def test_a_call_that_is_wrong_is_an_error_to_a_script(inspect: Inspector) -> None:
    code, result, _ = await inspect("http", "legacy", "tools/call", "--tool-name", "handoff_to_user")
    assert code == 5
    assert result["structuredContent"]["status"] == "ERROR"
    assert "`message`" in result["structuredContent"]["guidance"]
