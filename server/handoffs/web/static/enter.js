// Presses the button that signs in, for a person who looks at the page: nothing that only fetches it runs a script.
const form = document.querySelector("form");

function press() {
  if (document.visibilityState !== "visible" || document.prerendering) return;
  document.removeEventListener("visibilitychange", press);
  form.requestSubmit();
}

document.addEventListener("visibilitychange", press);
press();
