/* Views that somebody has named, kept in their own browser. */

const KEY = "evenkeel.queue.views";
const MAX = 20;
const place = document.getElementById("own-views");
const save = document.getElementById("save-view");
const form = document.getElementById("view-name");

function kept() {
  try {
    const found = JSON.parse(localStorage.getItem(KEY) ?? "[]");
    return Array.isArray(found) ? found.filter((each) => typeof each?.name === "string" && typeof each?.query === "string").slice(0, MAX) : [];
  } catch {
    return [];
  }
}

function keep(views) {
  try { localStorage.setItem(KEY, JSON.stringify(views.slice(0, MAX))); } catch { /* a private window keeps nothing */ }
  draw();
}

function query_now() {
  const words = new URLSearchParams(location.search);
  words.delete("open");
  words.delete("page");
  return words.toString();
}

function draw() {
  place.replaceChildren(...kept().map((view) => {
    const both = document.createElement("span");
    both.className = "own";
    const link = document.createElement("a");
    link.className = "view";
    link.href = `/queue?${new URLSearchParams(view.query)}`;
    link.textContent = view.name;
    const away = document.createElement("button");
    away.type = "button";
    away.className = "quiet small";
    away.setAttribute("aria-label", `Forget the view ${view.name}`);
    away.textContent = "×";
    away.addEventListener("click", () => keep(kept().filter((each) => each.name !== view.name)));
    both.append(link, away);
    return both;
  }));
  mark();
}

/* Which of the views this is. */
function mark() {
  const now = query_now();
  for (const link of document.querySelectorAll(".views a.view")) {
    const own = new URL(link.href).search.slice(1);
    if (own === now) link.setAttribute("aria-current", "true");
    else link.removeAttribute("aria-current");
  }
}

if (place) {
  draw();
  save.addEventListener("click", () => { form.hidden = !form.hidden; if (!form.hidden) document.getElementById("view-words").focus(); });
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const name = document.getElementById("view-words").value.trim();
    if (name) keep([...kept().filter((each) => each.name !== name), { name, query: query_now() }]);
    form.reset();
    form.hidden = true;
    save.focus();
  });
  document.getElementById("queue-rows")?.addEventListener("swapped", mark);
}
