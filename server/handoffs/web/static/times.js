// Ages and times left, updated while the page is visible, by the server's clock, not by this machine's.
import { _, locale } from "./words.js";

const JUMP_MS = 2000;
let ahead = 0;

// The server's time, in milliseconds.
export function setClock(now) {
  if (Number.isFinite(now)) ahead = now - Date.now();
}

export function clock() {
  return Date.now() + ahead;
}

function span(milliseconds) {
  const seconds = Math.max(Math.floor(milliseconds / 1000), 0);
  for (const [size, words] of [[86400, day], [3600, hour], [60, minute]]) {
    if (seconds >= size) return words(Math.floor(seconds / size));
  }
  return _("{number} s", { number: seconds });
}

function day(number) {
  return _("{number} d", { number });
}

function hour(number) {
  return _("{number} h", { number });
}

function minute(number) {
  return _("{number} min", { number });
}

export function tell(root) {
  const now = clock();
  for (const time of root.querySelectorAll("time.age")) {
    set(time, _("{time} ago", { time: span(now - Date.parse(time.dateTime)) }));
  }
  for (const time of root.querySelectorAll("time.left")) {
    const left = Date.parse(time.dateTime) - now;
    set(time, left > 0 ? _("{time} left", { time: countdown(left) }) : _("time is up"));
    time.classList.toggle("soon", left < 300000);
  }
  for (const time of root.querySelectorAll("time.at")) {
    set(time, new Date(time.dateTime).toLocaleString(locale, { dateStyle: "medium", timeStyle: "short" }));
  }
  for (const time of root.querySelectorAll("time")) {
    if (!time.title) time.title = new Date(time.dateTime).toLocaleString(locale);
  }
}

export function ticking() {
  let wall = Date.now();
  let even = performance.now();
  tell(document);
  setInterval(() => {
    const moved = Date.now() - wall - (performance.now() - even);
    wall = Date.now();
    even = performance.now();
    // The machine has slept, or its clock was set: the server's clock tells which.
    if (Math.abs(moved) > JUMP_MS) document.dispatchEvent(new Event("clock-jumped"));
    if (!document.hidden) tell(document);
  }, 1000);
  document.addEventListener("visibilitychange", () => { if (!document.hidden) tell(document); });
}

// A day that has just begun is 24 h, and not 23: the minute that is under way counts.
function countdown(left) {
  const minutes = Math.ceil(left / 60000);
  if (minutes >= 2880) return day(Math.floor(minutes / 1440));
  if (minutes > 60) return hour(Math.floor(minutes / 60));
  const seconds = Math.floor(left / 1000);
  return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;
}

function set(element, text) {
  if (element.textContent !== text) element.textContent = text;
}
