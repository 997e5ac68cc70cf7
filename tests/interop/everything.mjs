// What a client of JavaScript sees of a server with everything: `node everything.mjs CLIENT COMMAND`, the command as JSON.
import { createMCPClient } from "@ai-sdk/mcp";
import { Experimental_StdioMCPTransport } from "@ai-sdk/mcp/mcp-stdio";
import { Client as Client2 } from "@modelcontextprotocol/client";
import { StdioClientTransport as Stdio2 } from "@modelcontextprotocol/client/stdio";
import { Client as Client1 } from "@modelcontextprotocol/sdk/client/index.js";
import { StdioClientTransport as Stdio1 } from "@modelcontextprotocol/sdk/client/stdio.js";
import { CreateMessageRequestSchema, ElicitRequestSchema, ListRootsRequestSchema } from "@modelcontextprotocol/sdk/types.js";

const [, , name, given] = process.argv;
const [command, ...args] = JSON.parse(given);
const to = { command, args, env: process.env, stderr: "inherit" };
const who = { name: "test-host", version: "1" };
const capabilities = { elicitation: { form: {} }, sampling: {}, roots: {} };
const seen = [];
const saw = (what, value) => seen.push([what, value]);

const answers = {
  elicit: async ({ params }) => (saw("elicitation", params), { action: "accept", content: { why: "weil ä" } }),
  sample: async ({ params }) => (
    saw("sampling", params), { role: "assistant", content: { type: "text", text: "word" }, model: "m" }
  ),
  roots: async () => (saw("roots", null), { roots: [{ uri: "file:///tmp", name: "ä" }] }),
};

const CLIENTS = {
  "TypeScript 1": async () => {
    const client = new Client1(who, { capabilities });
    client.setRequestHandler(ElicitRequestSchema, answers.elicit);
    client.setRequestHandler(CreateMessageRequestSchema, answers.sample);
    client.setRequestHandler(ListRootsRequestSchema, answers.roots);
    await client.connect(new Stdio1(to));
    return client;
  },
  "TypeScript 2, older era": () => second("legacy"),
  "TypeScript 2, newer era": () => second("auto"),
};

async function second(mode) {
  const client = new Client2(who, { capabilities, versionNegotiation: { mode } });
  client.setRequestHandler("elicitation/create", answers.elicit);
  client.setRequestHandler("sampling/createMessage", answers.sample);
  client.setRequestHandler("roots/list", answers.roots);
  await client.connect(new Stdio2(to));
  return client;
}

// An error counts as what was seen: it must be the same one, too.
const attempt = async (what, work) => saw(what, await work().catch((error) => `${error.code}: ${error.message}`));

async function sdk() {
  const client = await CLIENTS[name]();
  saw("server", [client.getServerVersion(), client.getServerCapabilities(), client.getInstructions()]);
  saw("version", client.getNegotiatedProtocolVersion?.() ?? null);
  await attempt("tools", () => client.listTools());
  await attempt("resources", () => client.listResources());
  await attempt("templates", () => client.listResourceTemplates());
  await attempt("prompts", () => client.listPrompts());
  await attempt("resource", () => client.readResource({ uri: "text://x/of" }));
  await attempt("no resource", () => client.readResource({ uri: "text://none" }));
  await attempt("prompt", () => client.getPrompt({ name: "greet", arguments: { name: "Ada ä" } }));
  const call = (tool, given) => attempt(tool, () => client.callTool({ name: tool, arguments: given }));
  await call("add", { a: 1, b: 2 });
  await call("echo", { words: "\\/ \u2028 😀\n", times: 3 });
  await call("fail", {});
  await call("unknown", {});
  await call("ask", {});
  // Without its progress: what comes at once with the result, this client drops, directly as well.
  await call("count", { to: 3 });
  const sums = Array.from({ length: 32 }, (_, a) => client.callTool({ name: "add", arguments: { a, b: 1 } }));
  saw("at once", await Promise.all(sums));
  await client.close();
}

async function ai() {
  const client = await createMCPClient({ transport: new Experimental_StdioMCPTransport(to), name: "test-host" });
  saw("server", client.initializeResult);
  const tools = await client.tools();
  saw("tools", Object.entries(tools).map(([each, { description }]) => [each, description]));
  for (const each of Object.keys(tools)) {
    await attempt("call", () => tools[each].execute({ words: "\\/ \u2028 😀\n" }, { toolCallId: "1", messages: [] }));
  }
  await client.close();
}

await (name === "@ai-sdk/mcp" ? ai() : sdk());
process.stdout.write(JSON.stringify(seen), () => process.exit(0));
