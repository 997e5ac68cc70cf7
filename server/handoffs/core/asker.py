"""Who asks, as people are shown it everywhere: the agent's program, the folder it works in, and whose it is."""

from pathlib import Path

from handoffs.core.client_name import readable_name
from handoffs.core.model import Caller


def asker_of(caller: Caller) -> str:
    """Return who asks, on a line: the program and the folder it works in, `claude-code · ~/shop`.

    Before them the principal, where a token proved it, `token:ci · claude-code`: the rest is the program's own word.
    """
    proven = caller.subject if caller.authenticated else ""
    return " · ".join(part for part in (proven, program_of(caller), folder_of(caller)) if part)


def program_of(caller: Caller) -> str:
    """Return the program that asks; a name that tells nothing is told as one. Never empty."""
    return readable_name(caller.client)


def folder_of(caller: Caller) -> str:
    """Return the folder that the agent works in, from the home folder on, which is named; empty where it is unknown."""
    if not caller.project:
        return ""
    try:
        below = Path(caller.project).relative_to(Path.home())
    except (ValueError, RuntimeError):  # not below it; or nobody's home
        return caller.project
    return "the home folder" if below == Path() else str("~" / below)
