// Signals outside of the cards: the title, the icon, screen-reader text, notifications. None covers a card.
import { _, language } from "./words.js";

let known = -1;
const title = document.title.replace(/^\(\d+\) /, "");

export function count(open) {
  if (open === known) return;
  known = open;
  document.title = open ? `(${open}) ${title}` : title;
  const shown = document.getElementById("count");
  if (shown) shown.textContent = open.toLocaleString(language);
  document.querySelector("link[rel=icon]").href = icon(open);
}

export function say(text) {
  const voice = document.getElementById("said");
  if (!voice) return;
  const line = document.createElement("p");
  line.textContent = text;
  voice.append(line);
  while (voice.children.length > 5) voice.firstChild.remove();
}

export function asking() {
  const button = document.getElementById("notify");
  if (!button || !("Notification" in window)) return;
  button.hidden = Notification.permission !== "default";
  button.addEventListener("click", async () => {
    button.hidden = (await Notification.requestPermission()) !== "default";
  });
}

// Whether pushes come to this browser: then they tell of questions, and the page must not do so a second time.
let pushed = false;
navigator.serviceWorker?.getRegistration().then((worker) => worker?.pushManager?.getSubscription()).then((found) => { pushed = Boolean(found); }, () => {});

export function notify(card) {
  if (pushed || !("Notification" in window) || Notification.permission !== "granted" || document.hasFocus()) return;
  const words = card.querySelector(".message").textContent.trim().replace(/\s+/g, " ").slice(0, 160);
  const name = card.querySelector("h2").textContent.trim().replace(/\s+/g, " ");
  const shown = new Notification(_("{name} asks you", { name }), { body: words, tag: card.id });
  shown.addEventListener("click", () => {
    window.focus();
    card.focus();
    shown.close();
  });
}

function icon(open) {
  const words = open > 99 ? "99" : String(open);
  const inside = open
    ? `<text x="16" y="23" font-family="system-ui,sans-serif" font-size="${words.length > 1 ? 18 : 21}" font-weight="700" text-anchor="middle" fill="#fff">${words}</text>`
    : '<path d="M8 10.5h16v9H15l-4.5 4v-4H8z" fill="#fff"/>';
  return "data:image/svg+xml," + encodeURIComponent(
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32"><rect width="32" height="32" rx="8" fill="${open ? "#c2410c" : "#2563c9"}"/>${inside}</svg>`);
}
