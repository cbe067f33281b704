/* Keys: `data-key="a"` or `data-key="g q"` on whatever can be pressed or filled in. `?` lists them.

   `j` and `k` go along rows from anywhere, the arrows up and down within a table. */

const WITHIN_MS = 900;
const list = document.getElementById("keys");
let first = "";
let since = 0;

const is_typing = (target) => target.closest("input:not([type=checkbox]):not([type=radio]), textarea, select, [contenteditable]");
const is_shown = (each) => each.getClientRects().length > 0;

function layer() {
  const dialogs = [...document.querySelectorAll("dialog[open]")];
  return dialogs.at(-1) ?? document;
}

function press(key) {
  const found = [...layer().querySelectorAll("[data-key]")].find((each) => each.dataset.key === key && is_shown(each) && !each.disabled);
  if (!found) return false;
  if (found.matches("input:not([type=checkbox]), textarea, select")) { found.focus(); found.select?.(); } else found.click();
  return true;
}

/** Go to the next row, or the one before: from the row that one is in, or into the rows from one end. Whether there was one. */
function along(step, within = document) {
  const links = [...within.querySelectorAll("tbody a[data-drawer], tbody a[data-row]")].filter(is_shown);
  const here = document.activeElement.closest("tr");
  const at = here ? links.findIndex((link) => link.closest("tr") === here) : -1;
  const next = links[at === -1 ? (step > 0 ? 0 : links.length - 1) : at + step];
  next?.focus();
  next?.scrollIntoView({ block: "nearest" });
  return Boolean(next);
}

function show_list() {
  const rows = [...document.querySelectorAll("[data-key]")].filter(is_shown).map((each) => [each.dataset.key, each.getAttribute("aria-label") ?? each.dataset.label ?? each.textContent.trim()]);
  rows.push(["j k", "next and previous row"], ["↓ ↑", "next and previous row, once you are in a table"], ["Esc", "close, or leave the search field"], ["?", "this list"]);
  const body = list.querySelector("dl");
  body.replaceChildren();
  for (const [key, words] of rows) {
    const term = document.createElement("dt");
    const stroke = document.createElement("kbd");
    stroke.textContent = key;
    term.append(stroke);
    const meaning = document.createElement("dd");
    meaning.textContent = words;
    body.append(term, meaning);
  }
  list.showModal();
}

/** Out of a search field, which keeps what is in it: after that the keys are keys again. */
function leave_search(event) {
  if (event.key !== "Escape" || layer() !== document || !event.target.matches("input[type=search]")) return;
  event.preventDefault(); // or the browser empties the field
  event.target.blur();
}

document.addEventListener("keydown", (event) => {
  leave_search(event);
  if (event.metaKey || event.ctrlKey || event.altKey || is_typing(event.target)) return;
  const before = event.timeStamp - since < WITHIN_MS ? first : "";
  first = event.key;
  since = event.timeStamp;
  if (before && press(`${before} ${event.key}`)) { event.preventDefault(); first = ""; return; }
  if (press(event.key)) { event.preventDefault(); first = ""; return; }
  if (event.key === "?" && list) { event.preventDefault(); show_list(); }
  if (layer() !== document) return;
  if (event.key === "j" || event.key === "k") { event.preventDefault(); along(event.key === "j" ? 1 : -1); }
  const table = event.target.closest("table");
  if (table && !event.shiftKey && (event.key === "ArrowDown" || event.key === "ArrowUp") && along(event.key === "ArrowDown" ? 1 : -1, table)) event.preventDefault();
});
document.querySelectorAll("[data-show-keys]").forEach((each) => each.addEventListener("click", show_list));
document.querySelectorAll("[data-close-dialog]").forEach((each) => each.addEventListener("click", () => each.closest("dialog").close()));
