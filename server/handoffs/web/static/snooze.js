// Putting a question off: this browser hides it until a time that the person picks. Nothing else changes: the deadline goes
// on, a reminder comes as ever, and brings it back. What is hidden is counted, and comes back at a press.
import { say } from "./tell.js";
import { clock } from "./times.js";
import { _, locale, n_ } from "./words.js";

const MINUTE_MS = 60000;
const LOOK_MS = 1000;
const CHOICES = [
  [_("In 15 minutes"), (now) => now + 15 * MINUTE_MS],
  [_("In an hour"), (now) => now + 60 * MINUTE_MS],
  [_("Tomorrow at 9"), tomorrow],
];
let back = null;

// `returned` is called with each card that comes back, `hidden` when some were hidden.
export function snoozing(returned, hidden) {
  back = returned;
  document.getElementById("snoozed")?.addEventListener("click", () => wake(shown().map((card) => card.id)));
  document.addEventListener("snooze", ({ detail: card }) => {
    const next = [card.nextElementSibling, card.previousElementSibling].find((each) => each?.matches(".card:not([hidden])"));
    hide(card);
    (next ?? document.getElementById("main")).focus({ preventScroll: true });
    hidden();
  });
  document.addEventListener("card-ended", ({ detail: card }) => { forget([card.id]); count(); });
  document.addEventListener("card-gone", count);
  window.addEventListener("storage", (event) => { if (event.key === key()) apply(hidden); });
  setInterval(() => wake(due()), LOOK_MS);
  count();
}

export function snoozed(id) {
  return (kept()[id] ?? 0) > clock();
}

// Gives a card of the list its control, or hides it while it is put off. Returns whether it is hidden.
export function offer(card) {
  if (document.body.dataset.page !== "open" || card.querySelector(".later")) return card.hidden;
  const deadline = Date.parse(card.querySelector("time.left")?.dateTime);
  const choices = CHOICES.map(([words, at]) => [words, at(clock())]).filter(([, at]) => at < deadline);
  if (choices.length) card.querySelector(".facts").append(control(card, choices));
  if (snoozed(card.id)) hide(card);
  return card.hidden;
}

// A reminder of it came.
export function remind(id) {
  if (snoozed(id)) wake([id]);
}

function control(card, choices) {
  const fold = document.createElement("details");
  fold.className = "later";
  const title = document.createElement("summary");
  title.textContent = _("Later");
  const actions = document.createElement("div");
  actions.className = "actions";
  for (const [words, at] of choices) {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = words;
    button.addEventListener("click", () => {
      keep({ ...kept(), [card.id]: at });
      fold.open = false;
      document.dispatchEvent(new CustomEvent("snooze", { detail: card }));
      say(_("Hidden until {time}. Its deadline goes on.", { time: new Date(at).toLocaleString(locale, { dateStyle: "medium", timeStyle: "short" }) }));
    });
    actions.append(button);
  }
  fold.append(title, actions);
  return fold;
}

function hide(card) {
  card.hidden = true;
  document.dispatchEvent(new CustomEvent("card-snoozed", { detail: card }));
  count();
}

function wake(ids) {
  if (!ids.length) return;
  forget(ids);
  for (const id of ids) {
    const card = document.getElementById(id);
    if (!card?.hidden) continue;
    card.hidden = false;
    back(card);
  }
  count();
}

// What another tab has put off, or has brought back.
function apply(hidden) {
  let some = false;
  for (const card of document.querySelectorAll("#list > .card:not(.ended)")) {
    if (snoozed(card.id) && !card.hidden) {
      hide(card);
      some = true;
    } else if (card.hidden && !snoozed(card.id)) {
      card.hidden = false;
      back(card);
    }
  }
  if (some) hidden();
  count();
}

function shown() {
  return [...document.querySelectorAll("#list > .card[hidden]:not(.ended)")];
}

function count() {
  const button = document.getElementById("snoozed");
  if (!button) return;
  const hidden = shown().length;
  button.hidden = !hidden;
  const words = n_("{count} snoozed: show it", "{count} snoozed: show them", hidden);
  if (button.textContent !== words) button.textContent = words;
}

function due() {
  return Object.keys(kept()).filter((id) => kept()[id] <= clock());
}

function tomorrow(now) {
  const at = new Date(now);
  at.setDate(at.getDate() + 1);
  at.setHours(9, 0, 0, 0);
  return at.getTime();
}

function forget(ids) {
  const left = kept();
  let some = false;
  for (const id of ids) {
    some ||= id in left;
    delete left[id];
  }
  if (some) keep(left);
}

// Of this person in this browser.
function key() {
  return `handoffs snoozed of ${document.body.dataset.named ?? ""}`;
}

function kept() {
  try {
    const read = JSON.parse(localStorage.getItem(key()));
    return read && typeof read === "object" ? read : {};
  } catch {
    return {};
  }
}

function keep(all) {
  try {
    if (Object.keys(all).length) localStorage.setItem(key(), JSON.stringify(all));
    else localStorage.removeItem(key());
  } catch {
    // there is no room: it is hidden until the page is loaded again
  }
}
