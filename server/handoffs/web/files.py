"""The files of answers, for the people who may see the question: images as images, all else as downloads."""

from collections.abc import Awaitable, Callable
from urllib.parse import quote

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from handoffs.core.attachment import ANY_TYPE, Attachment
from handoffs.core.desk import Desk
from handoffs.core.errors import FileChanged
from handoffs.core.model import Handoff
from handoffs.web.guard import FILE_POLICY
from handoffs.web.receiving import Unreadable


class Files:
    """Serves the files of answers."""

    def __init__(self, desk: Desk, *, find: Callable[[Request], Awaitable[Handoff]]) -> None:
        """Take the desk, and what returns the question of an address, where the person may see it."""
        self._desk, self._find = desk, find

    def routes(self) -> list[Route]:
        """Return the addresses."""
        return [Route("/h/{id}/files/{number:int}", self.file)]

    async def file(self, request: Request) -> Response:
        """Return a file of an answer; with `download` in the address, an image, too, as a file to keep."""
        handoff = await self._find(request)
        number = int(request.path_params["number"])
        if not 0 < number <= len(handoff.attachments):
            raise HTTPException(404)
        attachment = handoff.attachments[number - 1]
        try:
            content = await self._desk.content(handoff, number)
        except FileChanged as changed:
            raise Unreadable(409, str(changed)) from None
        inline = attachment.is_image and "download" not in request.query_params
        headers = {"Content-Security-Policy": FILE_POLICY}
        if not inline:
            headers["Content-Disposition"] = as_download(attachment)
        return Response(content, media_type=attachment.media_type if inline else ANY_TYPE, headers=headers)


def as_download(attachment: Attachment) -> str:
    """Return the header by which a browser keeps a file under its name, and shows nothing of it."""
    return f"attachment; filename*=UTF-8''{quote(attachment.name, safe='')}"
