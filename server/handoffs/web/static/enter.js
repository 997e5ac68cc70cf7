// Signs a browser in with the key that its posts are signed with from then on. Where a person opened a link on this
// machine it presses the button for them, once they see the page: prefetchers and scanners run no script.
import { broughtKey } from "./key.js";

const form = document.querySelector("form[action='/sign-in']");
const { home, key } = document.body.dataset;

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  if (form.ariaBusy === "true") return;
  form.ariaBusy = "true";
  form.elements.key.value = await broughtKey();
  HTMLFormElement.prototype.submit.call(form);
});
window.addEventListener("pageshow", ({ persisted }) => { if (persisted) form.ariaBusy = null; });

function press() {
  if (document.visibilityState !== "visible" || document.prerendering) return;
  document.removeEventListener("visibilitychange", press);
  form.requestSubmit();
}

async function begin() {
  // Signed in already: the link is left for another browser, unless this one has lost its key.
  if (key && key === await broughtKey()) {
    location.replace(form.elements.next.value);
  } else if (home !== undefined) {
    document.addEventListener("visibilitychange", press);
    press();
  }
}

begin();
