#!/usr/bin/env bash
# Tools of MCP may return embedded files, links to resources, and sound. Strands Agents 1.62.0 hands text and pictures on to the
# agent; of a PDF, a link or sound nothing arrives, and the result still says *success*, with nothing in it. So a tool that
# answers with a link alone looks like one that has nothing to say: put the link into a text, too.
set -euo pipefail
folder=$(mktemp -d); trap 'rm -rf "$folder"' EXIT; cd "$folder"
python3 -m venv v
v/bin/pip install --quiet --disable-pip-version-check "strands-agents==1.62.0" "mcp==2.1.1"
cat > server.py <<'PY'
import base64, json, sys
data = base64.b64encode(b"%PDF-1.7 example").decode()
embedded = lambda kind: {"type": "resource", "resource": {"uri": "file:///report", "mimeType": kind, "blob": data}}
CONTENT = {
    "a text": {"type": "text", "text": "hello"},
    "an embedded text": embedded("text/plain"),
    "an embedded PDF": embedded("application/pdf"),
    "a link to a resource": {"type": "resource_link", "uri": "file:///report", "name": "report", "mimeType": "application/pdf"},
    "sound": {"type": "audio", "data": data, "mimeType": "audio/wav"},
}
for line in sys.stdin:
    message = json.loads(line)
    if "id" not in message:
        continue
    if message["method"] == "initialize":
        result = {"protocolVersion": "2025-06-18", "capabilities": {"tools": {}}, "serverInfo": {"name": "s", "version": "1"}}
    elif message["method"] == "tools/list":
        result = {"tools": [{"name": "get", "inputSchema": {"type": "object"}}]}
    elif message["method"] == "tools/call":
        result = {"content": [CONTENT[message["params"]["arguments"]["what"]]]}
    else:
        print(json.dumps({"jsonrpc": "2.0", "id": message["id"], "error": {"code": -32601, "message": "no"}}), flush=True)
        continue
    print(json.dumps({"jsonrpc": "2.0", "id": message["id"], "result": result}), flush=True)
PY
cat > agent.py <<'PY'
import sys
from importlib.metadata import version
from mcp import StdioServerParameters
from mcp.client.stdio import stdio_client
from strands.tools.mcp import MCPClient
print("strands-agents", version("strands-agents"), "mcp", version("mcp"))
found = {}
with MCPClient(lambda: stdio_client(StdioServerParameters(command=sys.executable, args=["server.py"]))) as client:
    for what in ("a text", "an embedded text", "an embedded PDF", "a link to a resource", "sound"):
        result = client.call_tool_sync("1", "get", {"what": what})
        found[what] = (result["status"], len(result["content"]))
        print(f"{what}: {result['status']}, {len(result['content'])} of 1 reached the agent")
sys.exit([count for _, count in found.values()] != [1, 1, 0, 0, 0] or {status for status, _ in found.values()} != {"success"})
PY
v/bin/python agent.py
