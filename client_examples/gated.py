"""A gate before another server: whatever the model thinks, no table is dropped before a person has allowed it.

Reading runs at once. Every other call waits for the person, who may allow it, deny it, or change it. Change this one:
allow it, and give as edited arguments

    {"query": "ALTER TABLE old_customers RENAME TO archived_customers"}

Then that runs in place of the DROP, once, and the model is told that a person has changed its call.

The database is served by `mcp-server-sqlite`, which `uvx` fetches the first time. For rules that look at the SQL, start
from `server/handoffs/gate/starters/sql.toml`.
"""

import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from contextlib import closing
from pathlib import Path

from mcp import StdioServerParameters, stdio_client
from strands import Agent
from strands.types.content import Messages

from handoffs.strands import HandoffClient, Said, last_result, load_env, run, tutorial_model

UV = Path(__file__).parents[1] / ".uv" / "bin"
"""Where `make` puts uv on a machine that has none."""

# Its release of April 2025 is older than version 2 of the MCP library.
SERVER = ["--quiet", "--with", "mcp<2", "mcp-server-sqlite==2025.4.25"]

RULES = "You look after a database. A person may change your calls before they run. At the end say what was done."
TASK = "The table old_customers is not used any more. Drop it."
COUNT = {"query": "SELECT count(*) AS customers FROM old_customers"}
DROP = {"query": "DROP TABLE old_customers"}


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="handoffs-gated-") as folder:
        database = Path(folder, "shop.db")
        with closing(sqlite3.connect(database)) as shop, shop:
            shop.execute("CREATE TABLE old_customers (name TEXT)")
            shop.execute("INSERT INTO old_customers VALUES ('Ada'), ('Grace')")

        # Without a key the model says these three turns. It asks nobody: it has no tool for that.
        model = tutorial_model([("read_query", COUNT)], drop, report)
        agent = Agent(model=model, system_prompt=RULES, tools=[gated_sqlite(database)], callback_handler=None)
        print(f"Tables before: {', '.join(tables(database))}")
        print(f"Agent: {str(agent(TASK)).strip()}")
        print(f"Tables after: {', '.join(tables(database))}")
        agent.cleanup()


def gated_sqlite(database: Path) -> HandoffClient:
    """Start the gate in place of the server. The client asks in this terminal what the gate wants to know."""
    uvx = shutil.which("uvx", path=os.pathsep.join([os.environ["PATH"], str(UV)]))
    if uvx is None:
        sys.exit("This lesson needs uvx, which comes with uv: https://docs.astral.sh/uv/")
    # The first time it is fetched, and uvx says why where it can't be.
    if subprocess.run([uvx, *SERVER, "--help"], stdout=subprocess.DEVNULL).returncode:
        sys.exit("mcp-server-sqlite could not be fetched.")
    # In a shell: handoffs gate --allow 'read_*' … -- uvx mcp-server-sqlite --db-path shop.db
    allowed = ["--allow", "read_*", "--allow", "list_*", "--allow", "describe_*"]
    gate = ["-m", "handoffs", "gate", "--name", "sqlite", *allowed, "--", uvx, *SERVER, "--db-path", str(database)]
    # The client asks in this terminal: the gate need not open a browser for it.
    env = {**os.environ, "HANDOFFS_INBOX": "off", "HANDOFFS_TERMINAL": "off"}
    parameters = StdioServerParameters(command=sys.executable, args=gate, env=env)
    # The server behind warns of every client that is younger than it.
    return HandoffClient(lambda: stdio_client(parameters, errlog=open(os.devnull, "w")))


def tables(database: Path) -> list[str]:
    with closing(sqlite3.connect(database)) as shop:
        return [name for (name,) in shop.execute("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name")]


def drop(messages: Messages) -> Said:
    print(f"It read, unasked: {last_result(messages)}")
    return [("write_query", DROP)]


def report(messages: Messages) -> Said:
    return f"I asked for a DROP. What came back: {last_result(messages)}"


if __name__ == "__main__":
    load_env()
    run(main)
