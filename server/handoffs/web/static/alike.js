// Answering several questions at once. On the board: how many are chosen. On the page that names each: one that ends leaves
// its form, so that what is sent is what is still shown.
import { n_ } from "./words.js";
export function choosing() {
  document.addEventListener("change", ({ target }) => { if (target.matches(".choose input")) tell(); });
  for (const name of ["card-ended", "card-gone", "card-snoozed"]) {
    document.addEventListener(name, ({ detail: card }) => { drop(card); });
  }
  tell();
}

function drop(card) {
  const box = card.querySelector(".choose input");
  if (box) {
    box.checked = false;
    box.disabled = card.classList.contains("ended");
    tell();
  }
  const kind = card.closest(".same-form");
  if (kind) leave(kind, card.id);
}

function tell() {
  const shown = document.querySelector(".alike .chosen");
  if (!shown) return;
  const count = document.querySelectorAll(".choose input:checked").length;
  const words = count ? n_("{count} chosen", "{count} chosen", count) : "";
  if (shown.textContent !== words) shown.textContent = words;
}

function leave(kind, id) {
  const form = kind.querySelector("form");
  form.querySelector(`[name=question][value="${id}"]`)?.remove();
  const left = form.querySelectorAll("[name=question]").length;
  for (const button of form.querySelectorAll(".actions button")) {
    button.textContent = button.name === "decline"
      ? n_("Decline this question", "Decline these {count} questions", left)
      : n_("Answer this question", "Answer these {count} questions", left);
    button.disabled = !left;
  }
}
