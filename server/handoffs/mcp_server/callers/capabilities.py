"""The capabilities that a client declares: its name, and how it can ask a person. None of it need be true."""

from mcp.server.apps import client_supports_apps
from mcp.server.context import ServerRequestContext
from mcp.server.mcpserver import Context
from mcp.types import ClientCapabilities

from handoffs.asking.host_dialog import HostDialog
from handoffs.asking.task_fields import TASKS
from handoffs.core.model import Declared
from handoffs.core.untrusted import inert_line
from handoffs.hosts import host_named

MODERN = "2026-07-28"
"""The version of MCP from which a call returns to have the host ask, instead of asking while it is open."""

FORM, URL, LONG, CARD = "form", "url", "tasks", "ui"

CARD_CHANNEL = "card"
"""The channel of answers given in a card."""


def client_of(context: Context) -> str:
    """Return the client's own name; empty where it gave none."""
    params = context.session.client_params
    return inert_line(params.client_info.name, 100) if params is not None else ""


def declared_by(context: Context) -> Declared:
    """Return the capabilities that the client of a call declared."""
    request = context.request_context
    params, capabilities = request.session.client_params, request.session.client_capabilities
    abilities: list[str] = []
    if capabilities is not None:
        asks = capabilities.elicitation
        if shows_forms(capabilities):
            abilities.append(FORM)
        if asks is not None and asks.url is not None:
            abilities.append(URL)
        # Some clients declare it on an older connection, too, where tasks do not exist.
        if request.protocol_version == MODERN and TASKS in (capabilities.extensions or {}):
            abilities.append(LONG)
        if client_supports_apps(request):
            abilities.append(CARD)
    return Declared(
        version=inert_line(params.client_info.version, 60) if params is not None else "",
        protocol=request.protocol_version or "",
        transport="stdio" if context.headers is None else "http",
        abilities=tuple(abilities),
    )


def shows_forms(capabilities: ClientCapabilities | None) -> bool:
    """Say whether a client has declared that it shows forms. An empty declaration means forms, in both eras."""
    asks = capabilities.elicitation if capabilities is not None else None
    return asks is not None and (asks.form is not None or asks.url is None)


def host_dialog_of(context: Context | ServerRequestContext[object, object]) -> HostDialog:
    """Return the dialog of the host that a request came from."""
    params = context.session.client_params
    return HostDialog(host_named(params.client_info.name if params else ""), context.protocol_version or "")
