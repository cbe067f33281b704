/* Fragments that keep themselves up to date: <div data-url="/queue/rows" data-on="queue orders">.

   The service tells what kind of thing has changed. While nothing is heard they look again by themselves. */

import { swap } from "./swap.js";

const QUIET_MS = 15_000;
const TOGETHER_MS = 150;
const OUTDATED_MS = 3_000;
const looking = new Map();
let heard = false;

/** Something of this kind has changed: everything that shows it looks again. */
export function emit(topic) {
  for (const target of document.querySelectorAll("[data-url][data-on]")) {
    if (target.dataset.on.split(" ").includes(topic)) soon(target);
  }
  document.dispatchEvent(new CustomEvent("changed", { detail: topic }));
}

function soon(target) {
  if (looking.has(target)) { looking.set(target, true); return; }
  looking.set(target, false);
  setTimeout(async () => {
    const is_sent = target.querySelector("form[aria-busy=true]") !== null;
    looking.set(target, is_sent);
    const is_new = !target.isConnected || is_sent || await swap(target.dataset.url, target, { quiet: true });
    const again = looking.get(target);  // something has happened since
    looking.delete(target);
    if (again || !is_new) setTimeout(soon, again ? TOGETHER_MS : QUIET_MS, target);  // nobody sees that what is shown is old
  }, TOGETHER_MS);
}

function listen() {
  const news = new EventSource("/live");
  news.onopen = () => { if (heard) everything(); heard = true; document.documentElement.dataset.live = "yes"; };
  news.addEventListener("changed", (event) => emit(event.data));
  news.onerror = () => {
    document.documentElement.dataset.live = "no";
    if (news.readyState === EventSource.CLOSED) setTimeout(listen, QUIET_MS);
  };
  addEventListener("pagehide", () => news.close(), { once: true });
}

function everything() {
  document.querySelectorAll("[data-url][data-on]").forEach(soon);
}

if (document.querySelector("meta[name=form-token]")) {
  listen();
  /* What says that newer stock is being worked out looks again until that is there. */
  setInterval(() => { if (document.querySelector("[data-outdated]") && !document.hidden) emit("stock"); }, OUTDATED_MS);
  setInterval(() => { if (document.documentElement.dataset.live !== "yes" && !document.hidden) everything(); }, QUIET_MS);
  addEventListener("pageshow", (event) => { if (event.persisted) { listen(); everything(); } });
}
