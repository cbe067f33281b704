/* Four first steps on the overview, once in each browser and for each person; `/#tour` shows them again.

   It never takes the focus by itself and covers nothing: it stands above the page that it speaks of. Where storage is
   blocked it shows only when asked. */

const card = document.getElementById("tour");
const steps = [...(card?.querySelectorAll("[data-step]") ?? [])];
const next = card?.querySelector("[data-tour-next]");
const skip = card?.querySelector("[data-tour-skip]");
const key = `evenkeel-tour-seen:${card?.dataset.user}`;
let at = 0;

/** Whether the steps were shown in this browser. True when that cannot be known: then nobody is bothered. */
function seen() {
  try {
    return localStorage.getItem(key) !== null;
  } catch {
    return true;
  }
}

function remember() {
  try {
    localStorage.setItem(key, "1");
  } catch {
    /* It is shown again only when asked for, so there is nothing to remember. */
  }
}

/** Mark the page that is spoken of in the frame, and have it in sight there: on a phone the frame is wider than the screen. */
function mark(path) {
  for (const each of document.querySelectorAll(".top nav a")) {
    const is_meant = each.getAttribute("href") === path;
    each.classList.toggle("toured", is_meant);
    const bar = each.parentElement;
    if (is_meant) bar.scrollLeft = each.offsetLeft - bar.offsetLeft - (bar.clientWidth - each.offsetWidth) / 2;
  }
}

function show(number) {
  at = number;
  steps.forEach((each, place) => { each.hidden = place !== at; });
  next.textContent = at === steps.length - 1 ? "Done" : "Next";
  skip.hidden = at === steps.length - 1;
  mark(steps[at].dataset.step);
}

function begin() {
  remember();
  card.hidden = false;
  show(0);
  card.scrollIntoView({ block: "nearest" });
}

function end() {
  const was_within = card.contains(document.activeElement);
  card.hidden = true;
  mark(null);
  if (was_within) document.querySelector("main")?.focus({ preventScroll: true });
}

function asked() {
  if (location.hash !== "#tour") return false;
  history.replaceState(null, "", location.pathname);
  return true;
}

if (card && location.pathname === "/") {
  next.addEventListener("click", () => { if (at === steps.length - 1) end(); else show(at + 1); });
  skip.addEventListener("click", end);
  card.addEventListener("keydown", (event) => { if (event.key === "Escape") { event.stopPropagation(); end(); } });
  addEventListener("hashchange", () => { if (asked()) begin(); });
  if (asked() || (location.search === "" && location.hash === "" && !seen())) begin();
}
