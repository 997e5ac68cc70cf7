#!/usr/bin/env bash
# @ai-sdk/mcp 2.0.99 probes a stdio server with `server/discover`. A server of the older era that refuses it with -32601
# (method not found) is asked with `initialize` next. One that refuses it with -32022 (the version is not supported),
# the error that MCP has for exactly this, is given up. A server that wants such clients must say -32601.
set -euo pipefail
folder=$(mktemp -d); trap 'rm -rf "$folder"' EXIT; cd "$folder"
npm init --yes >/dev/null
npm install --silent --no-audit --no-fund @ai-sdk/mcp@2.0.99 >/dev/null
cat > server.mjs <<'JS'
import { createInterface } from "node:readline";
const code = Number(process.argv[2]);
createInterface({ input: process.stdin }).on("line", (line) => {
  const { id, method } = JSON.parse(line);
  if (id === undefined) return;
  const result = { protocolVersion: "2025-11-25", capabilities: {}, serverInfo: { name: "old", version: "1" } };
  const error = { code, message: "no", data: { supported: ["2025-11-25"], requested: "2026-07-28" } };
  process.stdout.write(JSON.stringify({ jsonrpc: "2.0", id, ...(method === "initialize" ? { result } : { error }) }) + "\n");
});
JS
cat > client.mjs <<'JS'
import { createMCPClient } from "@ai-sdk/mcp";
import { Experimental_StdioMCPTransport } from "@ai-sdk/mcp/mcp-stdio";
for (const code of ["-32601", "-32022"]) {
  const transport = new Experimental_StdioMCPTransport({ command: process.execPath, args: ["server.mjs", code] });
  try {
    const client = await createMCPClient({ transport });
    console.log(code, "connected");
    await client.close();
  } catch (error) {
    console.log(code, "given up:", String(error.message).slice(0, 60));
    await transport.close().catch(() => {});
  }
}
process.exit(0);
JS
node client.mjs | tee said.txt
grep -q '^-32601 connected' said.txt
grep -q '^-32022 given up' said.txt
