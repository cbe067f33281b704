/* Puts fragments of our own server into the page. No other module writes markup. */

const PRESS_MS = 10_000;
const under_way = new Map();
const shown = new WeakMap();
let is_pressed = false;

/* A press that ends on something else than it began on is not a click: whatever would move under the pointer waits. */
document.addEventListener("pointerdown", () => { is_pressed = true; }, true);
for (const name of ["pointerup", "pointercancel"]) document.addEventListener(name, () => setTimeout(() => { is_pressed = false; }), true);

/** Wait until nothing is being pressed, and no form in here is on its way: not for ever, since a browser may keep to itself that something was let go. */
async function left_alone(target) {
  const until = performance.now() + PRESS_MS;
  while ((is_pressed || target.querySelector("form[aria-busy=true]")) && performance.now() < until) await new Promise((then) => setTimeout(then, 20));
}

/** What forms were refused for. It stays when what is shown is loaded again, and goes with what it was about. */
function refusals(target) {
  return [...target.querySelectorAll("[data-wrong]")].map((place) => ({ place, words: place.hidden ? "" : place.textContent }));
}

/** Say something that is going well. */
export function say(words) {
  document.getElementById("said").textContent = words;
  if (words) setTimeout(() => { const said = document.getElementById("said"); if (said.textContent === words) said.textContent = ""; }, 6000);
}

/** Say what went wrong, until it is closed or something succeeds. What went well before is no longer what matters. */
export function complain(words) {
  if (words) say("");
  document.getElementById("wrong-words").textContent = words;
  document.getElementById("wrong").hidden = !words;
}

/** The words of a refusal: what was wrong, and what to do. `invalid` are those for a body that is not as the API wants it. */
export async function words_of(answer, invalid = "") {
  try {
    const problem = await answer.json();
    if (invalid && problem.code === "invalid_request") return invalid;
    return [problem.detail, problem.remedy].filter(Boolean).join(". ");
  } catch {
    return `The service answered ${answer.status}. Try again.`;
  }
}

/** Go to the sign-in, which says why, and come back here afterwards. */
export function sign_in_again() {
  location.assign(`/sign-in?out=1&next=${encodeURIComponent(location.pathname + location.search)}`);
}

/** Load a fragment into an element. True once it is there; false when it was refused, overtaken, or nobody answered. */
export async function swap(url, target, { quiet = false } = {}) {
  under_way.get(target)?.abort();
  const abort = new AbortController();
  under_way.set(target, abort);
  target.setAttribute("aria-busy", "true");
  try {
    const answer = await fetch(url, { headers: { "X-Fragment": "1" }, signal: abort.signal });
    if (answer.status === 401) { sign_in_again(); return false; }
    if (!answer.ok) { if (!quiet) complain(await words_of(answer)); return false; }
    const markup = await answer.text();
    if (quiet) await left_alone(target);
    if (abort.signal.aborted) return false;
    const refused = (shown.get(target) ?? target.dataset.url) === url ? refusals(target) : [];  // not before: something may be refused meanwhile
    place(markup, target);
    shown.set(target, url);
    refusals(target).forEach((each, number) => { if (refused[number]?.words) { each.place.textContent = refused[number].words; each.place.hidden = false; } });
    return true;
  } catch (failed) {
    if (failed.name !== "AbortError" && !quiet) complain("The service does not answer. Try again in a moment.");
    return false;
  } finally {
    if (under_way.get(target) === abort) { under_way.delete(target); target.removeAttribute("aria-busy"); }
  }
}

/** Whoever was somewhere in the old fragment is at the same place in the new one; what was ticked stays so, and what was typed where it says `data-keep`. */
function place(markup, target) {
  const at = document.activeElement;
  const within = target.contains(at) && at !== target;
  const way_back = within && at.id ? `#${CSS.escape(at.id)}` : null;
  const ticked = [...target.querySelectorAll("input[type=checkbox][data-keep]:checked")].map((box) => box.value);
  const typed = [...target.querySelectorAll("textarea[data-keep][id], input[data-keep][id]:not([type=checkbox])")].filter((each) => each.value !== each.defaultValue).map((each) => [each.id, each.value]);
  const open = [...target.querySelectorAll("details[id][open]")].map((each) => each.id);
  const scrolled = [target.scrollTop, target.scrollLeft];
  target.innerHTML = markup;
  for (const box of target.querySelectorAll("input[type=checkbox][data-keep]")) box.checked = ticked.includes(box.value);
  for (const [id, value] of typed) {
    const again = target.querySelector(`#${CSS.escape(id)}[data-keep]`);
    if (again) again.value = value;
  }
  for (const each of target.querySelectorAll("details[id]")) if (open.includes(each.id)) each.open = true;
  [target.scrollTop, target.scrollLeft] = scrolled;
  if (within) (way_back && target.querySelector(way_back) || region_of(target)).focus({ preventScroll: true });
  target.dispatchEvent(new CustomEvent("swapped", { bubbles: true }));
}

function region_of(target) {
  if (!target.hasAttribute("tabindex")) target.tabIndex = -1;
  return target;
}
