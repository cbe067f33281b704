/* The drawer: <a href="/queue/ID" data-drawer> shows that page's content beside the list. Without scripts it is a page.

   What is opened from a list is a step of its own in the browser's history: Back closes it, Forward opens it again. */

import { complain, say, swap } from "./swap.js";

const drawer = document.getElementById("drawer");
const content = document.getElementById("drawer-content");
let opener = null;
let address = null;
let going_back = null;

/** What says that something went well or wrong: it belongs to what lies on top, or nobody would see it. */
function told() {
  return [document.getElementById("said"), document.getElementById("wrong")];
}

/** Keep in the address what is open: a step of its own for what opens, the same one for what comes in its place. */
async function keep(url, is_new) {
  await going_back;
  const here = new URL(location.href);
  here.searchParams.set("open", url);
  if (is_new) history.pushState({ drawer: true }, "", here);
  else history.replaceState(history.state, "", here);
}

/** Open the drawer on an address, or show it there anew. What is told of something else goes once somebody opens this. */
export async function open(url, { from = null, push = true } = {}) {
  if (from) { say(""); complain(""); }
  opener = from ?? opener;
  address = url;
  content.dataset.url = url;
  const shown = swap(url, content);
  const is_new = !drawer.open;
  if (is_new) { drawer.showModal(); drawer.append(...told()); }
  if (push) await keep(url, is_new);
  if (!(await shown)) { if (address === url && !content.childElementCount) drawer.close(); return; }
  content.dataset.on = content.firstElementChild?.dataset.topics ?? "";
  const title = content.querySelector("h2");
  if (title) { title.tabIndex = -1; title.focus(); }
}

/** Take what was open out of the address: by the step back to the list it was opened from, where there is one. */
function leave() {
  const here = new URL(location.href);
  if (!here.searchParams.has("open")) return; // a step back was what closed it
  if (history.state?.drawer) {
    going_back = new Promise((done) => { addEventListener("popstate", done, { once: true }); }).then(() => { going_back = null; });
    history.back();
  } else {
    here.searchParams.delete("open");
    history.replaceState(null, "", here);
  }
}

function named_in_address() {
  const wanted = new URL(location.href).searchParams.get("open");
  return wanted?.startsWith("/") && !wanted.startsWith("//") ? wanted : null;
}

addEventListener("popstate", () => {
  if (!drawer || going_back) return;
  const wanted = named_in_address();
  if (!wanted) drawer.close();
  else if (!drawer.open || wanted !== address) open(wanted, { push: false });
});

drawer?.addEventListener("close", () => {
  if (drawer.open) return; // opened again before this was told
  document.body.append(...told());
  leave();
  const back = opener?.isConnected ? opener : address && document.querySelector(`a[href="${CSS.escape(address)}"]`);
  (back || document.querySelector("main")).focus();
  content.replaceChildren();
  delete content.dataset.url;
  opener = null;
});
drawer?.addEventListener("click", (event) => {
  if (event.target === drawer || event.target.closest("[data-close-drawer]")) drawer.close();
});

document.addEventListener("click", (event) => {
  const link = event.target.closest("a[data-drawer]")
    ?? (event.target.closest("a, button, input, select, summary, label") ? null : event.target.closest("tr")?.querySelector("a[data-drawer]"));
  if (!link || event.defaultPrevented || event.metaKey || event.ctrlKey || event.shiftKey || event.button) return;
  event.preventDefault();
  open(link.getAttribute("href"), { from: link });
});

if (drawer && named_in_address()) open(named_in_address(), { push: false });
