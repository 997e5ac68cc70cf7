// The TypeScript SDK 2.x, as a host of either era.
import { Client, StreamableHTTPClientTransport } from "@modelcontextprotocol/client";
import { StdioClientTransport } from "@modelcontextprotocol/client/stdio";
import { play } from "./rows.mjs";

await play(async (row, dialog) => {
  const capabilities = row.declares === null ? {} : { elicitation: row.declares };
  const client = new Client(
    { name: "test-host", version: "1" },
    { capabilities, versionNegotiation: { mode: row.era } },
  );
  if (row.declares !== null) client.setRequestHandler("elicitation/create", dialog);
  else client.fallbackRequestHandler = dialog; // counts what must not come
  const transport =
    typeof row.to === "string"
      ? new StreamableHTTPClientTransport(new URL(row.to), { requestInit: { headers: row.headers } })
      : new StdioClientTransport(row.to);
  await client.connect(transport);
  return client;
});
