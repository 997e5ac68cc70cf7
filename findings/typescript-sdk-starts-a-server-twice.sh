#!/usr/bin/env bash
# @modelcontextprotocol/client 2.4.0 starts a stdio server twice when it negotiates the version of the protocol: the
# process that it probes with `server/discover` is ended, and another one is started for the session.
# Whoever counts starts, or does something at each, meets every host that uses it twice.
set -euo pipefail
folder=$(mktemp -d); trap 'rm -rf "$folder"' EXIT; cd "$folder"
npm init --yes >/dev/null
npm install --silent --no-audit --no-fund @modelcontextprotocol/client@2.4.0 @modelcontextprotocol/core@2.4.0 >/dev/null
cat > server.mjs <<'JS'
// A server of the older era: it knows no other method than `initialize`.
import { appendFileSync } from "node:fs";
import { createInterface } from "node:readline";
appendFileSync("starts.txt", "start\n");
createInterface({ input: process.stdin }).on("line", (line) => {
  const { id, method } = JSON.parse(line);
  if (id === undefined) return;
  const result = { protocolVersion: "2025-11-25", capabilities: {}, serverInfo: { name: "old", version: "1" } };
  const error = { code: -32601, message: "Method not found" };
  const answer = method === "initialize" ? { result } : { error };
  process.stdout.write(JSON.stringify({ jsonrpc: "2.0", id, ...answer }) + "\n");
});
JS
cat > client.mjs <<'JS'
import { Client } from "@modelcontextprotocol/client";
import { StdioClientTransport } from "@modelcontextprotocol/client/stdio";
const options = { versionNegotiation: { mode: "auto" } };
const client = new Client({ name: "finding", version: "1" }, options);
await client.connect(new StdioClientTransport({ command: process.execPath, args: ["server.mjs"] }));
await client.close();
JS
node client.mjs
starts=$(wc -l < starts.txt)
echo "one connection, a server of the older era: started $starts times"
test "$starts" -eq 2
