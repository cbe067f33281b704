/* The drawer of the queue: parts that come when they are opened, what may be done at the moment, and forms with a body of their own. */

import { open } from "./drawer.js";
import { changed, dropped, kept, tell, undo } from "./queue_lines.js";
import { close_panels, show_panel } from "./queue_panels.js";
import { say, swap } from "./swap.js";

const standing = () => document.getElementById("q-standing");
const plan = () => document.getElementById("q");

/* Parts that come when they are opened: <details data-lazy="/url"> puts what the address gives into its last element. */
document.addEventListener("toggle", (event) => {
  if (event.target.dataset?.lazy) fill(event.target);
}, true);

function fill(part) {
  if (!part.open || part.dataset.loaded) return;
  part.dataset.loaded = "yes";
  swap(part.dataset.lazy, part.lastElementChild);
}

function load(within) {
  within.querySelectorAll("details[data-lazy][open]").forEach(fill);
  within.querySelectorAll("[data-load]").forEach((each) => { const url = each.dataset.load; delete each.dataset.load; swap(url, each, { quiet: true }); });
}

/* What is offered follows where the request stands. */
function offer() {
  const can = new Set((standing()?.dataset.can ?? "").split(" "));
  document.querySelectorAll("#q [data-if]").forEach((each) => { each.hidden = !can.has(each.dataset.if); });
  document.querySelectorAll("#q-lines .keep").forEach((each) => { each.disabled = !can.has("decides"); });
  for (const button of document.querySelectorAll('[data-panel][aria-expanded="true"]')) if (button.hidden || !can.has("waits")) close_panels();
}

function begin(within) {
  wire();
  load(within);
  offer();
}
document.addEventListener("swapped", (event) => {
  if (event.target.id === "drawer-content" && plan()) begin(event.target);
  if (event.target.id === "q-state") offer();
  // What would go back at once is not what the page proposes to do.
  if (event.target.id === "q-now-in") document.querySelector("[data-panel=approve]")?.classList.toggle("plain", Boolean(event.target.querySelector(".notice.bad")));
  if (event.target.id === "q-more") offer();
});

/* Bodies that are more than their controls. */
function wire() {
  document.getElementById("q-approve")?.addEventListener("building", (event) => {
    const lines = kept();
    if (lines) event.detail.line_nos = lines;
  });
  document.getElementById("q-edit")?.addEventListener("building", (event) => { event.detail.packs = changed(); });
  document.getElementById("q-reject")?.addEventListener("building", (event) => {
    const rejection = event.detail.rejection;
    if (!rejection) return;
    const limit = document.getElementById("q-limit");
    if (!limit.disabled && limit.value !== "") {
      const scale = rejection.code === "too_expensive" ? 10 ** Number(limit.dataset.digits) : 1;
      rejection.limit = Math.round(Number(limit.value) * scale);
    }
  });
}

/* Which fields a reason needs. */
document.addEventListener("change", (event) => {
  if (event.target.closest("#q-reject .choices")) return say_what_is_missing();
  if (event.target.id !== "q-code") return;
  const needs = event.target.selectedOptions[0].dataset.needs ?? "";
  for (const field of document.querySelectorAll("#q-reject [data-need]")) {
    const wanted = needs === field.dataset.need || (needs === "any" && field.dataset.need !== "limit");
    field.hidden = !wanted;
    for (const each of field.querySelectorAll("input")) each.disabled = !wanted;
    if (wanted && field.dataset.need === "lines") tick_dropped(field);
  }
  say_what_is_missing();
  document.getElementById("q-limit-unit").textContent = { too_many_lines: "lines", too_expensive: "for moving, in the currency of the plan" }[event.target.value] ?? "units";
});

/** Lines whose mark was taken away in the table are those that a rejection is about, where nothing else was ticked yet. */
function tick_dropped(lines) {
  if (lines.querySelector("input:checked")) return;
  const out = new Set(dropped());
  for (const each of lines.querySelectorAll("input")) each.checked = out.has(Number(each.value));
}

