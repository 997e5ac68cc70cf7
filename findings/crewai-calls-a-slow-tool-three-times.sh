#!/usr/bin/env bash
# CrewAI 1.15.30 gives a tool of an MCP server 30 seconds by default. When they are over, it calls the same tool again, and a third time,
# also one that its server marks as neither idempotent nor read-only; what ran before is not undone. A tool that is slow, but
# works (a payment, a deployment), runs three times, and the agent is told that it failed.
set -euo pipefail
folder=$(mktemp -d); trap 'rm -rf "$folder"' EXIT; cd "$folder"
python3 -m venv v
v/bin/pip install --quiet --disable-pip-version-check "crewai==1.15.30" "mcp==1.30.0"
cat > server.py <<'PY'
import json, sys, threading, time
HINTS = {"readOnlyHint": False, "destructiveHint": True, "idempotentHint": False}
def pay(id):
    time.sleep(2)
    print("paid", file=open("paid.txt", "a"))
    send(id=id, result={"content": [{"type": "text", "text": "paid"}]})
def send(**message):
    print(json.dumps({"jsonrpc": "2.0"} | message), flush=True)
for line in sys.stdin:
    message = json.loads(line)
    match message["method"]:
        case "initialize":
            info = {"name": "s", "version": "1"}
            send(id=message["id"], result={"protocolVersion": "2025-06-18", "capabilities": {"tools": {}}, "serverInfo": info})
        case "tools/list":
            send(id=message["id"], result={"tools": [{"name": "pay", "inputSchema": {"type": "object"}, "annotations": HINTS}]})
        case "tools/call":
            threading.Thread(target=pay, args=(message["id"],)).start()
PY
cat > client.py <<'PY'
import asyncio, sys
from importlib.metadata import version
from pathlib import Path
from crewai.mcp.client import MCPClient
from crewai.mcp.transports.stdio import StdioTransport
async def main():
    # One second in place of 30, so that the script is short; all else is as it comes.
    async with MCPClient(StdioTransport(sys.executable, args=["server.py"]), execution_timeout=1) as client:
        try:
            print("the agent is told:", await client.call_tool("pay", {}))
        except Exception as error:
            print("the agent is told:", str(error)[:80])
        await asyncio.sleep(3)
print("crewai", version("crewai"), "mcp", version("mcp"))
asyncio.run(main())
times = Path("paid.txt").read_text().count("paid")
print(f"one call, paid {times} times")
sys.exit(times != 3)
PY
CREWAI_DISABLE_TELEMETRY=true CREWAI_TRACING_ENABLED=false HOME=$folder v/bin/python client.py
