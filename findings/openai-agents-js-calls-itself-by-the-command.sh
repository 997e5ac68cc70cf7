#!/usr/bin/env bash
# @openai/agents 0.20.0: an MCP server on stdio that was given no name is named by the command that starts it, and the
# client tells the server that name as its own. So `clientInfo.name` is a path of the user's machine, with the arguments
# that follow it, where every other client has the name of a program.
set -euo pipefail
folder=$(mktemp -d); trap 'rm -rf "$folder"' EXIT; cd "$folder"
npm init --yes >/dev/null
npm install --silent --no-audit --no-fund @openai/agents@0.20.0 zod@4 >/dev/null
cat > server.mjs <<'JS'
import { writeFileSync } from "node:fs";
import { createInterface } from "node:readline";
createInterface({ input: process.stdin }).on("line", (line) => {
  const { id, method, params } = JSON.parse(line);
  const info = params?.clientInfo ?? params?._meta?.["io.modelcontextprotocol/clientInfo"];
  if (info) writeFileSync("name.txt", info.name);
  if (id === undefined) return;
  const result = { protocolVersion: "2025-06-18", capabilities: { tools: {} }, serverInfo: { name: "s", version: "1" } };
  const error = { code: -32601, message: "Method not found" };
  process.stdout.write(JSON.stringify({ jsonrpc: "2.0", id, ...(method === "initialize" ? { result } : { error }) }) + "\n");
});
JS
cat > client.mjs <<'JS'
import { MCPServerStdio } from "@openai/agents";
const server = new MCPServerStdio({ command: process.execPath, args: ["server.mjs"] });
await server.connect();
await server.close();
JS
OPENAI_API_KEY=none node client.mjs
node=$(node -p process.execPath)
echo "clientInfo.name: $(sed "s#$node#PATH/OF/NODE#" name.txt)"
grep -q "$node" name.txt
