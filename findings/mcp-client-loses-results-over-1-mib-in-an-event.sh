#!/usr/bin/env bash
# The client of the Python package mcp 2.1.1 reads server-sent events with httpx2's reader, which takes lines of up to
# 1 MiB. A result that comes as one event larger than that (a picture, a file) is valid MCP, and the same server's result
# as plain JSON is read; as an event it is not: the call fails with *SSE stream ended without a response*, which says
# nothing of a size. A server that has large results sends them as JSON, or as links.
set -euo pipefail
folder=$(mktemp -d); trap 'rm -rf "$folder"' EXIT; cd "$folder"
python3 -m venv v
v/bin/pip install --quiet --disable-pip-version-check "mcp==2.1.1"
cat > try.py <<'PY'
import json, sys, threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.metadata import version
import anyio
from mcp import Client, MCPError

class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def log_message(self, *_): ...
    def do_GET(self): self.send_error(405)
    do_DELETE = do_GET
    def do_POST(self):
        message = json.loads(self.rfile.read(int(self.headers["content-length"])))
        method = message["method"]
        if "id" not in message:
            self.send_response(202); self.send_header("content-length", "0"); self.end_headers(); return
        if method == "initialize":
            result = {"protocolVersion": "2025-06-18", "capabilities": {"tools": {}}, "serverInfo": {"name": "s", "version": "1"}}
        elif method == "tools/list":
            result = {"tools": [{"name": "fetch", "inputSchema": {"type": "object"}}]}
        elif method == "tools/call":
            result = {"content": [{"type": "text", "text": "x" * message["params"]["arguments"]["size"]}]}
        else:
            result = {}
        said = json.dumps({"jsonrpc": "2.0", "id": message["id"], "result": result})
        event = method == "tools/call" and message["params"]["arguments"]["event"]
        body = (f"event: message\ndata: {said}\n\n" if event else said).encode()
        self.send_response(200)
        self.send_header("content-type", "text/event-stream" if event else "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

async def call(url, size, event):
    async with Client(url, mode="legacy") as client:
        try:
            result = await client.call_tool("fetch", {"size": size, "event": event})
        except MCPError as error:
            return str(error)
        return "read" if len(result.content[0].text) == size else "cut"

async def main():
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    url = f"http://127.0.0.1:{server.server_port}/mcp"
    print("mcp", version("mcp"), "httpx2", version("httpx2"))
    found = {}
    for size in (1_000_000, 1_100_000):
        for event in (False, True):
            found[size, event] = await call(url, size, event)
            print(f"{size:,} characters as {'an event' if event else 'JSON'}: {found[size, event]}")
    sys.exit(list(found.values()) != ["read", "read", "read", "SSE stream ended without a response"])

anyio.run(main)
PY
v/bin/python try.py 2>/dev/null
