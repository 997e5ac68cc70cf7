"""The server that `--url` names, and the headers that it is to get. A header's value is in no error and in no repr."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import urlsplit

from handoffs.console import UsageError

OWN: Final = re.compile(r"(?i)mcp-.*|accept|connection|content-.*|host|last-event-id|transfer-encoding")
"""Headers that the gate makes itself."""

_TOKEN = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_VALUE = re.compile(r"[\x20-\x7e]+")


@dataclass(frozen=True, kw_only=True)
class RemoteServer:
    """A server over HTTP."""

    url: str = field(repr=False)
    headers: Mapping[str, str] = field(default_factory=dict[str, str], repr=False)


def remote_server(
    url: str, headers: Sequence[str], headers_from_env: Sequence[str], environ: Mapping[str, str]
) -> RemoteServer:
    """Return what was typed after `--url`, `--header` and `--header-from-env`. Raises UsageError."""
    server_name(url)
    found: dict[str, str] = {}
    for number, each in enumerate(headers, 1):
        name, equals, value = each.partition("=")
        if not equals or not _TOKEN.fullmatch(name):
            raise UsageError(f"--header number {number} must be NAME=VALUE, such as 'X-Team=blue', in quotes.")
        _add(found, name, value, f"The value of the header {name}")
    for number, each in enumerate(headers_from_env, 1):
        name, equals, value = each.partition("=")
        prefix, blank, variable = value.rpartition(" ")
        if not equals or not _TOKEN.fullmatch(name) or not variable:
            raise UsageError(
                f"--header-from-env number {number} must be NAME=VARIABLE, such as 'X-Api-Key=API_KEY', or"
                " 'Authorization=Bearer API_TOKEN'."
            )
        if variable not in environ:
            # Whoever writes the value here by mistake must not find it in a log.
            named = f" {variable}" if re.fullmatch(r"[A-Z][A-Z0-9_]*", variable) else ""
            raise UsageError(f"The variable{named} that --header-from-env names for the header {name} is not set.")
        held = environ[variable].strip()
        _add(found, name, held and prefix + blank + held, f"What the variable for the header {name} holds")
    return RemoteServer(url=url, headers=found)


def server_name(url: str) -> str:
    """Return what rules and people call the server at a URL: its host, with the port where it has one."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        parts, host, port = None, "", None
    if parts is None or parts.scheme not in {"http", "https"} or not host or not _VALUE.fullmatch(url) or " " in url:
        raise UsageError("--url must be the address of an MCP server: https://HOST/PATH.")
    return f"{host}:{port}" if port else host


def _add(found: dict[str, str], name: str, value: str, what: str) -> None:
    if OWN.fullmatch(name):
        raise UsageError(f"The gate makes the header {name} itself.")
    if any(name.lower() == each.lower() for each in found):
        raise UsageError(f"The header {name} is given twice.")
    if not _VALUE.fullmatch(value := value.strip()):
        raise UsageError(f"{what} must be printable ASCII on one line, and not empty.")
    found[name] = value
