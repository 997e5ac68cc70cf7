// One question on the page: what it can do, and how its answer is sent.
import { notice, say } from "./tell.js";
import { tell } from "./times.js";

const LONG = 1000;

export function prepare(card, long = LONG) {
  const form = card.querySelector("form.answer");
  if (form) {
    form.noValidate = true;
    form.querySelectorAll("input[type=datetime-local]").forEach(inLocalTime);
  }
  const message = card.querySelector(".message");
  if (message && message.scrollHeight > long && document.body.dataset.page !== "one") collapse(message);
  tell(card);
}

// The inbox's way to send an answer, and what becomes of the card then; a card in a chat has its own.
const INBOX = { post, done, late };

export function sending() {
  document.addEventListener("submit", (event) => {
    const form = event.target;
    if (!form.matches("form.answer")) return;
    event.preventDefault();
    send(form, event.submitter, INBOX);
  });
}

// The card stays where it is for as long as somebody is in it, so that what they typed is not torn away.
export function end(card, reason, { mine = false } = {}) {
  if (card.classList.contains("ended")) return;
  card.classList.add("ended");
  const inside = card.contains(document.activeElement);
  const dirty = !mine && typed(card);
  card.querySelectorAll("button, input, textarea, select").forEach((control) => { control.disabled = true; });
  const gone = document.createElement("p");
  gone.className = "gone";
  gone.textContent = dirty ? `${reason}. What you entered was not sent.` : `${reason}.`;
  card.append(gone);
  if (!inside && !dirty) {
    leave(card);
    return;
  }
  if (inside) card.focus({ preventScroll: true });
  if (mine) {
    setTimeout(() => leave(card), 1500);
    return;
  }
  const away = document.createElement("button");
  away.type = "button";
  away.className = "quiet";
  away.textContent = "Put away";
  away.addEventListener("click", () => leave(card));
  gone.append(" ", away);
}

function leave(card) {
  if (!card.isConnected) return;
  const next = card.nextElementSibling ?? card.previousElementSibling;
  const inside = card.contains(document.activeElement);
  card.remove();
  if (inside) (next ?? document.getElementById("main")).focus();
  document.dispatchEvent(new Event("card-gone"));
}

export function typed(card) {
  return [...card.querySelectorAll("form.answer input:not([type=hidden], .reveal), form.answer textarea, form.answer select")].some((control) => {
    if (control.type === "radio" || control.type === "checkbox") return control.checked !== control.defaultChecked;
    if (control.tagName === "SELECT") return ![...control.options].every((option) => option.selected === option.defaultSelected || control.selectedIndex === 0);
    return control.value !== (control.dataset.was ?? control.defaultValue);
  });
}

// `way.post` returns what came of it: ended and its words, too late and whose words stand, problems by control, or that it failed.
export async function send(form, submitter, way) {
  const card = form.closest(".card");
  if (form.ariaBusy === "true" || card.classList.contains("ended")) return;
  const declines = submitter?.classList.contains("decline") ?? false;
  clear(form);
  const unread = declines ? [] : [...form.elements].filter((control) => control.validity?.badInput);
  if (unread.length) {
    show(form, Object.fromEntries(unread.map((control) => [control.name, "can't be read as entered"])));
    return;
  }
  const data = new FormData(form, submitter?.name ? submitter : undefined);
  form.querySelectorAll("input[type=datetime-local]").forEach((control) => {
    if (control.value) data.set(control.name.replace("field.", "zone."), zoneOf(new Date(control.value)));
  });
  form.ariaBusy = "true";
  const came = await way.post(form, data, declines, submitter);
  form.ariaBusy = "false";
  if ("ended" in came) {
    way.done(card, came.ended);
  } else if ("late" in came) {
    way.late(card, came.late);
  } else if (came.problems) {
    show(form, came.problems);
  } else {
    show(form, { "": came.failed });
    document.dispatchEvent(new CustomEvent("card-unsent", { detail: card.id }));
  }
}

