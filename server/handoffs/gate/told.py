"""What the client is told of the tools: its own lists pass through the gate, and may say what the gate's list does not.

A server can tell the two apart. What the client's agent reads is what counts: a tool that the client was told otherwise
than the gate stays one until a later list of the client's says the same as the gate's.
"""

from collections.abc import Mapping, Set

from handoffs.gate.granted import digest_of
from handoffs.gate.relay.message import Message
from handoffs.gate.written import mapping, sequence, written

MAX_CURSORS = 1_000
"""Pages that may follow; the oldest are forgotten."""


class Told:
    """The definitions that the client of one session was told."""

    def __init__(self) -> None:
        """Begin with none."""
        self._lists = 0
        self._cursors: dict[str, int] = {}  # the list that each continues
        self._tools: dict[str, tuple[int, list[str]]] = {}  # since which list, and all that was said since, newest last

    def note(self, asked: Message, answer: Message) -> None:
        """Take a page of a list. An error, or what is no list, says nothing."""
        result = mapping(answer.body.get("result"))
        cursor, following = asked.params.get("cursor"), result.get("nextCursor")
        if cursor is None:
            self._lists += 1
        # A page of no known list says what it says, and takes nothing back.
        number = self._lists if cursor is None else self._cursors.get(written(cursor), 0)
        if following is not None:
            self._cursors.pop(written(following), None)
            self._cursors[written(following)] = number
            if len(self._cursors) > MAX_CURSORS:
                del self._cursors[next(iter(self._cursors))]
        for each in sequence(result.get("tools")):
            if isinstance(name := mapping(each).get("name"), str):
                self._add(name, written(each), number)

    def _add(self, tool: str, definition: str, number: int) -> None:
        since, said = self._tools.get(tool, (0, []))
        # In one list, the tool may be there twice: whichever the client takes, what differs must not be taken back.
        kept = [each for each in said if each != definition] if number <= since else []
        self._tools[tool] = (max(since, number), [*kept, definition])

    def differing(self, listed: Mapping[str, str], twice: Set[str]) -> dict[str, str]:
        """Return the definitions that are others than the gate was told, and forget those that are the same."""
        found: dict[str, str] = {}
        for tool, (since, said) in list(self._tools.items()):
            own = listed.get(tool)
            others = [each for each in said if own is None or not _are_same(each, own)]
            if tool in twice or not others:
                del self._tools[tool]
                continue
            self._tools[tool] = (since, others)
            found[tool] = others[-1]
        return found


def _are_same(one: str, other: str) -> bool:
    return one == other or digest_of(one) == digest_of(other)
