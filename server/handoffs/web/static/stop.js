// Says that everything is stopped, or is no longer, while the page is open. It moves nothing: what was loaded with the
// page keeps its place, and what comes stands over the page.
import { _ } from "./words.js";
let standing = document.querySelector(".banner.stopped") !== null;

export function showsStop() {
  return standing;
}

export function stopped(stop) {
  if (Boolean(stop) === standing) return;
  standing = Boolean(stop);
  const words = stop ? wordsOf(stop) : "";
  document.getElementById("stopped").textContent = words;
  const banner = document.querySelector(".banner.stopped");
  if (!banner) return;
  banner.style.minHeight = `${banner.getBoundingClientRect().height}px`;
  banner.textContent = words || _("The stop has ended: calls are asked about again.");
}

function wordsOf({ by }) {
  if (!by) return _("Everything is stopped: calls that would ask are denied.");
  return _("Everything is stopped, by {name}: calls that would ask are denied.", { name: by });
}
