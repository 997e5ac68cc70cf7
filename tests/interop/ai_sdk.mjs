// @ai-sdk/mcp as a client on stdio: it probes for a second, then sends `initialize` on the same pipe.
import { createMCPClient } from "@ai-sdk/mcp";
import { Experimental_StdioMCPTransport } from "@ai-sdk/mcp/mcp-stdio";

const [command, ...args] = JSON.parse(process.argv[2]);
const transport = new Experimental_StdioMCPTransport({ command, args, env: process.env, stderr: "inherit" });
const client = await createMCPClient({ transport, name: "ai-sdk-host" });
const { handoff_to_user: ask } = await client.tools();
const { structuredContent } = await ask.execute({ message: "Deploy?" }, { toolCallId: "1", messages: [] });
console.log(JSON.stringify({ version: client.initializeResult?.protocolVersion, ...structuredContent }));
await client.close();
