// What happens elsewhere, as it happens. A connection that is lost is said, and caught up with by itself.
//
// A browser has six connections to one server. So of the tabs that nobody sees only one listens, to keep a count and to
// notify; another listens again, from the line that it heard last, when it is seen.
import { end, prepare, underway } from "./cards.js";
import { count, notice, notify, say } from "./tell.js";
import { tell } from "./times.js";

const ENDS = { answered: "Answered", declined: "Declined", cancelled: "Withdrawn" };
const REFILL = 20;
let line = Number(document.body.dataset.line);
let page = "";
let source = null;
let lost = false;
let tries = 0;
let retry = 0;
let syncing = null;
let chosen = false;
const gone = new Map();

export function connect(which) {
  page = which;
  document.addEventListener("card-gone", settled);
  document.addEventListener("card-unsent", ({ detail: id }) => { if (gone.has(id)) depart(id, gone.get(id)); });
  window.addEventListener("online", again);
  document.addEventListener("visibilitychange", seen);
  choose();
  seen();
}

function seen() {
  if (document.hidden && !chosen) {
    clearTimeout(retry);
    source?.close();
    source = null;
  } else if (lost) {
    again();
  } else if (!source) {
    listen();
  }
}

function choose() {
  const last = () => {
    chosen = true;
    seen();
    return new Promise(() => {}); // until this tab is closed
  };
  if (navigator.locks) navigator.locks.request("handoffs-listener", last);
  else last();
}

function listen() {
  clearTimeout(retry);
  source?.close();
  source = new EventSource(`/events?after=${line}`);
  source.addEventListener("open", () => {
    tries = 0;
    if (!lost) return;
    lost = false;
    connection("");
    say("Connected again.");
    sync();
  });
  source.addEventListener("handoff", (event) => {
    line = Math.max(line, Number(event.lastEventId));
    happened(JSON.parse(event.data));
  });
  source.addEventListener("resync", (event) => {
    line = Number(event.lastEventId);
    sync();
  });
  source.addEventListener("error", broken);
}

function broken() {
  source?.close();
  lost = true;
  tries += 1;
  source = null;
  connection(tries > 8
    ? "Reconnecting… The inbox does not answer: run “handoffs inbox” in a terminal to open it again."
    : "Reconnecting… What you see may be out of date.");
  clearTimeout(retry);
  retry = setTimeout(again, Math.min(500 * 1.5 ** Math.min(tries, 8), 8000));
}

async function again() {
  clearTimeout(retry);
  if (!lost || source || (document.hidden && !chosen)) return;
  try {
    const reply = await fetch("/events?probe", { method: "HEAD", headers: { Accept: "application/json" } });
    if (reply.status === 401) {
      connection("You are signed out: run “handoffs inbox” in a terminal to sign in.");
      return;
    }
  } catch { /* not there yet: the next try says so again */ }
  listen();
}

function connection(text) {
  const shown = document.getElementById("connection");
  if (shown.textContent !== text) shown.textContent = text;
}

function happened({ id, name, by, channel, open }) {
  count(open);
  if (page === "one") {
    one(id, name, by, channel);
    return;
  }
  if (name === "opened") arrive(id);
  else if (ENDS[name] || name === "expired") depart(id, how(name, by, channel));
}

function how(name, by, channel) {
  if (name === "expired") return "Expired: nobody answered in time";
  return `${ENDS[name]}${by ? ` by ${by}` : ""}${channel ? ` through ${channel}` : ""}`;
}

async function arrive(id) {
  const list = document.getElementById("list");
  if (page !== "open") return;
  if (list.dataset.number !== "1") {
    document.getElementById("more").hidden = false;
    return;
  }
  if (document.getElementById(id) || gone.has(id)) return;
  const reply = await fetch(`/h/${id}/card`);
  if (!reply.ok) return;
  const card = parse(await reply.text()).querySelector(".card");
  if (!card || !insert(card)) return;
  say(`New question from ${card.querySelector("h2").textContent.trim().replace(/\s+/g, " ")}`);
  notify(card);
}

