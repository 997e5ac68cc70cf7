// One question in a chat: shows the card of a result, sends the person's decision, and tells the conversation.
import { prepare, send, typed, underway } from "./cards.js";
import { keys } from "./keys.js";
import { standing, stir } from "./steady.js";
import { setClock, tell, ticking } from "./times.js";
import { say } from "./tell.js";
import { Host, Refusal } from "./card_host.js";

const META = "handoffs/card";
const TOOL = "answer_from_card";
const LONG = 600;
const LOOK_MS = 5000;
const SELDOM_MS = 60000;
// An agent that waits for the answer has it by then; another one is told to get it.
const SOON_MS = 1000;

const host = new Host();
const list = document.getElementById("list");
const after = document.getElementById("after");
let shown = null;
let secret = "";
let pause = LOOK_MS;
let timer = 0;
let over = false;

// The card in a result: of the agent's tools, and of the card's own tool.

async function call(action, more = {}) {
  const result = await host.ask("tools/call", { name: TOOL, arguments: { action, handoff_id: shown.id, ...more } });
  const card = result?._meta?.[META];
  if (result?.isError || !card) throw new Refusal({ message: text(result) || "This host did not pass the reply on to the card." });
  return card;
}

function text(result) {
  return (result?.content ?? []).map((block) => (block.type === "text" ? block.text : "")).join(" ").trim();
}

function given(result) {
  const card = result?._meta?.[META];
  if (card) {
    take(card);
    look();
    return;
  }
  const id = result?.structuredContent?.handoffId;
  if (id) put(`This host keeps the question from the card. You find it in the inbox, or with "handoffs answer ${id}" in a terminal.`);
  else if (!shown) put(text(result) || "There is nothing to decide here.");
}

function take(card) {
  const again = shown?.id === card.id && shown.state === "open" && card.state === "open" && list.querySelector(".card");
  shown = { id: card.id, state: card.state, say: card.say };
  secret = card.secret ?? "";
  if (again) return; // keeps the typed text
  const made = new DOMParser().parseFromString(card.html, "text/html").querySelector(".card");
  list.replaceChildren(document.importNode(made, true));
  after.replaceChildren();
  prepare(list.firstElementChild, LONG);
  stir(list.firstElementChild);
  if (card.state !== "open") ended(card);
}

function put(words) {
  const line = document.createElement("p");
  line.className = "hint waiting";
  line.textContent = words;
  list.replaceChildren(line);
}

// Deciding

const CHAT = {
  async post(form, data, declines) {
    const posted = {};
    for (const [name, value] of data) (posted[name] ??= []).push(value);
    let card;
    try {
      card = await call(declines ? "decline" : "answer", { secret, posted });
    } catch (error) {
      // The answer may or may not have arrived: the state shows it.
      look();
      return { failed: error.message };
    }
    if (card.problems) {
      secret = card.secret;
      return { problems: card.problems };
    }
    return card.late ? { late: card } : { ended: card };
  },
  done(element, card) {
    settle(card);
    say(list.querySelector(".outcome strong")?.textContent ?? "");
    setTimeout(wake, SOON_MS);
  },
  late(element, card) {
    settle(card);
    banner("Too late: your answer was not recorded. What is below stands.");
  },
};

function settle(card) {
  const inside = list.contains(document.activeElement);
  take(card);
  if (inside) list.firstElementChild.focus({ preventScroll: true });
}

function banner(words) {
  const box = document.createElement("div");
  box.className = "banner";
  box.setAttribute("role", "alert");
  const line = document.createElement("p");
  line.textContent = words;
  box.append(line);
  list.prepend(box);
}

function ended(card) {
  clearTimeout(timer);
  if (card.collected) return;
  copyable("If the agent does not go on by itself, say this to it:", card.say);
}

// Waking the agent: only the deciding card does, and only if the agent has not got the outcome.

async function wake() {
  try {
    const card = await call("look");
    settle(card);
    if (card.collected) return;
  } catch {
    // the text is safe for the agent, too
  }
  const content = [{ type: "text", text: shown.say }];
  if (host.capabilities.updateModelContext) host.ask("ui/update-model-context", { content }).catch(() => {});
  try {
    await host.ask("ui/message", { role: "user", content });
  } catch (error) {
    // As in the specification's text: one block, not a list.
    if (error.code === -32602) host.ask("ui/message", { role: "user", content: content[0] }).catch(() => {});
  }
}

