// Starts what the page is made of. Without script the page works too: it is then not live.
import { connect } from "./live.js";
import { prepare, sending } from "./cards.js";
import { keys } from "./keys.js";
import { ticking } from "./times.js";
import { asking, count } from "./tell.js";

const page = document.body.dataset.page;
document.querySelectorAll(".card").forEach(prepare);
count(Number(document.body.dataset.open));
ticking();
sending();
keys();
asking();
if (page) connect(page);
