"""The bare server again, which now writes the question and the answer down: two durable commits, no more.

What no server that keeps its promise on this machine's disk can beat: it has no second channel, no form to check, and
no other process to tell. On SQLite it blocks its event loop while the disk works; on PostgreSQL it has one connection.
It returns what ours returns, under the same output schema, so that its client reads and checks the same.

    python stored.py WHERE                over stdio; WHERE is a file, or a postgresql:// URL
    python stored.py WHERE --http PORT    over streamable HTTP on the loopback
"""

import json
import sqlite3
import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Literal

from mcp.server.mcpserver import Context, MCPServer
from mcp.types import (
    CallToolResult,
    ElicitRequest,
    ElicitRequestFormParams,
    ElicitResult,
    InputRequests,
    InputRequiredResult,
    TextContent,
)
from pydantic import BaseModel

NEWER_ERA = "2026-07-28"
FORM = {"type": "object", "properties": {"response": {"type": "string"}}, "required": ["response"]}
TABLES = """
    PRAGMA journal_mode = WAL;
    PRAGMA synchronous = FULL;
    CREATE TABLE handoffs (id INTEGER PRIMARY KEY, message TEXT, state TEXT, answer TEXT);
    CREATE TABLE events (handoff_id INTEGER, name TEXT);
"""
SCHEMA = """
    CREATE TABLE handoffs (id serial PRIMARY KEY, message text, state text, answer text);
    CREATE TABLE events (handoff_id integer, name text)
"""

if TYPE_CHECKING:
    import asyncpg


class Sqlite:
    """Two transactions, inline."""

    def __init__(self, file: str) -> None:
        self.database = sqlite3.connect(file, isolation_level=None)
        self.database.executescript(TABLES)

    async def open(self, message: str) -> int:
        """Keep a question; return its number."""
        self.database.execute("BEGIN IMMEDIATE")
        sql = "INSERT INTO handoffs (message, state) VALUES (?, 'open')"
        kept = self.database.execute(sql, (message,)).lastrowid
        self.database.execute("INSERT INTO events VALUES (?, 'opened')", (kept,))
        self.database.execute("COMMIT")
        return kept or 0

    async def answer(self, kept: int, content: object) -> None:
        """Keep its answer."""
        self.database.execute("BEGIN IMMEDIATE")
        update = "UPDATE handoffs SET state = 'answered', answer = ? WHERE id = ? AND state = 'open'"
        self.database.execute(update, (json.dumps(content), kept))
        self.database.execute("INSERT INTO events VALUES (?, 'answered')", (kept,))
        self.database.execute("COMMIT")


class Postgres:
    """Two statements, each a transaction of its own."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.connection: asyncpg.Connection | None = None

    async def _connected(self) -> "asyncpg.Connection":
        import asyncpg

        if self.connection is None:
            connection: asyncpg.Connection = await asyncpg.connect(self.url)
            await connection.execute(SCHEMA)
            self.connection = connection
        return self.connection

    async def open(self, message: str) -> int:
        """Keep a question; return its number."""
        sql = """WITH kept AS (INSERT INTO handoffs (message, state) VALUES ($1, 'open') RETURNING id)
            INSERT INTO events SELECT id, 'opened' FROM kept RETURNING handoff_id"""
        number: int | None = await (await self._connected()).fetchval(sql, message)
        assert number is not None
        return number

    async def answer(self, kept: int, content: object) -> None:
        """Keep its answer."""
        sql = """WITH kept AS (
                UPDATE handoffs SET state = 'answered', answer = $1 WHERE id = $2 AND state = 'open' RETURNING id)
            INSERT INTO events SELECT id, 'answered' FROM kept"""
        await (await self._connected()).execute(sql, json.dumps(content), kept)


class Text(BaseModel):
    """A piece of text."""

    text: str = ""


class Result(BaseModel):
    """The structured result of our tool, as `handoffs.mcp_server.tools.OUTPUT_SCHEMA` says it."""

    content: list[Text]
    userInput: list[Text]
    status: Literal["SUCCESS", "DECLINED", "CANCELLED", "TIMEOUT", "PENDING", "ERROR"]
    toolUseId: str
    handoffId: str = ""
    values: dict[str, object] = {}
    other: str = ""
    answeredBy: str = ""
    answeredAt: str = ""
    channel: str = ""
    breakoutOfLoop: bool = False
    guidance: str = ""


server = MCPServer("stored", log_level="ERROR")
store = Postgres(sys.argv[1]) if sys.argv[1].startswith("postgresql:") else Sqlite(sys.argv[1])


@server.tool()
async def handoff_to_user(message: str, ctx: Context) -> Annotated[CallToolResult, Result] | InputRequiredResult:
    """Ask the person."""
    if ctx.protocol_version != NEWER_ERA:
        kept = await store.open(message)
        answer = await ctx.session.elicit_form(message, FORM, related_request_id=ctx.request_id)
        return await _answer(message, kept, answer)
    given = (ctx.input_responses or {}).get("question")
    if isinstance(given, ElicitResult) and ctx.request_state is not None:
        return await _answer(message, int(ctx.request_state), given)
    form = ElicitRequestFormParams(message=message, requested_schema=FORM)
    asked: InputRequests = {"question": ElicitRequest(params=form)}
    return InputRequiredResult(input_requests=asked, request_state=str(await store.open(message)))


async def _answer(message: str, kept: int, answer: ElicitResult) -> CallToolResult:
    content = answer.content or {}
    await store.answer(kept, content)
    guidance = f"The person answered: {content['response']}"
    structured = {
        "content": [{"text": message}],
        "userInput": [{"text": content["response"]}],
        "status": "SUCCESS",
        "toolUseId": f"h_{kept}",
        "handoffId": f"h_{kept}",
        "values": content,
        "answeredBy": "person",
        "answeredAt": datetime.now(UTC).isoformat(timespec="seconds"),
        "channel": "elicitation",
        "breakoutOfLoop": False,
        "guidance": guidance,
    }
    return CallToolResult(content=[TextContent(type="text", text=guidance)], structured_content=structured)


if __name__ == "__main__":
    if "--http" in sys.argv:
        server.run("streamable-http", port=int(sys.argv[-1]))
    else:
        server.run()
