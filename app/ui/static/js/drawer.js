/* The drawer: <a href="/queue/ID" data-drawer> shows that page's content beside the list. Without scripts it is a page. */

import { swap } from "./swap.js";

const drawer = document.getElementById("drawer");
const content = document.getElementById("drawer-content");
let opener = null;
let address = null;

/** What says that something went well or wrong: it belongs to what lies on top, or nobody would see it. */
function told() {
  return [document.getElementById("said"), document.getElementById("wrong")];
}

/** Open the drawer on an address, or show it there anew. */
export async function open(url, { from = null, push = true } = {}) {
  opener = from ?? opener;
  address = url;
  content.dataset.url = url;
  const shown = swap(url, content);
  if (!drawer.open) { drawer.showModal(); drawer.append(...told()); }
  if (!(await shown)) { if (address === url && !content.childElementCount) drawer.close(); return; }
  content.dataset.on = content.firstElementChild?.dataset.topics ?? "";
  const title = content.querySelector("h2");
  if (title) { title.tabIndex = -1; title.focus(); }
  if (push) {
    const here = new URL(location.href);
    here.searchParams.set("open", url);
    history.replaceState(null, "", here);
  }
}

drawer?.addEventListener("close", () => {
  if (drawer.open) return; // opened again before this was told
  document.body.append(...told());
  const here = new URL(location.href);
  here.searchParams.delete("open");
  history.replaceState(null, "", here);
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

const wanted = new URL(location.href).searchParams.get("open");
if (drawer && wanted?.startsWith("/") && !wanted.startsWith("//")) open(wanted, { push: false });
