// Guards against moving targets: an element that has come or moved ignores presses for half a second, since such a
// press was meant for what stood there before.
import { say } from "./tell.js";
import { _ } from "./words.js";

const SETTLE_MS = 500;
const OWN_MS = 150;
const LEFT_MS = 30000;
const BLOCKS = ".card, .group, .of-agent, .pager, .foot, .after";
const CONTROLS = "button, a[href], summary, label, select, input, textarea";
const stood = new WeakMap(); // where each block stands in the document
const since = new WeakMap(); // since when it has stood there
const grown = new WeakMap(); // when it last changed by what the person did in it
let owner = null;
let owned = -Infinity;
let early = false;
let over = false;
let touched = performance.now();
let sizes = null;

export function standing() {
  sizes = new ResizeObserver(look);
  sizes.observe(document.getElementById("main"));
  for (const block of document.querySelectorAll(BLOCKS)) stood.set(block, place(block));
  // Before any other handler.
  for (const type of ["pointerdown", "mousedown", "click"]) window.addEventListener(type, guard, true);
  window.addEventListener("keydown", () => { early = false; touched = performance.now(); }, true);
  for (const type of ["input", "toggle"]) document.addEventListener(type, ({ target }) => own(target.closest?.(".card")), true);
  document.addEventListener("pointerover", (event) => { over = event.pointerType !== "touch"; });
  document.documentElement.addEventListener("pointerleave", () => { over = false; });
  document.addEventListener("visibilitychange", () => { if (!document.hidden) look(); });
}

// Whether no pointer is on the page: then elements may move.
export function alone() {
  const busy = document.activeElement?.closest?.(".card");
  return document.hidden || (!over && !busy && performance.now() - touched > LEFT_MS);
}

// Whether a card has stood for long enough to be pressed, or to be meant by a key.
export function settled(card) {
  look();
  if (!unsettled(card)) return true;
  refuse(card);
  return false;
}

// Its content has changed: a press now was meant for the old content.
export function stir(block) {
  stood.set(block, place(block));
  since.set(block, performance.now());
  block.classList.add("settling");
  setTimeout(() => { if (!unsettled(block)) block.classList.remove("settling"); }, SETTLE_MS + 20);
}

// What grows in this card now grows by what the person does in it.
export function own(card) {
  owner = card;
  owned = performance.now();
}

export function look() {
  const now = performance.now();
  for (const block of document.querySelectorAll(BLOCKS)) {
    const is = place(block);
    const was = stood.get(block);
    if (was === is) continue;
    if (was !== undefined && block === owner && now - owned < OWN_MS && corner(was) === corner(is)) {
      stood.set(block, is);
      grown.set(block, now);
    } else {
      stir(block);
    }
    sizes?.observe(block);
  }
}

function place(block) {
  const { left, top, width, height } = block.getBoundingClientRect();
  return [left + window.scrollX, top + window.scrollY, width, height].map(Math.round).join(" ");
}

function corner(place) {
  return place.split(" ").slice(0, 3).join(" ");
}

function unsettled(block) {
  return performance.now() - (since.get(block) ?? -Infinity) < SETTLE_MS;
}

function guard(event) {
  if (event.isTrusted) touched = performance.now();
  look();
  if (event.type === "pointerdown") early = false;
  const control = event.target.closest?.(CONTROLS);
  const block = control?.closest(BLOCKS);
  if (event.type === "click") own(event.target.closest?.(BLOCKS)); // what it is about to open or fold
  if (!block || written(control)) return;
  // The second press of a double click is meant for what the first has changed.
  const twice = event.detail > 1 && performance.now() - (grown.get(block) ?? -Infinity) < SETTLE_MS;
  if (!early && !unsettled(block) && !twice) return;
  early = true;
  if (event.type === "pointerdown") return;
  event.preventDefault();
  event.stopImmediatePropagation();
  if (event.type === "click") {
    early = false;
    refuse(block);
  }
}

// A field may be entered: what is then typed is seen where it lands.
function written(control) {
  const field = control.matches("label") ? control.control : control;
  return field?.matches("textarea, input:not([type=radio], [type=checkbox])") ?? false;
}

function refuse(block) {
  say(_("That has just come or moved, and took nothing. Look, and press again."));
  block.classList.remove("refused");
  void block.offsetWidth; // so that it shows again
  block.classList.add("refused");
}
