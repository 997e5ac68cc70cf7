// Sends what a page posts, signed with the key of this origin where the session has one: what a script sends, and the
// forms that the browser sends itself. A session that has no key yet takes the one of this browser.
import { ownKey, signature } from "./key.js";
import { clock, setClock } from "./times.js";
import { _ } from "./words.js";

const FORM = "application/x-www-form-urlencoded";
const AWAY = _("The inbox could not be reached. Try again when the connection is back.");
const LOST = _("Nothing was sent: this browser has lost the key that your sign-in is bound to. What you typed is still here. Run “handoffs inbox” in a terminal to sign in again; if you use a passkey, sign out below and in again.");
const signs = "key" in document.body.dataset && Boolean(window.crypto?.subtle);
let bound = null;

// Returns the reply to what a script posts. The person reads why where nothing may be sent.
export async function send(address, body, type = FORM) {
  const key = await sessionKey();
  let reply = await sent(address, body, type, key);
  const now = Number(reply.headers.get("Handoffs-Now"));
  if (reply.status === 403 && now) {
    // This machine has slept, or its clock was set, since the page was loaded.
    setClock(now);
    reply = await sent(address, body, type, key);
  }
  return reply;
}

// Returns what sends this at once, also for a page that is left: it is signed already, and is good for two minutes.
export async function ready(address, body, type = FORM) {
  const headers = await signed(address, body, type, await sessionKey());
  return () => fetch(address, { method: "POST", body, headers, keepalive: true });
}

export class Unsigned extends Error {}

async function sent(address, body, type, key) {
  return fetch(address, { method: "POST", body, headers: await signed(address, body, type, key) });
}

async function signed(address, body, type, key) {
  const headers = { Accept: "application/json", "Content-Type": type };
  if (key) headers["Handoffs-Signed"] = await signature("POST", address, session(), body, clock());
  return headers;
}

// Signs the forms that lead to another page.
export function forms() {
  if (!signs) return;
  sessionKey().catch(() => {}); // so that a session of an earlier version is bound as soon as it is used
  document.addEventListener("submit", (event) => {
    const form = event.target;
    // To sign out needs no key: who has lost it must be able to.
    if (event.defaultPrevented || form.method !== "post" || new URL(form.action).pathname === "/sign-out") return;
    event.preventDefault();
    if (form.ariaBusy === "true") return;
    leave(form, event.submitter);
  });
  window.addEventListener("pageshow", () => {
    for (const form of document.querySelectorAll("form[aria-busy=true]")) form.ariaBusy = null;
    for (const form of document.querySelectorAll("form.leaving")) form.remove();
  });
}

async function leave(form, submitter) {
  form.ariaBusy = "true";
  const entries = [...new FormData(form, submitter)].map((each) => each.map(lines));
  const address = submitter?.hasAttribute("formaction") ? submitter.formAction : form.action;
  try {
    await sessionKey();
    // The page that is left is gone then: so the inbox is asked first whether it is there, and takes this key.
    const reply = await fetch("/key", { headers: { Accept: "application/json" } }).catch(() => { throw new Unsigned(AWAY); });
    const said = await reply.json().catch(() => ({}));
    if (!reply.ok) throw new Unsigned(said.problem ?? AWAY);
    if (said.key) {
      if (said.key !== await ownKey()) throw new Unsigned(LOST);
      entries.push(["signed", await signature("POST", address, session(), String(new URLSearchParams(entries)), said.now)]);
    }
    post(address, entries);
  } catch (error) {
    form.ariaBusy = null;
    if (!(error instanceof Unsigned)) throw error;
    tell(form, error.message);
  }
}

function post(address, entries) {
  const form = document.createElement("form");
  Object.assign(form, { method: "post", action: address, hidden: true, className: "leaving" });
  for (const [name, value] of entries) {
    const input = document.createElement("input");
    Object.assign(input, { type: "hidden", name, value });
    form.append(input);
  }
  document.body.append(form);
  HTMLFormElement.prototype.submit.call(form);
}

function tell(form, words) {
  let line = form.querySelector(".problem");
  if (!line) {
    line = document.createElement("p");
    line.className = "problem";
    line.role = "alert";
    form.append(line);
  }
  line.textContent = words;
}

// The key of this page's session, which is this browser's; empty where there is none. Throws Unsigned: it is another's.
async function sessionKey() {
  if (!signs) return "";
  const { key } = document.body.dataset;
  const own = await ownKey();
  if (!key) return own ? bind(own) : "";
  if (key !== own) throw new Unsigned(LOST);
  return key;
}

function bind(key) {
  bound ??= fetch("/key", {
    method: "POST",
    body: new URLSearchParams({ csrf: session(), key }),
    headers: { Accept: "application/json" },
  }).then((reply) => {
    if (reply.status === 409) throw new Unsigned(LOST);
    if (!reply.ok) bound = null;
    return reply.ok ? key : "";
  }, () => {
    bound = null;
    throw new Unsigned(AWAY);
  });
  return bound;
}

function session() {
  return document.querySelector("form[action='/sign-out'] [name=csrf]")?.value ?? "";
}

// As browsers send it.
function lines(text) {
  return text.replace(/\r\n?|\n/g, "\r\n");
}
