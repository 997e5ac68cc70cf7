// Files that go with an answer: what is chosen is listed and can be taken out, an image can be pasted, and all of it is packed
// for one post. The inbox checks the same, in its own words.
import { say } from "./tell.js";
import { _, locale, n_ } from "./words.js";

const MOST = 5;
const MOST_BYTES = 4 * 1048576;
const FORM = "application/x-www-form-urlencoded";

export function attaching() {
  document.addEventListener("change", ({ target }) => { if (target.matches?.("input[type=file][name=files]")) list(target); });
  document.addEventListener("click", ({ target }) => {
    const button = target.closest?.(".take-out");
    if (!button) return;
    const input = button.closest(".field").querySelector("input[type=file]");
    give(input, []);
    input.focus();
    say(_("The files are taken out."));
  });
  // What a browser has no name for, as a part of the screen, it calls image.png.
  document.addEventListener("paste", (event) => {
    const pasted = [...event.clipboardData?.files ?? []];
    const input = event.target.closest?.("form.answer")?.elements.files;
    if (!pasted.length || !input || event.clipboardData.types.includes("text/plain")) return;
    event.preventDefault();
    input.closest("details").open = true;
    give(input, [...input.files, ...pasted]);
    say(n_("The image is attached.", "{count} images are attached.", pasted.length));
  });
}

// What is wrong with the files of a form, by the name of the control.
export function problems(form, declines) {
  const files = [...form.elements.files.files];
  const whole = files.reduce((sum, each) => sum + each.size, 0);
  const bounds = _("up to {files} files, {megabytes} MB in all", { files: MOST, megabytes: MOST_BYTES / 1048576 });
  if (declines) return { files: _("go only with an answer: take them out to decline, or answer") };
  if (files.length > MOST) return { files: _("are {number}, and an answer takes {bounds}", { number: files.length, bounds }) };
  if (whole > MOST_BYTES) return { files: _("have {bytes} bytes, and an answer takes {bounds}", { bytes: number(whole), bounds }) };
  return {};
}

// The body of a post and its type. The bytes are made here, so that the page's key signs them, too.
export async function packed(data) {
  if (!data.getAll("files").some((each) => each.name || each.size)) {
    data.delete("files");
    return [String(new URLSearchParams(data)), FORM];
  }
  const whole = new Response(data);
  return [new Uint8Array(await whole.arrayBuffer()), whole.headers.get("Content-Type")];
}

function give(input, files) {
  const all = new DataTransfer();
  for (const each of files) all.items.add(each);
  input.files = all.files;
  input.dispatchEvent(new Event("input", { bubbles: true }));
  input.dispatchEvent(new Event("change", { bubbles: true }));
}

function list(input) {
  const field = input.closest(".field");
  field.querySelector(".chosen").replaceChildren(...[...input.files].map((each) => {
    const row = document.createElement("li");
    const name = document.createElement("bdi");
    name.textContent = each.name;
    row.append(name, ` ${size(each.size)}`);
    return row;
  }));
  field.querySelector(".take-out").hidden = !input.files.length;
}

function size(bytes) {
  if (bytes < 1024) return n_("{count} byte", "{count} bytes", bytes);
  if (bytes < 1048576) return _("{number} KB", { number: number(bytes / 1024, 1) });
  return _("{number} MB", { number: number(bytes / 1048576, 1) });
}

function number(value, digits = 0) {
  return value.toLocaleString(locale, { minimumFractionDigits: digits, maximumFractionDigits: digits });
}
