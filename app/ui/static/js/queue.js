/* The queue: pages, saved views, the row one is on, and what is chosen for one decision. */

import "./queue_drawer.js";
import { open } from "./drawer.js";
import { emit } from "./live.js";
import { show_panel } from "./queue_panels.js";
import { send } from "./send.js";
import { say, swap } from "./swap.js";
import { left_words } from "./queue_words.js";
import "./queue_views.js";

const filter = document.getElementById("queue-filter");
const rows = document.getElementById("queue-rows");
const chosen = document.getElementById("selection");
const acts = [...document.querySelectorAll("[data-act]")];
let current = null;

/* A page of its own for each filter: whatever is changed begins with the first one. */
document.addEventListener("click", (event) => {
  const page = event.target.closest("[data-page]");
  if (page && !event.metaKey && !event.ctrlKey) {
    event.preventDefault();
    filter.elements.page.value = page.dataset.page;
    filter.requestSubmit();
    rows.scrollIntoView({ block: "start" });
  } else if (event.target.closest("[data-sort]")) filter.elements.page.value = "";
}, true);
filter?.addEventListener("input", () => { filter.elements.page.value = ""; }, true);

/* The row one is on. */
function row_of(link) { return link?.closest("tr") ?? null; }

document.addEventListener("focusin", (event) => {
  const link = event.target.closest("#queue-rows tr")?.querySelector("a[data-drawer]");
  if (link) current = link.getAttribute("href");
  show_current();
});
function link_now() { return current && rows?.querySelector(`a[href="${CSS.escape(current)}"]`); }

function show_current() {
  const row = row_of(link_now());
  rows?.querySelectorAll("tr.here").forEach((each) => { if (each !== row) each.classList.remove("here"); });
  row?.classList.add("here");
  for (const act of acts) act.disabled = !row || !may(act.dataset.act, row);
}

/** Whether the row admits an act: what is stopped is not approved, and some rows cannot be chosen. */
function may(act, row) {
  if (act === "approve") return !("stopped" in row.dataset);
  return act !== "select" || Boolean(row.querySelector(".choose"));
}

async function act_on(act) {
  const link = link_now();
  if (!link) return;
  const url = link.getAttribute("href");
  if (act === "select") { row_of(link).querySelector(".choose")?.click(); return; }
  if (act === "claim") {
    if (await send("POST", `/v1/approvals/${url.split("/").pop()}/claim`, {})) { say("Claimed for half an hour."); emit("queue"); }
    return;
  }
  await open(url, { from: link });
  if (act !== "open") show_panel(act);
}
acts.forEach((each) => each.addEventListener("click", () => act_on(each.dataset.act)));

/* What is chosen: the service says what it is together, and what a decision on it is bound to. */
const boxes = () => [...(rows?.querySelectorAll(".choose:checked") ?? [])];

function choose() {
  const ids = boxes().map((box) => `approval_id=${encodeURIComponent(box.value)}`);
  if (ids.length) swap(`/queue/selection?${ids.join("&")}`, chosen);
  else chosen?.replaceChildren();
}
document.addEventListener("change", (event) => { if (event.target.matches(".choose")) choose(); });
chosen?.addEventListener("click", (event) => {
  if (!event.target.closest("[data-choose-none]")) return;
  boxes().forEach((box) => { box.checked = false; });
  choose();
});
rows?.addEventListener("swapped", () => {
  show_current();
  if (chosen.childElementCount || boxes().length) choose();
});
chosen?.addEventListener("sent", (event) => {
  const back = event.detail.filter((each) => each.approval.status === "outrun").length;
  if (back) say(`${event.detail.length - back} approved; ${back} went back, because the world had moved on.`);
  boxes().forEach((box) => { box.checked = false; });
  choose();
});

/* Time goes on. */
setInterval(() => {
  for (const each of document.querySelectorAll("time[data-left]")) {
    const seconds = (Date.parse(each.dateTime) - Date.now()) / 1000;
    each.textContent = left_words(seconds);
    each.classList.toggle("soon", seconds < 7200);
  }
}, 20_000);
