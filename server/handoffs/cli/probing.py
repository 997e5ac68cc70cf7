"""Probes of a host's entry: whether its command or server works, and reads its store.

Only our own entry in the person's own file is started. Others may have written a project's file, and hosts ask before
they start a server of it.
"""

import os
import re
import shutil
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, cast

import anyio
import httpx2
from mcp import Client, MCPError, StdioServerParameters
from mcp.client.stdio import stdio_client
from mcp.client.streamable_http import streamable_http_client
from mcp.types import Implementation

from handoffs import __version__
from handoffs.cli.installing.hosts import Host
from handoffs.cli.installing.planning import HEADER, Installed
from handoffs.core.untrusted import inert_line

SECONDS = 30.0
"""How long a server may take to start and to answer."""

TOOLS = {"handoff_to_user", "check_handoff"}
_NONE: Mapping[str, object] = {}


@dataclass(frozen=True, slots=True)
class Found:
    """The result of a probe."""

    works: bool
    said: str


async def probed(host: Host, entry: Installed, environ: Mapping[str, str]) -> Found:
    """Return whether a host's entry works: its command serves, or its server accepts the token."""
    if entry.url is not None:
        return await _called(host, entry, entry.url, environ)
    return await _started(host, entry, environ)


async def _started(host: Host, entry: Installed, environ: Mapping[str, str]) -> Found:
    command, arguments = entry.entry.get(host.command), entry.entry.get("args", [])
    if not isinstance(command, str) or not isinstance(arguments, list):
        return Found(False, "its command is written in a way that is not understood; `handoffs install` writes it anew")
    own = entry.entry.get(host.environment)
    variables = {
        name: str(value)
        for name, value in (cast("Mapping[str, object]", own) if isinstance(own, dict) else _NONE).items()
    }
    # The host does not have the settings of this shell.
    inherited = {name: value for name, value in environ.items() if not name.startswith("HANDOFFS_")}
    environment = inherited | variables
    if shutil.which(command, path=environment.get("PATH")) is None:
        again = f"`handoffs install {host.name}` writes one that is"
        return Found(False, f"its command {inert_line(command, 200)} is not there: {again}")
    words = [str(word) for word in cast("list[object]", arguments)]
    parameters = StdioServerParameters(command=command, args=words, env=environment, cwd=Path.home())
    with tempfile.TemporaryFile("w+", errors="replace") as said:
        transport = stdio_client(parameters, errlog=said)
        return await _served(transport, said, "It starts")


async def _called(host: Host, entry: Installed, url: str, environ: Mapping[str, str]) -> Found:
    writes = f"`handoffs install {host.name}` writes it"
    if not entry.shows_token:
        return Found(False, f"it shows no token to {inert_line(url, 100)}, which refuses every call; {writes}")
    headers = _headers(host, entry, environ)
    try:
        async with httpx2.AsyncClient(headers=headers, timeout=SECONDS) as http:
            got = await http.post(url, json={}, headers={"accept": "application/json, text/event-stream"})
            if got.status_code == 401:
                return Found(False, f"the token that it shows to {inert_line(url, 100)} is not good; {writes}")
            return await _served(streamable_http_client(url, http_client=http), None, "It is let in")
    except (httpx2.HTTPError, OSError):
        where = re.sub(r"^http://|/mcp/?$", "", url)
        return Found(
            False, f"no server runs at {inert_line(url, 100)}: `handoffs serve --http {inert_line(where, 60)}`"
        )


def _headers(host: Host, entry: Installed, environ: Mapping[str, str]) -> dict[str, str]:
    """Return the headers that a host would send, with the values of the variables in them."""
    http = host.http
    if http is None:
        return {}
    written = entry.entry.get(http.headers)
    headers: dict[str, str] = {}
    for name, value in (cast("Mapping[str, object]", written) if isinstance(written, dict) else _NONE).items():
        headers[name] = re.sub(r"\$\{(?:env:)?(\w+)\}", lambda found: environ.get(found[1], ""), str(value))
    variable = entry.entry.get(http.variable) if http.variable is not None else None
    if isinstance(variable, str):
        headers[HEADER] = f"Bearer {environ.get(variable, '')}"
    return headers


async def _served(transport: object, said: IO[str] | None, how: str) -> Found:
    """Connect as a host does, list the tools, and read a resource from the store."""
    info = Implementation(name="handoffs-doctor", version=__version__)
    begun = time.monotonic()
    why = f"it did not answer within {SECONDS:g} seconds"
    with anyio.move_on_after(SECONDS):
        try:
            async with Client(transport, client_info=info) as client:  # type: ignore[arg-type]
                why = await _looked_into(client)
            if why is None:
                took = time.monotonic() - begun
                return Found(True, f"{how}, and lists {', '.join(sorted(TOOLS))}; its store answers ({took:.1f} s).")
        except* (MCPError, OSError, RuntimeError) as group:  # a closed pipe, or a program that can't be run
            first = group.exceptions[0]
            why = inert_line(str(first), 300) if isinstance(first, MCPError) else "it ended before it answered"
    return Found(False, f"it does not work: {why}{_last_words(said)}")


async def _looked_into(client: Client) -> str | None:
    """Return the problem of a server that answers, or None."""
    try:
        if not {tool.name for tool in (await client.list_tools()).tools} >= TOOLS:
            return "it has no handoff_to_user: it is another server"
        await client.read_resource("handoff://open")
    except MCPError as refused:
        return inert_line(str(refused), 300)
    return None


def _last_words(said: IO[str] | None) -> str:
    if said is None:
        return ""
    said.seek(0, os.SEEK_END)
    said.seek(max(said.tell() - 2_000, 0))
    lines = [line for line in said.read().splitlines() if line.strip()]
    return f" ({inert_line(lines[-1], 300)})" if lines else ""
