// Says that everything is stopped, or is no longer, while the page is open. It moves nothing: what was loaded with the
// page keeps its place, and what comes stands over the page.
let standing = document.querySelector(".banner.stopped") !== null;

export function showsStop() {
  return standing;
}

export function stopped(stop) {
  if (Boolean(stop) === standing) return;
  standing = Boolean(stop);
  const words = stop ? `Everything is stopped${stop.by ? `, by ${stop.by}` : ""}: calls that would ask are denied.` : "";
  document.getElementById("stopped").textContent = words;
  const banner = document.querySelector(".banner.stopped");
  if (!banner) return;
  banner.style.minHeight = `${banner.getBoundingClientRect().height}px`;
  banner.textContent = words || "The stop has ended: calls are asked about again.";
}
