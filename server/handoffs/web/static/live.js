// Live updates. A lost connection is shown, and reconnects and catches up by itself.
//
// A browser has six connections to one server. So of the tabs that nobody sees only one listens, to keep a count and to
// notify; another listens again, from the line that it heard last, when it is seen.
import { recount } from "./agents.js";
import { came, regroup } from "./groups.js";
import { arrive, depart, ended, insert, listing, open } from "./list.js";
import { remind } from "./snooze.js";
import { look as stand } from "./steady.js";
import { showsStop, stopped } from "./stop.js";
import { count, say } from "./tell.js";
import { setClock, tell } from "./times.js";
import { _ } from "./words.js";

const ENDS = { answered: _("Answered"), declined: _("Declined"), cancelled: _("Withdrawn") };
const REFILL = 20;
let line = Number(document.body.dataset.line);
let page = "";
let source = null;
let lost = false;
let tries = 0;
let retry = 0;
let syncing = null;
let thorough = false;
let chosen = false;

export function connect(which) {
  page = which;
  if (page === "open") listing(sync, refill);
  if (page === "one") document.addEventListener("card-gone", refresh);
  document.addEventListener("card-ended", regroup);
  document.addEventListener("card-unsent", ({ detail: id }) => { if (ended(id)) depart(id, ended(id)); });
  document.addEventListener("clock-jumped", () => { if (source) listen(); });
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
  // The page's filter goes with it: of a new question that it leaves out, only the count is told.
  const filter = page === "open" ? location.search.replace("?", "&") : "";
  source = new EventSource(`/events?after=${line}${showsStop() ? "&stopped" : ""}${filter}`);
  source.addEventListener("open", () => {
    tries = 0;
    if (!lost) return;
    lost = false;
    connection("");
    say(_("Connected again."));
    sync(true);
  });
  source.addEventListener("handoff", (event) => {
    line = Math.max(line, Number(event.lastEventId));
    happened(JSON.parse(event.data));
  });
  source.addEventListener("clock", (event) => {
    setClock(Number(event.data));
    tell(document);
  });
  source.addEventListener("stop", (event) => stopped(JSON.parse(event.data)));
  source.addEventListener("resync", (event) => {
    line = Number(event.lastEventId);
    sync(true);
  });
  source.addEventListener("error", broken);
}

function broken() {
  source?.close();
  lost = true;
  tries += 1;
  source = null;
  connection(tries > 8
    ? _("Reconnecting… The inbox does not answer: run “handoffs inbox” in a terminal to open it again.")
    : _("Reconnecting… What you see may be out of date."));
  clearTimeout(retry);
  retry = setTimeout(again, Math.min(500 * 1.5 ** Math.min(tries, 8), 8000));
}

async function again() {
  clearTimeout(retry);
  if (!lost || source || (document.hidden && !chosen)) return;
  try {
    const reply = await fetch("/events?probe", { method: "HEAD", headers: { Accept: "application/json" } });
    if (reply.status === 401) {
      connection(document.body.dataset.person
        ? _("You are signed out: load this page again to sign in.")
        : _("You are signed out: run “handoffs inbox” in a terminal to sign in."));
      return;
    }
  } catch { /* not there yet: the next try says so again */ }
  listen();
}

function connection(text) {
  const shown = document.getElementById("connection");
  if (shown.textContent !== text) shown.textContent = text;
}

function happened({ id, name, by, channel, open, unwanted }) {
  count(open);
  if (unwanted) return;
  if (page === "one") one(id, name, by, channel);
  else if (!["open", "together", "alike"].includes(page)) return;
  else if (page === "alike" && name === "opened") return;
  else if (name === "opened") (page === "open" ? arrive(id) : tellOf(id));
  else if (ENDS[name] || name === "expired") depart(id, how(name, by, channel));
  else if (name === "reminded") remind(id);
  else changed(document.getElementById(id));
}

// A held call is decided on as it was shown: what shows it here is brought up to date.
function changed(card) {
  if (card?.dataset.call && !card.classList.contains("ended")) check(card);
}

