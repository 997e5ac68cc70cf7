// Passkeys: sets up the first one, signs in with one, adds another, stops a recovery, and signs decisions. The server's words are shown as they are.
import { broughtKey } from "./key.js";
import { send, Unsigned } from "./posting.js";
import { _ } from "./words.js";

const SAID = {
  NotAllowedError: _("The browser made no passkey and used none: it was called off, took too long, or the device did not check that it is you."),
  InvalidStateError: _("This device has a passkey of yours already: use another device."),
  SecurityError: _("The browser makes no passkeys at this address."),
  NotSupportedError: _("This device makes no passkey of a kind that can be used here."),
};

const ceremonies = {
  async join(form) {
    const { path } = form.dataset;
    const made = await create(await post(`${path}/options`, {}));
    return post(path, { ...made, label: form.elements.label.value, key: await broughtKey() });
  },
  async "sign-in"(form) {
    const signed = await sign(await post("/sign-in/passkey/options", {}));
    return post("/sign-in/passkey", { ...signed, next: form.dataset.next, key: await broughtKey() });
  },
  async add(form) {
    const { csrf } = form.dataset;
    const signed = await sign(await post("/you/keys/vouch", { csrf }));
    const made = await create(await post("/you/keys/options", { ...signed, csrf }));
    return post("/you/keys", { ...made, csrf, label: form.elements.label.value });
  },
  async "stop-recovery"(form) {
    const { csrf } = form.dataset;
    const signed = await sign(await post("/recovery/stop/options", { csrf }));
    return post("/recovery/stop", { ...signed, csrf });
  },
};

for (const form of document.querySelectorAll("form[data-ceremony]")) {
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    run(form);
  });
}

async function run(form) {
  if (form.ariaBusy === "true") return;
  const problem = form.querySelector(".problem");
  problem.textContent = "";
  form.ariaBusy = "true";
  try {
    check(form.dataset.origin);
    const { to } = await ceremonies[form.dataset.ceremony](form);
    location.assign(to);
  } catch (error) {
    problem.textContent = SAID[error.name] ?? error.message;
  } finally {
    form.ariaBusy = null;
  }
}

// What the authenticator signed of a decision, as it is posted beside the form; else why there is none.
export async function assertion(origin, publicKey) {
  try {
    check(origin);
    const { credential } = await sign({ publicKey });
    return { proof: JSON.stringify(credential) };
  } catch (error) {
    return { failed: SAID[error.name] ?? error.message };
  }
}

function check(origin) {
  if (location.origin !== origin) throw new Error(_("Passkeys count at {origin} alone: open this page there.", { origin }));
  if (!window.PublicKeyCredential?.parseCreationOptionsFromJSON) throw new Error(_("This browser is too old for passkeys: use a newer one."));
}

async function create({ id, publicKey }) {
  const options = PublicKeyCredential.parseCreationOptionsFromJSON(publicKey);
  return { id, credential: (await navigator.credentials.create({ publicKey: options })).toJSON() };
}

async function sign({ id, publicKey }) {
  const options = PublicKeyCredential.parseRequestOptionsFromJSON(publicKey);
  return { id, credential: (await navigator.credentials.get({ publicKey: options })).toJSON() };
}

async function post(address, data) {
  let reply;
  try {
    reply = await send(address, JSON.stringify(data), "application/json");
  } catch (error) {
    if (error instanceof Unsigned) throw error;
    throw new Error(_("The inbox could not be reached. Try again when the connection is back."));
  }
  const said = await reply.json().catch(() => ({}));
  if (!reply.ok) throw new Error(said.problem ?? _("That did not work."));
  return said;
}
