// The card's side of MCP Apps: JSON-RPC with the parent window, which is the host or its proxy.

const VERSION = "2026-01-26";
const REPLY_MS = 60000;

export class Refusal extends Error {
  constructor(error) {
    super(typeof error?.message === "string" ? error.message : "The host refused.");
    this.code = error?.code;
  }
}

export class Host {
  #waiting = new Map();
  #heard = new Map();
  #last = 0;
  capabilities = {};
  context = {};

  constructor() {
    window.addEventListener("message", (event) => {
      // Another frame of the host's page is not the host.
      if (event.source === window.parent && event.data?.jsonrpc === "2.0") this.#take(event.data);
    });
  }

  // Calls `heard(params)` for each notification of this method from the host.
  on(method, heard) {
    this.#heard.set(method, heard);
  }

  async connect() {
    const said = await this.ask("ui/initialize", {
      appInfo: { name: "handoffs-card", title: "Handoffs", version: "1" },
      appCapabilities: { availableDisplayModes: ["inline"] },
      protocolVersion: VERSION,
    });
    this.capabilities = said?.hostCapabilities ?? {};
    this.context = said?.hostContext ?? {};
    this.tell("ui/notifications/initialized", {});
  }

  tell(method, params) {
    this.#send({ method, params });
  }

  // Resolves with the result. Rejects with a Refusal when the host refuses, or does not reply within a minute.
  ask(method, params) {
    const id = ++this.#last;
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#waiting.delete(id);
        reject(new Refusal({ message: "The host did not answer." }));
      }, REPLY_MS);
      this.#waiting.set(id, { resolve, reject, timer });
      this.#send({ id, method, params });
    });
  }

  #send(message) {
    // The frame has no origin, and does not know the host's. Its secrets came from the host.
    window.parent.postMessage({ jsonrpc: "2.0", ...message }, "*");
  }

  #take({ id, method, params, result, error }) {
    if (method === undefined) {
      const waiting = this.#waiting.get(id);
      if (!waiting) return;
      this.#waiting.delete(id);
      clearTimeout(waiting.timer);
      if (error === undefined) waiting.resolve(result);
      else waiting.reject(new Refusal(error));
      return;
    }
    const heard = this.#heard.get(method);
    if (id === undefined) {
      heard?.(params ?? {});
      return;
    }
    if (heard || method === "ping") {
      heard?.(params ?? {});
      this.#send({ id, result: {} });
    } else {
      this.#send({ id, error: { code: -32601, message: "Method not found" } });
    }
  }
}
