// Ages and what is left of a deadline, kept true while the page is looked at.

export function span(milliseconds) {
  const seconds = Math.max(Math.floor(milliseconds / 1000), 0);
  for (const [size, unit] of [[86400, "d"], [3600, "h"], [60, "min"]]) {
    if (seconds >= size) return `${Math.floor(seconds / size)} ${unit}`;
  }
  return `${seconds} s`;
}

export function tell(root) {
  const now = Date.now();
  for (const time of root.querySelectorAll("time.age")) {
    set(time, `${span(now - Date.parse(time.dateTime))} ago`);
  }
  for (const time of root.querySelectorAll("time.left")) {
    const left = Date.parse(time.dateTime) - now;
    set(time, left > 0 ? `${countdown(left)} left` : "time is up");
    time.classList.toggle("soon", left < 300000);
  }
  for (const time of root.querySelectorAll("time.at")) {
    set(time, new Date(time.dateTime).toLocaleString([], { dateStyle: "medium", timeStyle: "short" }));
  }
  for (const time of root.querySelectorAll("time")) {
    if (!time.title) time.title = new Date(time.dateTime).toLocaleString();
  }
}

export function ticking() {
  tell(document);
  setInterval(() => { if (!document.hidden) tell(document); }, 1000);
  document.addEventListener("visibilitychange", () => { if (!document.hidden) tell(document); });
}

function countdown(left) {
  const seconds = Math.floor(left / 1000);
  if (seconds >= 3600) return span(left);
  return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;
}

function set(element, text) {
  if (element.textContent !== text) element.textContent = text;
}
