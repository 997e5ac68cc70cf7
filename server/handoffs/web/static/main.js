// Starts the parts of the page. Without script the page works, but has no live updates.
import { choosing } from "./alike.js";
import { prepare, sending } from "./cards.js";
import { keeping, own, restore } from "./drafts.js";
import { attaching } from "./files.js";
import { gather } from "./groups.js";
import { keys } from "./keys.js";
import { connect } from "./live.js";
import { forms } from "./posting.js";
import { offer } from "./snooze.js";
import { standing } from "./steady.js";
import { asking, count } from "./tell.js";
import { setClock, ticking } from "./times.js";
import { undoing } from "./undo.js";

const page = document.body.dataset.page;
setClock(Number(document.body.dataset.now));
own();
for (const card of document.querySelectorAll(".card")) {
  prepare(card);
  restore(card);
  offer(card);
}
if (document.querySelector("#list > .card[hidden]")) gather();
count(Number(document.body.dataset.open));
ticking();
sending();
forms();
keeping();
attaching();
choosing();
undoing();
keys();
asking();
standing(); // after all that still makes room for itself
for (const form of document.querySelectorAll("form[method=get]")) form.addEventListener("formdata", shortened);
if (page) connect(page);

// An address without the fields that are empty.
function shortened({ formData }) {
  for (const name of [...formData.keys()]) if (!formData.get(name)) formData.delete(name);
}
