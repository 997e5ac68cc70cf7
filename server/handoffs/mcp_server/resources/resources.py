"""The resources `handoff://open` and `handoff://{id}`: a host reads its caller's handoffs, and the files of answers.

Hosts fetch resources in advance, so an outcome read here does not count as handed over to the agent.
"""

import json
from typing import Any, cast

from mcp.server.context import CallNext, HandlerResult, ServerMiddleware, ServerRequestContext
from mcp.server.mcpserver import MCPServer
from mcp.server.mcpserver.exceptions import ResourceError, ResourceNotFoundError
from mcp.server.mcpserver.resources import Resource
from mcp.shared.exceptions import MCPError
from mcp.types import INTERNAL_ERROR, INVALID_PARAMS, Annotations, ReadResourceResult
from pydantic import ConfigDict

from handoffs.core.display import stamp
from handoffs.core.document import document, summary, title
from handoffs.core.errors import HandoffError, NotFound
from handoffs.core.untrusted import inert_line
from handoffs.mcp_server.callers.own import OwnHandoffs
from handoffs.mcp_server.words import FILES

SCHEME = "handoff://"
OPEN_URI = f"{SCHEME}open"
HANDOFF_URI = f"{SCHEME}{{id}}"
"""A template. No id is `open`, since every id begins with `h_`."""

LISTED = 100
"""How many open handoffs `resources/list` names; `handoff://open` has all."""

JSON = "application/json"


def uri_of(handoff_id: str) -> str:
    """Return the URI of a handoff."""
    return SCHEME + handoff_id


def add_resources(server: MCPServer, own: OwnHandoffs) -> None:
    """Publish the handoffs of the caller."""

    async def read(id: str) -> str:  # noqa: A002 - the template's name for it
        try:
            return json.dumps(document(await own.get_proved(id)))
        except NotFound:
            raise ResourceNotFoundError(f"Unknown resource: {uri_of(inert_line(id, 80))}") from None
        except HandoffError as error:
            raise ResourceError(str(error)) from None

    server.add_resource(_Open(own))
    server.resource(
        HANDOFF_URI,
        name="handoff",
        title="A question",
        description="One question to the person, open or ended, with its answer.",
        mime_type=JSON,
    )(read)


def reading_files(own: OwnHandoffs) -> ServerMiddleware[Any]:
    """Return the middleware that reads the files of answers: each has a type of its own, which no template has."""

    async def read_files(ctx: ServerRequestContext[Any, Any], call_next: CallNext) -> HandlerResult:
        uri = str((ctx.params or {}).get("uri", ""))
        if not uri.startswith(FILES):
            return await call_next(ctx)
        from handoffs.mcp_server.files import file_at, resource  # few answers have files

        if (at := file_at(uri)) is None:
            return await call_next(ctx)
        try:
            handoff_id, number = at
            handoff = await own.get_proved(handoff_id)
            content = await own.content(handoff, number)
        except NotFound:
            unknown = f"Unknown resource: {inert_line(uri, 80)}"
            raise MCPError(code=INVALID_PARAMS, message=unknown, data={"uri": uri}) from None
        except HandoffError as error:
            raise MCPError(code=INTERNAL_ERROR, message=str(error), data={"uri": uri}) from None
        return ReadResourceResult(contents=[resource(handoff.attachments[number - 1], content, uri)])

    return read_files


def naming_open_ones(own: OwnHandoffs) -> ServerMiddleware[Any]:
    """Return the middleware that adds each open handoff to the list of resources, by name."""

    async def name_open_ones(ctx: ServerRequestContext[Any, Any], call_next: CallNext) -> HandlerResult:
        result = await call_next(ctx)
        if isinstance(result, dict):
            cast("list[object]", result["resources"]).extend(await _named(own))
        return result

    return name_open_ones


class _Open(Resource):
    model_config = ConfigDict(arbitrary_types_allowed=True)

    own: OwnHandoffs

    def __init__(self, own: OwnHandoffs) -> None:
        super().__init__(
            uri=OPEN_URI,
            name="open",
            title="Open questions",
            description="The questions to the person that nobody has answered yet, newest first.",
            mime_type=JSON,
            annotations=Annotations(audience=["user", "assistant"]),
            own=own,  # pyright: ignore[reportCallIssue] - a field of this class
        )

    async def read(self) -> str:
        try:
            return json.dumps([summary(handoff) for handoff in await self.own.newest(open_only=True)])
        except HandoffError as error:
            raise ResourceError(str(error)) from None


async def _named(own: OwnHandoffs) -> list[dict[str, object]]:
    """Return the open handoffs as entries of the list of resources; none while the store is unavailable."""
    try:
        handoffs = await own.newest(open_only=True)
    except HandoffError:
        return []  # reading a resource says why
    return [
        {
            "uri": uri_of(handoff.id),
            "name": handoff.id,
            "title": title(handoff),
            "description": f"Open until {stamp(handoff.question.deadline)}.",
            "mimeType": JSON,
        }
        for handoff in handoffs[:LISTED]
    ]
