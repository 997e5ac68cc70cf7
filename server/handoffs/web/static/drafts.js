// Drafts: this tab keeps typed text over a reload while the question is open, for the person who typed it. Secrets and
// files are not kept. A draft goes with its question, also where that has ended while the page was away, and with a sign-out in any tab.
import { typed } from "./cards.js";

const KEY = "handoffs draft ";
const OWNER = "handoffs drafts of";
const SOON_MS = 300;
const waiting = new Map();
const tabs = "BroadcastChannel" in window ? new BroadcastChannel("handoffs") : null;

export function keeping() {
  document.addEventListener("input", ({ target }) => {
    const card = target.closest?.(".card");
    if (!card) return;
    clearTimeout(waiting.get(card));
    waiting.set(card, setTimeout(() => keep(card), SOON_MS));
  });
  const all = () => { for (const card of [...waiting.keys()]) keep(card); };
  window.addEventListener("pagehide", all);
  document.addEventListener("visibilitychange", all);
  for (const name of ["card-answered", "card-ended", "card-gone"]) {
    document.addEventListener(name, ({ detail: card }) => drop(card.id, card));
  }
  document.querySelector("form[action='/sign-out']")?.addEventListener("submit", () => {
    forget();
    tabs?.postMessage("signed out");
  });
  tabs?.addEventListener("message", ({ data }) => { if (data === "signed out") forget(); });
  look().catch(() => {}); // the next page looks again
}

// Drafts of somebody else, who was signed in here before, are not this person's to see.
export function own() {
  if ((sessionStorage.getItem(OWNER) ?? person()) !== person()) forget();
}

function person() {
  return document.body.dataset.named ?? "";
}

// A question may have ended while no page of this tab was there to hear of it.
async function look() {
  for (const id of ids()) {
    if (document.querySelector(`#list > .card[id="${CSS.escape(id)}"]:not(.ended)`)) continue;
    const reply = await fetch(`/h/${encodeURIComponent(id)}/card`, { headers: { Accept: "application/json" } });
    if (reply.status === 404 || reply.status === 409) drop(id);
  }
}

function ids() {
  return Object.keys(sessionStorage).filter((key) => key.startsWith(KEY)).map((key) => key.slice(KEY.length));
}

function forget() {
  for (const id of ids()) sessionStorage.removeItem(KEY + id);
  sessionStorage.removeItem(OWNER);
  for (const timer of waiting.values()) clearTimeout(timer);
  waiting.clear();
}

export function restore(card) {
  let kept;
  try {
    kept = JSON.parse(sessionStorage.getItem(KEY + card.id));
  } catch {
    return;
  }
  if (!kept) return;
  for (const control of controls(card)) {
    const values = kept[control.name];
    if (!values) continue;
    if (picks(control)) control.checked = values.includes(control.value);
    else control.value = values[0];
    if (control.value) control.closest("details")?.setAttribute("open", "");
    if (control.type === "datetime-local") control.dispatchEvent(new Event("input"));
  }
}

function keep(card) {
  clearTimeout(waiting.get(card));
  waiting.delete(card);
  if (card.classList.contains("ended")) return;
  const kept = {};
  for (const control of controls(card)) {
    const values = (kept[control.name] ??= []);
    if (!picks(control) || control.checked) values.push(control.value);
  }
  try {
    if (!typed(card)) return drop(card.id, card);
    sessionStorage.setItem(OWNER, person());
    sessionStorage.setItem(KEY + card.id, JSON.stringify(kept));
  } catch {
    // there is no room: it is kept on the page, as before
  }
}

function drop(id, card = document.getElementById(id)) {
  clearTimeout(waiting.get(card));
  waiting.delete(card);
  sessionStorage.removeItem(KEY + id);
  if (!ids().length) sessionStorage.removeItem(OWNER);
}

function controls(card) {
  const form = card.querySelector("form.answer");
  return form ? [...form.elements].filter((each) => each.name && each.matches("input:not([type=hidden], [type=file]), textarea:not(.masked), select")) : [];
}

function picks(control) {
  return control.type === "radio" || control.type === "checkbox";
}
