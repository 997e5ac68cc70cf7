// One question on the page: its controls, and sending its answer.
import { inLocalTime, sent } from "./moments.js";
import { own, stir } from "./steady.js";
import { say } from "./tell.js";
import { tell } from "./times.js";
import { _ } from "./words.js";

const LONG = 1000;

export function prepare(card, long = LONG) {
  const form = card.querySelector("form.answer");
  if (form) {
    form.noValidate = true;
    form.querySelectorAll("input[type=datetime-local]").forEach(inLocalTime);
    form.querySelectorAll(".masked").forEach(tellBlanks);
    form.querySelectorAll("details.note").forEach(tellFilled);
  }
  const message = card.querySelector(".message");
  const whole = ["one", "together"].includes(document.body.dataset.page);
  if (message && message.scrollHeight > long && !whole) collapse(message);
  tell(card);
}

// How the inbox sends an answer and shows the reply; a card in a chat has its own way.
const INBOX = { post, done, late };

export function sending() {
  document.addEventListener("submit", (event) => {
    const form = event.target;
    if (!form.matches("form.answer")) return;
    event.preventDefault();
    // Enter in a field of a held call: no key that is held down may go on to a button that allows.
    if (event.submitter?.classList.contains("nothing")) return;
    send(form, event.submitter, INBOX);
  });
}

// The card keeps its place and height, so that nothing else moves, and typed text stays.
export function end(card, reason, { mine = false } = {}) {
  if (card.classList.contains("ended")) return;
  const dirty = !mine && typed(card);
  const inside = card.contains(document.activeElement);
  card.style.height = `${card.getBoundingClientRect().height}px`;
  card.classList.add("ended");
  card.classList.toggle("kept", dirty);
  for (const control of card.querySelectorAll("form button, form input, form textarea, form select")) {
    // Typed text can still be copied; further keys have no effect, also not as keys of this page.
    if (control.matches("textarea, input:not([type=radio], [type=checkbox], [type=file])")) control.readOnly = true;
    else control.disabled = true;
  }
  const gone = document.createElement("div");
  gone.className = "gone";
  const words = document.createElement("p");
  words.textContent = dirty ? _("{reason}. What you entered was not sent.", { reason }) : _("{line}.", { line: reason });
  const away = document.createElement("button");
  away.type = "button";
  away.className = "quiet away";
  away.textContent = _("Put away");
  away.addEventListener("click", () => leave(card));
  gone.append(words, away);
  card.append(gone);
  stir(card);
  if (inside && !(dirty && document.activeElement.readOnly)) card.focus({ preventScroll: true });
  if (mine) document.dispatchEvent(new CustomEvent("card-answered", { detail: card }));
  document.dispatchEvent(new CustomEvent("card-ended", { detail: card }));
}

export function leave(card) {
  if (!card.isConnected) return;
  const open = (each) => each?.matches(".card:not(.ended, [hidden])") ?? false;
  const next = [card.nextElementSibling, card.previousElementSibling].find(open);
  const inside = card.contains(document.activeElement);
  card.remove();
  if (inside) (next ?? document.getElementById("main")).focus({ preventScroll: true });
  document.dispatchEvent(new CustomEvent("card-gone", { detail: card }));
}

export function typed(card) {
  return filledIn(card.querySelector("form.answer"));
}

function filledIn(part) {
  return [...(part?.querySelectorAll("input:not([type=hidden], .reveal), textarea, select") ?? [])].some((control) => {
    if (control.type === "radio" || control.type === "checkbox") return control.checked !== control.defaultChecked;
    if (control.tagName === "SELECT") return ![...control.options].every((option) => option.selected === option.defaultSelected || control.selectedIndex === 0);
    return control.value !== (control.dataset.was ?? control.defaultValue);
  });
}

// What was filled in is sent also while it is folded: then the fold says so.
function tellFilled(fold) {
  const tell = () => fold.classList.toggle("filled", filledIn(fold));
  for (const type of ["input", "toggle"]) fold.addEventListener(type, tell);
}

// `way.post` returns the result: ended with its text, too late with the other text, problems by control, or failed.
export async function send(form, submitter, way) {
  const card = form.closest(".card");
  if (form.ariaBusy === "true" || card.classList.contains("ended")) return;
  const declines = submitter?.classList.contains("decline") ?? false;
  clear(form);
  const fold = card.querySelector(".show-all[aria-expanded=false]");
  if (fold) {
    // A folded question can't be decided.
    fold.click();
    show(form, { "": _("Nothing was sent: the message was not shown whole. Read it to its end, then send this") });
    return;
  }
  const unread = declines ? [] : [...form.elements].filter((control) => control.validity?.badInput);
  if (unread.length) {
    show(form, Object.fromEntries(unread.map((control) => [control.name, _("can't be read as entered")])));
    return;
  }
  const data = new FormData(form, submitter?.name ? submitter : undefined);
  const problems = declines ? {} : sent(form, data);
  if (form.elements.files?.files.length) {
    form.ariaBusy = "true"; // nothing else is sent meanwhile
    Object.assign(problems, (await import("./files.js")).problems(form, declines));
    form.ariaBusy = "false";
  }
  if (Object.keys(problems).length) {
    show(form, problems);
    return;
  }
  form.ariaBusy = "true";
  const came = await way.post(form, data, declines, submitter);
  form.ariaBusy = "false";
  if (came.undone) return;
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
  if (!declines && form.dataset.sign) {
    // The inbox checks the answer first, and says what of it is to be signed; a denial is not.
    const offer = await reach(form.dataset.sign, data);
    if (!("publicKey" in offer)) return offer;
    if (offer.publicKey) {
      const { assertion } = await import("./passkeys.js");
      const signed = await assertion(form.dataset.origin, offer.publicKey);
      if (signed.failed) return { failed: `${signed.failed} ${_("Nothing was recorded.")}` };
      data.set("proof", signed.proof);
    }
    return reach(form.action, data);
  }
  return reach(declines ? submitter.formAction : form.action, data, form);
}