// Newest first; nothing that is there is touched.
function insert(card) {
  const list = document.getElementById("list");
  if (document.getElementById(card.id) || gone.has(card.id)) return false;
  const made = Number(card.dataset.created);
  const later = [...list.children].find((other) => Number(other.dataset.created) < made);
  const held = document.activeElement?.closest?.(".card")?.getBoundingClientRect().top;
  list.insertBefore(card, later ?? null);
  card.classList.add("new");
  prepare(card);
  if (held !== undefined) {
    const moved = document.activeElement.closest(".card").getBoundingClientRect().top - held;
    if (moved) window.scrollBy({ top: moved, behavior: "instant" });
  }
  document.getElementById("empty").hidden = true;
  return true;
}

function depart(id, reason) {
  gone.set(id, reason);
  const card = document.getElementById(id);
  if (!card || card.classList.contains("ended") || underway(card)) return;
  const who = card.querySelector("h2").textContent.trim().replace(/\s+/g, " ");
  notice(`${who}: ${reason}`, id);
  end(card, reason);
}

function settled() {
  const list = document.getElementById("list");
  if (page !== "open") return;
  const left = list.children.length;
  const older = document.getElementById("older");
  document.getElementById("empty").hidden = left > 0 || Boolean(older);
  if (older && left < REFILL) sync();
}

function one(id, name, by, channel) {
  const shown = document.getElementById("one");
  if (!shown || shown.dataset.id !== id || name === "opened") return;
  const card = document.getElementById(id);
  if (card && (ENDS[name] || name === "expired")) {
    depart(id, how(name, by, channel));
  }
  refresh();
}

async function refresh() {
  const reply = await fetch(location.pathname);
  if (!reply.ok) return;
  const fresh = parse(await reply.text());
  document.querySelector(".log")?.replaceWith(fresh.querySelector(".log"));
  const ended = fresh.querySelector("#one > .card.ended");
  const list = document.getElementById("list");
  // Somebody who is in the card reads first why it ended, and puts it away.
  if (ended && list && !list.querySelector(".card")) list.replaceWith(ended);
  if (ended) document.querySelector(".head h1").textContent = fresh.querySelector(".head h1").textContent;
  tell(document);
}

// Looks at everything anew: what is missing comes, what is not there any more goes, all else stays as it is.
function sync() {
  syncing ??= look().catch(() => {}).finally(() => { syncing = null; });
  return syncing;
}

async function look() {
  if (page === "one") {
    const card = document.querySelector("#list .card:not(.ended)");
    await refresh();
    if (card) await ended(card);
    return;
  }
  const list = document.getElementById("list");
  if (page !== "open" || !list) return;
  let fresh = null;
  // Older than what has been heard since: it would bring back what has gone.
  for (let times = 0; times < 5; times += 1) {
    const reply = await fetch(location.pathname + location.search);
    if (!reply.ok) return;
    fresh = parse(await reply.text());
    if (Number(fresh.body.dataset.line) >= line) break;
  }
  line = Math.max(line, Number(fresh.body.dataset.line));
  count(Number(fresh.body.dataset.open));
  const there = new Set([...fresh.querySelectorAll("#list .card")].map((card) => card.id));
  for (const card of [...list.children]) {
    if (!there.has(card.id) && !card.classList.contains("ended")) await ended(card);
  }
  for (const card of fresh.querySelectorAll("#list .card")) insert(document.importNode(card, true));
  for (const id of ["sum", "older"]) {
    const old = document.getElementById(id);
    const now = fresh.getElementById(id);
    if (old && now) old.replaceWith(now);
    else if (old && id === "older") old.remove();
    else if (now && id === "older") document.querySelector(".pager").append(now);
  }
  document.getElementById("empty").hidden = list.children.length > 0;
}

// A card that is on no fresh page has ended, or was pushed to an older one: its own address says which.
async function ended(card) {
  const reply = await fetch(`/h/${card.id}/card`);
  if (reply.status === 409) depart(card.id, (await reply.json()).ended);
  else if (reply.status === 404) depart(card.id, "It is not in this inbox any more");
}

function parse(html) {
  return new DOMParser().parseFromString(html, "text/html");
}
