"""Who asks, as the pages name them: inert text, for people to read and to filter by."""

from handoffs.core.display import folder_of, program_of
from handoffs.core.model import Caller
from handoffs.core.sentences import Sentence
from handoffs.core.untrusted import inert_line


def asker(caller: Caller) -> str:
    """Return the asker: the program, or the user if the program has no name."""
    return inert_line(program_of(caller) if caller.client else caller.subject, 80) or "An agent"


def folder(caller: Caller) -> str:
    """Return the agent's folder, shortened."""
    found = folder_of(caller)
    return found if isinstance(found, Sentence) else inert_line(found)
