// The held calls of one agent that stand together. What is decided on at once is what this page shows: a call that has
// ended leaves its panel, and one that has come joins it when the cards are put in order, and is told of until then.
import { _, n_, n_pieces, pieces } from "./words.js";

export function gather() {
  const box = document.getElementById("groups");
  if (!box) return;
  const focused = document.activeElement;
  const agent = focused.closest?.(".group")?.dataset.agent;
  box.replaceChildren(...wanted().map(panel));
  if (agent && !focused.isConnected) box.querySelector(`[data-agent="${agent}"] button[value="${focused.value}"]`)?.focus({ preventScroll: true });
}

// Whether the panels are not those of the calls that are open on the page.
export function outdated() {
  const box = document.getElementById("groups");
  const named = (cards) => cards.map((card) => card.id).sort().join(" ");
  const shown = box && [...box.children].map((group) => [...group.querySelectorAll("li")].map((each) => each.dataset.id).sort().join(" "));
  return Boolean(box) && shown.sort().join() !== wanted().map(named).sort().join();
}

// In place, so that nothing moves.
export function regroup() {
  for (const group of document.querySelectorAll("#groups > .group")) {
    group.style.minHeight ||= `${group.getBoundingClientRect().height}px`;
    const cards = waiting(group.dataset.agent);
    const left = keep(group, cards);
    for (const each of group.querySelectorAll("li")) each.classList.toggle("over", !left.has(each.dataset.id));
    count(group, left.size);
    since(group, cards.length - left.size);
  }
  confirming();
}

// The page that confirms: its heading and its button say how many are left.
function confirming() {
  const form = document.querySelector(".decide-all");
  if (!form) return;
  const left = keep(form, waiting()).size;
  const button = form.querySelector("button");
  const allows = form.querySelector("[name=decision]").value === "allow";
  button.textContent = allows ? n_("Allow this call", "Allow these {count} calls", left) : n_("Deny this call", "Deny these {count} calls", left);
  button.disabled = !left;
  document.querySelector(".head h1").textContent = heading(allows, left);
}

function heading(allows, left) {
  if (!left) return _("Nothing is left to decide");
  return allows ? n_("Allow this call?", "Allow these {count} calls?", left) : n_("Deny this call?", "Deny these {count} calls?", left);
}

// On the page that confirms, a call that comes is no more than told of.
export function came(card) {
  const form = document.querySelector(".decide-all");
  if (!form || document.getElementById(card.id) || !document.querySelector(`.card[data-agent="${card.dataset.agent}"]`)) return;
  form.dataset.since = Number(form.dataset.since ?? 0) + 1;
  since(form, Number(form.dataset.since));
}

function wanted() {
  const agents = new Map();
  for (const card of waiting()) agents.set(card.dataset.agent, [...(agents.get(card.dataset.agent) ?? []), card]);
  return [...agents.values()].filter((cards) => cards.length > 1);
}

function waiting(agent) {
  const cards = [...document.querySelectorAll(".list > .card[data-call]:not(.ended, [hidden])")];
  return agent === undefined ? cards : cards.filter((card) => card.dataset.agent === agent);
}

// Drops what has ended from what is posted, and returns what is left, by id.
function keep(part, cards) {
  const marks = new Map(cards.map((card) => [card.id, card.dataset.call]));
  const left = new Set();
  for (const input of part.querySelectorAll("[name=call]")) {
    const id = input.value.split(" ")[0];
    if (marks.has(id)) {
      input.value = marks.get(id);
      left.add(id);
    } else {
      input.remove();
    }
  }
  return left;
}

function panel(cards) {
  const agent = cards[0].dataset.agent;
  const group = document.getElementById("group").content.firstElementChild.cloneNode(true);
  group.dataset.agent = agent;
  group.setAttribute("aria-labelledby", `group-${agent}`);
  const title = group.querySelector("h2");
  title.id = `group-${agent}`;
  title.replaceChildren(
    named("who", cards[0].querySelector("h2 > bdi").textContent), named("where", cards[0].querySelector(".folder bdi")?.textContent ?? ""));
  const form = group.querySelector("form");
  for (const card of cards) {
    const input = document.createElement("input");
    Object.assign(input, { type: "hidden", name: "call", value: card.dataset.call });
    form.prepend(input);
    group.querySelector(".calls").append(item(card));
  }
  count(group, cards.length);
  return group;
}

function item(card) {
  const { tool, server } = card.dataset;
  const line = document.createElement("li");
  const link = document.createElement("a");
  line.dataset.id = card.id;
  link.href = `#${card.id}`;
  link.append(...(server ? pieces("{tool} of {server}", { tool: code(tool), server: code(server) }) : [code(tool)]));
  line.append(link);
  return line;
}

function named(kind, text) {
  const made = document.createElement("bdi");
  made.className = kind;
  made.textContent = text;
  return made;
}

function code(text) {
  const made = document.createElement("code");
  made.dir = "ltr";
  made.textContent = text;
  return made;
}

function count(group, calls) {
  const title = group.querySelector("h2");
  const who = title.querySelector(".who");
  const where = title.querySelector(".where");
  title.replaceChildren(...(where?.textContent
    ? n_pieces("{count} call of {who} in {where} waits", "{count} calls of {who} in {where} wait", calls, { who, where })
    : n_pieces("{count} call of {who} waits", "{count} calls of {who} wait", calls, { who })));
  for (const button of group.querySelectorAll("button")) button.disabled = !calls;
}

function since(part, more) {
  const line = part.querySelector(".since");
  const words = more > 0 ? n_("{count} more came: not among these.", "{count} more came: not among these.", more) : "";
  if (line.textContent !== words) line.textContent = words;
}
