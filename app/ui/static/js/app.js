/* What every page has. */

import "./live.js";
import "./send.js";
import "./filters.js";
import "./drawer.js";
import "./keys.js";
import "./cards.js";
import { complain } from "./swap.js";

document.getElementById("wrong-close")?.addEventListener("click", () => complain(""));
document.querySelectorAll("[data-print]").forEach((each) => each.addEventListener("click", () => window.print()));
// A link of the menu may lead to a place of this page: the menu does not stay open over it.
document.querySelector(".me .menu")?.addEventListener("click", (event) => {
  if (event.target.closest("a")) event.currentTarget.closest("details").open = false;
});

// On a narrow screen the page that one is on, and the middle of what is wider than the screen, are in sight.
for (const here of document.querySelectorAll(".top nav [aria-current], .tabs [aria-current]")) {
  const bar = here.parentElement;
  bar.scrollLeft = here.offsetLeft - bar.offsetLeft - (bar.clientWidth - here.offsetWidth) / 2;
}
for (const svg of document.querySelectorAll("#map")) {
  const frame = svg.parentElement;
  frame.scrollLeft = (frame.scrollWidth - frame.clientWidth) / 2;
}
