"""Completions of the arguments of resources and prompts."""

from mcp.server.mcpserver import MCPServer
from mcp.shared.exceptions import MCPError
from mcp.types import (
    INTERNAL_ERROR,
    Completion,
    CompletionArgument,
    CompletionContext,
    PromptReference,
    ResourceTemplateReference,
)

from handoffs.core.errors import HandoffError
from handoffs.core.ids import ID_PREFIX
from handoffs.mcp_server.callers.own import OwnHandoffs
from handoffs.mcp_server.prompts import ALSO, RULES, SUGGESTIONS
from handoffs.mcp_server.resources.resources import HANDOFF_URI

MOST = 100
"""How many values the protocol allows in one reply."""


def add_completions(server: MCPServer, own: OwnHandoffs) -> None:
    """Complete the ids of the caller's handoffs, newest first, and the argument of the rules prompt."""

    async def complete(
        ref: PromptReference | ResourceTemplateReference, argument: CompletionArgument, _: CompletionContext | None
    ) -> Completion:
        if isinstance(ref, ResourceTemplateReference) and (ref.uri, argument.name) == (HANDOFF_URI, "id"):
            return _first(await _ids(own, argument.value))
        if isinstance(ref, PromptReference) and (ref.name, argument.name) == (RULES, ALSO):
            typed = argument.value.casefold().strip()
            return _first([each for each in SUGGESTIONS if typed in each])
        return _first([])

    server.completion()(complete)


async def _ids(own: OwnHandoffs, typed: str) -> list[str]:
    prefix = typed if typed.startswith(ID_PREFIX) or ID_PREFIX.startswith(typed) else ID_PREFIX + typed
    try:
        handoffs = await own.newest(open_only=False)
    except HandoffError as error:
        raise MCPError(INTERNAL_ERROR, str(error)) from None
    return [handoff.id for handoff in handoffs if handoff.id.startswith(prefix)]


def _first(values: list[str]) -> Completion:
    return Completion(values=values[:MOST], total=len(values), has_more=len(values) > MOST)
