// Presses the sign-in button for a person who looks at the page: prefetchers and scanners run no script.
const form = document.querySelector("form");

function press() {
  if (document.visibilityState !== "visible" || document.prerendering) return;
  document.removeEventListener("visibilitychange", press);
  form.requestSubmit();
}

document.addEventListener("visibilitychange", press);
press();
