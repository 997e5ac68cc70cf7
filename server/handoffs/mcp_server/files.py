"""The files of an answer as a result of a tool, or a resource, carries them.

An image is an image of MCP; text that can be read is a text; all else is a blob. Each has an address, at which its
caller can read it again: some hosts show their model the structured content of a result alone.
"""

import base64
import re
from collections.abc import Mapping, Sequence
from urllib.parse import quote

from mcp.types import (
    BlobResourceContents,
    ContentBlock,
    EmbeddedResource,
    ImageContent,
    ResourceLink,
    TextResourceContents,
)

from handoffs.core.attachment import Attachment
from handoffs.core.desk import Desk
from handoffs.core.model import Handoff
from handoffs.mcp_server.words import FILES

MOST_OVER_HTTP = 800_000
"""How long the files in one result may be, as JSON. Clients of httpx2 refuse an event of more than 1 MiB."""

_TEXTS = r"text/.+|application/(json|xml|yaml|x-yaml|toml|javascript|sql|x-sh|.+\+(json|xml|yaml))"
_ADDRESS = rf"{FILES}(?P<id>h_[^/]+)/(?P<number>[1-9][0-9]?)(/[^/]*)?"


def uri_of_file(handoff: Handoff, number: int) -> str:
    """Return the address of a file of an answer, the first of which has the number 1."""
    return f"{FILES}{handoff.id}/{number}/{quote(handoff.attachments[number - 1].name, safe='')}"


def file_at(uri: str) -> tuple[str, int] | None:
    """Return the handoff's id and the file's number of an address; None if it is none of a file."""
    found = re.fullmatch(_ADDRESS, uri)
    return None if found is None else (found["id"], int(found["number"]))


def described(handoff: Handoff) -> Sequence[Mapping[str, object]]:
    """Return what the structured content says of the files: name, type, size, digest and address."""
    return [
        each.document() | {"uri": uri_of_file(handoff, number)} for number, each in enumerate(handoff.attachments, 1)
    ]


async def blocks_of(desk: Desk, handoff: Handoff, *, over_http: bool) -> Sequence[ContentBlock]:
    """Return the files of an answer. Raises FileChanged: one is not as the person gave it.

    Over HTTP, what is more than `MOST_OVER_HTTP` is linked to: the agent reads it at its address.
    """
    blocks: list[ContentBlock] = []
    taken = 0
    for number, each in enumerate(handoff.attachments, 1):
        uri = uri_of_file(handoff, number)
        block = _block(each, await desk.content(handoff, number), uri)
        taken += len(block.model_dump_json()) if over_http else 0
        if taken > MOST_OVER_HTTP:
            block = ResourceLink(
                type="resource_link", uri=uri, name=each.name, mime_type=each.media_type, size=each.size
            )
        blocks.append(block)
    return blocks


def resource(attachment: Attachment, content: bytes, uri: str) -> TextResourceContents | BlobResourceContents:
    """Return a file as the contents of a resource."""
    text = _text(attachment, content)
    if text is not None:
        return TextResourceContents(uri=uri, mime_type=attachment.media_type, text=text)
    return BlobResourceContents(uri=uri, mime_type=attachment.media_type, blob=base64.b64encode(content).decode())


def _block(attachment: Attachment, content: bytes, uri: str) -> ContentBlock:
    if attachment.is_image:
        return ImageContent(type="image", data=base64.b64encode(content).decode(), mime_type=attachment.media_type)
    return EmbeddedResource(type="resource", resource=resource(attachment, content, uri))


def _text(attachment: Attachment, content: bytes) -> str | None:
    if re.fullmatch(_TEXTS, attachment.media_type) is None:
        return None
    try:
        return content.decode()
    except UnicodeDecodeError:
        return None
