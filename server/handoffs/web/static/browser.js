// Sets this browser up for notifications, and ends them, on the page of a person.
import { _ } from "./words.js";
const place = document.getElementById("this-browser");
const form = place.querySelector("form");
const problem = place.querySelector(".problem");
const state = place.querySelector(".state-of");
const stop = document.getElementById("browser-stop");
const WORKER = "/service-worker.js";

start().catch((error) => { problem.textContent = words(error); });

async function start() {
  const why = obstacle();
  if (why) {
    state.textContent = why;
    return;
  }
  const worker = await navigator.serviceWorker.getRegistration("/");
  const row = await own(await worker?.pushManager.getSubscription());
  form.hidden = Boolean(row);
  stop.parentElement.hidden = !row;
  if (row) {
    row.querySelector("h3").append(" ", Object.assign(document.createElement("span"), { className: "state active", textContent: _("this browser") }));
    state.textContent = row.dataset.on ? _("Questions for you come to this browser.") : _("This browser is set up, and turned off.");
  }
  // Before the page's own listener, which would send the form as it is.
  form.addEventListener("submit", (event) => {
    if (form.elements.endpoint.value) return;
    event.preventDefault();
    event.stopImmediatePropagation();
    begin();
  });
  stop.addEventListener("click", () => end(row));
}

function obstacle() {
  if (!window.isSecureContext) return _("This browser can't be set up here: notifications need https, or the inbox at localhost.");
  if (!place.dataset.key) return _("This browser can't be set up here: the inbox can't keep a key. Let its user write the data folder, or set HANDOFFS_KEYS.");
  if (!("serviceWorker" in navigator && "PushManager" in window && "Notification" in window)) {
    return _("This browser can't be set up here: it has no Web Push, or keeps it from this page. On an iPhone or iPad, add the inbox to the Home Screen, and open it there.");
  }
  if (Notification.permission === "denied") return _("This browser can't be set up here: it blocks notifications of this page. Allow them in the settings of the browser, and load this page again.");
  return "";
}

async function begin() {
  if (place.ariaBusy === "true") return;
  place.ariaBusy = "true";
  problem.textContent = "";
  try {
    if (await Notification.requestPermission() !== "granted") throw new Error(_("The browser was not allowed to notify you. Nothing was set up."));
    await navigator.serviceWorker.register(WORKER, { scope: "/" });
    const { pushManager } = await navigator.serviceWorker.ready;
    const subscription = await subscribed(pushManager);
    const { endpoint, keys } = subscription.toJSON();
    Object.assign(form.elements.endpoint, { value: endpoint });
    form.elements.p256dh.value = keys.p256dh;
    form.elements.auth.value = keys.auth;
    form.elements.server_key.value = place.dataset.key;
    form.requestSubmit();
  } catch (error) {
    problem.textContent = words(error);
  } finally {
    place.ariaBusy = null;
  }
}

// A subscription is for one key: one for another key, of an earlier inbox at this address, makes room.
async function subscribed(manager) {
  const options = { userVisibleOnly: true, applicationServerKey: place.dataset.key };
  const earlier = await manager.getSubscription();
  if (earlier && encoded(earlier.options.applicationServerKey) !== place.dataset.key) await earlier.unsubscribe();
  return manager.subscribe(options);
}

async function end(row) {
  const worker = await navigator.serviceWorker.getRegistration("/");
  const subscription = await worker?.pushManager.getSubscription();
  await subscription?.unsubscribe();
  for (const each of await worker?.getNotifications() ?? []) each.close();
  const button = row.querySelector("button.remove");
  button.form.requestSubmit(button);
}

// Which of the browsers on this page is this one, by the digest of its address.
async function own(subscription) {
  if (!subscription) return null;
  const { endpoint, keys } = subscription.toJSON();
  const whole = new TextEncoder().encode([endpoint, keys.p256dh, keys.auth].join("\n"));
  const digest = [...new Uint8Array(await crypto.subtle.digest("SHA-256", whole))].map((each) => each.toString(16).padStart(2, "0")).join("");
  return document.querySelector(`[data-browser="webpush ${digest.slice(0, 32)}"]`);
}

function encoded(data) {
  return data ? btoa(String.fromCharCode(...new Uint8Array(data))).replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "") : "";
}

function words(error) {
  if (error.name === "NotAllowedError") return _("The browser does not allow it: in a private window, or by its settings. Nothing was set up.");
  if (error.name === "AbortError") return _("The browser can't reach its push service, or has none. Nothing was set up.");
  return error.message;
}
