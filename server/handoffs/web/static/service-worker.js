// The service worker: shows what is pushed to this browser, sends what is pressed, and says so where the inbox is away.
// No page is cached but the one that says so. See `channels/webpush.py` for what is pushed, `web/push.py` for presses.
const VERSION = "@VERSION@";
// What the worker itself says, in the language that the browser wanted when it asked for it.
const WORDS = "@WORDS@";
const CACHE = `handoffs-${VERSION}-${WORDS.lang}`;
const OFFLINE = "/offline";
const KEPT = [OFFLINE, `/static/${VERSION}/style.css`];
const ICON = `/static/${VERSION}/icon-192.png`;
const PAUSES_MS = [1000, 4000];

self.addEventListener("install", (event) => event.waitUntil(install()));
self.addEventListener("activate", (event) => event.waitUntil(activate()));
self.addEventListener("fetch", (event) => {
  const { method, mode, url } = event.request;
  if (method !== "GET") return;
  if (mode === "navigate") {
    event.respondWith(fetch(event.request).catch(() => kept(OFFLINE)));
    event.waitUntil(tidy(""));
  } else if (new URL(url).pathname === KEPT[1]) {
    event.respondWith(fetch(event.request).catch(() => kept(KEPT[1])));
  }
});
self.addEventListener("push", (event) => event.waitUntil(pushed(read(event.data))));
self.addEventListener("notificationclick", (event) => {
  const { notification, action } = event;
  notification.close();
  const button = notification.data?.buttons?.[Number(action)];
  event.waitUntil(action && button ? press(notification, button.code) : visit(notification.data?.url));
});

async function install() {
  await (await caches.open(CACHE)).addAll(KEPT);
  await self.skipWaiting();
}

async function activate() {
  for (const name of await caches.keys()) if (name !== CACHE) await caches.delete(name);
  await self.clients.claim();
}

async function kept(path) {
  return (await caches.match(path)) ?? Response.error();
}

function read(data) {
  try {
    const note = data.json();
    if (typeof note.title === "string" && typeof note.tag === "string") return note;
  } catch { /* it is none of ours, or empty */ }
  return { ...WORDS, tag: "unread", url: "/", buttons: [] };
}

async function pushed(note) {
  await show(note);
  await tidy(note.tag);
}

// Each push must show something: a browser that sees none says so itself, or ends the subscription. So what has ended is
// shown, silently and without buttons, in the place of the question, and goes where something else is in sight.
async function tidy(newest) {
  const shown = await self.registration.getNotifications();
  const windows = await self.clients.matchAll({ type: "window", includeUncontrolled: true });
  const waits = shown.some((each) => !each.data?.over);
  const seen = !newest || waits || windows.some((each) => each.visibilityState === "visible");
  for (const each of shown) if (each.data?.over && (seen || each.tag !== newest)) each.close();
}

function show(note) {
  const buttons = note.buttons ?? [];
  return self.registration.showNotification(note.title, {
    body: note.body,
    tag: note.tag,
    icon: ICON,
    lang: note.lang ?? "en",
    silent: Boolean(note.silent),
    renotify: !note.silent,
    requireInteraction: !note.over,
    actions: buttons.map(({ label }, number) => ({ action: String(number), title: label })),
    data: { url: note.url, buttons, over: Boolean(note.over), body: note.body, away: note.away },
  });
}

// A press that did not arrive is sent again under its name, by which it counts once.
async function press(notification, code) {
  const { title, tag, lang, data } = notification;
  const body = JSON.stringify({ code, event: crypto.randomUUID() });
  for (const pause of [...PAUSES_MS, 0]) {
    const reply = await fetch("/push/press", {
      method: "POST", body, headers: { Accept: "application/json", "Content-Type": "application/json" },
    }).catch(() => null);
    if (reply && reply.status < 500) {
      const { said } = await reply.json().catch(() => ({ said: data.away ?? WORDS.body }));
      if (said) await show({ title, body: said, tag, lang, url: data.url, silent: true, over: true });
      return;
    }
    if (pause) await new Promise((resolve) => { setTimeout(resolve, pause); });
  }
  const { url, buttons, away } = data;
  await show({ title, body: `${away ?? WORDS.body}\n${data.body}`, tag, lang, url, buttons, away, silent: true });
}

// A page that is open is left as it is: something may be typed there.
async function visit(path) {
  const address = new URL(path ?? "/", self.location.origin);
  if (address.origin !== self.location.origin) return;
  for (const each of await self.clients.matchAll({ type: "window", includeUncontrolled: true })) {
    if (each.url === address.href) {
      await each.focus();
      return;
    }
  }
  await self.clients.openWindow(address.href);
}
