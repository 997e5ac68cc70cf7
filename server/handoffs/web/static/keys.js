// Keyboard control of the whole page; inactive while a person types in a field.
import { own, settled } from "./steady.js";

// A card in a chat stands alone: there is no list of keys, and nothing to search.
export function keys({ alone = false } = {}) {
  const help = document.getElementById("help");
  const button = document.getElementById("help-open");
  if (!help && !alone) return;
  if (help) {
    button.hidden = false;
    button.addEventListener("click", () => help.showModal());
  }
  document.addEventListener("focusin", () => mark(current()));
  document.addEventListener("keydown", (event) => {
    if (event.isComposing) return;
    const target = event.target;
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey) && target.form?.matches("form.answer")) {
      // From its reason, a held call is denied; no such key allows one.
      const primary = target.closest(".because")?.querySelector(".deny") ?? target.form.querySelector(".primary");
      if (primary) {
        event.preventDefault();
        primary.click();
      }
      return;
    }
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    // A secret is mostly one line: there Enter sends it, as it would from a password's own control.
    if (event.key === "Enter" && !event.shiftKey && target.matches?.(".masked") && !target.value.includes("\n") && !target.value.startsWith("-----BEGIN")) {
      event.preventDefault();
      target.form.querySelector(".primary")?.click();
      return;
    }
    if (event.key === "Escape" && typing(target)) {
      (target.closest(".card") ?? document.getElementById("main")).focus();
      return;
    }
    if (typing(target) || help?.open) return;
    if (act(event.key, help)) event.preventDefault();
  });
}

function act(key, help) {
  switch (key) {
    case "j": return move(1);
    case "k": return move(-1);
    case "a": return answer(meant());
    case "d": return decline(meant());
    case "o": return open(current());
    case "s": return later(current());
    case "u": return undo();
    case "x": return choose(current());
    case "/": return help !== null && search();
    case "?": help?.showModal(); return help !== null;
    default: return /^[1-9]$/.test(key) && pick(meant(), Number(key));
  }
}

function typing(target) {
  return target.matches?.("textarea, select, input:not([type=radio], [type=checkbox], [type=hidden])") ?? false;
}

function current() {
  return document.activeElement?.closest?.(".card") ?? document.querySelector(".card.current");
}

// The card that a key is for: the focused one, else the first. A card that has just come is skipped.
function meant() {
  const card = current() ?? document.querySelector("#list .card:not([hidden])");
  return card && settled(card) ? card : null;
}

function mark(card) {
  document.querySelectorAll(".card.current").forEach((other) => { if (other !== card) other.classList.remove("current"); });
  card?.classList.add("current");
}

function move(by) {
  const here = current();
  const cards = [...document.querySelectorAll("#list .card:not([hidden])")].filter((card) => card === here || !card.classList.contains("ended"));
  if (!cards.length) return false;
  const at = cards.indexOf(here);
  const next = cards[at < 0 ? 0 : Math.min(Math.max(at + by, 0), cards.length - 1)];
  next.focus({ preventScroll: true });
  next.scrollIntoView({ block: "nearest" });
  return true;
}

// A number only selects an option; a second key sends it.
function pick(card, number) {
  if (!card) return false;
  if (folded(card)) return true;
  const groups = [...card.querySelectorAll("fieldset")].filter((group) => group.querySelector(".option, .pick"));
  const group = groups.find((each) => each.contains(document.activeElement)) ?? groups.find((each) => each.closest(".decision")) ?? groups[0];
  const option = group?.querySelectorAll(".option, .pick input")[number - 1];
  if (!option || option.disabled) return false;
  option.focus();
  if (option.matches("input")) option.click();
  return true;
}

function answer(card) {
  if (!card) return false;
  if (folded(card)) return true;
  if (document.activeElement.matches(".option, .primary") && card.contains(document.activeElement)) {
    document.activeElement.click();
    return true;
  }
  const allow = card.querySelector(".decision button.allow:not(:disabled)");
  if (allow) {
    allow.focus();
    return true;
  }
  const controls = [...card.querySelectorAll(".answer .field:not(.note .field) :is(input:not([type=hidden], .reveal), textarea, select, .option)")];
  const open = controls.find((control) => !filled(control)) ?? card.querySelector(".primary");
  open?.focus();
  return Boolean(open);
}

function filled(control) {
  if (control.matches(".option")) return false;
  if (control.type === "radio" || control.type === "checkbox") return control.closest("fieldset").querySelector(":checked") !== null;
  return control.value !== "";
}

// A folded question can't be decided: the key goes to the control that unfolds it.
function folded(card) {
  const button = card?.querySelector(".show-all[aria-expanded=false]");
  button?.focus();
  return Boolean(button);
}

function decline(card) {
  if (folded(card)) return true;
  // A permission's form has its own Deny, with a reason, which is selected and sent like any answer.
  const no = card?.querySelector('input[name="field.decision"][value="deny"]:not(:disabled)');
  if (no && !card.querySelector("button.decline")) {
    no.focus();
    no.click();
    return true;
  }
  const button = card?.querySelector("button.decline:not(:disabled), .decision button.deny:not(:disabled)");
  if (!button) return false;
  if (document.activeElement === button) button.click();
  else button.focus();
  return true;
}

function open(card) {
  const link = card?.querySelector(".permalink");
  link?.click();
  return Boolean(link);
}

function undo() {
  const button = document.querySelector(".held .undo");
  button?.click();
  return Boolean(button);
}

// To be answered together with others, or no longer.
function choose(card) {
  const box = card?.querySelector(".choose input:not(:disabled)");
  box?.click();
  return Boolean(box);
}

function later(card) {
  const fold = card?.querySelector(".later");
  if (!fold || !settled(card)) return Boolean(fold);
  own(card);
  fold.open = true;
  fold.querySelector("button").focus();
  return true;
}

function search() {
  const box = document.getElementById("q");
  box?.closest("details")?.setAttribute("open", "");
  if (box) box.focus();
  else location.assign("/history#q");
  return true;
}
