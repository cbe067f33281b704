/* The page of a conversation: sends what is said, follows the run that answers, and shows what came of it from the database.

   Tokens are put beside the log, which screen readers read out; the finished turn comes into the log in one piece. What the
   page is at stands in #state, which the server writes: so after loading anew, or when the stream is gone for good, the
   run that is under way is found there and followed from its beginning. */

import { complain, swap } from "./swap.js";
import { send } from "./send.js";
import { Steps } from "./chat_steps.js";
import { Stream } from "./chat_stream.js";

const SILENT_MS = 15_000;
const LOOK_MS = 5_000;
const EXPECTED_MS = 60_000, EXPECTED_EVERY_MS = 1_000;
const NEAR_PIXELS = 220;
const at = (id) => document.getElementById(id);
const [log, live, speaking, notes, lost, stop, standing, composer] = ["log", "live", "speaking", "notes", "lost", "stop", "standing", "composer"].map(at);
const words_for = new Map([...at("step-words").querySelectorAll("dt")].map((term) => [term.textContent, term.nextElementSibling.textContent]));
const kinds = [...new Set([...[...words_for.keys()].map((key) => key.split(":")[0]), "token", "notice"])];
const steps = new Steps(at("steps"), at("now"));
let following = null;
let messages = at("state")?.dataset.messages;
let opened = null;  // the conversation that is new, until what was said in it has arrived
let is_asking = false;
let is_waiting = false;
let waited = at("state")?.dataset.waits === "yes";
let expected_until = 0;

/* ---- What the conversation is at */

function state() {
  return at("state").dataset;
}

function look() {
  return standing.dataset.url ? swap(standing.dataset.url, standing, { quiet: true }) : Promise.resolve(false);
}

/** Act on what the server says the conversation is at. */
function attend() {
  const { run, last, stoppable } = state();
  const before = messages;
  if (following && run === following.run) following.is_known = true;
  if (following && run !== following.run && (following.is_known || last === following.run)) finish();
  else if (!following && run) follow(run, { stoppable: stoppable === "yes", is_known: true });
  else if (!following && state().messages !== messages) show_last();
  // A decision is followed by words of the agent, and nothing tells when the work on them begins.
  const is_decided = waited && state().waits !== "yes";
  waited = state().waits === "yes";
  if (following || state().messages !== before) expected_until = 0;
  else if (is_decided) expected_until = performance.now() + EXPECTED_MS;
  permit();
}

/** Whether something may be said now. */
function permit() {
  if (!composer) return;
  const waits = state().waits === "yes";
  composer.hidden = waits;
  at("send").disabled = is_asking || Boolean(following) || waits;
  for (const each of document.querySelectorAll("[data-ask-text], [data-begin]")) each.disabled = is_asking || Boolean(following) || waits;
}

/* ---- Following a run */

function follow(run, { stoppable = true, is_known = false } = {}) {
  steps.clear();
  speaking.textContent = "";
  speaking.hidden = notes.hidden = lost.hidden = true;
  notes.textContent = "";
  live.hidden = false;
  stop.hidden = !stoppable;
  stop.disabled = false;
  steps.begin("Beginning");
  following = { run, is_known };
  following.stream = new Stream(run, kinds, {
    news, done: () => finish(),
    lost: () => { lost.textContent = "The connection is lost. It comes back by itself; nothing is lost."; lost.hidden = false; },
    back: () => { lost.hidden = true; },
    refused: async () => { await look(); return following?.run === run; },
  });
  permit();
  stay_at_end(true);
}

function news(kind, detail, milliseconds) {
  if (kind === "token") {
    speaking.hidden = false;
    speaking.textContent += detail;
  } else if (kind === "notice") {
    notes.hidden = Boolean(document.querySelector(".answers"));  // there it is said already
    notes.textContent = detail;
  } else {
    if (kind === "planner") { speaking.textContent = ""; speaking.hidden = true; }
    const words = detail === "checking the figures" ? "Checking the figures" : words_for.get(kind === "tool" ? `tool:${detail}` : kind);
    steps.begin(words ?? "Trying something", milliseconds, kind === "interrupted");
  }
  stay_at_end();
}

/** The run is over: its turn comes from the database, whole, and what was streamed goes away. The stream and the page may both say so. */
async function finish() {
  if (following.is_over) return;
  following.is_over = true;
  const { run, stream } = following;
  stream.close();
  steps.clear();
  stop.hidden = true;
  const turn = at(`turn-${run}`) ?? log.lastElementChild;
  const near = is_near_end();
  await look();
  const seen = state().messages;  // what is added while the turn is loaded is news afterwards
  if (turn && !(await show(turn))) complain("The answer is there, but could not be loaded. Load the page again.");
  speaking.textContent = "";
  await look();
  following = null;
  live.hidden = true;  // not before: until then what is said waits
  messages = seen;
  attend();
  if (is_waiting && !following && !composer.hidden) { is_waiting = false; composer.requestSubmit(); }
  swap(at("threads").dataset.url, at("threads"), { quiet: true });
  if (near) bring(turn);
}

