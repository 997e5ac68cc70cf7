#!/usr/bin/env bash
# White space after a header's value is no part of it (RFC 9110, 5.5), and MCP's conformance suite asks a server of
# 2026-07-28 to take an `Mcp-Name` that is followed by some. uvicorn 0.54.0 drops it with h11, and hands it on with httptools
# 0.9.0, which it takes by itself where that is installed: the same MCP server passes the suite's check
# `sep-2243-server-accepts-whitespace-header-value` in one environment and fails it in the other.
set -euo pipefail
folder=$(mktemp -d); trap 'rm -rf "$folder"' EXIT; cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check uvicorn==0.54.0 httptools==0.9.0 h11==0.16.0
cat > try.py <<'PY'
import asyncio
import socket

import uvicorn


async def told(scope, receive, send):
    value = dict(scope["headers"])[b"mcp-name"]
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"%d" % len(value))]})
    await send({"type": "http.response.body", "body": value})


async def main():
    for http in ("h11", "httptools"):
        listener = socket.create_server(("127.0.0.1", 0))
        server = uvicorn.Server(uvicorn.Config(told, http=http, lifespan="off", log_config=None))
        serving = asyncio.create_task(server.serve([listener]))
        reader, writer = await asyncio.open_connection("127.0.0.1", listener.getsockname()[1])
        writer.write(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nMcp-Name:  add  \r\n\r\n")
        print(http, repr((await reader.read()).partition(b"\r\n\r\n")[2].decode()))
        writer.close()
        server.should_exit = True
        await serving


asyncio.run(main())
PY
venv/bin/python try.py | tee said.txt
grep -qx "h11 'add'" said.txt
grep -qx "httptools 'add  '" said.txt