async function post(form, data, declines, submitter) {
  let reply, said;
  try {
    reply = await fetch(declines ? submitter.formAction : form.action, {
      method: "POST",
      body: new URLSearchParams(data),
      headers: { Accept: "application/json" },
    });
    said = await reply.json();
  } catch {
    // It may or may not have arrived: a second try is told what stands.
    return { failed: "The inbox could not be reached. Try again when the connection is back: what was first stands." };
  }
  if (reply.ok) return { ended: said.ended };
  if (reply.status === 409) return { late: said.ended };
  if (reply.status === 422) return { problems: said.problems };
  return { failed: said.problem ?? "That did not work." };
}

// While an answer is on its way, its reply says how it went; not what is heard meanwhile, which may be the answer itself.
export function underway(card) {
  return card.querySelector("form.answer")?.ariaBusy === "true";
}

function done(card, words) {
  if (document.body.dataset.page === "one") {
    location.reload();
    return;
  }
  notice(words, card.id);
  end(card, words, { mine: true });
}

function late(card, words) {
  notice(`Too late: your answer was not recorded. ${words}`, card.id);
  end(card, `Too late. ${words}`);
}

function clear(form) {
  form.querySelectorAll(".problem").forEach((line) => { line.textContent = ""; });
  form.querySelectorAll("[aria-invalid]").forEach((control) => control.removeAttribute("aria-invalid"));
}

function show(form, problems) {
  let first = null;
  const rest = [];
  const fields = [...form.querySelectorAll(".field")];
  for (const [name, why] of Object.entries(problems)) {
    const field = fields.find((each) => each.dataset.name === name);
    if (!field) {
      rest.push(name ? `${name.replace(/^field\./, "")} ${why}` : sentence(why));
      continue;
    }
    field.closest("details")?.setAttribute("open", "");
    field.querySelector(".problem").textContent = `${field.dataset.title} ${why}.`;
    const control = field.querySelector("input:not([type=hidden]), textarea, select, button");
    (field.querySelector("fieldset") ?? control).setAttribute("aria-invalid", "true");
    if (!first || field.compareDocumentPosition(first) & Node.DOCUMENT_POSITION_FOLLOWING) first = control;
  }
  const whole = form.querySelector(".of-form");
  whole.textContent = rest.map((each) => (/[.!?]$/.test(each) ? each : `${each}.`)).join(" ");
  say([...form.querySelectorAll(".problem")].map((line) => line.textContent).filter(Boolean).join(" "));
  (first ?? whole).focus();
}

function sentence(words) {
  return words.charAt(0).toUpperCase() + words.slice(1);
}

// The server writes dates and times in UTC; a person reads them in their own zone.
function inLocalTime(control) {
  const zone = control.closest(".field").querySelector("input[type=hidden]");
  if (control.value && zone.value) {
    const at = new Date(control.value + zone.value);
    control.value = new Date(at.getTime() - at.getTimezoneOffset() * 60000).toISOString().slice(0, 19);
    control.dataset.was = control.value;
  }
  control.closest(".field").querySelector(".zone").textContent = `your time, ${zoneOf(new Date()) === "+00:00" ? "UTC" : `UTC${zoneOf(new Date())}`}`;
}

function zoneOf(date) {
  const minutes = -date.getTimezoneOffset();
  const two = (number) => String(Math.floor(number)).padStart(2, "0");
  return `${minutes < 0 ? "-" : "+"}${two(Math.abs(minutes) / 60)}:${two(Math.abs(minutes) % 60)}`;
}

function collapse(message) {
  message.classList.add("long");
  const button = document.createElement("button");
  button.type = "button";
  button.className = "quiet show-all";
  button.setAttribute("aria-expanded", "false");
  button.textContent = "Show all of it";
  button.addEventListener("click", () => {
    const all = message.classList.toggle("all");
    button.setAttribute("aria-expanded", String(all));
    button.textContent = all ? "Show less" : "Show all of it";
  });
  message.after(button);
}
