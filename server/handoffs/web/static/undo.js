// Undo, for who wants it: the page keeps an answer back for five seconds. It is sent at once when the page is left or hidden,
// when another answer follows, and when the question ends elsewhere. The inbox knows nothing of it. An answer that a passkey
// signs is not kept back: the device has asked already, and what it has signed can't be taken back by a page.
import { own } from "./steady.js";
import { say } from "./tell.js";
import { _, pieces } from "./words.js";

const HOLD_MS = 5000;
const MOST = 60000; // what a browser still sends for a page that is gone
let current = null;

export function undoing() {
  const setting = document.getElementById("undo");
  if (!setting) return;
  setting.closest("label").hidden = false;
  setting.checked = wanted();
  setting.addEventListener("change", () => {
    try {
      if (setting.checked) localStorage.setItem(key(), "on");
      else localStorage.removeItem(key());
    } catch {
      setting.checked = wanted(); // there is no room
    }
  });
  window.addEventListener("pagehide", leave);
  document.addEventListener("visibilitychange", () => { if (document.hidden) leave(); });
  document.addEventListener("card-overtaken", ({ detail: card }) => { if (current?.card === card) current.go(); });
}

export function keepsBack(body) {
  return wanted() && body.length < MOST;
}

// Returns the reply to an answer that is sent after a while, or at once when the page is left; null if it was taken back.
export async function held(form, address, body, type) {
  current?.go();
  const { ready, send } = await import("./posting.js");
  // Signed now: a page that is left has no time for it.
  const leaving = await ready(address, body, type);
  return new Promise((resolve) => {
    const card = form.closest(".card");
    const focused = document.activeElement;
    const bar = shown(card);
    const settle = (result) => {
      if (current?.bar !== bar) return;
      current = null;
      clearInterval(bar.timer);
      own(card);
      bar.element.remove();
      form.inert = false;
      resolve(result());
    };
    current = {
      card,
      bar,
      go: () => settle(() => send(address, body, type)),
      leave: () => settle(leaving),
    };
    const ends = performance.now() + HOLD_MS;
    bar.timer = setInterval(() => {
      const left = Math.ceil((ends - performance.now()) / 1000);
      bar.left.textContent = String(Math.max(left, 0));
      if (left <= 0) current?.go();
    }, 100);
    bar.undo.addEventListener("click", () => {
      settle(() => null);
      if (card.contains(focused)) focused.focus();
      else card.focus({ preventScroll: true });
      say(_("Taken back: nothing was sent."));
    });
    form.inert = true;
    bar.undo.focus({ preventScroll: true });
    say(_("It is sent in 5 seconds. Undo takes it back."));
  });
}

function leave() {
  current?.leave();
}

function shown(card) {
  own(card);
  const element = document.createElement("div");
  element.className = "gone held";
  const words = document.createElement("p");
  const left = document.createElement("span");
  left.textContent = String(HOLD_MS / 1000);
  words.append(...pieces("Sent in {seconds} s.", { seconds: left }));
  const undo = document.createElement("button");
  undo.type = "button";
  undo.className = "undo";
  undo.textContent = _("Undo");
  element.append(words, undo);
  card.append(element);
  return { element, left, undo, timer: 0 };
}

function wanted() {
  try {
    return localStorage.getItem(key()) === "on";
  } catch {
    return false;
  }
}

// Of this person in this browser.
function key() {
  return `handoffs undo of ${document.body.dataset.named ?? ""}`;
}
