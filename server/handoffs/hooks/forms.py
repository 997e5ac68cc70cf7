"""A form that an MCP server has a host show (Claude Code's event `Elicitation`), asked at the desk instead.

Claude Code gives the server what the hook answers without looking at it, so the answer is one that the desk has checked
against the form that the server asked for.

A question of Handoffs itself is at the desk already, and must not come twice: an answer to the second would count for
the first as one of the host's dialog, whoever gave it. Our server has a name; under another one, and from a gate, its
questions are known by their words, and the decision on a held call by its form. They are left to the host's dialog.
"""

import secrets
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, TypeAlias, cast

from handoffs.channels import may_fill_in
from handoffs.core.action_form import is_action_form
from handoffs.core.desk import Desk
from handoffs.core.errors import QuestionRefused
from handoffs.core.model import Caller, Declared, Handoff, State
from handoffs.core.question import Asking, form_of
from handoffs.core.untrusted import inert, inert_line
from handoffs.hooks import plain_words, replies
from handoffs.hooks.events import Heard
from handoffs.os_user import current_user

if TYPE_CHECKING:  # only a rule that names people needs them
    from handoffs.core.deciders import Deciders

OWN = "handoffs"
"""The name of our own server in a host: its questions are at the desk already."""

MAX_NAME = 100
MOST_OPEN = 1_000
"""Open questions among which one of ours is looked for."""

AGAIN = "That answer does not fit: "
"""Begins the dialog of a question of ours that is shown again."""


Whose: TypeAlias = "Callable[[Caller, Asking], Awaitable[Deciders | None]]"
"""Says whose decision a question is. Raises QuestionRefused."""


class Inbox(Protocol):
    """Where a person finds the question."""

    async def invite(self, handoff: Handoff) -> str | None:
        """Have it show the handoff."""
        ...


@dataclass(frozen=True, kw_only=True)
class Form:
    """One form of an MCP server's."""

    heard: Heard
    server: str
    message: str
    schema: Mapping[str, object]

    @classmethod
    def of(cls, heard: Heard) -> "Form | None":
        """Return the form that an event asks for; None where it is not ours to ask: a link, or our own server's."""
        given = heard.given
        server, message, schema = (given.get(each) for each in ("mcp_server_name", "message", "requested_schema"))
        if given.get("mode", "form") != "form" or server == OWN or not isinstance(schema, dict):
            return None
        return cls(
            heard=heard,
            server=server if isinstance(server, str) else "",
            message=message if isinstance(message, str) else "",
            schema=cast("Mapping[str, object]", schema),
        )

    async def answer(self, desk: Desk, inbox: Inbox, whose: Whose, *, left: Callable[[], float]) -> str:
        """Ask, and return the reply. Raises HandoffError."""
        name = inert_line(self.server, MAX_NAME) or "without a name"
        session = f"Session `{self.heard.session}`. " if self.heard.session else ""
        message = f"{session}The MCP server {name} asks you, through {self.heard.host.title}:\n\n{self.message}"
        try:
            if await self._is_at(desk):
                return replies.NOTHING
            form = form_of(message, None, self.schema)
            if is_action_form(form):
                return replies.NOTHING
            if form.secret:
                return replies.elicited("cancel", said="Handoffs passes no secret to an MCP server through its host.")
            caller = Caller(subject=current_user(), client=self.heard.host.name, project=self.heard.project)
            handoff = await desk.ask(
                message=message,
                caller=caller,
                form=self.schema,
                deciders=await whose(caller, Asking(message=message, form=self.schema)),
                declared=Declared(transport="hook"),
                tool_use=f"{self.heard.session}:{self._id}",
            )
        except QuestionRefused as refused:
            return replies.elicited("cancel", said=plain_words.not_asked(str(refused)))
        if handoff.state is State.OPEN:
            await inbox.invite(handoff)
            handoff = await desk.wait(handoff.id, seconds=max(left() - 0.5, 0))
        if handoff.state is State.OPEN:
            return replies.elicited("cancel", said=plain_words.FORM_WAITING)
        await desk.check_proof(handoff)
        await desk.collect(handoff)
        end = handoff.end
        if handoff.state is State.ANSWERED and end is not None and may_fill_in(end.channel) and not handoff.other:
            return replies.elicited("accept", dict(handoff.values or {}))
        return replies.elicited("decline" if handoff.decided else "cancel", said=handoff.other)

    async def _is_at(self, desk: Desk) -> bool:
        """Say whether the desk asks this already."""
        for handoff in await desk.newest(open_only=True, limit=MOST_OPEN):
            shown = inert(handoff.question.message)
            if self.message == shown or (self.message.startswith(AGAIN) and self.message.endswith(f"\n\n{shown}")):
                return True
        return False

    @property
    def _id(self) -> str:
        found = self.heard.given.get("elicitation_id")
        # One of ours is never the same: what was answered to an earlier form is no answer to this one.
        return found if isinstance(found, str) and found else secrets.token_hex(8)
