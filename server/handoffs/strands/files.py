"""Files of an answer that Strands hands to no model: what the agent is told of them instead."""

from urllib.parse import unquote

from mcp.types import BlobResourceContents, EmbeddedResource, ResourceLink

from handoffs.core.untrusted import inert_line


def words_for(content: object) -> str | None:
    """Return what is said in place of a file; None for what is no file.

    A document is not made of it: models that take none would end the agent's run because a person gave one.
    """
    match content:
        case ResourceLink(uri=uri, mime_type=kind):
            pass
        case EmbeddedResource(resource=BlobResourceContents(uri=uri, mime_type=kind)):
            pass
        case _:
            return None
    name = inert_line(unquote(str(uri).rpartition("/")[2]), 200)
    address = inert_line(str(uri), 400)
    return f"[The file {name} ({inert_line(kind or 'of no known type', 100)}) is not shown to you. It is at {address}]"
