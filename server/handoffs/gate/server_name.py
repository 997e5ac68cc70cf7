"""By which name a server goes: the one that rules know, with a mark where other servers may have the same one.

What a person allows, pins and grants go by the whole name: a server that is started in another way is another server.
"""

import hashlib
import json
import re
from collections.abc import Sequence

_LAUNCHERS = frozenset(
    {"uv", "uvx", "run", "npx", "bunx", "pipx", "node", "deno", "docker", "env", "python", "python3"}
)

_MARK = re.compile(r" \[[0-9a-f]{6}\]\Z")


def marked(name: str, how: Sequence[str]) -> str:
    """Return a name with the mark of how the server is started or reached: `server.py [3f9c2a]`."""
    return f"{name} [{hashlib.sha256(json.dumps([*how]).encode()).hexdigest()[:6]}]"


def unmarked(name: str) -> str:
    """Return the name that rules know."""
    return _MARK.sub("", name)


def name_of(command: Sequence[str]) -> str:
    """Return what people call the server that a command starts: `mcp-server-git` of `uvx mcp-server-git -r .`.

    It is the first word that is neither an option nor what only starts others.
    """
    for word in command:
        name = word.replace("\\", "/").rstrip("/").rpartition("/")[2]
        stem = name.rpartition("@")[0] or name
        if not word.startswith("-") and stem not in _LAUNCHERS and not stem.startswith("python"):
            return stem
    return "server"


def says_all(name: str, command: Sequence[str]) -> bool:
    """Say whether a command is the name that it has, and nothing else."""
    return [each for each in command if each not in _LAUNCHERS] == [name]
