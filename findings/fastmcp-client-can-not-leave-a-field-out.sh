#!/usr/bin/env bash
# The client of FastMCP 4.2.3 gives an elicitation handler a type made of the form. Where the handler answers with that type and leaves
# an optional field out, as the form allows, the client fails by itself (it fills in null, which the form does not take): the
# server gets error -32603 in place of the answer. And a field whose name is no Python name comes back under another one. A dict
# is sent as it is: handlers should return one.
set -euo pipefail
folder=$(mktemp -d); trap 'rm -rf "$folder"' EXIT; cd "$folder"
python3 -m venv v
v/bin/pip install --quiet --disable-pip-version-check "fastmcp==4.2.3"
cat > server.py <<'PY'
import json, sys
STRING = {"type": "string"}
FORM = {"type": "object", "properties": {"size": STRING, "note": STRING, "ship-to": STRING}, "required": ["size"]}
def send(**message):
    print(json.dumps({"jsonrpc": "2.0"} | message), flush=True)
for line in sys.stdin:
    message = json.loads(line)
    match message.get("method"):
        case "initialize":
            info = {"name": "s", "version": "1"}
            send(id=message["id"], result={"protocolVersion": "2025-11-25", "capabilities": {"tools": {}}, "serverInfo": info})
        case "tools/list":
            send(id=message["id"], result={"tools": [{"name": "order", "inputSchema": {"type": "object"}}]})
        case "tools/call":
            call = message["id"]
            send(id="form", method="elicitation/create", params={"message": "Which size?", "requestedSchema": FORM})
        case None if message["id"] == "form":
            said = message.get("result") or {"error": message["error"]["code"]}
            send(id=call, result={"content": [{"type": "text", "text": json.dumps(said, sort_keys=True)}]})
PY
cat > client.py <<'PY'
import asyncio, json, sys
from importlib.metadata import version
from fastmcp import Client
from fastmcp.client.transports import StdioTransport
answers = {
    "the type, one field": lambda form: form(size="L"),
    "the type, all fields": lambda form: form(size="L", note="n", ship_to="home"),
    "a dict, one field": lambda form: {"size": "L"},
    "a dict, all fields": lambda form: {"size": "L", "note": "n", "ship-to": "home"},
}
async def main():
    print("fastmcp", version("fastmcp"))
    found = {}
    for what, answer in answers.items():
        async def handler(message, form, params, context):
            return answer(form)
        server = StdioTransport(command=sys.executable, args=["server.py"])
        async with Client(server, elicitation_handler=handler) as client:
            found[what] = json.loads((await client.call_tool("order", {})).content[0].text)
            print(f"{what}: the server hears {found[what]}")
    return found == {
        "the type, one field": {"error": -32603},
        "the type, all fields": {"action": "accept", "content": {"size": "L", "note": "n", "ship_to": "home"}},
        "a dict, one field": {"action": "accept", "content": {"size": "L"}},
        "a dict, all fields": {"action": "accept", "content": {"size": "L", "note": "n", "ship-to": "home"}},
    }
sys.exit(not asyncio.run(main()))
PY
v/bin/python client.py
