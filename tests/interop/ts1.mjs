// The TypeScript SDK 1.x, as a host.
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StdioClientTransport } from "@modelcontextprotocol/sdk/client/stdio.js";
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js";
import { ElicitRequestSchema } from "@modelcontextprotocol/sdk/types.js";
import { play } from "./rows.mjs";

await play(async (row, dialog) => {
  const capabilities = row.declares === null ? {} : { elicitation: row.declares };
  const client = new Client({ name: "test-host", version: "1" }, { capabilities });
  if (row.declares !== null) client.setRequestHandler(ElicitRequestSchema, dialog);
  else client.fallbackRequestHandler = dialog; // counts what must not come
  const transport =
    typeof row.to === "string"
      ? new StreamableHTTPClientTransport(new URL(row.to), { requestInit: { headers: row.headers } })
      : new StdioClientTransport(row.to);
  await client.connect(transport);
  return client;
});
