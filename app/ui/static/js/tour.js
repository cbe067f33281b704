/* Four first steps on the overview, once in each browser and for each person; `/#tour` shows them again.

   It never takes the focus by itself and lets clicks through to what lies under it. Where storage is blocked it shows
   only when asked. */

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

function mark(path) {
  document.querySelectorAll(".top nav a").forEach((each) => each.classList.toggle("toured", each.getAttribute("href") === path));
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
  document.documentElement.classList.add("touring");
  show(0);
}

function end() {
  const was_within = card.contains(document.activeElement);
  card.hidden = true;
  document.documentElement.classList.remove("touring");
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
