#!/usr/bin/env bash
# @modelcontextprotocol/client and server 2.4.0: what a client's elicitation handler returns in `_meta` reaches the server up
# to 2025-11-25. From 2026-07-28, where the reply travels with the next call, it is gone. So a client can't say anything
# of its reply, such as that a script gave it.
set -euo pipefail
folder=$(mktemp -d); trap 'rm -rf "$folder"' EXIT; cd "$folder"
npm init --yes >/dev/null
npm install --silent --no-audit --no-fund @modelcontextprotocol/client@2.4.0 @modelcontextprotocol/core@2.4.0 >/dev/null
cat > server.mjs <<'JS'
import { appendFileSync } from "node:fs";
import { createInterface } from "node:readline";
const newer = process.argv[2] === "newer";
const form = { mode: "form", message: "?", requestedSchema: { type: "object", properties: { ok: { type: "boolean" } } } };
const send = (message) => process.stdout.write(JSON.stringify({ jsonrpc: "2.0", ...message }) + "\n");
const done = (reply) => appendFileSync("meta.txt", `${process.argv[2]}: ${JSON.stringify(reply?._meta ?? null)}\n`);
let call;
createInterface({ input: process.stdin }).on("line", (line) => {
  const { id, method, params, result } = JSON.parse(line);
  const about = { capabilities: { tools: {} }, serverInfo: { name: "s", version: "1" } };
  const complete = { resultType: "complete" };
  if (method === "server/discover" && newer) return send({ id, result: { ...about, ...complete, supportedVersions: ["2026-07-28"], ttlMs: 0, cacheScope: "private" } });
  if (method === "initialize") return send({ id, result: { ...about, protocolVersion: "2025-11-25" } });
  if (method === "tools/list") return send({ id, result: { ...complete, tools: [{ name: "ask", inputSchema: { type: "object" } }], ttlMs: 0, cacheScope: "private" } });
  if (method === "tools/call" && newer && !params.inputResponses)
    return send({ id, result: { resultType: "input_required", inputRequests: { q: { method: "elicitation/create", params: form } } } });
  if (method === "tools/call" && newer) {
    done(params.inputResponses.q);
    return send({ id, result: { ...complete, content: [] } });
  }
  if (method === "tools/call") { call = id; return send({ id: "q", method: "elicitation/create", params: form }); }
  if (id === "q") { done(result); return send({ id: call, result: { content: [] } }); }
  if (id !== undefined) send({ id, error: { code: -32601, message: "Method not found" } });
});
JS
cat > client.mjs <<'JS'
import { Client } from "@modelcontextprotocol/client";
import { StdioClientTransport } from "@modelcontextprotocol/client/stdio";
for (const era of ["older", "newer"]) {
  const mode = era === "newer" ? "auto" : "legacy";
  const client = new Client({ name: "finding", version: "1" }, { capabilities: { elicitation: { form: {} } }, versionNegotiation: { mode } });
  client.setRequestHandler("elicitation/create", async () => ({ action: "accept", content: { ok: true }, _meta: { "example.org/by": "a script" } }));
  await client.connect(new StdioClientTransport({ command: process.execPath, args: ["server.mjs", era] }));
  await client.callTool({ name: "ask", arguments: {} });
  await client.close();
}
process.exit(0);
JS
node client.mjs
cat meta.txt
grep -q '^older: {.*a script' meta.txt
grep -q '^newer: null' meta.txt
