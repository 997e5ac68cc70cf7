"""What others rely on by name: settings, commands, JSON, exit codes, tools, stored events. As one JSON document."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import typer

from handoffs.cli.app import app
from handoffs.console import Exit
from handoffs.core.desk import Desk
from handoffs.core.events import EVENTS
from handoffs.core.model import Caller, State
from handoffs.settings import PREFIX, Settings
from handoffs.store.sqlite.store import SqliteStore
from tests.acceptance.processes import Home
from tests.fakes import FakeClock
from tests.mcp_server.host import host, table

ADA = Caller(subject="ada", client="claude-code", project="/srv/shop")
DOCUMENTS = {
    "list": ("list", "--all", "--json"),
    "show": ("show", "ID", "--json"),
    "log": ("log", "--json"),
    "config": ("config", "--json"),
    "token list": ("token", "list", "--json"),
    "people list": ("people", "list", "--json"),
    "people sessions": ("people", "sessions", "--json"),
}


async def surface(folder: Path) -> dict[str, Any]:
    """Return all of it, made from what runs; works in a folder of its own."""
    return {
        "settings": {PREFIX + name.upper(): field.description or "" for name, field in Settings.model_fields.items()},
        "commands": dict(sorted(_commands(typer.main.get_command(app)))),
        "exit codes": {each.name: each.value for each in Exit},
        "events": {event.name: sorted(each.name for each in fields(event)) for event in EVENTS},
        "states": [state.value for state in State],
        "documents": await _documents(folder),
        "MCP": await _published(folder),
    }


def _commands(command: Any, path: str = "handoffs") -> Iterator[tuple[str, object]]:
    yield path, sorted(
        " ".join([*parameter.opts, *parameter.secondary_opts]) if parameter.param_type_name == "option"
        else f"{parameter.metavar or parameter.name}{'' if parameter.required else '?'}"
        for parameter in command.params
    )  # fmt: skip
    for name, below in getattr(command, "commands", {}).items():
        yield from _commands(below, f"{path} {name}")


async def _documents(folder: Path) -> dict[str, object]:
    """Return the keys of what commands print with `--json`, over a store with a handoff in each state."""
    home = Home(folder / "home")
    home.folder.mkdir()
    clock = FakeClock()
    async with SqliteStore(home.store) as store:
        desk = Desk(store=store, clock=clock)
        asked = [await desk.ask(message=f"{number}?", caller=ADA, options=["a", "b"]) for number in range(4)]
        await desk.answer(asked[0], {"response": "a"}, by="ada", channel="inbox")
        await desk.decline(asked[1], by="ada", channel="inbox", note="no")
        await desk.cancel(asked[2], by="ada", channel="inbox")
    home.run("token", "add", "ci")
    for name in ("ada", "bob"):
        home.run("people", "add", name)
    home.run("people", "away", "ada", "--until", "9000-01-01", "--deputy", "bob")
    async with SqliteStore(home.store) as store:
        await store.people.begin("digest", "ada", at=datetime.now(UTC), agent="Firefox")
    found: dict[str, object] = {}
    for name, arguments in DOCUMENTS.items():
        written = home.run(*(asked[0].id if each == "ID" else each for each in arguments)).stdout
        lines = written.splitlines() if name == "log" else [written]
        found[name] = sorted({key for line in lines if line.strip() for key in _keys(json.loads(line))})
    return found


def _keys(value: object, path: str = "") -> Iterator[str]:
    """Yield the paths of the keys in a document: `[].answer.by`."""
    if isinstance(value, Mapping):
        for name, below in value.items():
            here = f"{path}.{name}" if path else str(name)
            yield here
            # What a form, a log line's details and values hold is the agent's, or the event's.
            if name not in ("form", "details", "values"):
                yield from _keys(below, here)
    elif isinstance(value, Sequence) and not isinstance(value, str):
        for each in value:
            yield from _keys(each, f"{path}[]")


async def _published(folder: Path) -> dict[str, Any]:
    """Return what the server publishes to a host that may use all of it."""
    async with table(folder) as here, host(here.server(permission_tool="on"), "auto") as client:
        tools = (await client.list_tools()).tools
        prompts = (await client.list_prompts()).prompts
        resources = (await client.list_resource_templates()).resource_templates
    return {
        "tools": {each.name: {"in": each.input_schema, "out": each.output_schema} for each in tools},
        "prompts": {each.name: [argument.name for argument in each.arguments or ()] for each in prompts},
        "resources": [each.uri_template for each in resources],
    }
