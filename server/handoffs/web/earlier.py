"""What a person decided a short while before, when the same question was asked: read once, shown with the new one."""

from collections import OrderedDict
from collections.abc import Iterable

from handoffs.core.desk import Desk
from handoffs.core.errors import NotFound
from handoffs.core.model import Handoff

_KEPT = 1_000


class Earlier:
    """The decided handoffs that open ones name as their `earlier`."""

    def __init__(self, desk: Desk) -> None:
        """Take the desk; nothing is read yet."""
        self._desk = desk
        self._known: OrderedDict[str, Handoff | None] = OrderedDict()

    async def look_up(self, handoffs: Iterable[Handoff]) -> None:
        """Read what these name, to be there for `of`."""
        for handoff in handoffs:
            if handoff.earlier and handoff.earlier not in self._known:
                try:
                    self._known[handoff.earlier] = await self._desk.get(handoff.earlier)
                except NotFound:  # cleared away meanwhile
                    self._known[handoff.earlier] = None
        while len(self._known) > _KEPT:
            self._known.popitem(last=False)

    def of(self, handoff: Handoff) -> Handoff | None:
        """Return what was decided before; None where nothing was, or it is not there any more."""
        return self._known.get(handoff.earlier)