// If the host can't send the message, the person can copy it.
function copyable(why, words) {
  const line = document.createElement("p");
  line.id = "copy-why";
  line.textContent = why;
  const box = document.createElement("input");
  box.readOnly = true;
  box.value = words;
  box.setAttribute("aria-labelledby", "copy-why");
  box.addEventListener("focus", () => box.select());
  const button = document.createElement("button");
  button.type = "button";
  button.textContent = "Copy";
  button.addEventListener("click", async () => {
    button.textContent = (await copied(box)) ? "Copied" : "Selected: press Ctrl+C";
    say(button.textContent);
  });
  const row = document.createElement("div");
  row.className = "copy";
  row.append(box, button);
  after.replaceChildren(line, row);
}

async function copied(box) {
  try {
    await navigator.clipboard.writeText(box.value);
    return true;
  } catch {
    box.focus();
    box.select();
    return document.execCommand("copy");
  }
}

// Polling: a decision made elsewhere, or while the card was hidden, is shown here too.

async function look() {
  clearTimeout(timer);
  if (over || shown?.state !== "open" || document.hidden) return;
  const id = shown.id;
  try {
    const card = await call("look", { secret });
    // Only this reply is surely current: a host shows old results again with an old conversation.
    setClock(card.now);
    tell(document);
    const element = list.querySelector(".card");
    if (shown.id === id && shown.state === "open" && card.state !== "open" && !underway(element)) elsewhere(card, element);
  } catch {
    // the host may be able to pass it on later
  }
  if (shown.state !== "open") return;
  timer = setTimeout(look, pause);
  pause = Math.min(pause * 1.5, SELDOM_MS);
}

function elsewhere(card, element) {
  const unsent = typed(element);
  settle(card);
  if (unsent) banner("This was decided elsewhere. What you entered was not sent.");
}

function soon() {
  pause = LOOK_MS;
  look();
}

// Opening links: the frame itself can't navigate.

async function follow(url) {
  try {
    if (!host.capabilities.openLinks) throw new Refusal();
    const said = await host.ask("ui/open-link", { url });
    if (said?.isError) throw new Refusal();
  } catch {
    copyable("This host opens no pages. The address:", url);
  }
}

async function toInbox(button) {
  button.disabled = true;
  try {
    await follow((await call("inbox")).link);
  } catch (error) {
    const line = document.createElement("p");
    line.textContent = error.message;
    after.replaceChildren(line);
  }
  button.disabled = false;
}

// A frame without the right to send forms gets no "submit" event, but the button's click.
function clicked(event) {
  const button = event.target.closest("button");
  const link = event.target.closest("a[href]");
  if (button?.matches("form.answer button[type=submit]")) {
    event.preventDefault();
    send(button.form, button, CHAT);
  } else if (button?.matches(".permalink")) {
    toInbox(button);
  } else if (link) {
    event.preventDefault();
    follow(link.href);
  }
}

// The host's colours

const OURS = {
  "--paper": "--color-background-primary",
  "--code": "--color-background-secondary",
  "--ink": "--color-text-primary",
  "--soft": "--color-text-secondary",
  "--line": "--color-border-primary",
};

function dress({ theme, styles }) {
  const root = document.documentElement;
  if (theme === "light" || theme === "dark") {
    root.style.colorScheme = theme;
    document.getElementById("dark").media = theme === "dark" ? "all" : "not all";
  }
  const variables = styles?.variables;
  if (!variables) return;
  // Some of a host's colours with some of ours may be dark on dark: all of them, or none.
  const whole = Object.values(OURS).every((name) => typeof variables[name] === "string");
  for (const [own, name] of Object.entries(OURS)) {
    if (whole) root.style.setProperty(own, variables[name]);
    else root.style.removeProperty(own);
  }
  if (typeof variables["--font-sans"] === "string") root.style.fontFamily = variables["--font-sans"];
}

function sizing() {
  let last = "";
  new ResizeObserver(() => {
    const height = Math.ceil(document.body.getBoundingClientRect().height);
    const width = Math.ceil(document.documentElement.clientWidth);
    if (last === `${width} ${height}`) return;
    last = `${width} ${height}`;
    host.tell("ui/notifications/size-changed", { width, height });
  }).observe(document.body);
}

host.on("ui/notifications/tool-result", given);
host.on("ui/notifications/tool-cancelled", () => {
  if (!shown) put("The agent's call was ended. If it had asked already, the question is in the inbox.");
});
host.on("ui/notifications/host-context-changed", dress);
host.on("ui/resource-teardown", () => {
  over = true;
  clearTimeout(timer);
});
document.addEventListener("click", clicked);
document.addEventListener("visibilitychange", soon);
window.addEventListener("focus", soon);
standing();
keys({ alone: true });
ticking();
host.connect().then(
  () => {
    dress(host.context);
    sizing();
    tell(document);
  },
  (error) => put(error.message),
);
