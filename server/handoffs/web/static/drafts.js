// Drafts: this tab keeps typed text over a reload while the question is open. Secrets are not kept.
import { typed } from "./cards.js";

const KEY = "handoffs draft ";
const SOON_MS = 300;
const waiting = new Map();

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
  document.addEventListener("card-answered", ({ detail: card }) => drop(card));
  document.addEventListener("card-gone", ({ detail: card }) => drop(card));
  document.querySelector("form[action='/sign-out']")?.addEventListener("submit", () => {
    for (const key of Object.keys(sessionStorage)) if (key.startsWith(KEY)) sessionStorage.removeItem(key);
  });
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
  const kept = {};
  for (const control of controls(card)) {
    const values = (kept[control.name] ??= []);
    if (!picks(control) || control.checked) values.push(control.value);
  }
  try {
    if (typed(card)) sessionStorage.setItem(KEY + card.id, JSON.stringify(kept));
    else sessionStorage.removeItem(KEY + card.id);
  } catch {
    // there is no room: it is kept on the page, as before
  }
}

function drop(card) {
  clearTimeout(waiting.get(card));
  waiting.delete(card);
  sessionStorage.removeItem(KEY + card.id);
}

function controls(card) {
  const form = card.querySelector("form.answer");
  return form ? [...form.elements].filter((each) => each.name && each.matches("input:not([type=hidden]), textarea:not(.masked), select")) : [];
}

function picks(control) {
  return control.type === "radio" || control.type === "checkbox";
}
