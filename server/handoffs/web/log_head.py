"""The head of the verifiable log, as the inbox shows it."""

from typing import Protocol

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route


class Log(Protocol):
    """The verifiable log of a store."""

    @property
    def line(self) -> str:
        """How long it is, and its root, as a line; empty until that was read."""
        ...

    async def checkpoint(self) -> bytes:
        """Return the signed checkpoint of all that was recorded until now. Raises StoreError."""
        ...


def log_routes(log: Log | None) -> list[Route]:
    """Return the route of the signed checkpoint, for who wants to keep it."""
    if log is None:
        return []

    async def checkpoint(_: Request) -> Response:
        return PlainTextResponse(await log.checkpoint())

    return [Route("/log/checkpoint", checkpoint)]
