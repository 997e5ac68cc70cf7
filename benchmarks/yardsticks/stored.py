"""The bare server again, which now writes the question and the answer down: two durable commits, inline, no more.

What no server that keeps its promise on this machine's disk can beat: it has no other process, no second channel, no
thread, no form to check, and it blocks its event loop while the disk works.

    python stored.py FILE                over stdio
    python stored.py FILE --http PORT    over streamable HTTP on the loopback
"""

import json
import sqlite3
import sys

from mcp.server.mcpserver import Context, MCPServer
from mcp.types import (
    CallToolResult,
    ElicitRequest,
    ElicitRequestFormParams,
    ElicitResult,
    InputRequiredResult,
    TextContent,
)

NEWER_ERA = "2026-07-28"
FORM = {"type": "object", "properties": {"response": {"type": "string"}}, "required": ["response"]}
TABLES = """
    PRAGMA journal_mode = WAL;
    PRAGMA synchronous = FULL;
    CREATE TABLE handoffs (id INTEGER PRIMARY KEY, message TEXT, state TEXT, answer TEXT);
    CREATE TABLE events (handoff_id INTEGER, name TEXT);
"""

server = MCPServer("stored", log_level="ERROR")
database = sqlite3.connect(sys.argv[1], isolation_level=None)
database.executescript(TABLES)


@server.tool()
async def handoff_to_user(message: str, ctx: Context) -> CallToolResult | InputRequiredResult:
    """Ask the person."""
    if ctx.protocol_version != NEWER_ERA:
        kept = _open(message)
        answer = await ctx.session.elicit_form(message, FORM, related_request_id=ctx.request_id)
        return _answer(kept, answer)
    given = (ctx.input_responses or {}).get("question")
    if isinstance(given, ElicitResult) and ctx.request_state is not None:
        return _answer(int(ctx.request_state), given)
    form = ElicitRequestFormParams(message=message, requested_schema=FORM)
    asked = {"question": ElicitRequest(params=form)}
    return InputRequiredResult(input_requests=asked, request_state=str(_open(message)))


def _open(message: str) -> int:
    database.execute("BEGIN IMMEDIATE")
    kept = database.execute("INSERT INTO handoffs (message, state) VALUES (?, 'open')", (message,)).lastrowid
    database.execute("INSERT INTO events VALUES (?, 'opened')", (kept,))
    database.execute("COMMIT")
    return kept or 0


def _answer(kept: int, answer: ElicitResult) -> CallToolResult:
    content = answer.content or {}
    database.execute("BEGIN IMMEDIATE")
    update = "UPDATE handoffs SET state = 'answered', answer = ? WHERE id = ? AND state = 'open'"
    database.execute(update, (json.dumps(content), kept))
    database.execute("INSERT INTO events VALUES (?, 'answered')", (kept,))
    database.execute("COMMIT")
    return CallToolResult(content=[TextContent(type="text", text=f"The person answered: {content['response']}")])


if __name__ == "__main__":
    if "--http" in sys.argv:
        server.run("streamable-http", port=int(sys.argv[-1]))
    else:
        server.run()