/** A turn from the database. A plan that was shown whole in another turn is shown there in short, before it comes here. */
async function show(turn) {
  const address = (each) => `${location.pathname}/turns/${each.dataset.turn}`;
  for (const card of log.querySelectorAll(".plan-card")) {
    const other = card.closest(".turn");
    if (other && other !== turn) { other.setAttribute("aria-live", "off"); await swap(address(other), other, { quiet: true }); }
  }
  return await swap(address(turn), turn, { quiet: true }) || swap(address(turn), turn);
}

/** Something was added by somebody else: a decision was carried out. */
async function show_last() {
  messages = state().messages;
  const turn = at(`turn-${state().last}`) ?? new_turn(state().last);
  await show(turn);
}

/* ---- Saying something */

function new_turn(id) {
  at("no-turns")?.remove();
  const turn = document.createElement("div");
  turn.className = "turn";
  turn.id = `turn-${id}`;
  turn.dataset.turn = id;
  log.append(turn);
  return turn;
}

/** The run has begun: what was said stands in the log, and its answer is followed. */
function begun(run, text) {
  if (!at(`turn-${run}`)) {
    const bubble = document.createElement("div");
    bubble.className = "said-by-me";
    const words = document.createElement("p");
    words.className = "words";
    words.textContent = text;
    bubble.append(words);
    new_turn(run).append(bubble);
  }
  follow(run);
}

function title_of(text) {
  const line = text.trim().split("\n")[0];
  return line.charAt(0).toUpperCase() + line.slice(1, 80);
}

function wrong(words) {
  const place = at("composer-wrong");
  place.textContent = words;
  place.hidden = !words;
}

/** Say something here, or in a new conversation. What was typed stays until it has arrived. */
async function ask(text) {
  if (is_asking || following || !text.trim()) return false;
  is_asking = true;
  permit();
  wrong("");
  try {
    let thread = composer.dataset.thread;
    const is_new = !thread;
    if (is_new) {
      const title = title_of(text);
      if (opened?.title !== title) opened = await send("POST", "/v1/threads", { title }, { wrong });
      if (!opened) return false;
      thread = opened.thread_id;
    }
    const run = await send("POST", `/v1/threads/${thread}/runs`, { text }, { wrong });
    if (!run) return false;
    if (is_new) location.assign(`/chat/${thread}`);
    else begun(run.run_id, text);
    return true;
  } finally {
    is_asking = false;
    permit();
  }
}

function is_near_end() {
  return document.documentElement.scrollHeight - innerHeight - scrollY < NEAR_PIXELS;
}

/** Show a turn: to its end, or from its beginning where it is higher than what is to be seen at once. */
function bring(turn) {
  const covered = (document.querySelector("header")?.offsetHeight ?? 0) + (composer?.offsetHeight ?? 0);
  turn?.scrollIntoView({ block: turn.offsetHeight > innerHeight - covered ? "start" : "end", behavior: "smooth" });
}

function stay_at_end(always = false) {
  if (always || is_near_end()) scrollTo({ top: document.documentElement.scrollHeight });
}

composer?.addEventListener("submit", async (event) => {
  event.preventDefault();
  is_waiting = Boolean(following);  // said while an answer comes: it is sent after that, unless more is typed
  const text = composer.elements.text;
  if (await ask(text.value)) text.value = "";
});
composer?.elements.text.addEventListener("input", () => { is_waiting = false; });
composer?.elements.text.addEventListener("keydown", (event) => {
  if (event.key === "Escape") event.target.blur();
  if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
  event.preventDefault();
  composer.requestSubmit();
});
document.addEventListener("click", (event) => {
  const suggested = event.target.closest("[data-ask-text]");
  if (suggested) ask(suggested.dataset.askText);
  const beginning = event.target.closest("[data-begin]");
  if (beginning && composer) {
    const text = composer.elements.text;
    text.value = beginning.dataset.begin;
    text.focus();
    text.setSelectionRange(text.value.length, text.value.length);
  }
});
document.addEventListener("sent", (event) => {
  if (event.detail.run_id && !following) begun(event.detail.run_id, event.target.elements.text?.value ?? "");
});
stop?.addEventListener("click", async () => {
  if (!following) return;
  stop.disabled = true;
  const asked = await send("POST", `/v1/runs/${following.run}/cancellation`, {});
  if (asked === null) stop.disabled = false;
  else steps.begin("Stopping");
});
standing.addEventListener("swapped", attend);
setInterval(() => { if (performance.now() < expected_until) look(); }, EXPECTED_EVERY_MS);
setInterval(() => { if (following && performance.now() - following.stream.heard_at > SILENT_MS) { following.stream.heard_at = performance.now(); look(); } }, LOOK_MS);

if (log) {
  bring(log.lastElementChild);
  attend();
} else permit();
