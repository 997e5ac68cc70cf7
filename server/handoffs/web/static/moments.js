// Dates and times in the person's own zone, which is shown, and sent with the value.
import { _ } from "./words.js";

const HOUR_MS = 3600000;

export function inLocalTime(control) {
  const given = control.dataset.default ?? "";
  const zone = zoneControl(control);
  if (zoned(given)) control.value = wall(new Date(given.replace(" ", "T")));
  else if (control.value && !given) control.value = wall(new Date(control.value + zone.value));
  control.dataset.was = control.value;
  control.addEventListener("input", () => {
    field(control).querySelector(".twice")?.remove();
    tellZone(control);
  });
  tellZone(control);
}

// Adds dates and times to the form's data; returns the problems, by the names of the controls.
export function sent(form, data) {
  const problems = {};
  for (const control of form.querySelectorAll("input[type=datetime-local]")) {
    const zone = zoneControl(control).name;
    const picked = field(control).querySelector(".twice :checked");
    data.delete(`twice ${control.name}`);
    if (control.value && control.value === control.dataset.was && control.dataset.default) {
      // Unchanged: the default, character by character.
      data.set(control.name, control.dataset.default);
      data.set(zone, "");
    } else if (control.value) {
      const [first, second] = instants(control.value);
      if (!first) problems[control.name] = _("is a time that never was where you are: {place} puts its clocks forward then", { place: place() });
      else if (second && !picked) problems[control.name] = ask(control, first, second);
      else data.set(zone, picked?.value ?? offset(first));
    }
  }
  return problems;
}

// The moments that a clock on the wall shows this time: one, none where clocks go forward, two where they go back.
export function instants(value) {
  const utc = Date.parse(`${value}Z`);
  const around = new Set([-30, -1, 0, 1, 30].map((hours) => new Date(utc + hours * HOUR_MS).getTimezoneOffset()));
  return [...around]
    .map((minutes) => new Date(utc + minutes * 60000))
    .filter((at) => wallTime(at) === utc)
    .sort((a, b) => a - b);
}

function wallTime(at) {
  return at.getTime() - at.getTimezoneOffset() * 60000;
}

function wall(at) {
  return new Date(wallTime(at)).toISOString().slice(0, 19);
}

function ask(control, first, second) {
  if (!field(control).querySelector(".twice")) {
    const asked = document.createElement("fieldset");
    asked.className = "twice";
    const legend = document.createElement("legend");
    legend.textContent = _("Which of the two?");
    const picks = document.createElement("div");
    picks.className = "picks";
    for (const [at, which] of [[first, _("the first")], [second, _("the second, an hour later")]]) {
      const label = document.createElement("label");
      label.className = "pick";
      const radio = document.createElement("input");
      radio.type = "radio";
      radio.name = `twice ${control.name}`;
      radio.value = offset(at);
      const words = document.createElement("span");
      words.textContent = `${which}, UTC${offset(at)}`;
      label.append(radio, words);
      picks.append(label);
    }
    asked.append(legend, picks);
    field(control).querySelector(".problem").before(asked);
  }
  return _("is there twice that day, as the clocks go back: say which");
}

function tellZone(control) {
  const [first, second] = control.value ? instants(control.value) : [new Date()];
  const utc = `UTC${first && offset(first) !== "+00:00" ? offset(first) : ""}`;
  const shift = first && !second && utc !== place() ? `, ${utc}` : "";
  field(control).querySelector(".zone").textContent = _("your time, {place}", { place: place() }) + shift;
}

function place() {
  return Intl.DateTimeFormat().resolvedOptions().timeZone ?? _("your zone");
}

function offset(at) {
  const minutes = -at.getTimezoneOffset();
  const two = (number) => String(Math.floor(number)).padStart(2, "0");
  return `${minutes < 0 ? "-" : "+"}${two(Math.abs(minutes) / 60)}:${two(Math.abs(minutes) % 60)}`;
}

function zoned(text) {
  return /[T ].*(Z|[+-]\d\d:\d\d)$/.test(text);
}

function field(control) {
  return control.closest(".field");
}

function zoneControl(control) {
  return field(control).querySelector("input[type=hidden]");
}
