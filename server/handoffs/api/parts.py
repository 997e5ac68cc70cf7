"""What the interface for programs needs of others."""

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Protocol, TypeAlias

from handoffs.core.model import Caller, Handoff
from handoffs.core.question import Asking

if TYPE_CHECKING:
    from handoffs.core.deciders import Deciders

Whose: TypeAlias = Callable[[Caller, Asking], Awaitable["Deciders | None"]]
"""Returns who may decide what is asked."""


class Inbox(Protocol):
    """The inbox in which people answer."""

    async def invite(self, handoff: Handoff) -> str | None:
        """Have it show the handoff, and return its address there; None where there is none."""
        ...
