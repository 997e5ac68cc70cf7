// The key of this origin: no page can read it, and no page of another origin or port can use it, whatever cookies it gets.
// It lies in the browser's database. A browser that makes or keeps no such key has none, and signs nothing.
const DATABASE = "handoffs";
const STORE = "keys";
const NAME = "page";
const KIND = { name: "ECDSA", namedCurve: "P-256" };
const SOON_MS = 5000;
let found = null;

// The public half, as the inbox knows it; empty where there is none.
export async function ownKey() {
  return (await pair())?.written ?? "";
}

// The same for who signs in. Some browsers never open their database: then the person signs in without a key.
export function broughtKey() {
  return Promise.race([ownKey(), new Promise((resolve) => { setTimeout(resolve, SOON_MS, ""); })]);
}

// What goes with a post: the time, a number that counts once, and the signature.
export async function signature(method, address, session, body, at) {
  const { key } = await pair();
  const number = encoded(crypto.getRandomValues(new Uint8Array(16)));
  const digest = [...new Uint8Array(await crypto.subtle.digest("SHA-256", bytes(body)))].map((each) => each.toString(16).padStart(2, "0")).join("");
  const { pathname, search } = new URL(address, location.href);
  const words = ["handoffs inbox post", method, pathname + search, session, digest, Math.round(at), number].join("\n");
  const signed = await crypto.subtle.sign({ name: "ECDSA", hash: "SHA-256" }, key, bytes(words));
  return `${Math.round(at)}.${number}.${encoded(new Uint8Array(signed))}`;
}

function pair() {
  found ??= kept().catch(() => null);
  return found;
}

async function kept() {
  if (!window.crypto?.subtle || !window.indexedDB) return null;
  const opening = indexedDB.open(DATABASE, 1);
  opening.addEventListener("upgradeneeded", () => opening.result.createObjectStore(STORE));
  const database = await done(opening);
  try {
    const there = await done(store(database, "readonly").get(NAME)) ?? await made(database);
    return { key: there.privateKey, written: encoded(new Uint8Array(await crypto.subtle.exportKey("spki", there.publicKey))) };
  } finally {
    database.close();
  }
}

// Of several tabs that make one at once, the first counts: its key is looked up and stored in one transaction.
async function made(database) {
  const fresh = await crypto.subtle.generateKey(KIND, false, ["sign"]);
  const keys = store(database, "readwrite");
  const stored = new Promise((resolve, reject) => {
    keys.transaction.addEventListener("complete", resolve);
    keys.transaction.addEventListener("abort", () => reject(keys.transaction.error));
  });
  const first = await done(keys.get(NAME));
  if (!first) keys.put(fresh, NAME);
  await stored;
  return first ?? fresh;
}

function store(database, mode) {
  return database.transaction(STORE, mode).objectStore(STORE);
}

function done(request) {
  return new Promise((resolve, reject) => {
    request.addEventListener("success", () => resolve(request.result));
    request.addEventListener("error", () => reject(request.error));
    request.addEventListener("blocked", () => reject(new Error("the database is blocked")));
  });
}

function bytes(text) {
  return typeof text === "string" ? new TextEncoder().encode(text) : text;
}

function encoded(data) {
  return btoa(String.fromCharCode(...data)).replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");
}
