"""By which name a server goes: the one that rules know, with a mark where other servers may have the same one.

What a person allows, pins and grants go by the whole name: a server that is started in another way is another server.
"""

import hashlib
import json
import re
from collections.abc import Sequence

_MARK = re.compile(r" \[[0-9a-f]{6}\]\Z")


def marked(name: str, how: Sequence[str]) -> str:
    """Return a name with the mark of how the server is started or reached: `server.py [3f9c2a]`."""
    return f"{name} [{hashlib.sha256(json.dumps([*how]).encode()).hexdigest()[:6]}]"


def unmarked(name: str) -> str:
    """Return the name that rules know."""
    return _MARK.sub("", name)
