"""A real agent loop: the model asks by itself before it drops a table through a server that knows nothing of handoffs.

Its rules make it ask, and nothing else: this is no gate. A model that does not keep them would drop the table unasked.

The database is served by `mcp-server-sqlite`, which `uvx` fetches the first time.
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
from strands.tools.mcp import MCPClient
from strands.types.content import Messages

from handoffs.strands import HandoffClient, HandoffPlugin, Said, last_result, load_env, run, tutorial_model

UV = Path(__file__).parents[1] / ".uv" / "bin"
"""Where `make` puts uv on a machine that has none."""

# Its release of April 2025 is older than version 2 of the MCP library.
SERVER = ["--quiet", "--with", "mcp<2", "mcp-server-sqlite==2025.4.25"]

RULES = """You look after a database. Before you drop, delete or overwrite anything, call handoff_to_user with the exact
SQL in the message and the options yes and no. Only the answer yes lets you do it. At the end say what you did."""
TASK = "The table old_customers is not used any more, I think. Clean it up."
DROP = "DROP TABLE old_customers"
QUESTION = {"message": f"May I run this?\n\n    {DROP}", "options": ["yes", "no"]}


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="handoffs-with-other-tools-") as folder:
        database = Path(folder, "shop.db")
        with closing(sqlite3.connect(database)) as shop:
            shop.execute("CREATE TABLE old_customers (name TEXT)")
            shop.execute("CREATE TABLE orders (number INTEGER)")

        # Without a key the model says these four turns; the third depends on the person's answer.
        model = tutorial_model(
            [("list_tables", {})],
            [("handoff_to_user", QUESTION)],
            act,
            "I dropped it, as you approved.",
        )
        sqlite = sqlite_server(database)
        agent = Agent(
            model=model,
            system_prompt=RULES,
            tools=[HandoffClient(), sqlite],
            plugins=[HandoffPlugin()],
            callback_handler=None,
        )
        print(f"Tables before: {', '.join(tables(database))}")
        print(f"Agent: {str(agent(TASK)).strip()}")
        print(f"Tables after: {', '.join(tables(database))}")
        agent.cleanup()


def sqlite_server(database: Path) -> MCPClient:
    uvx = shutil.which("uvx", path=os.pathsep.join([os.environ["PATH"], str(UV)]))
    if uvx is None:
        sys.exit("This lesson needs uvx, which comes with uv: https://docs.astral.sh/uv/")
    # The first time it is fetched, and uvx says why where it can't be.
    if subprocess.run([uvx, *SERVER, "--help"], stdout=subprocess.DEVNULL).returncode:
        sys.exit("mcp-server-sqlite could not be fetched.")
    parameters = StdioServerParameters(command=uvx, args=[*SERVER, "--db-path", str(database)], env=dict(os.environ))
    # It warns of every client that is younger than it.
    return MCPClient(lambda: stdio_client(parameters, errlog=open(os.devnull, "w")))  # pyright: ignore[reportArgumentType]


def tables(database: Path) -> list[str]:
    with closing(sqlite3.connect(database)) as shop:
        return [name for (name,) in shop.execute("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name")]


def act(messages: Messages) -> Said:
    if last_result(messages) == "The person answered: yes":
        return [("write_query", {"query": DROP})]
    return "I did not drop old_customers, because nobody approved it."


if __name__ == "__main__":
    load_env()
    run(main)
