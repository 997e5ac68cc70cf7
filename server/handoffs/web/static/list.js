// The open questions on the page. Each stays where it is: a new one comes below the others and waits behind a button, and
// one that has ended is marked. They are put in order, newest first, when the person says so, and when nobody is there.
import { bump, ranked, underHeadings, withoutHeadings } from "./agents.js";
import { end, leave, prepare, underway } from "./cards.js";
import { restore } from "./drafts.js";
import { gather, outdated, regroup } from "./groups.js";
import { offer, snoozing } from "./snooze.js";
import { alone, look } from "./steady.js";
import { notify, say } from "./tell.js";
import { _, n_ } from "./words.js";

const MOST = 150;
const FEW = 5;
const TIDY_MS = 1000;
const gone = new Map();
const coming = new Set();
const unseen = new Set();
let sync = null;
let busy = false;

// `catchUp` looks at everything anew; `refill` is called when cards have gone.
export function listing(catchUp, refill) {
  sync = catchUp;
  document.addEventListener("card-gone", () => { settle(); regroup(); refill(); });
  document.addEventListener("card-ended", ({ detail: card }) => { bump(card, -1); settle(); });
  document.addEventListener("focusin", ({ target }) => see(target.closest?.("#list .card")));
  button().addEventListener("click", show);
  snoozing(returned, () => { gather(); look(); });
  document.addEventListener("visibilitychange", tidy);
  setInterval(tidy, TIDY_MS);
}

export function list() {
  return document.getElementById("list");
}

export function open() {
  return [...list().querySelectorAll(":scope > .card:not(.ended)")];
}

// Shows how a question ended, after its event.
export function ended(id) {
  return gone.get(id);
}

export async function arrive(id) {
  if (document.getElementById(id) || gone.has(id)) return;
  coming.add(id);
  if (list().dataset.number !== "1") {
    wait(id);
    return;
  }
  if (busy) return;
  busy = true;
  try {
    while (coming.size) await bring();
  } finally {
    busy = false;
  }
}

async function bring() {
  const ids = [...coming];
  coming.clear();
  // Many at once are one look; what that does not bring, or has no room, waits behind the button as well.
  if (ids.length > FEW && list().children.length < MOST) await sync();
  for (const id of ids) {
    if (document.getElementById(id) || gone.has(id)) continue;
    if (ids.length > FEW || list().children.length >= MOST) wait(id);
    else await fetched(id);
  }
}

async function fetched(id) {
  const reply = await fetch(`/h/${id}/card`);
  if (!reply.ok) return;
  const card = new DOMParser().parseFromString(await reply.text(), "text/html").querySelector(".card");
  if (card) insert([card]);
}

// Below what is there, so that none of it moves: what is newer as it came, then what is older, which is no news.
export function insert(cards) {
  const newest = Math.max(...open().map(created));
  const missing = cards.filter((card) => !document.getElementById(card.id) && !gone.has(card.id));
  const news = missing.filter((card) => created(card) > newest).sort((a, b) => created(a) - created(b));
  const first = !list().querySelector(".card");
  for (const card of [...news, ...missing.filter((card) => created(card) <= newest)]) {
    card.classList.add("new");
    if (!first) withoutHeadings(list(), card);
    list().append(card);
    prepare(card);
    restore(card);
    if (offer(card) || !news.includes(card)) continue;
    bump(card, 1);
    if (!first) wait(card.id);
    say(_("New question from {name}", { name: who(card) }));
    notify(card);
  }
  if (first) list().append(...underHeadings(list(), sorted([...list().children])));
  if (first) gather(); // there was nothing that it could move
  regroup();
  look();
  settle();
}

// A question that was put off is back: it stands where a new one would.
function returned(card) {
  list().append(card);
  wait(card.id);
  say(_("A question is back, from {name}", { name: who(card) }));
  regroup();
  look();
  settle();
}

export function depart(id, reason) {
  gone.set(id, reason);
  see(document.getElementById(id) ?? { id });
  const card = document.getElementById(id);
  if (!card || card.classList.contains("ended")) return;
  if (underway(card)) {
    // Its reply says how it went; one that is kept back is sent now, to get one.
    document.dispatchEvent(new CustomEvent("card-overtaken", { detail: card }));
    return;
  }
  say(`${who(card)}: ${reason}`);
  end(card, reason);
}

function who(card) {
  return card.querySelector("h2").textContent.trim().replace(/\s+/g, " ");
}

function wait(id) {
  unseen.add(id);
  tellNew();
}

function see(card) {
  if (card && unseen.delete(card.id)) tellNew();
}

function tellNew() {
  const count = unseen.size;
  button().hidden = !count;
  button().textContent = n_("{count} new question", "{count} new questions", count);
}

function button() {
  return document.getElementById("arrived");
}

function show() {
  if (list().dataset.number !== "1" || [...unseen].some((id) => !document.getElementById(id))) {
    location.assign(newest());
    return;
  }
  arrange();
  window.scrollTo({ top: 0, behavior: "instant" });
  open()[0]?.focus({ preventScroll: true });
}

// The first page of what this page shows.
function newest() {
  const address = new URL(location.href);
  address.searchParams.delete("page");
  return address.pathname + address.search;
}

function tidy() {
  if (!list() || !alone()) return;
  const cards = open();
  const order = sorted(cards).every((card, at) => card === cards[at]);
  if (!order || outdated() || list().querySelector(":scope > .card.ended:not(.kept)")) arrange();
}

// Newest first, and what has ended goes, unless something was typed there.
function arrange() {
  const focused = document.activeElement;
  for (const card of list().querySelectorAll(":scope > .card.ended:not(.kept)")) leave(card);
  withoutHeadings(list());
  list().append(...underHeadings(list(), sorted([...list().children])));
  gather();
  if (focused !== document.activeElement && focused.isConnected) focused.focus({ preventScroll: true });
  for (const id of [...unseen]) if (document.getElementById(id)) unseen.delete(id);
  tellNew();
  look();
}

// Newest first; held calls of one agent stand beside the newest of them.
function sorted(cards) {
  const newest = new Map();
  for (const card of cards) {
    const agent = card.dataset.agent ?? card.id;
    newest.set(agent, Math.max(newest.get(agent) ?? 0, created(card)));
  }
  const first = (card) => newest.get(card.dataset.agent ?? card.id);
  const name = (card) => card.dataset.agent ?? card.id;
  const rank = ranked(list(), cards, created);
  return [...cards].sort((a, b) => rank(a) - rank(b) || first(b) - first(a) || (name(a) === name(b) ? created(b) - created(a) : 0));
}

function created(card) {
  return Number(card.dataset.created);
}

function settle() {
  document.getElementById("empty").hidden = open().length > 0 || Boolean(document.getElementById("older"));
}