async function tellOf(id) {
  const reply = await fetch(`/h/${id}/card`, { headers: { Accept: "application/json" } });
  if (reply.ok) came(parse(await reply.text()).querySelector(".card"));
}

function how(name, by, channel) {
  if (name === "expired") return _("Expired: nobody answered in time");
  const what = by ? _("{what} by {name}", { what: ENDS[name], name: by }) : ENDS[name];
  return channel ? _("{what} through {channel}", { what, channel }) : what;
}

function refill() {
  if (document.getElementById("older") && open().length < REFILL) sync();
}

function one(id, name, by, channel) {
  const shown = document.getElementById("one");
  if (!shown || shown.dataset.id !== id || name === "opened") return;
  if (ENDS[name] || name === "expired") depart(id, how(name, by, channel));
  refresh();
}

async function refresh() {
  const reply = await fetch(location.pathname);
  if (!reply.ok) return;
  const fresh = parse(await reply.text());
  document.querySelector(".log")?.replaceWith(fresh.querySelector(".log"));
  const outcome = fresh.querySelector("#one > .card.ended");
  const list = document.getElementById("list");
  // A person who has typed in the card first reads why it ended, and then removes it.
  if (outcome && list && !list.querySelector(".card:not(.ended), .card.kept")) list.replaceWith(outcome);
  if (outcome) document.querySelector(".head h1").textContent = fresh.querySelector(".head h1").textContent;
  tell(document);
  stand();
}

// Looks at the page anew: what is missing comes, all else stays as it is. After something may have been missed, what is not
// there any more goes, too; each such card has to be asked for.
function sync(missed = false) {
  thorough ||= missed;
  syncing ??= look().catch(() => {}).finally(() => {
    syncing = null;
    if (thorough) sync();
  });
  return syncing;
}

async function look() {
  const all = thorough;
  thorough = false;
  if (page === "one") {
    const card = document.querySelector("#list .card:not(.ended)");
    if (card) await check(card);
    await refresh();
    return;
  }
  if (page === "together" || page === "alike") {
    for (const card of document.querySelectorAll(".card.of-many:not(.ended)")) await check(card);
    return;
  }
  if (page !== "open") return;
  let fresh = null;
  // Older than the last event: it would bring back ended cards.
  for (let times = 0; times < 5; times += 1) {
    const reply = await fetch(location.pathname + location.search);
    if (!reply.ok) return;
    fresh = parse(await reply.text());
    if (Number(fresh.body.dataset.line) >= line) break;
  }
  line = Math.max(line, Number(fresh.body.dataset.line));
  setClock(Number(fresh.body.dataset.now));
  count(Number(fresh.body.dataset.open));
  const cards = [...fresh.querySelectorAll("#list .card")];
  for (const card of cards) mark(card);
  const there = new Set(cards.map((card) => card.id));
  if (all) for (const card of open()) if (!there.has(card.id)) await check(card);
  insert(cards.map((card) => document.importNode(card, true)));
  for (const id of ["sum", "older"]) {
    const old = document.getElementById(id);
    const now = fresh.getElementById(id);
    if (old && now) old.replaceWith(now);
    else if (old && id === "older") old.remove();
    else if (now && id === "older") document.querySelector(".pager").append(now);
  }
  document.getElementById("empty").hidden = open().length > 0;
  recount(fresh);
  stand();
}

// A card that is not on the fresh page has ended, or moved to an older page: its own address tells which.
async function check(card) {
  const reply = await fetch(`/h/${card.id}/card`, { headers: { Accept: "application/json" } });
  if (reply.status === 409) depart(card.id, (await reply.json()).ended);
  else if (reply.status === 404) depart(card.id, _("It is not in this inbox any more"));
  else if (reply.ok && card.dataset.call) mark(parse(await reply.text()).querySelector(".card"));
}

function mark(fresh) {
  const card = fresh && document.getElementById(fresh.id);
  if (!card?.dataset.call || !fresh.dataset.call || card.dataset.call === fresh.dataset.call) return;
  card.dataset.call = fresh.dataset.call;
  regroup();
}

function parse(html) {
  return new DOMParser().parseFromString(html, "text/html");
}
