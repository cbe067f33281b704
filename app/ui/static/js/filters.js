/* Lists that are filtered and sorted where they stand.

   <form data-filter="/queue/rows" data-into="rows"> loads the fragment with what is chosen, and keeps it in the address.
   <button data-sort="saving" data-for="form-id"> in a column's head sets the form's `sort`, or turns it round.
   <a href="/network/stock" data-carries="kind sku"> takes along what is chosen of these. */

import { swap } from "./swap.js";

const TYPING_MS = 200;
const waiting = new WeakMap();

function chosen(form) {
  const words = new URLSearchParams();
  for (const [name, value] of new FormData(form)) if (value !== "") words.append(name, value);
  return words;
}

function carry(words) {
  for (const link of document.querySelectorAll("a[data-carries]")) {
    const names = link.dataset.carries.split(" ");
    link.search = new URLSearchParams([...words].filter(([name]) => names.includes(name))).toString();
  }
}

function apply(form) {
  const words = chosen(form);
  const target = document.getElementById(form.dataset.into);
  const url = words.size ? `${form.dataset.filter}?${words}` : form.dataset.filter;
  target.dataset.url = url;
  const here = new URL(location.href);
  const open = here.searchParams.get("open");
  here.search = words.toString();
  if (open) here.searchParams.set("open", open);
  history.replaceState(history.state, "", here);
  carry(words);
  return swap(url, target);
}

document.addEventListener("input", (event) => {
  const form = event.target.form;
  if (!form?.dataset.filter) return;
  clearTimeout(waiting.get(form));
  waiting.set(form, setTimeout(() => apply(form), TYPING_MS));
});
document.addEventListener("submit", (event) => {
  if (!event.target.dataset.filter) return;
  event.preventDefault();
  apply(event.target);
});
document.addEventListener("reset", (event) => {
  if (!event.target.dataset.filter) return;
  event.preventDefault();
  for (const control of event.target.elements) {
    if (control.type === "checkbox" || control.type === "radio") control.checked = false;
    else if (control.tagName === "SELECT") control.selectedIndex = 0;
    else if (control.type !== "submit" && control.type !== "reset") control.value = "";
  }
  apply(event.target);
});
document.addEventListener("click", (event) => {
  const by = event.target.closest("[data-sort]");
  if (by) {
    const form = document.getElementById(by.dataset.for);
    const sort = form.elements.sort;
    sort.value = sort.value === by.dataset.sort ? `-${by.dataset.sort}` : by.dataset.sort;
    apply(form);
    return;
  }
  const more = event.target.closest("[data-get]");
  if (more) { event.preventDefault(); swap(more.dataset.get, document.getElementById(more.dataset.into)); }
});
