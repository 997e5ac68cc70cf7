// Hosts as a table: each row connects, calls handoff_to_user once, and does with the dialog as it is told.
//
// The job comes as JSON in the first argument: `rows` of { name, to, headers, declares, person, era, message, leaves }, where `to` is
// an address or the parameters of a process, and a host that `leaves` does so once it has shown the dialog. What each
// row got goes to standard output as one JSON object.

const wait = (seconds) => new Promise((done) => setTimeout(done, seconds * 1000));

const PEOPLE = {
  // Not every client carries the mark of a script along: so they take as long as one reads.
  accepts: async (read) => (await wait(read), { action: "accept", content: { response: "yes" } }),
  "opens the link": async () => ({ action: "accept" }),
  "accepts empty": async () => ({ action: "accept", content: {} }),
  "declines at once": async () => ({ action: "decline" }),
  "declines": async (read) => (await wait(read), { action: "decline" }),
  "closes it": async (read) => (await wait(read), { action: "cancel" }),
  "never answers": () => new Promise(() => {}),
};

// `connect(row, dialog)` gives a connected client; the rows connect one after another, and then all of them call.
export async function play(connect) {
  const job = JSON.parse(process.argv[2]);
  const got = {};
  const calls = [];
  for (const row of job.rows) {
    let shown = 0;
    let left;
    const leaves = new Promise((done) => (left = () => done(null)));
    const dialog = async () => {
      shown += 1;
      if (row.leaves) left();
      return PEOPLE[row.person](job.reads);
    };
    const keep = (protocol, tools, result) => (got[row.name] = { protocol, tools, shown, result });
    // An error takes the place of the status, so that the table shows it.
    const failed = (error) => keep(null, [], { status: String(error) });
    try {
      const client = await connect(row, dialog);
      const protocol = client.getNegotiatedProtocolVersion?.() ?? client.transport.protocolVersion ?? null;
      const tools = (await client.listTools()).tools.map((tool) => tool.name);
      const call = async () => {
        const called = client.callTool({ name: "handoff_to_user", arguments: { message: row.message } });
        const result = await Promise.race([called, leaves]);
        keep(protocol, tools, result?.structuredContent ?? null);
        if (result !== null) await client.close();
      };
      calls.push(() => call().catch(failed));
    } catch (error) {
      failed(error);
    }
  }
  await Promise.all(calls.map((call) => call()));
  process.stdout.write(JSON.stringify(got), () => process.exit(0));
}
