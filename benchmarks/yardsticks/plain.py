"""The official SDK's `MCPServer` with tools that ask nobody, in both eras.

python plain.py [FILE]         over stdio; `kept` commits to that file
python plain.py --http PORT    over streamable HTTP on the loopback
"""

import sqlite3
import sys
from functools import cache

from mcp.server.mcpserver import MCPServer

server = MCPServer("plain", log_level="ERROR")


@server.tool()
async def add(a: int, b: int) -> int:
    """Add."""
    return a + b


@server.tool(structured_output=False)
async def text(size: int) -> str:
    """Return so many characters."""
    return "x" * size


@server.tool()
async def kept(a: int, b: int) -> int:
    """Add, and make one durable commit."""
    connection = _store()
    connection.execute("INSERT INTO sums (a, b) VALUES (?, ?)", (a, b))
    connection.commit()
    return a + b


@cache
def _store() -> sqlite3.Connection:
    connection = sqlite3.connect(sys.argv[1])
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=FULL")
    connection.execute("CREATE TABLE sums (a INTEGER, b INTEGER)")
    return connection


if __name__ == "__main__":
    if "--http" in sys.argv:
        server.run("streamable-http", port=int(sys.argv[-1]))
    else:
        server.run()
