// Holds what is sent before the page's other scripts are there, which sign it. It is no module, so that it comes first.
{
  let held = null;
  const hold = (event) => {
    if (event.target.method !== "post") return;
    event.preventDefault();
    held = [event.target, event.submitter];
  };
  document.addEventListener("submit", hold);
  // By then modules have run, or can't be loaded.
  document.addEventListener("DOMContentLoaded", () => {
    document.removeEventListener("submit", hold);
    if (held?.[0].isConnected) held[0].requestSubmit(held[1]);
  });
}
