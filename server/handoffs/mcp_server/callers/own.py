"""The caller's view of handoffs: who calls, what its host can do, and which handoffs are its own."""

from dataclasses import replace

from mcp.server.mcpserver import Context

from handoffs.core.desk import Desk
from handoffs.core.errors import NotFound
from handoffs.core.model import Caller, Declared, Handoff
from handoffs.mcp_server.callers.capabilities import client_of, declared_by
from handoffs.mcp_server.callers.joining import Joining
from handoffs.mcp_server.callers.subject import subject_of_request


class OwnHandoffs:
    """The handoffs of the caller whose request is being served, and no others."""

    def __init__(self, desk: Desk, *, subject: str | None, project: str, joining: Joining) -> None:
        """Take the parts. Without a `subject` every request must be authenticated.

        `project` is the folder that callers on stdio work in; `joining` says which clients are given no list.
        """
        self._desk, self._subject, self._project, self._joining = desk, subject, project, joining

    @property
    def subject(self) -> str:
        """The subject of the request that is being served. Raises NotAuthenticated when the caller is not known."""
        return subject_of_request(otherwise=self._subject)

    def caller(self, context: Context) -> Caller:
        """Return the caller of a call. Raises NotAuthenticated."""
        # Over HTTP the server's own folder says nothing about where the agent works.
        project = "" if context.headers is not None else self._project
        return Caller(subject=self.subject, client=client_of(context), project=project)

    def declared_by(self, context: Context) -> Declared:
        """Return the capabilities of a call's host; without any way to ask on a pipe that several clients share."""
        declared = declared_by(context)
        return replace(declared, abilities=()) if self._joining.is_shared(context) else declared

    async def get(self, handoff_id: str) -> Handoff:
        """Return a handoff of this caller by its whole id. Raises NotFound, also for another caller's handoff."""
        subject = self.subject
        handoff = await self._desk.get(handoff_id)
        if handoff.caller.subject != subject:
            raise NotFound(handoff_id)
        return handoff

    async def get_proved(self, handoff_id: str) -> Handoff:
        """Return a handoff of this caller, whose answer may be believed. Raises NotFound and NotProved."""
        handoff = await self.get(handoff_id)
        await self._desk.check_proof(handoff)
        return handoff

    async def content(self, handoff: Handoff, number: int) -> bytes:
        """Return the bytes of a file of an answer. Raises NotFound and FileChanged."""
        return await self._desk.content(handoff, number)

    async def newest(self, *, open_only: bool) -> list[Handoff]:
        """Return this caller's newest thousand handoffs, newest first; none if other people's may be among them."""
        if not self._joining.lists:
            return []
        return list(await self._desk.newest_of(self.subject, open_only=open_only))