/** A reason that is about lines, sites or SKUs names one of them at least; one that may be about any of them names one of any. */
function say_what_is_missing() {
  const needs = document.getElementById("q-code").selectedOptions[0].dataset.needs;
  const groups = [...document.querySelectorAll("#q-reject .choices")].filter((group) => group.querySelector("input"));
  for (const group of groups) {
    const missing = needs === group.dataset.need && !group.querySelector("input:checked");
    group.querySelector("input").setCustomValidity(missing ? group.dataset.missing : "");
  }
  const any = needs === "any" && !document.querySelector("#q-reject .choices input:checked");
  if (any) groups[0]?.querySelector("input").setCustomValidity("Tick the lines, sites or SKUs that it is about.");
}

document.addEventListener("click", (event) => {
  const why = event.target.closest("[data-why]");
  if (why) return explain(why);
  const step = event.target.closest("[data-step]");
  if (step) return go(Number(step.dataset.step));
  const to = event.target.closest("[data-open]");
  if (to) {
    event.preventDefault();
    const part = document.getElementById(to.dataset.open);
    part.open = true;
    part.scrollIntoView();
  }
  if (event.target.id === "q-edit-undo") undo();
  if (event.target.id === "q-ask-now") {
    const words = document.getElementById("q-question");
    if (words.reportValidity()) swap(`${plan().dataset.urlOf}/answer?words=${encodeURIComponent(words.value.slice(0, 500))}`, document.getElementById("q-answer"));
  }
  if (event.target.closest("[data-panel]")) tell();
});

/* Why a line: a row under it. */
function explain(button) {
  const row = button.closest("tr");
  const is_open = button.getAttribute("aria-expanded") === "true";
  button.setAttribute("aria-expanded", String(!is_open));
  if (is_open) { row.nextElementSibling.hidden = true; return; }
  if (row.nextElementSibling?.classList.contains("why-row")) { row.nextElementSibling.hidden = false; return; }
  const under = document.createElement("tr");
  under.className = "why-row";
  const cell = document.createElement("td");
  cell.colSpan = row.children.length;
  cell.textContent = "Asking…";
  under.append(cell);
  row.after(under);
  swap(`${plan().dataset.urlOf}/lines/${button.dataset.why}`, cell);
}

/* The plan before or after this one in the list. */
function go(by) {
  const links = [...document.querySelectorAll("#queue-rows a[data-drawer]")];
  const at = links.findIndex((link) => link.getAttribute("href") === plan().dataset.urlOf);
  const next = links[at + by];
  if (next && at !== -1) open(next.getAttribute("href"), { from: next });
  else say(by > 0 ? "This is the last of the list." : "This is the first of the list.");
}

/* What came of a decision. */
document.addEventListener("sent", (event) => {
  const answer = event.detail;
  if (event.target.id === "q-approve") {
    close_panels();
    const narrowed = answer.narrowed.length ? ` ${answer.narrowed.length} lines carry less than planned, because less is there now.` : "";
    if (answer.approval.status === "pending") say(`Signed. Still missing: ${answer.approval.signing.words}`);
    else say(`Approved: ${answer.transfer_ids.length} transfers are on their way.${narrowed}`);
    show_other(answer.approval.approval_id);
  }
  if (event.target.id === "q-reject") close_panels();
  if (event.target.id === "q-edit") show_other(answer.approval_id);
  if (event.target.id === "q-ask") event.target.reset();
});

/* A part that was approved, or an edit, is a plan of its own: that one is shown. */
function show_other(approval_id) {
  const url = `/queue/${approval_id}`;
  if (url === plan().dataset.urlOf) return;
  if (document.getElementById("drawer").open) open(url);
  else location.assign(url);
}

const alone = document.querySelector("main #q");
if (alone) begin(alone);

export { show_panel };
