"""The name that a client gives itself: without parts that change from day to day, and readable for a person."""

import re

_VIA = re.compile(r" \(via mcp-remote[^()]*\)\Z")
"""The suffix that mcp-remote adds to the name of the client that it passes on."""

_GENERIC = frozenset(("", "mcp", "fastmcp"))
"""Names of libraries: programs that use them send these names as their own."""

_TRANSPORT = re.compile(r"(?:stdio|sse|streamable[- ]?http|http): *", re.IGNORECASE)
"""The prefix that OpenAI Agents for JavaScript puts before the command or address of the server that it calls."""


def bare_name(client: str) -> str:
    """Return a client's name without the suffix of mcp-remote, which changes with its version."""
    return _VIA.sub("", client)


def readable_name(client: str) -> str:
    """Return a client's name for a person. A library's name or a path is shown as `an agent (…)`.

    `mcp` becomes `an agent (mcp)`, and `stdio: /usr/local/bin/handoffs` becomes `an agent (handoffs)`.
    """
    name = client.strip()
    told = _TRANSPORT.sub("", name, count=1)
    if told != name or told.startswith(("/", "~/", "./", "\\")) or re.match(r"[A-Za-z]:\\", told):
        # An address may carry a key behind its host.
        host = re.match(r"[a-z][a-z0-9+.-]*://(?:[^/?#]*@)?([^/?#]+)", told, re.IGNORECASE)
        parts = re.split(r"[/\\]", told.split("?")[0].rstrip("/\\"))
        told = host[1] if host else parts[-1]
        return f"an agent ({told})" if told else "an agent"
    if name.casefold() in _GENERIC:
        return f"an agent ({name})" if name else "an agent"
    return name
