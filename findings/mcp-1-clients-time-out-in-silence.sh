#!/usr/bin/env bash
# When a call takes longer than the client's own limit, the client of the Python package mcp 2.1.1 sends
# `notifications/cancelled`. That of mcp 1.30.0 sends nothing: the server works on, and does not hear that nobody waits.
# A server that must not lose an answer can't go by the cancellation.
set -euo pipefail
folder=$(mktemp -d); trap 'rm -rf "$folder"' EXIT; cd "$folder"
for version in 1.30.0 2.1.1; do
  python3 -m venv "$version"
  "$version/bin/pip" install --quiet --disable-pip-version-check "mcp==$version"
done
cat > server.py <<'PY'
import json, sys
for line in sys.stdin:
    message = json.loads(line)
    print(message["method"], file=open("heard.txt", "a"))
    if message["method"] == "initialize":
        result = {"protocolVersion": "2025-06-18", "capabilities": {"tools": {}}, "serverInfo": {"name": "s", "version": "1"}}
    elif message["method"] == "tools/list":
        result = {"tools": [{"name": "slow", "inputSchema": {"type": "object"}}]}
    else:
        continue
    print(json.dumps({"jsonrpc": "2.0", "id": message["id"], "result": result}), flush=True)
PY
cat > client.py <<'PY'
import asyncio, sys
from datetime import timedelta
from importlib.metadata import version
from mcp import ClientSession, StdioServerParameters
from mcp.client.stdio import stdio_client
newer = version("mcp").startswith("2")
async def main():
    async with stdio_client(StdioServerParameters(command=sys.executable, args=["server.py"])) as (read, write):
        async with ClientSession(read, write) as session:
            await session.initialize()
            try:
                await session.call_tool("slow", {}, read_timeout_seconds=1.0 if newer else timedelta(seconds=1))
            except Exception as error:
                print(type(error).__name__)
            await asyncio.sleep(1)
asyncio.run(main())
PY
for version in 1.30.0 2.1.1; do
  rm -f heard.txt
  "$version/bin/python" client.py
  echo "mcp $version: $(grep -c notifications/cancelled heard.txt || true) notifications/cancelled"
  cp heard.txt "heard-$version.txt"
done
test "$(grep -c notifications/cancelled heard-1.30.0.txt)" -eq 0
test "$(grep -c notifications/cancelled heard-2.1.1.txt)" -eq 1
