/* The lines of a plan in the drawer: which are kept, how many units each carries, and what that means for a decision. */

import { swap } from "./swap.js";

const CHECK_MS = 350;
let waiting = 0;

const plan = () => document.getElementById("q");
const rows = () => [...document.querySelectorAll("#q-lines tr[data-line]")];
const number_of = (row) => Number(row.dataset.line);

/** Numbers of the lines whose mark was taken away. */
export const dropped = () => rows().filter((row) => !row.querySelector(".keep").checked).map(number_of);

/** What was changed: line by line, in packs. */
export function changed() {
  const found = [];
  for (const row of rows()) {
    const field = row.querySelector(".packs");
    const pack = Number(field.dataset.pack);
    const units = row.querySelector(".keep").checked ? Math.max(Number(field.value) || 0, 0) : 0;
    if (units !== Number(field.dataset.was)) found.push({ line_no: number_of(row), packs: Math.floor(units / pack) });
  }
  return found;
}
const quantities = () => rows().some((row) => { const field = row.querySelector(".packs"); return row.querySelector(".keep").checked && field.value !== field.dataset.was; });

/** Numbers of all lines that are kept; null for all of them. */
export function kept() {
  const out = new Set(dropped());
  if (!out.size) return null;
  return Array.from({ length: Number(plan().dataset.total) }, (_, at) => at + 1).filter((no) => !out.has(no));
}

/** Beside the units of a line: how many packs they are now, and that there are whole packs only. Its saving is known again once it was checked. */
function show_line(row) {
  const field = row.querySelector(".packs");
  const [pack, was, typed] = [Number(field.dataset.pack), Number(field.dataset.was), Number(field.value) || 0];
  const units = in_packs(typed, pack, was);
  const packs = row.querySelector(".in-packs");
  if (packs) packs.textContent = `${(units / pack).toLocaleString("en")} × ${pack.toLocaleString("en")}`;
  const words = row.querySelector(".packs-words");
  if (units !== typed) words.textContent = typed > was ? `${units}: an edit only takes away` : `${units}: a pack holds ${pack}`;
  words.hidden = !words.textContent;
  const saving = row.querySelector(".saving");
  saving.textContent = units === was ? saving.dataset.was : "changes";
}

/** Units as whole packs, and not more than the plan has. */
const in_packs = (units, pack, was) => Math.min(Math.max(Math.floor(units / pack) * pack, 0), was);

/** Say what a decision would be on, and have the edit checked. */
export function tell() {
  const words = document.getElementById("q-approve-words");
  const now = document.getElementById("q-approve-now");
  if (!words || !now) return;
  const total = Number(plan().dataset.total);
  const left = total - dropped().length;
  const edited = quantities();
  now.disabled = edited || left === 0;
  if (edited) words.textContent = "You have changed quantities: that is an edit, which somebody else decides on. Send it under Edit, or undo it there.";
  else if (left === 0) words.textContent = "No line is left. Reject the plan instead.";
  else words.textContent = left === total ? words.dataset.whole : `You approve ${left} of ${total} lines. The others are dropped; what is left is checked again from scratch.`;
  now.textContent = left === total ? "Approve this plan" : `Approve ${left} of ${total} lines`;
  const send = document.getElementById("q-edit-now");
  const edits = changed();
  const place = document.getElementById("q-check");
  // Leaving a field by a press on the button is a change of nothing: the button has to stay as it is under the press.
  if (edits.length && place.childElementCount && place.dataset.checked === address_of(edits)) return;
  clearTimeout(waiting);
  send.disabled = true;
  delete place.dataset.checked;
  if (!edits.length) { place.replaceChildren(); return; }
  if (!document.getElementById("panel-edit").hidden) waiting = setTimeout(() => check(edits, place, send), CHECK_MS);
}

const address_of = (edits) => `${plan().dataset.urlOf}/check?${edits.map((each) => `packs=${each.line_no}:${each.packs}`).join("&")}`;

async function check(edits, place, send) {
  const url = address_of(edits);
  if (!(await swap(url, place))) return;
  place.dataset.checked = url;
  send.disabled = place.querySelector("[data-fit]")?.dataset.fit !== "yes";
}

/** Put everything back as the plan has it. */
export function undo() {
  for (const row of rows()) {
    const field = row.querySelector(".packs");
    field.value = field.dataset.was;
    row.querySelector(".packs-words").textContent = "";
    show_line(row);
    row.querySelector(".keep").checked = true;
  }
  tell();
}

document.addEventListener("change", (event) => {
  if (event.target.matches("#q-lines .packs")) {
    const { pack, was } = event.target.dataset;
    show_line(event.target.closest("tr"));
    event.target.value = in_packs(Number(event.target.value) || 0, Number(pack), Number(was));
  }
  if (event.target.matches("#q-lines .packs, #q-lines .keep")) tell();
});
document.addEventListener("input", (event) => {
  if (!event.target.matches("#q-lines .packs")) return;
  const row = event.target.closest("tr");
  row.querySelector(".packs-words").textContent = "";
  show_line(row);
  tell();
});
