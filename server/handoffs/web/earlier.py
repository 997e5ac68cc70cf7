"""Earlier decisions of the same question: read once, and shown with the new question."""

from collections import OrderedDict
from collections.abc import Iterable

from handoffs.core.desk import Desk
from handoffs.core.errors import NotFound
from handoffs.core.model import Handoff

_MAX_KNOWN = 1_000


class Earlier:
    """The decided handoffs that open ones name as their `earlier`."""

    def __init__(self, desk: Desk) -> None:
        """Take the desk; nothing is read yet."""
        self._desk = desk
        self._known: OrderedDict[str, Handoff | None] = OrderedDict()

    async def look_up(self, handoffs: Iterable[Handoff]) -> None:
        """Read the earlier handoffs of these, for `of`."""
        for handoff in handoffs:
            if handoff.earlier and handoff.earlier not in self._known:
                try:
                    self._known[handoff.earlier] = await self._desk.get(handoff.earlier)
                except NotFound:  # pruned meanwhile
                    self._known[handoff.earlier] = None
        while len(self._known) > _MAX_KNOWN:
            self._known.popitem(last=False)

    def of(self, handoff: Handoff) -> Handoff | None:
        """Return the earlier handoff; None if there is none, or it was pruned."""
        return self._known.get(handoff.earlier)
