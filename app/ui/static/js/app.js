/* What every page has. */

import "./live.js";
import "./send.js";
import "./filters.js";
import "./drawer.js";
import "./keys.js";
import { complain } from "./swap.js";

document.getElementById("wrong-close")?.addEventListener("click", () => complain(""));
document.querySelectorAll("[data-print]").forEach((each) => each.addEventListener("click", () => window.print()));

// On a narrow screen the page that one is on, and the middle of what is wider than the screen, are in sight.
document.querySelector(".top nav [aria-current]")?.scrollIntoView({ block: "nearest", inline: "center" });
for (const svg of document.querySelectorAll("#map")) {
  const frame = svg.parentElement;
  frame.scrollLeft = (frame.scrollWidth - frame.clientWidth) / 2;
}
