// An editor made with the Agent Client Protocol's TypeScript SDK, which drives an agent through one prompt.
// Its dialog does what the first argument says: `wait` for ever, or choose the option of that kind. It prints one JSON
// object a line, as `acp_client.py` does.
import { spawn } from "node:child_process";
import { Readable, Writable } from "node:stream";
import * as acp from "@agentclientprotocol/sdk";

const [dialog, command, ...args] = process.argv.slice(2);
const agent = spawn(command, args, { stdio: ["pipe", "pipe", "inherit"] });
const stream = acp.ndJsonStream(Writable.toWeb(agent.stdin), Readable.toWeb(agent.stdout));
const say = (fields) => console.log(JSON.stringify(fields));
const { client: asks, agent: does } = acp.methods;

const editor = acp
  .client({ name: "editor" })
  .onNotification(asks.session.update, ({ params: { update } }) =>
    say({ update: update.sessionUpdate, text: update.content?.text ?? null, status: update.status ?? null }),
  )
  .onRequest(asks.session.requestPermission, async ({ params, signal }) => {
    say({ asked: params.toolCall.title ?? null });
    if (dialog === "wait") {
      await new Promise((_, withdrawn) => {
        signal.addEventListener("abort", () => {
          say({ withdrawn: params.toolCall.title ?? null });
          withdrawn(signal.reason);
        });
      });
    }
    const chosen = params.options.find((each) => each.kind === dialog);
    return { outcome: chosen ? { outcome: "selected", optionId: chosen.optionId } : { outcome: "cancelled" } };
  })
  .onRequest(asks.elicitation.create, async ({ params, signal }) => {
    say({ form: params.message });
    await new Promise((_, withdrawn) => signal.addEventListener("abort", () => withdrawn(signal.reason)));
  });

await editor.connectWith(stream, async (context) => {
  const clientCapabilities = { elicitation: { form: {} } };
  await context.request(does.initialize, { protocolVersion: acp.PROTOCOL_VERSION, clientCapabilities });
  const session = await context.request(does.session.new, { cwd: process.cwd(), mcpServers: [] });
  const prompt = [{ type: "text", text: "go" }];
  const ended = await context.request(does.session.prompt, { sessionId: session.sessionId, prompt });
  say({ ended: ended.stopReason });
});
agent.stdin.end();
