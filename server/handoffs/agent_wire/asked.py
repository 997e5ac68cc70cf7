"""What an agent asks the person through its editor, as the table of a protocol reads it. Pure."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol, TypeAlias

MAX_KNOWN = 1_000
"""Tool calls, sessions and turns of which something is remembered: their names are the agent's."""


@dataclass(frozen=True, kw_only=True)
class Asked:
    """One request. The results are JSON, as the agent reads them."""

    id: str
    """The JSON of its id."""
    session: str = ""
    """The session that it belongs to, by the agent's name for it."""
    project: str = ""
    """The folder of that session; empty where it is not known."""
    refused: str
    """The result where nobody decides, and the editor must not."""
    stopped: str
    """The result where the turn was cancelled."""
    unfit: str = ""
    """Why the desk can't be asked, in words; empty where it can."""


@dataclass(frozen=True, kw_only=True)
class PermissionAsked(Asked):
    """Whether a tool may run."""

    tool: str
    arguments: str
    """A JSON object: all that is shown of the call."""
    named: bool
    """Whether the tool has a name of its own: else nothing is remembered beyond this very call."""
    note: str = ""
    """What a person should know beside that, in words of ours."""
    allowed: str
    """The result that allows it, once."""
    explained: Callable[[str], str] | None = None
    """Makes the result that denies it with the person's reason; None where the protocol has no place for one."""
    allowed_in_session: str = ""
    """The result that allows it for the rest of the session; empty where the desk does not offer that."""


@dataclass(frozen=True, kw_only=True)
class FormAsked(Asked):
    """A form."""

    source: str = ""
    """Who asks through the agent, such as an MCP server, in the agent's words; empty for the agent itself."""
    message: str
    seconds: float | None = None
    """When it is over by itself; None where it waits."""
    schema: Mapping[str, object]
    accepted: Callable[[Mapping[str, object]], str]
    """Makes the result of the values."""
    declined: str


@dataclass(frozen=True)
class Ended:
    """The turn of a session is over, or was cancelled: nothing that is asked in it needs an answer."""

    session: str


@dataclass(frozen=True)
class TakenBack:
    """Somebody else has ended this request: its agent takes it back, or has an answer."""

    id: str
    answered: bool = False
    """Whether the agent has its answer already."""


@dataclass(frozen=True)
class Begun:
    """A turn begins: a question may follow."""


Heard: TypeAlias = Asked | Ended | TakenBack | Begun


class Table(Protocol):
    """The requests of one protocol that are questions. It remembers what later lines refer to."""

    def from_agent(self, line: bytes) -> Heard | None:
        """Return what a line of the agent says that concerns questions; None for all others."""
        ...

    def from_editor(self, line: bytes) -> Heard | None:
        """The same of a line of the editor."""
        ...

    def reply(self, id: str, result: str) -> bytes:  # noqa: A002 - JSON-RPC's word
        """Return the line that answers a request."""
        ...

    def withdrawal(self, id: str) -> bytes | None:  # noqa: A002 - JSON-RPC's word
        """Return the line that tells the editor that a request was answered elsewhere; None where the agent does."""
        ...


def remember(known: dict[str, str], name: str, value: str) -> None:
    """Keep a value, and forget the oldest where there are too many."""
    known.pop(name, None)
    known[name] = value
    if len(known) > MAX_KNOWN:
        del known[next(iter(known))]