// What may be taken back names its form.
async function reach(address, data, form = null) {
  const { send: sendSigned, Unsigned } = await import("./posting.js");
  const { held, keepsBack } = await import("./undo.js");
  const { packed } = await import("./files.js");
  const [body, type] = await packed(data);
  let reply, said;
  try {
    reply = form && keepsBack(body) ? await held(form, address, body, type) : await sendSigned(address, body, type);
    if (!reply) return { undone: true };
    said = await reply.json();
  } catch (error) {
    if (error instanceof Unsigned) return { failed: error.message };
    // The answer may or may not have arrived: a second try gets the state.
    return { failed: _("The inbox could not be reached. Try again when the connection is back: what was first stands.") };
  }
  if (reply.ok && said.voted) {
    // A vote that does not decide yet: its page says who else is needed.
    location.assign(said.voted);
    return new Promise(() => {});
  }
  if (reply.ok) return said;
  if (reply.status === 409) return { late: said.ended };
  if (reply.status === 422) return { problems: said.problems };
  return { failed: said.problem ?? _("That did not work.") };
}

// While an answer is on its way, its reply says how it went; not what is heard meanwhile, which may be the answer itself.
export function underway(card) {
  return card.querySelector("form.answer")?.ariaBusy === "true";
}

function done(card, words) {
  end(card, words, { mine: true });
  say(words);
  if (document.body.dataset.page === "one") location.reload();
}

function late(card, words) {
  const told = `${_("Too late: your answer was not recorded.")} ${words}`;
  say(told);
  end(card, told);
}

function clear(form) {
  own(form.closest(".card"));
  form.querySelectorAll(".problem").forEach((line) => { line.textContent = ""; });
  form.querySelectorAll("[aria-invalid]").forEach((control) => control.removeAttribute("aria-invalid"));
}

function show(form, problems) {
  own(form.closest(".card"));
  let first = null;
  const rest = [];
  const fields = [...form.querySelectorAll(".field")];
  for (const [name, why] of Object.entries(problems)) {
    const field = fields.find((each) => each.dataset.name === name);
    if (!field) {
      rest.push(name ? problem(name.replace(/^field\./, ""), why) : sentence(why));
      continue;
    }
    field.closest("details")?.setAttribute("open", "");
    field.querySelector(".problem").textContent = problem(field.dataset.title, why);
    const control = field.querySelector("input:not([type=hidden]), textarea, select, button");
    (field.querySelector("fieldset") ?? control).setAttribute("aria-invalid", "true");
    if (!first || field.compareDocumentPosition(first) & Node.DOCUMENT_POSITION_FOLLOWING) first = control;
  }
  const whole = form.querySelector(".of-form");
  whole.textContent = rest.map((each) => (/[.!?。！？]$/.test(each) ? each : _("{line}.", { line: each }))).join(" ");
  say([...form.querySelectorAll(".problem")].map((line) => line.textContent).filter(Boolean).join(" "));
  (first ?? whole).focus();
}

function problem(title, why) {
  return _("{title} {problem}.", { title, problem: why });
}

function sentence(words) {
  return words.charAt(0).toUpperCase() + words.slice(1);
}

// A pasted blank would otherwise only be noticed when the secret is refused elsewhere.
function tellBlanks(control) {
  const words = control.closest(".field").querySelector(".edge");
  control.addEventListener("input", () => {
    const alone = control.value.replace(/^\n+|\n+$/g, "");
    const text = alone.includes("\n") ? control.value : alone;
    const blank = /^[^\S\n]|[^\S\n]$/.test(text);
    if (blank && !words.classList.contains("said")) say(words.textContent);
    words.classList.toggle("said", blank);
  });
}

function collapse(message) {
  message.classList.add("long");
  const button = document.createElement("button");
  button.type = "button";
  button.className = "quiet show-all";
  button.setAttribute("aria-expanded", "false");
  button.textContent = _("Show all of it");
  button.addEventListener("click", () => {
    own(message.closest(".card"));
    message.closest(".card").style.height = "";
    const all = message.classList.toggle("all");
    button.setAttribute("aria-expanded", String(all));
    button.textContent = all ? _("Show less") : _("Show all of it");
  });
  message.after(button);
}
