// Starts what the page is made of. Without script the page works too: it is then not live.
import { connect } from "./live.js";
import { prepare, sending } from "./cards.js";
import { keys } from "./keys.js";
import { ticking } from "./times.js";
import { asking, count } from "./tell.js";

const page = document.body.dataset.page;
// Not forEach(prepare): it would hand on the card's number as the height from which a message is folded.
for (const card of document.querySelectorAll(".card")) prepare(card);
count(Number(document.body.dataset.open));
ticking();
sending();
keys();
asking();
if (page) connect(page);
