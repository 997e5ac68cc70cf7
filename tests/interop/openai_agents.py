"""An agent of the OpenAI Agents SDK, as its documents have it: every time-out is the one that comes by itself."""

import json
import os
import sys

import anyio
from agents import Agent, OpenAIResponsesModel, Runner
from agents.mcp import MCPServerStdio
from openai import AsyncOpenAI

JOB = json.loads(sys.argv[1])


async def connected() -> MCPServerStdio:
    """Start the server; a loaded machine may need more than the five seconds that it has."""
    for _ in range(5):
        server = MCPServerStdio(params={**JOB["server"], "env": dict(os.environ)})
        try:
            await server.connect()
        except Exception as error:  # noqa: BLE001 - it says so in several ways
            sys.stderr.write(f"{error!r}\n")
        else:
            return server
    raise SystemExit("it never came to a session")


async def main() -> None:
    model = OpenAIResponsesModel("gpt-5", AsyncOpenAI(base_url=JOB["model"], api_key="none"))
    server = await connected()
    try:
        agent = Agent(name="Shop", model=model, mcp_servers=[server])
        done = await Runner.run(agent, "Deploy the shop.", max_turns=20)
    finally:
        await server.cleanup()
    sys.stdout.write(json.dumps({"patience": server.client_session_timeout_seconds, "said": done.final_output}))


anyio.run(main)
