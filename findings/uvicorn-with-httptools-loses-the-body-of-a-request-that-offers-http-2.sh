#!/usr/bin/env bash
# A client that speaks HTTP/2 where it can offers it in plain HTTP with `Upgrade: h2c` (RFC 7540, 3.2; Java's HTTP client
# does so with a POST, too), and a server that has only HTTP/1.1 ignores the offer. uvicorn 0.54.0 does so with h11. With
# httptools 0.9.0, which it takes by itself where that is installed (`uvicorn[standard]`), the application gets the POST
# without its body, and is told that this is all: an MCP server answers that the body is no JSON.
set -euo pipefail
folder=$(mktemp -d); trap 'rm -rf "$folder"' EXIT; cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check uvicorn==0.54.0 httptools==0.9.0 h11==0.16.0
cat > try.py <<'PY'
import asyncio
import socket
import sys

import uvicorn

OFFER = b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n"


async def said(scope, receive, send):
    body, more = b"", True
    while more:
        event = await receive()
        body, more = body + event.get("body", b""), event.get("more_body", False)
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"%d" % len(body))]})
    await send({"type": "http.response.body", "body": body})


async def posted(port, headers):
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"POST / HTTP/1.1\r\nHost: x\r\n" + headers + b"Content-Length: 5\r\n\r\nhello")
    head = await reader.readuntil(b"\r\n\r\n")
    length = next(int(line.split(b":")[1]) for line in head.splitlines() if line.lower().startswith(b"content-length"))
    body = await reader.readexactly(length)
    writer.close()
    return body.decode()


async def main():
    for http in ("h11", "httptools"):
        listener = socket.create_server(("127.0.0.1", 0))
        config = uvicorn.Config(said, http=http, lifespan="off", log_config=None)
        server = uvicorn.Server(config)
        serving = asyncio.create_task(server.serve([listener]))
        port = listener.getsockname()[1]
        print(http, "plain:", repr(await posted(port, b"")), "with the offer:", repr(await posted(port, OFFER)))
        server.should_exit = True
        await serving


asyncio.run(main())
PY
venv/bin/python try.py 2>/dev/null | tee said.txt
grep -qx "h11 plain: 'hello' with the offer: 'hello'" said.txt
grep -qx "httptools plain: 'hello' with the offer: ''" said.txt
