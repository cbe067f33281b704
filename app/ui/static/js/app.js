/* What every page has. */

import "./live.js";
import "./send.js";
import "./filters.js";
import "./drawer.js";
import "./keys.js";
import { complain } from "./swap.js";

document.getElementById("wrong-close")?.addEventListener("click", () => complain(""));
document.querySelectorAll("[data-print]").forEach((each) => each.addEventListener("click", () => window.print()));
