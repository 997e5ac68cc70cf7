#!/usr/bin/env bash
# mcp-server-sqlite 2025.4.25 asks for any mcp from 1.6.0 on, so `pip install` and `uvx` fetch it with mcp 2, of which it uses
# what is gone: it ends before it answers `initialize`, and a host only sees a server that is closed. With mcp below 2 it starts.
set -euo pipefail
folder=$(mktemp -d); trap 'rm -rf "$folder"' EXIT; cd "$folder"
hello='{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-06-18","capabilities":{},"clientInfo":{"name":"host","version":"1"}}}'
for mcp in 2.3.0 1.30.0; do
    python3 -m venv "with-$mcp"
    "with-$mcp/bin/pip" install --quiet --disable-pip-version-check mcp-server-sqlite==2025.4.25 "mcp==$mcp"
    echo "with mcp $mcp:"
    echo "$hello" | "with-$mcp/bin/mcp-server-sqlite" --db-path "$mcp.db" >"$mcp.out" 2>"$mcp.err" || true
    { head -c 100 "$mcp.out"; grep -E '^[A-Za-z]*Error' "$mcp.err" || true; } | tee "$mcp.seen"
    echo
done
"with-2.3.0/bin/pip" show mcp-server-sqlite | grep -q '^Requires: .*mcp'
test ! -s 2.3.0.out
grep -qx "AttributeError: 'Server' object has no attribute 'list_resources'" 2.3.0.seen
grep -q '^{"jsonrpc":"2.0","id":1,"result":' 1.30.0.seen
