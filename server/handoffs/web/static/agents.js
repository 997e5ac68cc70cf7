// The headings of the list where it stands by agent: each names an agent, and counts its questions that match, also those of
// other pages. What has just come stands below all, under a heading of its own, until the cards are put in order.
import { _, language } from "./words.js";
const totals = new Map();
const order = [];

export function asker(card) {
  return card.querySelector("h2 > bdi").textContent;
}

function grouped(list) {
  return "byAgent" in list.dataset;
}

function learn(list) {
  for (const heading of list.querySelectorAll(":scope > .of-agent[data-of]")) {
    if (order.includes(heading.dataset.of)) continue;
    order.push(heading.dataset.of);
    totals.set(heading.dataset.of, number(heading));
  }
}

// Where the questions of a card's agent stand: agents that have come since are first, the newest of them at the top.
export function ranked(list, cards, created) {
  if (!grouped(list)) return () => 0;
  learn(list);
  const newest = new Map();
  for (const card of cards) newest.set(asker(card), Math.max(newest.get(asker(card)) ?? 0, created(card)));
  const known = (card) => order.indexOf(asker(card));
  return (card) => (known(card) < 0 ? -newest.get(asker(card)) : known(card));
}

// Removes the headings; or, for a card that has just come, sees to it that the one for such cards stands there.
export function withoutHeadings(list, card = null) {
  if (!grouped(list)) return;
  learn(list);
  if (!card) for (const each of list.querySelectorAll(":scope > .of-agent")) each.remove();
  else if (!list.querySelector(":scope > .of-agent:not([data-of])")) list.append(made(_("Just asked")));
}

// Returns cards that are in order, each agent's behind its heading.
export function underHeadings(list, cards) {
  if (!grouped(list)) return cards;
  const all = [];
  let last = null;
  for (const card of cards) {
    if (asker(card) !== last) {
      last = asker(card);
      all.push(heading(last, totals.get(last) ?? cards.filter((each) => asker(each) === last && !each.classList.contains("ended")).length));
    }
    all.push(card);
  }
  return all;
}

// One question more of an agent, or one less.
export function bump(card, by) {
  const list = document.getElementById("list");
  if (!list || !grouped(list)) return;
  learn(list);
  const name = asker(card);
  if (totals.has(name)) count(name, Math.max(totals.get(name) + by, 0));
}

// Takes the numbers of a page that was just loaded.
export function recount(fresh) {
  for (const each of fresh.querySelectorAll(".of-agent[data-of]")) count(each.dataset.of, number(each));
}

function count(name, total) {
  totals.set(name, total);
  for (const each of document.querySelectorAll(".of-agent[data-of]")) {
    if (each.dataset.of === name) each.querySelector(".count").textContent = total.toLocaleString(language);
  }
}

function number(heading) {
  return Number(heading.querySelector(".count").textContent.replace(/\D/g, ""));
}

function heading(name, total) {
  const address = new URL(location.href);
  for (const each of ["group", "page"]) address.searchParams.delete(each);
  address.searchParams.set("client", name);
  const link = document.createElement("a");
  link.href = address.pathname + address.search;
  const words = document.createElement("bdi");
  words.textContent = name;
  link.append(words);
  const shown = document.createElement("span");
  shown.className = "count";
  shown.textContent = total.toLocaleString(language);
  const all = made("");
  all.dataset.of = name;
  all.append(link, " ", shown);
  return all;
}

function made(text) {
  const heading = document.createElement("h2");
  heading.className = "of-agent";
  heading.textContent = text;
  return heading;
}
